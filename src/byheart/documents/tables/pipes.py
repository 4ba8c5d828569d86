"""Tables drawn with bars: Markdown with and without outer bars, Org and database output, grids of "+---+"."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from byheart.documents.blocks import ROW, Line
from byheart.documents.tables import grid
from byheart.documents.tables.grid import Piece, Table, heads, is_figure, joined_pieces, read_words

_CORNERS = "┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╒╕╘╛╞╡╤╧╪"
DRAWN = str.maketrans(
    {**dict.fromkeys("│┃║", "|"), **dict.fromkeys("─━", "-"), "═": "=", **dict.fromkeys(_CORNERS, "+")}
)
QUOTE = re.compile(r"[ \t>]*")
RULE = re.compile(r"[|+:=\- \t]+")
BAR = re.compile(r"(?<!\\)\|")
GRID = re.compile(r"\+(?:[-=:]+\+)+$")
GUARDED = re.compile(r"`[^`\n]*`|\$[^$\n]*\$")
LEAST_ROWS = 2  # where no line of dashes shows that it is a table


def find_pipes(lines: Sequence[Line], taken: Collection[int]) -> Iterator[Table]:
    """The tables among the lines, in order; `taken` are lines that are something else."""
    drawn = {at: line.text.translate(DRAWN) for at, line in enumerate(lines) if at not in taken and is_drawn(line.text)}
    at = 0
    while at < len(lines):
        if at not in drawn:
            at += 1
            continue
        gridded = bool(GRID.match(bare(drawn[at])))
        last = at
        while last + 1 in drawn and (
            bare(drawn[last + 1])[:1] in ("+", "|") if gridded else not GRID.match(bare(drawn[last + 1]))
        ):
            last += 1
        table = (read_grid if gridded else read_bars)(lines, drawn, at, last)
        if table:
            yield table
        at = last + 1


def is_drawn(text: str) -> bool:
    return bool(re.search(r"[|│┃║]", text)) or is_rule(text.translate(DRAWN))


def bare(text: str) -> str:
    return text[QUOTE.match(text).end() :].rstrip()  # type: ignore[union-attr]


def is_rule(text: str) -> bool:
    """ "|---|:--:|", "--- | ---", "----+----": dashes between bars."""
    bars = "|" in text or "+" in text
    return bars and ("-" in text or "=" in text) and RULE.fullmatch(text) is not None


def is_closed(text: str) -> bool:
    """Whether bars stand at both ends."""
    return text.startswith("|") and text.endswith("|") and len(text) > 2 and not text.endswith("\\|")


def read_bars(lines: Sequence[Line], drawn: dict[int, str], first: int, last: int) -> Table | None:
    texts = {at: bare(drawn[at]) for at in range(first, last + 1)}
    rules = [at for at in texts if is_rule(texts[at])]
    rows = sorted(texts.keys() - {*rules})
    if not rows:
        return None
    marked = bool(rules) and rows[0] < rules[0] == rows[0] + 1 and (len(rows) < 2 or rows[1] > rules[0])
    if not marked and not all(is_closed(texts[at]) for at in rows):
        return read_bare(lines, drawn, rows) if not rules else later_table(lines, drawn, rules[0], first, last)
    cut = {at: cells_of(lines[at], drawn[at]) for at in rows}
    caption = None
    if marked and len(rules) > 1 and rules[1] == rules[0] + 2 and not any(cut[rows[0]].words[1:]):
        caption, rows = cut[rows[0]].pieces[0], rows[1:]  # a caption above two rules, as web pages give it
    own = [cut[at] for at in rows]
    wide = len(own[0].pieces) if marked else max(len(line.pieces) for line in own)
    own = [refit(lines[at], drawn[at], line, wide) for at, line in zip(rows, own, strict=True)]
    if marked:
        if any(own[0].words) and len(own) > 1:
            return Table(first, last, ROW, tuple(own[1:]), own[0], caption=caption)
        return Table(first, last, ROW, tuple(own[1:] or own), caption=caption)
    if len(own) < LEAST_ROWS or wide < 2 or any(len(line.pieces) != wide for line in own):
        return None
    named = first_names(own)
    return Table(first, last, ROW, tuple(own[1:] if named else own), own[0] if named else None)


def first_names(rows: Sequence[grid.Line]) -> bool:
    return heads(rows[0].words, [row.words for row in rows[1:]]) and strongly(rows)


def strongly(rows: Sequence[grid.Line]) -> bool:
    """Whether figures stand under words, and so the first row of a table without a rule is a header."""
    figures = Counter(at for row in rows[1:] for at, words in enumerate(row.words) if is_figure(words))
    return any(not is_figure(name) and figures[at] >= 0.7 * (len(rows) - 1) for at, name in enumerate(rows[0].words))


def later_table(lines: Sequence[Line], drawn: dict[int, str], rule: int, first: int, last: int) -> Table | None:
    """The table below a line with a bar that is none of it."""
    return read_bars(lines, drawn, rule - 1, last) if rule - 1 > first else None


def read_bare(lines: Sequence[Line], drawn: dict[int, str], rows: Sequence[int]) -> Table | None:
    """Lines with bars between their cells and no rule: a table where all have as many, under names."""
    own = [cells_of(lines[at], drawn[at]) for at in rows]
    width = len(own[0].pieces)
    same = all(len(line.pieces) == width for line in own)
    spaced = all(" | " in drawn[at] for at in rows)
    if len(own) < 3 or width < 2 or not same or not spaced or not heads(own[0].words, [line.words for line in own[1:]]):
        return None
    return Table(rows[0], rows[-1], ROW, tuple(own[1:]), own[0]) if width > 2 or strongly(own) else None


def cells_of(line: Line, drawn: str, guard: bool = False) -> grid.Line:
    """The cells between the bars of a line. `guard`: bars within code and formulas cut nothing."""
    shown = GUARDED.sub(lambda found: found[0].replace("|", "\0"), drawn) if guard else drawn
    start = QUOTE.match(drawn).end()  # type: ignore[union-attr]
    end = len(drawn.rstrip())
    bars = [match.start() for match in BAR.finditer(shown, start, end)]
    edges = [start - 1, *bars, end]
    if bars and bars[0] == start:
        edges = edges[1:]
    if bars and bars[-1] == end - 1:
        edges = edges[:-1]
    pieces = tuple(piece_of(line, left + 1, right) for left, right in pairwise(edges))
    return grid.Line(line.start + start, line.start + end, pieces)


def piece_of(line: Line, left: int, right: int) -> Piece:
    raw = line.text[left:right]
    start = left + len(raw) - len(raw.lstrip()) if raw.strip() else left
    return Piece(line.start + start, line.start + start + len(raw.strip()), read_words(raw.strip()))


def refit(line: Line, drawn: str, cells: grid.Line, width: int) -> grid.Line:
    """The row again, its code and formulas kept whole, where it has more cells than the table is wide."""
    if len(cells.pieces) <= width:
        return cells
    guarded = cells_of(line, drawn, guard=True)
    return guarded if width <= len(guarded.pieces) < len(cells.pieces) else cells


def read_grid(lines: Sequence[Line], drawn: dict[int, str], first: int, last: int) -> Table | None:
    """A table between lines "+---+---+"; a row may take several lines."""
    corners = [match.start() for match in re.finditer(r"\+", drawn[first])]
    bands: list[list[int]] = [[]]
    below = []  # the rule below each band
    for at in range(first + 1, last + 1):
        text = bare(drawn[at])
        if text.startswith("+") or is_rule(text):
            below.append(text)
            bands.append([])
        else:
            bands[-1].append(at)
    below = [text for band, text in zip(bands, below, strict=False) if band]
    bands = [band for band in bands if band]
    if len(corners) < 3 or not bands:
        return None
    listed = len(bands) <= 2 and all(cells_of(lines[at], drawn[at]).words[:1] != [""] for band in bands for at in band)
    groups = [[at] for band in bands for at in band] if listed else bands
    rows = [band_row(lines, drawn, band, corners) for band in groups]
    if len(rows) < LEAST_ROWS:
        return None
    doubled = bool(below) and "=" in below[0] and len(bands) > 1
    named = doubled or (len(bands) == 2 and len(bands[0]) == 1) or first_names(rows)
    return Table(first, last, ROW, tuple(rows[1:] if named else rows), rows[0] if named else None)


def band_row(lines: Sequence[Line], drawn: dict[int, str], band: Sequence[int], corners: Sequence[int]) -> grid.Line:
    """One row of a grid from its lines, cut where the corners of the rule stand."""
    parts = []
    for at in band:
        text = drawn[at]
        bars = [match.start() for match in BAR.finditer(text)]
        edges = corners if len(corners) <= len(bars) and set(corners) <= set(bars) else bars
        cells = [piece_of(lines[at], left + 1, right) for left, right in pairwise(edges)]
        parts.append(cells)
    start, end = lines[band[0]].start, lines[band[-1]].end
    pieces = joined_pieces(parts, start)
    lead = len(lines[band[0]].text) - len(lines[band[0]].text.lstrip(" \t>"))
    return grid.Line(start + lead, start + len(lines[band[0]].text.rstrip()) if len(band) == 1 else end, tuple(pieces))
