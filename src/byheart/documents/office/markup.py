"""Clean HTML, as converters of documents and e-books give it, as Markdown. Unlike on a web page, all of it is content."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from byheart.documents.grids import fill, join_columns, names_columns, table_text

if TYPE_CHECKING:
    from lxml.html import HtmlElement

INLINE = set(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark math q rp rt ruby s samp small span"
    " strike strong sub sup time tt u var wbr img br svg".split()
)
SKIPPED = set("script style head template noscript nav iframe audio video object canvas button input select hr".split())
STRUCK = {"s", "strike", "del"}
HEADING = re.compile(r"h([1-6])")
ITEM = re.compile(r"\bitem(\d)\b")  # the class of a paragraph of a word processor's list
STEP = 2  # blanks before an item, for each level
MOST_SPAN = 100  # columns or rows that one cell may cover


@dataclass
class Markdown:
    """A text in the making: its paragraphs with what they are ("text", "loud", "heading"), and what was left out."""

    left_out: Counter[str] = field(default_factory=Counter)
    parts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, text: str, kind: str = "text", indent: int = 0) -> None:
        lines = [re.sub(r"[^\S\t]+", " ", line).strip() for line in text.split("\n")]
        if lines := [line for line in lines if line]:
            self.parts.append((kind, "\n".join(" " * indent + line for line in lines)))

    def add_heading(self, words: str, level: int) -> None:
        if words := " ".join(words.split()):
            self.parts.append(("heading", "#" * min(level, 6) + " " + words))

    def text(self) -> str:
        """The whole. A loud line (bold or large) alone above other text is a heading below the marked ones."""
        levels = [len(text) - len(text.lstrip("#")) for kind, text in self.parts if kind == "heading"]
        mark = "#" * min(6, max(levels, default=1) + 1) + " "
        out = []
        for (kind, text), (below, _) in zip(self.parts, [*self.parts[1:], ("loud", "")], strict=False):
            out.append(mark + text.strip() if kind == "loud" and below != "loud" and is_title(text) else text)
        return "\n\n".join(out)


def is_title(text: str) -> bool:
    return len(text.split()) <= 14 and "\n" not in text and text[-1] not in ".,:;" and any(map(str.isalpha, text))


def write_markup(body: "HtmlElement", out: Markdown) -> None:
    """Adds the text of an element."""
    _Writer(out).flow(body)


@dataclass
class _Writer:
    out: Markdown
    indent: int = 0
    mark: str = ""  # of the list item whose first words come next

    def flow(self, element: "HtmlElement") -> None:
        """The blocks in an element, and the words between them as paragraphs."""
        loose = [element.text or ""]
        for child in element:
            if not isinstance(child.tag, str):  # a comment
                pass
            elif is_inline(child):
                loose.append(words_of(child, self.out.left_out))
            else:
                self.paragraph("".join(loose), element)
                loose = []
                self.block(child, child.tag.lower())
            loose.append(child.tail or "")
        self.paragraph("".join(loose), element)

    def paragraph(self, words: str, element: "HtmlElement") -> None:
        if not words.strip():
            return
        item = ITEM.search(element.get("class", ""))
        kind = "loud" if not (self.mark or item) and is_loud(element) else "text"
        self.out.add(self.mark + words.strip(), kind, self.indent + (STEP * int(item[1]) if item else 0))
        if self.mark:
            self.mark, self.indent = "", self.indent + STEP

    def block(self, element: "HtmlElement", tag: str) -> None:
        if tag in SKIPPED:
            return
        if level := HEADING.fullmatch(tag):
            self.out.add_heading(words_of(element, self.out.left_out), int(level[1]))
        elif tag in ("ul", "ol"):
            for label, item in items_of(element, tag):
                outer = self.indent, self.mark
                self.mark = label
                self.flow(item)
                self.indent, self.mark = outer
        elif tag == "table":
            self.table(element)
        elif tag == "pre":
            code = element.text_content().strip("\n")
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
            self.out.parts.append(("text", f"{fence}\n{code}\n{fence}"))
        else:
            self.flow(element)

    def table(self, element: "HtmlElement") -> None:
        rows = rows_of(element)
        width = max((len(row) for row in rows), default=0)
        inner = next(element.iterdescendants("table", "h1", "h2", "h3", "h4"), None)
        for caption in element.iterchildren("caption"):
            self.out.add(words_of(caption, self.out.left_out))
        if width < 2 or len(rows) < 2 or inner is not None:  # a frame around text
            for cell in (cell for row in rows for cell in row):
                self.flow(cell)
            return
        texts = [
            (row, cells) for row, cells in zip(rows, fill_spans(rows, self.out.left_out), strict=True) if any(cells)
        ]
        while len(texts) > 1 and len(set(texts[0][1])) == 1:  # one cell over all columns: a title, no header
            self.out.add(texts.pop(0)[1][0])
        heads = next((at for at, (row, _) in enumerate(texts) if any(cell.tag != "th" for cell in row)), 1)
        cells = [cells for _, cells in texts]
        if heads > 1:  # "2024" over "May" and "June"
            cells[:heads] = [join_columns(cells[:heads])]
        header = len(texts) > 1 and (
            is_header(texts[0][0], texts[1][0]) or (len(cells[0]) > 2 and names_columns(cells))
        )
        if cells:
            self.out.parts.append(("text", table_text(cells, header)))


def is_inline(element: "HtmlElement") -> bool:
    return element.tag.lower() in INLINE and all(
        not isinstance(child.tag, str) or child.tag.lower() in INLINE for child in element.iterdescendants()
    )


def is_loud(element: "HtmlElement") -> bool:
    """Whether all words of a paragraph are bold, or it was told to be a heading without the name of one."""
    if "loud" in element.get("class", "").split():
        return True
    plain = element.xpath("string-length(normalize-space(.))")
    bold = [each for each in element.iterchildren("b", "strong")]
    return plain > 0 and sum(each.xpath("string-length(normalize-space(.))") for each in bold) >= plain - len(bold)


def words_of(element: "HtmlElement", left_out: Counter[str]) -> str:
    """The words in an element: pictures and struck words are counted, a line's break stays one."""
    tag = element.tag.lower() if isinstance(element.tag, str) else ""
    if tag == "br":
        return "\n"
    if tag in ("img", "svg"):
        left_out["picture"] += 1
        return ""
    if tag in STRUCK and element.text_content().strip():
        left_out["struck text"] += 1
        return ""
    if tag in SKIPPED or tag in ("rt", "rp") or not tag:
        return ""
    if tag == "math":
        formula = element.get("alttext") or "".join(element.xpath("string(.//*[local-name()='annotation'])"))
        return f"${formula.strip('$ ')}$" if formula else " ".join(element.text_content().split())
    parts = [element.text or ""]
    for child in element:
        inner = words_of(child, left_out)
        apart = isinstance(child.tag, str) and child.tag.lower() not in INLINE
        parts += [" ", inner, " "] if apart else [inner]
        parts.append(child.tail or "")
    return "".join(parts)


