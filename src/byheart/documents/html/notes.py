"""Footnotes of a page: each stands below the paragraph that it explains, as in Markdown."""

import re
from typing import TYPE_CHECKING

from byheart.documents.html.marks import take_brackets
from byheart.documents.markdown.notes import anchor_of
from byheart.documents.structure.references import cites

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_MARK = re.compile(r"[\[(]?\s*(?:\d{1,3}|[a-z]|[*†‡§]+|note \d+|n \d+)\s*[\])]?", re.I)
_BACK = re.compile(r"[\s↩︎^↑⏎]*|back|return|zurück|\d{1,3}\.?|[a-z]", re.I)
_BLOCKS = ("p", "li", "td", "th", "dd", "dt", "blockquote", "figcaption", "h1", "h2", "h3", "h4", "h5", "h6", "div")
MOST_WORDS = 200


def place_notes(tree: "HtmlElement") -> None:
    """Changes the tree. Notes that only cite a work stay where they are: a list of references is read as one."""
    by_id = {
        element.get("id") or element.get("name"): element for element in tree.xpath("//*[@id or (self::a and @name)]")
    }
    behind: dict[HtmlElement, HtmlElement] = {}  # by paragraph, the last note below it
    for link in tree.xpath("//a[starts-with(@href, '#')]"):
        note = _note_of(by_id.get(link.get("href", "")[1:]))
        if note is None or not _MARK.fullmatch(" ".join(link.text_content().split())):
            continue
        around = [each for each in link.iterancestors() if each.tag in _BLOCKS]
        if not around or link in note.iter() or note in around:
            continue
        words = _words(note)
        if not words or len(words.split()) > MOST_WORDS or cites(words):
            continue
        paragraph = next((each for each in around if each.tag in ("table", "ul", "ol")), around[0])
        table = next((each for each in paragraph.iterancestors("table")), None)
        paragraph = paragraph if table is None else table
        made = tree.makeelement("p")
        made.text = f"[^“{anchor_of(_before(link, around[0]))}”]: {words}"
        last = behind.get(paragraph, paragraph)
        if paragraph.tag == "li":  # inside its item
            paragraph.append(made)
        else:
            made.tail, last.tail = last.tail, None
            last.addnext(made)
        behind[paragraph] = made
        _remove(note)
        mark = link.getparent()
        if mark is not None and mark.tag == "sup" and _MARK.fullmatch(mark.text_content().strip()):
            mark.drop_tree()
        else:
            take_brackets(link)
            link.drop_tree()


def _note_of(target: "HtmlElement | None") -> "HtmlElement | None":
    """The list item or paragraph that a mark leads to."""
    if target is None:
        return None
    for element in (target, *target.iterancestors()):
        if element.tag in ("li", "p", "aside", "dd") or "footnote" in element.get("class", ""):
            return element if element.getparent() is not None else None
        if element.tag in ("body", "main", "article", "section", "table") or element.tag.startswith("h"):
            return None
    return None


def _words(note: "HtmlElement") -> str:
    parts: list[str] = [note.text or ""]
    for child in note.iterdescendants():
        link = (
            child.tag == "a" and child.get("href", "").startswith("#") and _BACK.fullmatch(child.text_content().strip())
        )
        if not link and isinstance(child.tag, str) and not any(_is_back(each) for each in child.iterancestors()):
            parts.append(child.text or "")
        parts.append(child.tail or "" if child is not note else "")
    words = " ".join("".join(parts).split())
    words = re.sub(r"^\[\s*\]\s*", "", words)
    return re.sub(r"^(?:\[?\d{1,3}\]?[.)]?|[\^↑*†‡])\s+", "", words).strip()


def _is_back(element: "HtmlElement") -> bool:
    return (
        element.tag == "a"
        and element.get("href", "").startswith("#")
        and bool(_BACK.fullmatch(element.text_content().strip()))
    )


def _is_empty(heading: "HtmlElement") -> bool:
    """Whether a heading has nothing below it but a heading of its own level or of a higher one."""
    own = _level(heading)
    below = heading.getnext()
    return own > 0 and (below is None or 0 < _level(below) <= own)


def _level(element: "HtmlElement") -> int:
    single = element[0] if element.tag == "div" and len(element) and not (element.text or "").strip() else element
    match = re.fullmatch(r"h([1-6])", single.tag) if isinstance(single.tag, str) else None
    return int(match[1]) if match else 0


def _before(link: "HtmlElement", block: "HtmlElement") -> str:
    """The words of the block before the link."""
    words = link.xpath("preceding::text()")
    own = set(map(id, block.iter()))
    return " ".join(
        "".join(
            str(part)
            for part in words[-400:]
            if id(part.getparent()) in own and not (part.is_tail and part.getparent() is block)
        ).split()
    )


def _remove(note: "HtmlElement") -> None:
    """The note, the list that is then empty, and the heading over nothing."""
    parent = note.getparent()
    if parent is None:
        return
    note.drop_tree()
    while (
        parent is not None
        and parent.tag in ("ol", "ul", "section", "div", "footer", "aside")
        and not parent.text_content().strip()
    ):
        above = parent.getprevious()
        outer = parent.getparent()
        parent.drop_tree()
        for each in (above,) if above is None or above.tag != "hr" else (above, above.getprevious()):
            if each is not None and (each.tag == "hr" or _is_empty(each)):
                each.drop_tree()
        parent = outer
