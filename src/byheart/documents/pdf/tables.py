"""Tables of a page: their columns, their rows, and the names of the columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from byheart.documents.grids import names_columns
from byheart.documents.pdf.leaders import FIGURE
from byheart.documents.pdf.words import Line

INFINITE = float("inf")
Gap = tuple[float, float]
Rule = tuple[float, float, float]  # y, x0, x1
LEAST_NUMERIC = 3  # rows of figures that tell the columns


@dataclass(frozen=True)
class Table:
    """The texts of the cells by row, whether the first row names the columns (in bold: surely), the blanks between columns."""

    rows: list[list[str]]
    header: bool
    bold: bool
    gutters: tuple[Gap, ...]
    page: int


def cut(band: Sequence[list[Line]], gutters: Sequence[Gap]) -> list[list[list[Line]]]:
    """The rows of each column; a row that has nothing there is empty."""
    middles = [(a + b) / 2 for a, b in gutters]
    columns: list[list[list[Line]]] = [[] for _ in range(len(gutters) + 1)]
    for row in band:
        for column in columns:
            column.append([])
        for line in row:
            columns[sum((line.x0 + line.x1) / 2 > middle for middle in middles)][-1].append(line)
    return columns


def rules_across(band: Sequence[list[Line]], gutters: Sequence[Gap], rules: Sequence[Rule]) -> list[float]:
    """The heights of the strokes that run over a gutter inside the band or at its edges."""
    size = band[0][0].size
    top, bottom = band[0][0].y + 2 * size, band[-1][0].y - 2 * size
    left, right = min(row[0].x0 for row in band), max(row[-1].x1 for row in band)
    found: dict[int, float] = {}
    for y, x0, x1 in rules:
        if bottom < y < top:
            found[round(y / 2)] = found.get(round(y / 2), 0.0) + min(x1, right) - max(x0, left)
    heights = sorted((2 * key for key, length in found.items() if length > 0.6 * (right - left)), reverse=True)
    return [y for at, y in enumerate(heights) if at == 0 or heights[at - 1] - y > 0.5 * size]


def read_table(band: list[list[Line]], gutters: Sequence[Gap], rules: Sequence[Rule]) -> Table:
    heads, gutters = finer(band, gutters)
    if heads:
        names = spread_heads(band[:heads], gutters)
        body = [[part for line in row for part in part_words(line, gutters)] for row in band[heads:]]
        figures = [
            [" ".join(line.text for line in cell) for cell in row] for row in zip(*cut(body, gutters), strict=True)
        ]
        return Table([names, *whole_names(figures)], True, False, tuple(gutters), band[0][0].page)
    columns = cut(band, gutters)
    borders = rules_across(band, gutters, rules)
    headed = len(borders) >= 3 and encloses_rows(borders, band, columns)
    if len(borders) < 3 or headed:
        borders = blanks_between(columns)
    wrapped = any(not row for row in columns[0][1:])
    rows: list[list[str]] = []
    firsts: list[list[Line]] = []
    for at, cells in enumerate(zip(*columns, strict=True)):
        texts = [" ".join(line.text for line in cell) for cell in cells]
        top = band[at - 1][0].y + 0.2 * band[at][0].size
        if (
            at == 0
            or any(band[at][0].y < border < top for border in borders)
            or (not borders and (cells[0] or not wrapped))
        ):
            rows.append(texts)
            firsts.append(band[at])
        else:
            rows[-1] = [join_cell(old, more) for old, more in zip(rows[-1], texts, strict=True)]
    bold = all(line.bold for line in firsts[0]) and len(firsts) > 1 and not all(line.bold for line in firsts[1])
    named = names_columns(rows) and (
        headed or len(rows[0]) > 2
    )  # of two columns the first row may be a pair like the others
    return Table(rows, bold or named, bold, tuple(gutters), band[0][0].page)


def encloses_rows(
    borders: Sequence[float], band: Sequence[list[Line]], columns: Sequence[Sequence[list[Line]]]
) -> bool:
    """Whether strokes part a table's head and blocks, not its rows: between two of them many lines fill most columns."""
    for top, bottom in pairwise([INFINITE, *borders, -INFINITE]):
        inside = [at for at, row in enumerate(band) if bottom < row[0].y < top]
        filled = [sum(bool(column[at]) for column in columns) for at in inside]
        opened = [at for at in inside if columns[0][at]]
        whole = len(opened) == len(inside) and sum(count > 0.6 * len(columns) for count in filled) >= 0.8 * len(inside)
        if whole and len(inside) >= (2 if len(borders) <= 3 else 4):
            return True
    return False


