"""Tables of a page as Markdown: every cell of a spanned one filled, header rows in one, names with values as definitions."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.documents.grids import MOST_REPEATED, ROOM, SPREAD, join_columns, rectangle, table_row

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MOST_SPANNED = 60  # cells of one; pages name thousands by mistake
_BLOCKS = "h1 h2 h3 h4 h5 h6 table pre blockquote dl figure form section article".split()
_NUMBER = re.compile(r"[^\w]*\d[\d.,\s%°]*\W*\w{0,4}")
_TABLE_WORD = re.compile(r"(?:table|tab\.|tabelle|tabla|tableau|figure|fig\.|表)", re.I)


@dataclass(frozen=True)
class Cell:
    words: str
    head: bool  # <th>
    whole: bool = False  # it spans all columns
    picture: bool = False


def is_layout(table: "HtmlElement") -> bool:
    """Whether the table only places parts of the page beside one another."""
    if table.get("role") in ("presentation", "none"):
        return True
    rows = own_rows(table)
    cells = [cell for row in rows for cell in row if cell.tag in ("td", "th")]
    if any(cell.tag == "th" for cell in cells) or table.find("caption") is not None:
        return False
    blocks = any(
        next(cell.iterdescendants(*_BLOCKS), None) is not None or len(list(cell.iterdescendants("p"))) > 1
        for cell in cells
    )
    return blocks or len(rows) < 2 or max((len(row) for row in rows), default=0) < 2


def own_rows(table: "HtmlElement") -> "list[HtmlElement]":
    """The rows that belong to no table inside it."""
    rows = []
    for child in table:
        if child.tag == "tr":
            rows.append(child)
        elif child.tag in ("thead", "tbody", "tfoot"):
            rows += [row for row in child if row.tag == "tr"]
    return rows


def read_table(table: "HtmlElement", say: "Callable[[HtmlElement], str]") -> list[str]:
    """The blocks of a table: its caption, then lines "| a | b |" or definitions. `say` gives the words of a cell."""
    rows, heads = grid(table, say)
    caption = table.find("caption")
    title = say(caption) if caption is not None else ""
    width = max((len(row) for row in rows), default=0)
    if heads and rows[0][0].whole and width > 1 and len(rows) > 1:  # a title over all columns
        title = title or rows[0][0].words
        if rows[0][0].words not in title:
            title = f"{title}: {rows[0][0].words}"
        rows, heads = rows[1:], heads - 1
    blocks = [title if _TABLE_WORD.match(title) else f"Table: {title}"] if title else []
    pictured = [row[0].words for row in rows if row[0].whole and row[0].picture]
    blocks += [words if _TABLE_WORD.match(words) else f"Figure: {words}" for words in pictured]
    rows = grouped([row for row in rows if not (row[0].whole and row[0].picture)], heads)
    heads = min(heads, len(rows))
    body = [[cell.words for cell in row] for row in rows[heads:]]
    if not heads and width == 2 and all(row[0].head and not row[1].head and short(row[0].words) for row in rows):
        return blocks + [part for name, value in body for part in (name, f": {value}") if value]
    header = join_columns([[cell.words for cell in row] for row in rows[:heads]])
    if not header and is_header(body):
        header, body = body[0], body[1:]
    lines = [table_row(header), "|" + "---|" * len(header)] if header and any(header) else []
    lines += [table_row(row) for row in body if any(row)]
    return [*blocks, "\n".join(lines)] if lines else blocks


def grid(table: "HtmlElement", say: "Callable[[HtmlElement], str]") -> tuple[list[list[Cell]], int]:
    """The rows, cells of several columns or rows repeated in each, and how many rows at the top are header rows."""
    rows: list[list[Cell]] = []
    waiting: dict[int, tuple[int, Cell]] = {}  # by column: rows still to fill, and with what
    heads, still = 0, True
    sources = own_rows(table)
    room = ROOM + SPREAD * sum(len(source) for source in sources)  # for the cells that spanned ones fill
    for source in sources:
        row: list[Cell] = []
        cells = [cell for cell in source if cell.tag in ("td", "th")]
        queue = deque(
            (
                Cell(say(cell), cell.tag == "th", False, cell.find(".//img") is not None),
                span(cell, "colspan"),
                span(cell, "rowspan"),
            )
            for cell in cells
        )
        single = len(queue) == 1 and not waiting and queue[0][1] > 1
        last = max(waiting, default=-1)
        while queue or len(row) <= last:
            column = len(row)
            if column in waiting:
                left, cell = waiting[column]
                row.append(cell)
                if left > 1:
                    waiting[column] = (left - 1, cell)
                else:
                    del waiting[column]
            elif queue:
                cell, wide, high = queue.popleft()
                room -= wide * high - 1
                if room < 0:  # hostile
                    wide = high = 1
                again = cell if len(cell.words) <= MOST_REPEATED else Cell("", cell.head)
                for at in range(column, column + wide):
                    if at in waiting:
                        break
                    said = cell if at == column else again
                    row.append(Cell(said.words, cell.head, single, cell.picture))
                    if high > 1:
                        waiting[at] = (high - 1, again)
            else:
                row.append(Cell("", False))
        if not any(cell.words for cell in row):
            continue
        parent = source.getparent()
        is_head = (parent is not None and parent.tag == "thead") or (
            all(cell.head or not cell.words for cell in row) and (len(row) > 1)
        )
        still = still and is_head and source is not sources[-1]
        heads += still
        rows.append(row)
    return rectangle(rows, Cell("", False)), heads


def span(cell: "HtmlElement", name: str) -> int:
    value = re.match(r"\s*(\d{1,4})", cell.get(name, ""))
    return max(1, min(int(value[1]), MOST_SPANNED)) if value else 1


def grouped(rows: list[list[Cell]], heads: int) -> list[list[Cell]]:
    """A row of one cell over all columns names the group of those below: "Adults: Monday"."""
    out, group = rows[:heads], ""
    for at, row in enumerate(rows[heads:], heads):
        if row[0].whole and at + 1 < len(rows) and not rows[at + 1][0].whole and short(row[0].words):
            group = row[0].words
        elif row[0].whole:  # a remark under the table
            out.append([row[0], *[Cell("", False)] * (len(row) - 1)])
        else:
            first = Cell(f"{group}: {row[0].words}", row[0].head) if group and row[0].words else row[0]
            out.append([first, *row[1:]])
    return out


def is_header(rows: list[list[str]]) -> bool:
    """Whether a first row without <th> names the columns: no figures in it, and a column of figures below."""
    if len(rows) < 2 or not all(rows[0]) or any(map(str.isdigit, "".join(rows[0]))):
        return False
    worded = {at for row in rows[1:] for at, cell in enumerate(row) if cell and not _NUMBER.fullmatch(cell)}
    return any(at not in worded for at in range(len(rows[0])))


def short(words: str) -> bool:
    return 0 < len(words.split()) <= 8 and len(words) <= 80
