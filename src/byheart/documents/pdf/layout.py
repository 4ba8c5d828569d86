"""The order of reading of a page: columns and tables, told by where the lines stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from byheart.documents.pdf.leaders import DOTS, part_at, without_leaders
from byheart.documents.pdf.tables import INFINITE, Gap, Rule, Table, cut, read_table, rules_across
from byheart.documents.pdf.words import RIGHT_TO_LEFT, Line
from byheart.documents.structure.outline import MARKER

LEAST_GUTTER = 0.9  # of the font's size
BULLET_ONLY = re.compile(r"[-*+•‣▪·–—◦○●■□►]|\(?\w{1,4}[.)]")
NUMBERED = re.compile(r"[^\W\d_]{3,}\.?\s\d")  # "Table 2", above the next one
MOST_LINES = 3000  # a page of more is a drawing, or hostile


@dataclass(frozen=True)
class Region:
    """A column of prose, lines from the top down. A row of several lines is read from left to right."""

    rows: list[list[Line]]


@dataclass
class Layout:
    """What a page holds, in the order of reading, and whether that order is sure."""

    parts: list[Region | Table] = field(default_factory=list)
    doubtful: bool = False


def lay_out(lines: Sequence[Line], rules: Sequence[Rule]) -> Layout:
    rows = rows_of(lines)
    if len(lines) > MOST_LINES:
        return Layout([Region(rows)], doubtful=True)
    layout = Layout()
    if rows:
        rows = without_leaders(rows)
        least = LEAST_GUTTER * median(line.size for line in lines)
        arrange(rows, rules, layout, least)
        layout.doubtful |= is_scattered(layout)
    return layout


def is_scattered(layout: Layout) -> bool:
    """Whether words stand all over the page, as in a drawing."""
    loose = [line for part in layout.parts if isinstance(part, Region) for row in part.rows for line in row]
    starts = {round(line.x0 / 10) for line in loose}
    return len(starts) > max(11.0, 0.3 * len(loose)) and median(len(line.text) for line in loose) < 25


def rows_of(lines: Sequence[Line]) -> list[list[Line]]:
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.y):
        if rows and abs(rows[-1][0].y - line.y) < 0.25 * min(line.size, rows[-1][0].size):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]


def arrange(rows: list[list[Line]], rules: Sequence[Rule], layout: Layout, least: float) -> None:
    """Adds the rows to the layout, band by band, a band's columns one by one."""
    while rows:
        count, gutters = next_band(rows, least)
        band, rows = rows[:count], rows[count:]
        gutters = [gutter for gutter, column in zip(gutters, cut(band, gutters)[1:], strict=True) if any(column)]
        kind = judge(band, cut(band, gutters), gutters, rules) if gutters else "rows"
        if kind == "rows":
            layout.parts.append(Region(band))
        elif kind == "table":
            end = table_end(band)
            layout.parts.append(read_table(band[:end], gutters, rules))
            rows = band[end:] + rows
        else:
            layout.doubtful |= kind == "doubtful"
            band, rest = hand_back(band, gutters) if rows else (band, [])
            columns = cut(band, gutters)
            if RIGHT_TO_LEFT.search("".join(line.text for row in band for line in row)):
                columns.reverse()
            for column in columns:
                arrange([row for row in column if row], rules, layout, least)
            rows = rest + rows


def free_gaps(row: Sequence[Line]) -> list[Gap]:
    """The gaps between the lines of a row, its ends included as infinite ones."""
    spans = sorted((line.x0, line.x1) for line in row)
    gaps: list[Gap] = [(-INFINITE, spans[0][0])]
    reach = spans[0][1]
    for x0, x1 in spans[1:]:
        if x0 > reach:
            gaps.append((reach, x0))
        reach = max(reach, x1)
    return [*gaps, (reach, INFINITE)]


