"""Formulas in LaTeX: each is one token of its sentence.

`$m$`, `\\(m\\)`, `$$ ... $$`, `\\[ ... \\]`, environments and fences of "math". "$5 and $7" are prices.
"""

import re
from bisect import bisect_right

from byheart.documents.markdown.masks import HIDDEN, SPAN, Masks, find_fences

_ENVIRONMENTS = r"equation|align|alignat|aligned|gather|gathered|multline|eqnarray|displaymath|math|split|flalign"
DISPLAY = re.compile(
    r"(?<![\\$])\$\$(?!\$)(?P<dollars>(?:[^$\\]|\\.){1,4000}?)\$\$(?!\$)|\\\[(?P<brackets>[^\]]{1,4000}?)\\\]"
    rf"|\\begin\{{(?P<name>(?:{_ENVIRONMENTS})\*?)\}}(?P<body>(?:[^\\]|\\(?!end|begin\{{(?P=name)\}})){{1,4000}}?)\\end\{{(?P=name)\}}",
    re.S,
)
# As Pandoc has it: no blank inside the dollars, no figure behind them.
INLINE = re.compile(
    r"(?<![\\$\w])\$(?![\s$])(?P<dollars>(?:[^$\\\n]|\\[^\n]|\n(?!\s*\n)){1,400}?)(?<![\s\\])\$(?![\d$])"
    r"|\\\((?P<parens>(?:[^()\n]|\([^()\n]*\)|\n(?!\s*\n)){1,400}?)\\\)"
)
_MATH = re.compile(r"\{?(?:math|latex-math|katex)\}?")
_SIGNS = re.compile(r"[\\^_{}=<>+|≤≥≈≠±·×÷∈∑∫√∞∂α-ωΑ-Ω]|\d[A-Za-z]|[A-Za-z]\s?[(/*'!,;:-]")
_TERM = re.compile(r"[A-Za-z]{1,3}\d*|\d+(?:[.,]\d+)*%?|\([A-Za-z\d, ]+\)")
_WORDS = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{3,}(?=\s+[A-Za-z]{2,}\s+[A-Za-z]{2,})")
_TEXT = re.compile(r"\\(?:text\w*|mathrm|mbox|operatorname)\s*\{[^{}]*\}")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_END = re.compile(r"(?:\\[,;:!]|\s)*([.,;])\s*$")
_BEFORE = re.compile(r"(?P<line>^[^\n]*)\n(?:[ \t]*\n)?[ \t]*(?=(?P<sign>\ue000[\ue100-\ue109]+\ue001))", re.M)
_BEHIND = re.compile(
    r"(?P<sign>\ue000[\ue100-\ue109]+\ue001)(?P<stop>[.,;:]?)[ \t]*\n(?P<blank>[ \t]*\n)?[ \t]*(?=(?P<next>\S))"
)
_ENDED = re.compile(r"[.!?。！？][\"”’)*_]*\s*$")
_NO_SENTENCE = re.compile(r"\s*(?:#|\||[-=*_]{3,}\s*$|$|\[\^)|.*\|\s*$")


def is_formula(inside: str) -> bool:
    """Whether what stands between dollars or brackets is mathematics and no prose: no price, no variable of a shell."""
    bare = _TEXT.sub("", inside).strip()
    if not bare:
        return bool(inside.strip())
    if _WORDS.search(bare):
        return False
    return bool(
        _TERM.fullmatch(bare) or (_SIGNS.search(bare) and not re.fullmatch(r"[A-Z_]{3,}\W?|\d[\d.,]*\W{0,2}", bare))
    )