def items_of(element: "HtmlElement", tag: str) -> Iterator[tuple[str, "HtmlElement"]]:
    """The items of a list with the marks that a reader sees."""
    number = _whole(element.get("start"), 1)
    style = element.get("type", "1")
    for item in element.iterchildren():
        if item.tag != "li":
            if isinstance(item.tag, str):
                yield "", item
            continue
        number = _whole(item.get("value"), number)
        yield ("- " if tag == "ul" else f"{numeral(number, style)}. "), item
        number += 1


def _whole(text: str | None, other: int) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,6}", text.strip()) else other


def numeral(number: int, style: str) -> str:
    """A number as "1", "a", "A", "i" or "I" say."""
    if style in ("a", "A") and number > 0:
        letters = chr(97 + (number - 1) % 26) * (1 + (number - 1) // 26) if number <= 26 * 8 else str(number)
        return letters if style == "a" else letters.upper()
    if style in ("i", "I") and 0 < number < 4000:
        out = ""
        for value, sign in zip(
            (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
            "m cm d cd c xc l xl x ix v iv i".split(),
            strict=True,
        ):
            out, number = out + sign * (number // value), number % value
        return out if style == "i" else out.upper()
    return str(number)


def rows_of(table: "HtmlElement") -> list[list["HtmlElement"]]:
    """The cells by row, those of the head first and of the foot last; a table inside a cell is the cell's."""
    sections = {"thead": 0, "tbody": 1, "tfoot": 2}
    rows = [(1, child) for child in table.iterchildren("tr")]
    for section in table.iterchildren(*sections):
        rows += [(sections[section.tag], row) for row in section.iterchildren("tr")]
    return [list(row.iterchildren("td", "th")) for _, row in sorted(rows, key=lambda pair: pair[0])]


def fill_spans(rows: list[list["HtmlElement"]], left_out: Counter[str]) -> list[list[str]]:
    """The texts by row and column. A cell over several rows or columns is said in each of them."""
    return fill(
        [
            [(" ".join(words_of(cell, left_out).split()), span(cell, "colspan"), span(cell, "rowspan")) for cell in row]
            for row in rows
        ]
    )


def span(cell: "HtmlElement", name: str) -> int:
    return min(max(_whole(cell.get(name), 1), 1), MOST_SPAN)


def is_header(first: list["HtmlElement"], second: list["HtmlElement"]) -> bool:
    """Whether the first row names the columns: it says so, or it is all bold where the next row is not."""
    if all(cell.tag == "th" for cell in first):
        return True
    filled = [cell for cell in first if cell.text_content().strip()]
    return bool(filled) and all(map(_bold_cell, filled)) and not all(map(_bold_cell, second))


def _bold_cell(cell: "HtmlElement") -> bool:
    words = "".join(cell.text_content().split())
    bold = "".join("".join(each.text_content().split()) for each in cell.iterdescendants("b", "strong"))
    return bool(words) and len(bold) >= len(words)