def inner(gaps: Sequence[Gap], least: float) -> list[Gap]:
    return [gap for gap in gaps if gap[0] > -INFINITE and gap[1] < INFINITE and gap[1] - gap[0] >= least]


def with_neighbours(rows: Sequence[list[Line]], at: int) -> list[Line]:
    """The lines of a row and those beside it whose baseline differs a little: columns need not share baselines."""
    row = list(rows[at])
    size = row[0].size
    for other in [*rows[max(0, at - 2) : at], *rows[at + 1 : at + 3]]:
        if abs(other[0].y - row[0].y) < 0.7 * size:
            row += [line for line in other if all(line.x0 > own.x1 or line.x1 < own.x0 for own in rows[at])]
    return row


def next_band(rows: Sequence[list[Line]], least: float) -> tuple[int, list[Gap]]:
    """How many of the first rows belong together, and the gutters that run through all of them."""
    for first in range(len(rows)):
        gutters = lasting(inner(free_gaps(with_neighbours(rows, first)), least), rows[first + 1 : first + 4], least)
        if not gutters or not runs_on(rows, first, gutters, least):
            continue
        end = first + 1
        while end < len(rows):
            row = rows[end]
            if len(met := widened(gutters, free_gaps(row), least)) < len(gutters):
                row = part_at(row, gutters)
                if len(met := widened(gutters, free_gaps(row), 0.2 * row[0].size)) < len(gutters):
                    break
                met = [old if new[1] - new[0] < least else new for old, new in zip(gutters, met, strict=True)]
            gutters, end = met, end + 1
        start = first
        while start > 0 and fits(rows[start - 1], gutters) and beside_prose(rows, start, end, gutters):
            start -= 1
        return (start, []) if start else (end, gutters)
    return len(rows), []


def lasting(gutters: Sequence[Gap], below: Sequence[list[Line]], least: float) -> list[Gap]:
    """The gutters without those that the next rows write over before one of them has a blank there too: "2.  Results"."""
    kept = []
    for gutter in gutters:
        for row in below:
            free = free_gaps(row)
            if not widened([gutter], free, least):
                break
            if widened([gutter], inner(free, least), least):
                kept.append(gutter)
                break
        else:
            kept.append(gutter)
    return kept


def widened(gutters: Sequence[Gap], free: Sequence[Gap], least: float) -> list[Gap]:
    """What the free gaps leave of each gutter, those left out of which too little remains."""
    met = (
        max(((max(a, c), min(b, d)) for c, d in free), key=lambda gap: gap[1] - gap[0], default=(0, 0))
        for a, b in gutters
    )
    return [gap for gap in met if gap[1] - gap[0] >= least]


def runs_on(rows: Sequence[list[Line]], at: int, gutters: Sequence[Gap], least: float) -> bool:
    """Whether one of the next rows has a gutter of this one too: a wide blank in a justified line is no gutter."""
    for index in range(at + 1, min(at + 4, len(rows))):
        gutters = widened(gutters, free_gaps(rows[index]), least)
        if not gutters:
            return False
        if any(widened(gutters, inner(free_gaps(with_neighbours(rows, index)), least), least)):
            return True
    return False


def fits(row: Sequence[Line], gutters: Sequence[Gap]) -> bool:
    return all(any(line.x1 <= a for a, _ in gutters) or any(line.x0 >= b for _, b in gutters) for line in row) and all(
        not (line.x0 < a and line.x1 > b) for line in row for a, b in gutters
    )


def beside_prose(rows: Sequence[list[Line]], start: int, end: int, gutters: Sequence[Gap]) -> bool:
    """Whether the row above a band is a column's first line, not a heading over all: it stands close, in like type."""
    above, below = rows[start - 1][0], rows[start][0]
    prose = sum(is_prose(column) for column in cut(rows[start:end], gutters)) > len(gutters)
    return prose and above.y - below.y < 2 * below.size and 0.9 < above.size / below.size < 1.1