def find_formulas(text: str) -> list[tuple[int, int]]:
    """The spans of the formulas, in order; those in code are none."""
    if "$" not in text and "\\" not in text:
        return []
    code = [match.span() for match in SPAN.finditer(text)] if "`" in text else []
    found: list[tuple[int, int]] = []
    for pattern in (DISPLAY, INLINE):
        taken = sorted([*found, *code])
        ends = [end for _, end in taken]
        for match in pattern.finditer(text):
            inside = next(group for group in match.groups() if group is not None)
            after = bisect_right(ends, match.start())  # the first that ends behind its beginning
            free = after == len(taken) or taken[after][0] >= match.end()
            if free and (pattern is DISPLAY or is_formula(inside)):
                found.append(match.span())
    return sorted(found)


def hide_formulas(text: str, masks: Masks) -> str:
    """The text with a sign for each formula. Code must be hidden already."""
    text = masks.hide(DISPLAY, text)
    return masks.hide(INLINE, text, lambda match: match[0] if is_formula(match["dollars"] or match["parens"]) else "")


def unfence(text: str) -> str:
    """The text with fences of "math" as displayed formulas."""
    for fence in reversed(find_fences(text)) if "math" in text or "katex" in text else ():
        if _MATH.fullmatch(fence.info) and fence.code.strip():
            text = f"{text[: fence.start]}$$\n{fence.code}$$\n{text[fence.end :]}"
    return text


def join_formulas(text: str, masks: Masks | None = None) -> str:
    """The text with each displayed formula on one line, in the sentence that it belongs to.

    "The ratio is", a blank line and "$$ ... $$" are one sentence; so is "where $c$ is ..." below. What ends the
    sentence stands behind the formula, not in it. With `masks`, code is hidden already, and the formulas stay hidden.
    """
    if not any(mark in text for mark in ("$$", "\\[", "\\begin{", "math")):
        return text
    own = masks is None
    if masks is None:
        masks = Masks()
        text = masks.hide_code(unfence(text))
    signs: set[str] = set()

    def line(match: re.Match[str]) -> str:
        whole = _COMMENT.sub("", match[0]) if "\n" in match[0] else match[0]
        opening = re.match(r"\$\$|\\\[|\\begin\{[^}]*\}", whole)
        closing = re.search(r"(?:\$\$|\\\]|\\end\{[^}]*\})$", whole)
        if not opening or not closing:
            return match[0]
        inside = " ".join(re.sub(r"\\label\{[^}]*\}", "", whole[opening.end() : closing.start()]).split())
        stop = _END.search(inside)
        inside = inside[: stop.start()] if stop else inside
        sign = masks.keep(f"{opening[0]}{inside}{closing[0]}")
        signs.add(sign)
        return sign + (stop[1] if stop else "")

    text = DISPLAY.sub(line, text)

    def before(match: re.Match[str]) -> str:
        above = match["line"]
        alone = (
            match["sign"] not in signs
            or _ENDED.search(above)
            or _NO_SENTENCE.match(above)
            or (HIDDEN.fullmatch(above.strip()) and above.strip() not in signs)
        )
        return match[0] if alone else f"{above.rstrip()} "

    def behind(match: re.Match[str]) -> str:
        if match["sign"] not in signs:
            return match[0]
        head = match["sign"] + match["stop"]
        goes_on = (
            match["next"].islower() or match["next"] in ",;)" or (not match["blank"] and match["stop"] in tuple(".,;:"))
        )
        rest = text[match.end() : match.end() + 4]
        if goes_on and not re.match(r"[a-z]{1,2}[.)]\s", rest):
            return f"{head} "
        return f"{head}\n\n"

    text = _BEFORE.sub(before, text)
    text = _BEHIND.sub(behind, text)
    return masks.show(text) if own else text


def mask(text: str) -> str:
    """A text of the same length in which each formula and each piece of code is one word, for those who split sentences."""
    spans = find_formulas(text)
    if "`" in text:
        spans = sorted([*spans, *(match.span() for match in SPAN.finditer(text))])
    if not spans:
        return text
    ends = [0, *(end for _, end in spans)]
    parts = [f"{text[last:start]}X{'x' * (end - start - 1)}" for last, (start, end) in zip(ends, spans, strict=False)]
    return "".join([*parts, text[ends[-1] :]])
