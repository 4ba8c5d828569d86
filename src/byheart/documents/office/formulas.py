"""Formulas of word processors (OMML) as LaTeX, so that a formula is one token of its sentence."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
SUMS = {"∑": r"\sum", "∏": r"\prod", "∫": r"\int", "⋃": r"\bigcup", "⋂": r"\bigcap"}


def formula_text(element: "_Element") -> str:
    """The formula between dollar signs."""
    words = " ".join(_latex(element).split())
    return f"${words}$" if words else ""


def _latex(element: "_Element") -> str:
    tag = element.tag.removeprefix(M) if isinstance(element.tag, str) else ""
    if tag == "t":
        return element.text or ""
    if tag.endswith("Pr"):
        return ""

    def part(name: str) -> str:
        found = element.find(M + name)
        return "" if found is None else _latex(found)

    def value(path: str, other: str) -> str:
        found = element.find("/".join(M + step for step in path.split("/")))
        return other if found is None else str(found.get(M + "val", other))

    if tag == "f":
        return rf"\frac{{{part('num')}}}{{{part('den')}}}"
    if tag in ("sSup", "sSub", "sSubSup", "sPre"):
        raised, lowered = part("sup"), part("sub")
        return part("e") + (f"_{{{lowered}}}" if lowered else "") + (f"^{{{raised}}}" if raised else "")
    if tag == "rad":
        degree = part("deg")
        return r"\sqrt" + (f"[{degree}]" if degree else "") + f"{{{part('e')}}}"
    if tag == "nary":
        sign = value("naryPr/chr", "∫")
        low, high = part("sub"), part("sup")
        limits = (f"_{{{low}}}" if low else "") + (f"^{{{high}}}" if high else "")
        return SUMS.get(sign, sign) + limits + " " + part("e")
    if tag == "d":
        inner = value("dPr/sepChr", "|").join(_latex(each) for each in element.iterchildren(M + "e"))
        return value("dPr/begChr", "(") + inner + value("dPr/endChr", ")")
    if tag == "func":
        return part("fName") + " " + part("e")
    if tag == "limLow":
        return f"{part('e')}_{{{part('lim')}}}"
    if tag == "limUpp":
        return f"{part('e')}^{{{part('lim')}}}"
    if tag == "m":
        rows = (
            " & ".join(_latex(cell) for cell in row.iterchildren(M + "e")) for row in element.iterchildren(M + "mr")
        )
        return r"\begin{matrix} " + r" \\ ".join(rows) + r" \end{matrix}"
    return "".join(_latex(child) for child in element)
