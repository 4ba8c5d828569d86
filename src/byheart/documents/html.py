"""Web pages: what a reader sees as Markdown, with headings, lists and tables kept, and without the furniture of the page."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.documents.html_marks import fold_marks
from byheart.documents.html_notes import place_notes
from byheart.documents.html_pairs import mark_pairs
from byheart.documents.html_seen import drop_furniture, drop_unseen
from byheart.documents.html_text import Part, join_parts, write_page
from byheart.documents.language import count_words
from byheart.documents.text import decode
from byheart.errors import Problem, UserError
from byheart.records import counted

if TYPE_CHECKING:
    from lxml.html import HtmlElement

CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)
_MATH_SCRIPT = re.compile(r"math/(?:tex|latex|asciimath)")
_ENDED = re.compile(r"[.!?。！？:;][\"”’)]*$")
LEAST_PROSE = 12  # words of a paragraph that is no furniture, wherever it stands


def read_html(path: Path) -> tuple[str, str, list[str]]:
    """The text of a page, its title ("" if it has none), and warnings."""
    data = path.read_bytes()
    declared = CHARSET.search(data[:4096])
    page, warnings = decode(data, str(path), declared[1].decode("ascii") if declared else "")
    tree = parse(page)
    if tree is None:
        raise UserError(Problem("the page is empty", str(path)))
    title = first_text(tree, "//title[not(ancestor::*[local-name()='svg'])]") or first_text(tree, "//h1")
    if frames := [frame.get("src") for frame in tree.iter("frame") if frame.get("src")]:
        warnings.append(f"{path}: the page is made of frames; their text is in {', '.join(frames[:5])}: name those files too")
    counts: Counter[str] = Counter()
    text, left_out = page_text(tree, page, counts)
    said = [counted(number, kind) for kind, number in counts.items()]
    if left_out:
        words = ", ".join(f"“{' '.join(part.split()[:6])}”" for part in left_out[:4])
        said.append(f"{counted(len(left_out), 'short line')} around the text ({words}{', ...' * (len(left_out) > 4)})")
    if said:
        warnings.append(f"{path}: left out, as no text to learn: {', '.join(said)}")
    return text, title, warnings


def parse(page: str) -> "HtmlElement | None":
    from lxml import html

    # lxml refuses a str with an encoding declaration; the text is decoded already.
    page = re.sub(r"^\s*<\?xml[^>]*\?>", "", page)
    return html.fromstring(page) if page.strip() else None


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
    parts, left_out = trim_ends(parts, page)
    return join_parts(parts), left_out


def prepare(tree: "HtmlElement", counts: Counter[str]) -> None:
    from lxml import etree

    for script in tree.xpath("//script[@type]"):
        if _MATH_SCRIPT.match(script.get("type", "")) and script.text:
            mark = "$$" if "display" in script.get("type", "") else "$"
            script.tag, script.text = "span", f"{mark}{script.text.strip()}{mark}"
    for katex in tree.xpath("//*[contains(@class, 'katex-html') or contains(@class, 'MathJax_Preview')]"):
        katex.drop_tree()  # the same formula again, for the eye only
    drop_unseen(tree, counts)
    place_notes(tree)
    fold_marks(tree)
    etree.strip_tags(tree, "b", "strong", "i", "em", "u", "mark")  # "**two** litres" is no answer to learn


def trim_ends(parts: list[Part], page: str) -> tuple[list[Part], list[str]]:
    """The parts without those at both ends that the extractor does not take for text and that are no prose.

    What stands in <main> or <article>, between parts of the text, or is prose, stays whatever the extractor says.
    """
    if len(parts) < 4 or all(part.main for part in parts):
        return parts, []
    from trafilatura import extract

    found = bare(extract(page, include_tables=True, include_comments=False, favor_recall=True) or "")
    kept = [part.main or is_prose(part) or (bool(bare(part.text)) and bare(part.text) in found) for part in parts]
    if not any(kept):
        return parts, []
    first, last = kept.index(True), len(kept) - 1 - kept[::-1].index(True)
    while first and parts[first - 1].kind == "heading" and not parts[first].kind == "heading":
        first -= 1
    return parts[first : last + 1], [part.text for part in (*parts[:first], *parts[last + 1 :])]


def is_prose(part: Part) -> bool:
    if part.kind in ("table", "code"):
        return True
    words = count_words(part.text)
    return words >= LEAST_PROSE or (words >= 4 and bool(_ENDED.search(part.text)) and part.kind != "heading")


def bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def read_fragment(page: str) -> str:
    """A piece of HTML as Markdown, such as a table inside a Markdown text."""
    tree = parse(f"<div>{page}</div>")
    if tree is None:
        return ""
    prepare(tree, Counter())
    return join_parts(write_page(tree, Counter()))


def first_text(tree: "HtmlElement", path: str) -> str:
    texts = (" ".join(element.text_content().split()) for element in tree.xpath(path))
    return next(filter(None, texts), "")