def is_prose(column: Sequence[list[Line]]) -> bool:
    """Whether most lines fill the column, as wrapped text does."""
    rows = [row for row in column if row]
    if len(rows) < 4:
        return False
    widths = [row[-1].x1 - row[0].x0 for row in rows]
    full = sorted(widths)[int(0.9 * (len(widths) - 1))]
    letters = median(sum(len(line.text) for line in row) for row in rows)
    return letters >= 16 and sum(width > 0.7 * full for width in widths) >= 0.6 * len(widths)


def judge(
    band: Sequence[list[Line]],
    columns: Sequence[Sequence[list[Line]]],
    gutters: Sequence[Gap],
    rules: Sequence[Rule],
) -> str:
    """ "table", "columns", "rows" (read each from left to right) or "doubtful" (columns, but who knows)."""
    filled = [[row for row in column if row] for column in columns]
    if not filled[0]:
        return "rows"
    texts = [[" ".join(line.text for line in row) for row in column] for column in filled]
    if sum(line.mono for row in band for line in row) > 0.8 * sum(map(len, band)):
        return "rows"  # code
    if len(columns) == 2 and sum(bool(BULLET_ONLY.fullmatch(text)) for text in texts[0]) > 0.6 * len(texts[0]):
        return "rows"
    if sum(bool(DOTS.search(text)) for column in texts for text in column) > 0.4 * len(band):
        return "rows"  # a table of contents
    if sum(text.endswith(":") for text in texts[0]) > 0.6 * len(texts[0]) and len(columns) == 2:
        return "rows"  # "Name:   Hallow"
    if len(columns) == 2 and all(re.fullmatch(r"\d{1,4}|[ivxlc]+", text) for text in texts[1]):
        return "rows"  # another one, without dots
    shared = sum(sum(bool(cell) for cell in cells) >= 2 for cells in zip(*columns, strict=True))
    if len(rules_across(band, gutters, rules)) >= 3 and shared >= 2:
        return "table"
    prose = [is_prose(column) for column in filled]
    if all(prose):
        return "columns"
    if sum(prose) >= 2 and all(len(column) < 4 or is_text for column, is_text in zip(filled, prose, strict=True)):
        return "columns"
    lists = [sum(bool(MARKER.match(text)) for text in column) > 0.4 * len(column) for column in texts]
    if sum(lists) >= 2 or (any(prose) and any(lists[1:])):
        return "columns"
    if shared >= 0.6 * len(filled[0]) and (len(columns) >= 3 or shared >= 3):
        short = [median(map(len, column)) <= 30 for column in texts]
        return "table" if all(short) or (short[0] and sum(short) >= len(short) - 1) else "doubtful"
    return "doubtful" if shared >= 4 or min(map(len, filled)) >= 4 else "rows"


def table_end(band: Sequence[list[Line]]) -> int:
    """How many rows belong to the table: text behind a blank, or the next table's caption, is none."""
    steps = [above[0].y - below[0].y for above, below in pairwise(band)]
    usual = median(steps) if steps else 0.0
    for at, step in enumerate(steps, 1):
        follows = all(len(row) == 1 for row in band[at : at + 2]) or NUMBERED.match(band[at][0].text)
        if step > 1.6 * usual and at >= 2 and len(band[at]) == 1 and follows:
            return at
    return len(band)


def hand_back(band: list[list[Line]], gutters: Sequence[Gap]) -> tuple[list[list[Line]], list[list[Line]]]:
    """The band without a heading at its foot that belongs to what follows across all columns."""
    left = (gutters[0][0] + gutters[0][1]) / 2
    last = max((at for at, row in enumerate(band) if any(line.x0 > left for line in row)), default=len(band) - 1)
    for at in range(last + 1, len(band)):
        step = band[at - 1][0].y - band[at][0].y
        if step > 1.7 * band[at][0].size and len(band) - at <= 3:
            return band[:at], band[at:]
    return band, []
