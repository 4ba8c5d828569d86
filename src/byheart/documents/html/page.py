"""The text of a parsed page: what no reader sees and what is furniture taken out, the rest written as Markdown."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from byheart.documents.html.marks import fold_marks
from byheart.documents.html.notes import place_notes
from byheart.documents.html.pairs import mark_pairs
from byheart.documents.html.seen import drop_furniture, drop_unseen, name_panels
from byheart.documents.html.text import INLINE, Part, join_parts, write_page
from byheart.documents.languages.language import count_words

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MATH_SCRIPT = re.compile(r"math/(?:tex|latex|asciimath)")
_NESTING = re.compile(r"</?(?!(?:html|head|title|body|script|style|p|h[1-6]|br|img)\b)([a-z][\w:-]*)[^<>]*>", re.I)
_RIGHTS = re.compile(r"(?:©|\(c\)|copyright\b|all rights reserved|alle rechte vorbehalten|tous droits réservés)", re.I)
_FURTHER = re.compile(
    r"(?:see also|external links|further links|related(?: \w+)?|links|siehe auch|weblinks|voir aussi|liens externes|véase también|enlaces externos"
    r"|vedi anche|zie ook|ver também|см\. также|参见|関連項目|外部リンク):?",
    re.I,
)


def parse(page: str) -> "HtmlElement | None":
    """The tree of a page; None where it has no element and no word ("<a<a<a")."""
    # lxml refuses a str with an encoding declaration; the text is decoded already.
    page = re.sub(r"^\s*<\?xml[^>]*\?>", "", page)
    found, is_cut = _tree(page)
    return _tree(_NESTING.sub(_unnested, page))[0] if is_cut else found


def _tree(page: str) -> "tuple[HtmlElement | None, bool]":
    """The tree, and whether the parser left out what lies too deep."""
    from lxml import etree, html

    parser = html.HTMLParser(huge_tree=True)
    try:
        found = html.fromstring(page, parser=parser) if page.strip() else None
    except etree.ParserError:  # comments, and nothing else
        return None, False
    return found, any("Excessive depth" in str(each.message) for each in parser.error_log)


def _unnested(tag: re.Match[str]) -> str:
    """libxml2 leaves out what lies more than 2,048 elements deep: such a page is read without elements that nest."""
    return "" if tag[1].lower() in INLINE else "<br><br>"


def page_text(tree: "HtmlElement", page: str, counts: Counter[str]) -> tuple[str, list[str]]:
    """The text as Markdown, and the lines at both ends that are furniture by their place. Changes the tree."""
    body = (tree.xpath("//body|//frameset//noframes") or [tree])[0]
    before = count_words(body.text_content())
    prepare(tree, counts)
    drop_furniture(tree, counts)
    mark_pairs(tree)
    parts = write_page(body, counts)
    if not parts and before:  # all of it looked like furniture
        again = parse(page)
        assert again is not None
        counts.clear()
        prepare(again, counts)
        parts = write_page((again.xpath("//body") or [again])[0], counts)
    parts, left_out = trim_ends(parts)
    return join_parts(parts), left_out


def prepare(tree: "HtmlElement", counts: Counter[str]) -> None:
    from lxml import etree

    for script in tree.xpath("//script[@type]"):
        if _MATH_SCRIPT.match(script.get("type", "")) and script.text:
            mark = "$$" if "display" in script.get("type", "") else "$"
            script.tag, script.text = "span", f"{mark}{script.text.strip()}{mark}"
    for katex in tree.xpath("//*[contains(@class, 'katex-html') or contains(@class, 'MathJax_Preview')]"):
        katex.drop_tree()  # the same formula again, for the eye only
    name_panels(tree)
    drop_unseen(tree, counts)
    place_notes(tree)
    fold_marks(tree)
    etree.strip_tags(tree, "b", "strong", "i", "em", "u", "mark")  # "**two** litres" is no answer to learn


def trim_ends(parts: list[Part]) -> tuple[list[Part], list[str]]:
    """The parts without what is furniture by its place: links before the text, links and copyright behind it, and sections
    of further links."""
    kept, out = list(parts), []
    begun = next((at for at, part in enumerate(kept) if part.says), 0)
    head = [part for part in kept[:begun] if part.linked]
    tail: list[Part] = []
    while len(kept) - len(tail) > begun and (kept[-1 - len(tail)].linked or _RIGHTS.match(kept[-1 - len(tail)].text)):
        tail.append(kept[-1 - len(tail)])
    last = len(kept) - len(tail)
    if any(part.linked for part in tail) and last - 1 > begun and kept[last - 1].is_short:  # "News", above links
        tail.append(kept[last - 1])
        last -= 1
    if last <= begun:
        return parts, []
    kept = [part for part in kept[:begun] if not part.linked] + kept[begun:last]
    out = [part.text for part in (*head, *tail[::-1])]
    for at in range(len(kept) - 1, -1, -1):
        if kept[at].kind == "heading" and _FURTHER.fullmatch(kept[at].text.lstrip("# ")):
            end = next((below for below in range(at + 1, len(kept)) if kept[below].kind == "heading"), len(kept))
            if all(part.linked for part in kept[at + 1 : end]) and end - at < len(kept):
                out += [part.text for part in kept[at:end]]
                del kept[at:end]
    return kept, out


def read_fragment(page: str) -> str:
    """A piece of HTML as Markdown, such as a table inside a Markdown text."""
    tree = parse(f"<div>{page}</div>")
    if tree is None:
        return ""
    prepare(tree, Counter())
    return join_parts(write_page(tree, Counter()))
