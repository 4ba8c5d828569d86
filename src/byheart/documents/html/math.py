"""MathML as LaTeX where the page has it, else as plain signs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SCRIPTS = {"msup": "^", "msub": "_", "mover": "^", "munder": "_"}


def read_math(math: "HtmlElement") -> str:
    """ "$\\frac{1}{2}$"."""
    notes = math.xpath(".//*[local-name()='annotation'][contains(@encoding, 'tex') or contains(@encoding, 'TeX')]")
    said = " ".join((notes[0].text_content() if notes else math.get("alttext", "")).split())
    if said.startswith("{\\displaystyle") and said.endswith("}"):
        said = said[14:-1].strip()
    said = said or " ".join(_linear(math, 0).split())
    mark = "$$" if math.get("display") == "block" else "$"
    return f"{mark}{said}{mark}" if said else ""


def _linear(element: "HtmlElement", depth: int) -> str:
    if not isinstance(element.tag, str) or depth > 60:
        return ""
    tag = element.tag.rpartition("}")[2].rpartition(":")[2]
    if tag in ("annotation", "annotation-xml"):
        return ""
    parts = [_linear(child, depth + 1) for child in element]
    if tag == "mfrac" and len(parts) == 2:
        return f"\\frac{{{parts[0]}}}{{{parts[1]}}}"
    if tag in _SCRIPTS and len(parts) == 2:
        return f"{parts[0]}{_SCRIPTS[tag]}{{{parts[1]}}}"
    if tag in ("msubsup", "munderover") and len(parts) == 3:
        return f"{parts[0]}_{{{parts[1]}}}^{{{parts[2]}}}"
    if tag == "msqrt":
        return f"\\sqrt{{{''.join(parts)}}}"
    if tag == "mroot" and len(parts) == 2:
        return f"\\sqrt[{parts[1]}]{{{parts[0]}}}"
    if tag == "mo" and (element.text or "").strip() in ("=", "<", ">", "≤", "≥", "+", "−", "-"):
        return f" {(element.text or '').strip()} "
    return (element.text or "").strip() + "".join(parts)