def blanks_between(columns: Sequence[Sequence[list[Line]]]) -> list[float]:
    """Heights of the wider blanks of the column with most lines, if its lines are wrapped and the blanks part the rows."""
    fullest = [row[0] for row in max(columns, key=lambda column: sum(map(bool, column))) if row]
    opened = sum(map(bool, columns[0]))
    steps = [(above.y - below.y, (above.y + below.y) / 2) for above, below in pairwise(fullest)]
    if opened >= len(fullest) or not steps:
        return []
    least = min(step for step, _ in steps)
    borders = [height for step, height in steps if step > 1.25 * least]
    return borders if len(borders) >= 0.5 * (opened - 1) > 0 else []


def join_cell(above: str, below: str) -> str:
    if re.search(r"[^\W\d_][-\u00ad\u2010]$", above) and below[:1].islower():
        return above[:-1] + below
    return f"{above} {below}".strip()


def finer(band: Sequence[list[Line]], gutters: Sequence[Gap]) -> tuple[int, list[Gap]]:
    """How many rows at the top name the columns, and the gutters that the rows of figures below have, where these are
    more: "Male" may stand over "Total" and "Under 18"."""
    numeric = [sum(bool(FIGURE.fullmatch(line.text)) for line in row) >= 2 for row in band]
    heads = numeric.index(True) if any(numeric) else 0
    rows = [row for row, yes in zip(band, numeric, strict=True) if yes]
    if not heads or len(rows) < max(LEAST_NUMERIC, 0.5 * (len(band) - heads)):
        return 0, list(gutters)
    size = median(line.size for row in rows for line in row)
    ends = sorted([(line.x0, 1) for row in rows for line in row] + [(line.x1, -1) for row in rows for line in row])
    found: list[Gap] = []
    covered = peak = 0
    for (at, step), (following, _) in pairwise(ends):
        covered += step
        peak = max(peak, covered)
        if covered <= 0.05 * len(rows) and following - at > 0.3 * size:
            if found and peak < 0.3 * len(rows):  # hardly anything stands between this blank and the last
                found[-1] = (found[-1][0], following)
            else:
                found.append((at, following))
            peak = 0
    return (heads, found) if len(found) > len(gutters) else (0, list(gutters))


def whole_names(rows: Sequence[list[str]]) -> list[list[str]]:
    """The rows, a name over two lines made whole: "Murder and" alone above "manslaughter | 10.0"."""
    out: list[list[str]] = []
    for row in rows:
        if out and not any(out[-1][1:]) and row[0][:1].islower():
            out[-1] = [join_cell(out[-1][0], row[0]), *row[1:]]
        else:
            out.append(row)
    return out


def spread_heads(heads: Sequence[list[Line]], gutters: Sequence[Gap]) -> list[str]:
    """The name of each column, from all rows of the head. What stands over several columns names each of them, but for the
    first one, which holds the names of the rows."""
    edges = [(a + b) / 2 for a, b in gutters]
    lines = [line for row in heads for line in row]
    left, right = (
        min([line.x0 for line in lines] + [gutters[0][0]]),
        max([line.x1 for line in lines] + [gutters[-1][1]]),
    )
    columns = list(zip([left, *(b for _, b in gutters)], [*(a for a, _ in gutters), right], strict=True))
    pitch = median((c + d - a - b) / 2 for (a, b), (c, d) in pairwise(columns))
    names: list[list[str]] = [[] for _ in columns]
    for row in heads:
        parts = [part for line in row for part in part_words(line, gutters, 0.4 * line.size)]
        middles = [(part.x0 + part.x1) / 2 for part in parts]
        bounds = [-INFINITE, *((a + b) / 2 for a, b in pairwise(middles)), INFINITE]
        for part, middle, low, high in zip(parts, middles, bounds, bounds[1:], strict=False):
            inside = [at for at, (a, b) in enumerate(columns) if low < (a + b) / 2 < high]
            ranges = [
                (first, last)
                for first in inside
                for last in inside
                if first <= last
                and (first or part.x0 < columns[0][1])
                and abs((columns[first][0] + columns[last][1]) / 2 - middle) < 0.3 * pitch
            ]
            own = sum(middle > edge for edge in edges)
            first, last = max(ranges, key=lambda pair: pair[1] - pair[0], default=(own, own))
            for at in range(first, last + 1):
                names[at].append(part.text)
    return [" ".join(dict.fromkeys(name)) for name in names]


def part_words(line: Line, gutters: Sequence[Gap], least: float = 0.0) -> list[Line]:
    """The line in parts, cut where a blank of this width between words stands over a gutter."""
    cuts = [
        place
        for place, (left, right) in enumerate(pairwise(line.words), 1)
        if right.x0 - left.x1 > least and any(left.x1 <= b and right.x0 >= a for a, b in gutters)
    ]
    return [replace(line, words=line.words[a:b]) for a, b in pairwise([0, *cuts, len(line.words)])]
