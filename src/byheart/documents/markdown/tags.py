"""Tags of HTML inside Markdown: their words stay, breaks break, tables are Markdown's own."""

import re
from collections import Counter
from collections.abc import Callable
from html import unescape

from byheart.documents.languages.folding import LOWERED, RAISED
from byheart.documents.markdown.masks import Masks

_BLOCKS = "address article aside blockquote center dd details div dl dt fieldset figcaption figure footer form header hgroup hr legend li main nav ol p picture section summary table tbody td tfoot th thead tr ul".split()
_INLINE = "a abbr acronym b bdi bdo big cite data del dfn em font i img ins label map mark nobr o q rp rt ruby s samp small source span strike strong sub sup time tt u var video audio wbr input button svg path g".split()
_HEADINGS = "h1 h2 h3 h4 h5 h6".split()
_KNOWN = frozenset([*_BLOCKS, *_INLINE, *_HEADINGS, "br"])
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[a-z][a-z\d]*)(?P<rest>(?:\s[^<>]{0,1000})?)/?>", re.I)
_ELEMENT = re.compile(r"<([a-z][a-z\d]*)\b[^<>]{0,1000}>", re.I)
_HIDES = re.compile(r"\shidden\b(?!-)|display:\s?none|visibility:\s?hidden", re.I)
_UNSEEN = "script style template svg video audio iframe noscript".split()
_STRUCK = "del s strike".split()
_WORDS = "h1 h2 h3 h4 h5 h6 kbd code samp tt sup sub q summary pre table".split()
_FIGURES = re.compile(r"[\d+\-−=()n]{1,12}")
_COMPONENT = re.compile(
    r"</?(?P<name>[A-Z][A-Za-z\d.]*)(?:\s+(?:[\w-]+(?:=(?:\"[^\"]*\"|'[^']*'|\{[^{}]*\}))?\s*){0,12})?\s*/?>"
)


def read_tags(text: str, masks: Masks, counts: Counter[str]) -> str:
    """The text without tags; what a page would not show goes with them. Code must be hidden already."""
    if "<" not in text:
        return text
    text = replace_elements(text, lambda name, tag, inside: _rewritten(name, tag, inside, masks, counts))
    if re.search(r"^(?:import|export)\s|/>|<[A-Z]\w*[^<>]*>\s*$", text, re.M):
        closed = set(re.findall(r"</([A-Z]\w*)", text))
        alone = {match for match in re.findall(r"<([A-Z]\w*)[^<>]*/>", text)}
        text = _COMPONENT.sub(lambda tag: _shown(tag[0]) if tag["name"] in closed | alone else tag[0], text)

    def tag(match: re.Match[str]) -> str:
        name = match["name"].lower()
        if name not in _KNOWN:
            return match[0]
        if name == "img":
            counts["picture"] += 1
            return ""
        if name == "br":
            return "\n"
        if name in _HEADINGS:
            return "\n\n" if match["close"] else f"\n\n{'#' * int(name[1])} "
        if name == "li":
            return "\n" if match["close"] else "\n- "
        return "\n\n" if name in _BLOCKS else ""

    # A question above its answer is one entry.
    text = re.sub(r"\n: *\n\s*(?=[^\s#|>*+`\ue000-])", "\n: ", text)
    text = re.sub(r"^: *$", "", text, flags=re.M)
    # A cell of a table is one line: a break in it is a blank.
    lines = []
    for line in text.split("\n"):
        cell = line.lstrip().startswith("|")
        plain = _TAG.sub(tag, line)
        lines.append(" ".join(plain.split("\n")) if cell else plain)
    text = "\n".join(lines)
    return _TAG.sub(tag, text)


def _shown(component: str) -> str:
    """What a component shows by itself: its label."""
    label = re.search(r"\s(?:label|title|summary)=[\"']([^\"']{1,100})[\"']", component)
    return f"\n\n{label[1]}\n\n" if label else "\n"


def replace_elements(text: str, change: Callable[[str, str, str], str | None]) -> str:
    """The text with what `change` makes of each element: of its name, its opening tag and what is in it. None: it stays, and
    the elements in it are looked at."""
    out: list[str] = []
    last = at = 0
    unclosed: set[str] = set()
    while match := _ELEMENT.search(text, at):
        at, name = match.end(), match[1].lower()
        if name in unclosed or not (_HIDES.search(match[0]) or name in (*_UNSEEN, *_STRUCK, *_WORDS)):
            continue
        depth, end = 0, None
        for tag in re.finditer(rf"<(/?){name}\b[^<>]{{0,1000}}>", text[match.start() :], re.I):
            depth += -1 if tag[1] else 1
            if not depth:
                end = tag
                break
        if end is None:
            unclosed.add(name)
            continue
        new = change(name, match[0], text[match.end() : match.start() + end.start()])
        if new is not None:
            out += [text[last : match.start()], new]
            last = at = match.start() + end.end()
    return "".join([*out, text[last:]])


def _rewritten(name: str, tag: str, inside: str, masks: Masks, counts: Counter[str]) -> str | None:
    words = unescape(re.sub(r"<[^<>]*>", "", inside))
    if name in _UNSEEN:
        return ""
    if _HIDES.search(tag) and name not in ("details", "html", "body"):
        counts["hidden passage"] += 1
        return ""
    if name in _STRUCK:
        counts["struck-out passage"] += 1
        return ""
    if name == "table":
        from byheart.documents.html.page import read_fragment

        return f"\n\n{read_fragment(masks.show(f'{tag}{inside}</table>'))}\n\n"
    if name in _HEADINGS:
        line = " ".join(re.sub(r"<br\s*/?>", " ", inside).split())
        return f"\n\n{'#' * int(name[1])} {line}\n\n" if words.strip() else None
    if name == "pre":
        code = words.strip("\n")
        return "\n\n" + masks.keep(f"```\n{code}\n```") + "\n\n"
    if name == "summary":
        said = " ".join(words.split())
        return f"\n\n{said}\n\n: " if said.endswith(("?", "？", "؟")) else f"\n\n{said}\n\n"
    if name in ("sup", "sub"):
        return words.translate(RAISED if name == "sup" else LOWERED) if _FIGURES.fullmatch(words.strip()) else inside
    if name == "q":
        return f"“{inside}”"
    return masks.keep(f"`{words}`") if words.strip() and "\n" not in words and "`" not in words else inside
