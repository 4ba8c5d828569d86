"""Small marks of web pages: raised and lowered figures, references to notes, links to edit."""

import re
from typing import TYPE_CHECKING

from byheart.documents.languages.folding import LOWERED, RAISED

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SIGNS = {"sup": (re.compile(r"[\d+\-−=()n]+"), RAISED), "sub": (re.compile(r"[\d+\-−=()]+"), LOWERED)}
_NOTE = re.compile(r"\[?(?:\d{1,3}|[a-z]|note \d+|citation needed)\]?", re.I)  # "[3]", "a", "[note 2]"


def fold_marks(tree: "HtmlElement") -> None:
    """Changes the tree: "m<sup>2</sup>" becomes "m²", and references and links to edit go."""
    for element in tree.xpath("//*[contains(@class, 'editsection')]"):
        _drop(element)
    for link in tree.xpath("//a[starts-with(@href, '#')]"):
        parent = link.getparent()
        said = " ".join(link.text_content().split())
        if not _NOTE.fullmatch(said):
            continue
        if parent is not None and parent.tag == "sup" and parent.text_content().strip("[]() ,") == said.strip("[]"):
            _drop(parent)
        elif said.startswith("[") or take_brackets(link):
            _drop(link)
    for element in list(tree.iter("sup", "sub")):
        pattern, table = _SIGNS[element.tag]
        said = element.text_content().strip()
        if pattern.fullmatch(said):
            for child in list(element):
                element.remove(child)
            element.text = said.translate(table)
        element.drop_tag()


def _drop(element: "HtmlElement") -> None:
    if element.getparent() is not None:
        element.drop_tree()


def take_brackets(link: "HtmlElement") -> bool:
    """Whether the link stood in brackets, "[<a>1</a>]", which are then gone."""
    before = link.getprevious()
    parent = link.getparent()
    text = (before.tail if before is not None else parent.text if parent is not None else "") or ""
    if not text.endswith("[") or not (link.tail or "").startswith("]"):
        return False
    if before is not None:
        before.tail = text[:-1]
    elif parent is not None:
        parent.text = text[:-1]
    link.tail = (link.tail or "")[1:]
    return True
