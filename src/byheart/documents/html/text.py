"""A page written as Markdown, in the order in which it is read: headings, paragraphs, lists, tables, code, captions."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.documents.html.math import read_math
from byheart.documents.html.tables import is_layout, read_table

if TYPE_CHECKING:
    from lxml.html import HtmlElement

INLINE = frozenset(
    "a abbr acronym b bdi bdo big button cite code data dfn em font i img ins kbd label mark math nobr output q rb rp rt ruby s samp slot small span "
    "strike del strong sub sup time tt u var wbr br".split()
)
CODE = ("code", "kbd", "samp", "tt")
DEEPEST = 150  # elements inside one another; what lies deeper is read as plain words
_HEADING = re.compile(r"h([1-6])")
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight-source|highlight|brush)[-:]\s?([\w+#-]+)")
_LABELLED = re.compile(
    r"(?:figure|fig\.|table|tab\.|abb|tabelle|listing|plate|photo|image|chart|diagram|tableau|figura|图|表)", re.I
)
_ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True)
class Part:
    """A block of the page as Markdown."""

    text: str
    kind: str  # "item", "heading", "code", "table" or ""
    linked: bool = False  # all its words are links
    first: bool = False  # the first item of a list that stands in no other

    @property
    def is_short(self) -> bool:
        """Whether it is a name for what follows: a heading, or a few words that are no sentence."""
        return (
            not self.linked
            and (self.kind == "heading" or not self.kind)
            and len(self.text.split()) <= 5
            and self.text[-1:] not in ".!?:"
        )

    @property
    def says(self) -> bool:
        """Whether it is text: a sentence, a table, code; no heading, no link, no name."""
        if self.linked or self.kind == "heading":
            return False
        return bool(self.kind) or len(self.text.split()) >= 8 or self.text[-1:] in ".!?。:"


@dataclass
class _List:
    ordered: bool
    style: str
    number: int
    step: int
    fresh: bool = True  # no item of it is written yet


def write_page(root: "HtmlElement", counts: Counter[str]) -> list[Part]:
    """The blocks of the element in order; `counts` takes the pictures and struck-out passages that were left out."""
    writer = _Writer(counts)
    writer.walk(root, 0)
    writer.flush()
    return writer.parts


def join_parts(parts: list[Part]) -> str:
    text = ""
    for above, part in zip([None, *parts], parts, strict=False):
        tight = above is not None and above.kind == part.kind == "item" and not part.first
        text += ("\n" if tight else "\n\n" if text else "") + part.text
    return text


class _Writer:
    def __init__(self, counts: Counter[str]):
        self.parts: list[Part] = []
        self._counts = counts
        self._line: list[str] = []
        self._lists: list[_List] = []
        self._marker = ""  # of the item whose first words are still to come
        self._heading = ""  # the mark of the heading whose words are still to come
        self._links = 0  # how many are open
        self._unlinked = self._seen_link = False  # whether words stand in the line that are no link, and such that are

    def flush(self, kind: str = "") -> None:
        """The words so far as a paragraph, or as several where lines are left free between them."""
        words = re.sub(r"[^\S\n]+", " ", "".join(self._line))
        self._line.clear()
        for paragraph in re.split(r"\n\s*\n", words):
            lines = [line.strip() for line in paragraph.split("\n") if line.strip()]
            if not lines:
                continue
            if self._heading:
                self._add(self._heading + " ".join(lines), "heading")
                self._heading = ""
            elif self._lists and self._marker:
                inner = "\n" + " " * (len(self._marker) - len(self._marker.lstrip()) + 2)
                self._add(self._marker + inner.join(lines), "item")
                self._marker = ""
            else:
                indent = " " * 2 * len(self._lists)
                self._add("\n".join(indent + line for line in lines), kind)
        self._unlinked = self._seen_link = False

    def _add(self, text: str, kind: str) -> None:
        linked = self._seen_link and not self._unlinked and kind in ("", "item")
        self.parts.append(Part(text, kind, linked, kind == "item" and self._lists[0].fresh and len(self._lists) == 1))
        if kind == "item":
            for each in self._lists:
                each.fresh = False

    def _say(self, words: str) -> None:
        self._line.append(words)
        if any(map(str.isalnum, words)):
            self._seen_link = self._seen_link or self._links > 0
            self._unlinked = self._unlinked or not self._links

    def walk(self, element: "HtmlElement", depth: int) -> None:
        if not isinstance(element.tag, str):
            return
        if depth > DEEPEST:
            self._line.append(element.text_content())
            return
        tag = element.tag
        self._links += tag == "a"
        self._block(element, depth) if tag not in INLINE else self._inline(element, depth)
        self._links -= tag == "a"

    def _children(self, element: "HtmlElement", depth: int) -> None:
        self._say(_plain(element.text))
        above: HtmlElement | None = None
        for child in element:
            if above is not None and _glued(above, child):
                self._line.append(" ")
            self.walk(child, depth + 1)
            self._say(_plain(child.tail))
            above = child

    def _block(self, element: "HtmlElement", depth: int) -> None:
        tag = element.tag
        if tag == "table" and not is_layout(element):
            self.flush()
            for block in read_table(element, self._cell):
                self._add(block, "table" if block.startswith("|") else "")
            return
        if tag == "pre":
            self.flush()
            self._code(element)
            return
        if level := _HEADING.fullmatch(tag):
            self.flush()
            self._marker, self._heading = "", "#" * int(level[1]) + " "
            self._children(element, depth)
            self.flush()
            self._heading = ""
            return
        if tag in ("ul", "ol", "menu", "dir"):
            self._list(element, depth)
            return
        if tag == "li":
            self._item(element, depth)
            return
        self.flush()
        if tag in ("figcaption", "caption"):
            start = len(self.parts)
            marker, self._marker = self._marker, ""
            self._children(element, depth)
            self.flush()
            self._marker = marker
            if len(self.parts) > start and not _LABELLED.match(self.parts[start].text.strip()):
                self.parts[start] = Part(f"{_shown(element)}: {self.parts[start].text.strip()}", "")
            return
        if tag != "hr":
            self._children(element, depth)
        self.flush()

    def _inline(self, element: "HtmlElement", depth: int) -> None:
        tag = element.tag
        if tag == "br":
            self._line.append("\n")
        elif tag in ("del", "s", "strike"):
            self._counts["struck-out passage"] += 1
        elif tag == "math":
            self._say(read_math(element))
        elif tag == "img":
            self._picture(element)
        elif tag in CODE:
            self._inline_code(element, depth)
        elif tag == "rt":
            words = " ".join(element.text_content().split())
            bracketed = element.getprevious() is not None and element.getprevious().tag == "rp"
            self._line.append(words if bracketed else f"({words})" if words else "")
        elif tag == "q":
            self._line.append("“")
            self._children(element, depth)
            self._line.append("”")
        else:
            self._children(element, depth)

    def _inline_code(self, element: "HtmlElement", depth: int) -> None:
        if element.find(".//br") is not None and element.getparent() is not None:
            self.flush()
            self._code(element)
            return
        words = " ".join(element.text_content().split())
        if not words or next(element.iterdescendants("p", "div", "ul", "table"), None) is not None:
            self._children(element, depth)
        else:
            mark = "``" if "`" in words else "`"
            self._say(f"{mark}{words}{mark}")

    def _code(self, element: "HtmlElement") -> None:
        for line in element.xpath(".//br"):
            line.tail = "\n" + (line.tail or "")
        code = element.text_content().replace("\r", "").strip("\n").rstrip()
        if not code.strip():
            return
        around = [element, *element.iterdescendants("code"), *list(element.iterancestors())[:2]]
        named = next((match[1] for each in around if (match := _LANGUAGE.search(each.get("class", "")))), "")
        longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
        fence = "`" * (longest + 1)
        self._marker = ""
        self._add(f"{fence}{named}\n{code}\n{fence}", "code")

    def _picture(self, element: "HtmlElement") -> None:
        alt = " ".join(element.get("alt", "").split())
        names = element.get("class", "")
        if alt and (re.search(r"math|latex|tex\b|equation", names) or re.match(r"\{?\\displaystyle|\$", alt)):
            inside = re.sub(r"^\{\\displaystyle\s*(.*)\}$", r"\1", alt.strip("$")).strip()
            self._line.append(f"${inside}$")
            return
        parent = element.getparent()
        before = (
            element.getprevious().tail
            if element.getprevious() is not None
            else parent.text
            if parent is not None
            else ""
        ) or ""
        behind = (element.tail or "").strip()
        # In the middle of a sentence a small picture stands for a word: "Press <img alt="Save"> to keep it."
        if (
            alt
            and len(alt.split()) <= 3
            and before.strip()
            and before.strip()[-1] not in ".!?:"
            and re.match(r"[a-z,.;)]", behind)
        ):
            self._line.append(alt)
        else:
            self._counts["picture"] += 1

    def _cell(self, cell: "HtmlElement") -> str:
        """The words of a cell on one line; items of a list and rows of a table in it stand apart."""
        inner = _Writer(self._counts)
        inner._children(cell, 1)
        inner.flush()
        words = ""
        for part in inner.parts:
            text = re.sub(r"^\s*[-#]+\s+", "", part.text)
            if part.kind == "table":
                rows = [row.strip("| ").replace(" | ", ", ") for row in text.split("\n") if not row.startswith("|---")]
                text = "; ".join(rows)
            text = text.replace("\n", " ")
            listed = words and part.kind == "item" and re.match(r"\s*-", part.text)
            words += ("; " if listed and not words.endswith(":") else " " if words else "") + text
        return " ".join(words.split())

    def _list(self, element: "HtmlElement", depth: int) -> None:
        self.flush()
        items = [child for child in element if child.tag == "li"]
        step = -1 if "reversed" in element.attrib else 1
        start = _whole(element.get("start"), len(items) if step < 0 else 1)
        styled = re.search(
            r"list-style(?:-type)?:\s*(lower-alpha|lower-latin|upper-alpha|upper-latin|lower-roman|upper-roman)",
            element.get("style", ""),
        )
        style = element.get("type", "1")
        if styled:
            style = {"lower-a": "a", "lower-l": "a", "upper-a": "A", "upper-l": "A", "lower-r": "i", "upper-r": "I"}[
                styled[1][:7]
            ]
        self._lists.append(_List(element.tag == "ol", style, start, step))
        self._children(element, depth)
        self.flush()
        self._lists.pop()
        self._marker = ""

    def _item(self, element: "HtmlElement", depth: int) -> None:
        self.flush()
        outside = not self._lists
        if outside:
            self._lists.append(_List(False, "", 1, 1))
        own = self._lists[-1]
        own.number = _whole(element.get("value"), own.number)
        indent = "  " * (len(self._lists) - 1)
        self._marker = f"{indent}{_mark(own)} " if own.ordered else f"{indent}- "
        self._children(element, depth)
        self.flush()
        self._marker = ""
        own.number += own.step
        if outside:
            self._lists.pop()


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""


def _whole(value: str | None, otherwise: int) -> int:
    return int(value) if value and re.fullmatch(r"\s*-?\d{1,6}\s*", value) else otherwise


def _mark(own: _List) -> str:
    """ "3." as the page shows it; letters and Roman numbers in brackets, where they are marks to every reader of texts."""
    number = own.number
    if own.style in ("a", "A") and 1 <= number <= 26:
        return f"({chr(ord(own.style) + number - 1)})"
    if own.style in ("i", "I") and 1 <= number <= 100:
        letters = ""
        for value, sign in _ROMAN:
            letters += sign * (number // value)
            number %= value
        return f"({letters if own.style == 'i' else letters.upper()})"
    return f"{number}."


def _shown(element: "HtmlElement") -> str:
    """What a caption is of."""
    figure = element.getparent()
    if figure is None:
        return "Figure"
    return (
        "Table" if figure.find(".//table") is not None else "Listing" if figure.find(".//pre") is not None else "Figure"
    )


def _glued(above: "HtmlElement", below: "HtmlElement") -> bool:
    """Whether two labels that a page sets apart by its style would be one word: <span>Telephone</span><span>0555</span>."""
    classes = above.tag == below.tag == "a" or (above.get("class") and below.get("class"))
    if above.tail or above.tag not in ("span", "a") or below.tag not in ("span", "a") or not classes:
        return False
    first, second = above.text_content(), below.text_content()
    return len(first.strip()) > 1 and len(second.strip()) > 1 and first[-1:].isalnum() and second[:1].isalnum()
