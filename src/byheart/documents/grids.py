"""Tables as Markdown, for the readers of formats that know rows and cells."""

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")


SPREAD = 8  # how many cells merged ones may fill for each cell that a table has
ROOM = 1000  # and as many more
MOST_REPEATED = 400  # characters of a merged cell that is said in each row and column; a longer one is said once


def rectangle(rows: Sequence[Sequence[T]], blank: T) -> list[list[T]]:
    """The rows filled up to the widest. Where one is far wider than the others they stay as they are: a table would grow
    to the square of its file."""
    width = max(map(len, rows), default=0)
    if width * len(rows) > ROOM + SPREAD * sum(map(len, rows)):
        return [list(row) for row in rows]
    return [[*row, *[blank] * (width - len(row))] for row in rows]


def fill(
    cells: Sequence[Sequence[tuple[str, int, int]]],
) -> list[list[str]]:
    """The texts by row and column of cells (text, columns, rows), each said in all rows and columns that it covers."""
    grid: list[dict[int, str]] = [{} for _ in cells]
    room = ROOM + SPREAD * sum(map(len, cells))
    for at, row in enumerate(cells):
        column = 0
        for text, across, down in row:
            while column in grid[at]:
                column += 1
            room -= across * down - 1
            if room < 0:  # hostile
                across = down = 1
            again = text if len(text) <= MOST_REPEATED else ""
            for below in grid[at : at + down]:
                below.update(dict.fromkeys(range(column, column + across), again))
            grid[at][column] = text
            column += across
    return rectangle([[row.get(column, "") for column in range(max(row, default=-1) + 1)] for row in grid], "")


def join_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """ "Level (m)" above "2021" is "Level (m) 2021"."""
    return [" ".join(dict.fromkeys(filter(None, column))) for column in zip_longest(*rows, fillvalue="")]


def table_text(rows: Sequence[Sequence[str]], header: bool) -> str:
    """The rows as a Markdown table; `header` says that the first one names the columns."""
    lines = [table_row(row) for row in rows]
    if header:
        lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)


def table_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def names_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row may name the columns: it leaves at most one cell empty and holds no figures."""
    if len(rows) < 2 or sum(bool(cell) for cell in rows[0]) < max(2, len(rows[0]) - 1):
        return False
    return not any(re.fullmatch(r"[^A-Za-z]*\d[\d.,% ]*", cell) for cell in rows[0])
