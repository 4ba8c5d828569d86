"""Tables without bars: cells between tabs, cells aligned under one another, cells below lines of dashes."""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence

from byheart.documents.blocks import RECORD, Line
from byheart.documents.tables.grid import Line as Row
from byheart.documents.tables.grid import Piece, Table, heads, joined_pieces, read_words
from byheart.documents.tables.pipes import strongly

GUIDE = re.compile(r"[ \t]*(?:={2,}|-{2,})(?:[ \t]+(?:={2,}|-{2,}))+[ \t]*$")
LEAD = re.compile(r"\s*")
GAP = re.compile(r"\S {2,}\S")
LEAST = 3  # lines of a table without a rule, its header among them
SENTENCE = re.compile(r"[a-z][.!?][\"”’)]?$|[.!?] [A-Z]")


def find_columns(lines: Sequence[Line], taken: Collection[int]) -> Iterator[Table]:
    """The tables among the lines, in order; `taken` are lines that are something else."""
    at = 0
    while at < len(lines):
        table, run = None, range(at, at + 1)
        if at not in taken and not lines[at].blank:
            text = lines[at].text
            if GUIDE.match(text):
                table = read_ruled(lines, taken, at)
            elif "\t" in text.strip():
                run = run_of(lines, taken, at, lambda line: "\t" in line.strip())
                table = read_tabs(lines, run)
            elif GAP.search(text):
                run = run_of(lines, taken, at, lambda line: bool(GAP.search(line)) and not GUIDE.match(line))
                table = read_aligned(lines, run)
        if table:
            yield table
        at = (table.last if table else run[-1]) + 1


def run_of(lines: Sequence[Line], taken: Collection[int], first: int, fits: Callable[[str], bool]) -> range:
    end = first
    while end < len(lines) and end not in taken and not lines[end].blank and fits(lines[end].text):
        end += 1
    return range(first, end)


def read_tabs(lines: Sequence[Line], run: range) -> Table | None:
    """Cells between tabs. Tabs that follow one another are one where each line has as many that way."""
    if len(run) < LEAST:
        return None
    leads = {at: LEAD.match(lines[at].text).end() for at in run}  # type: ignore[union-attr]
    tabs = [lines[at].text[: leads[at]].count("\t") for at in run]
    if min(tabs) == 0 and tabs[0] == 1:  # the first column has no name
        leads[run[0]] = 0
    bodies = [lines[at].text[leads[at] :].rstrip() for at in run]
    joined = {len(re.split(r"\t+", text)) for text in bodies}
    together = any("\t\t" in text for text in bodies) and len(joined) == 1
    rows = [cut(lines[at], leads[at], r"\t+" if together else r"\t") for at in run]
    width = len(rows[0].pieces)
    if any(len(row.pieces) > width for row in rows):
        return None
    return with_header(run, rows, sentences=width > 2)


def cut(line: Line, lead: int, between: str) -> Row:
    end = len(line.text.rstrip())
    edges = [match.span() for match in re.compile(between).finditer(line.text, lead, end)]
    spans = zip([lead, *(last for _, last in edges)], [*(first for first, _ in edges), end], strict=True)
    return row_of(line, list(spans))


def row_of(line: Line, spans: Sequence[tuple[int, int]]) -> Row:
    pieces = []
    for left, right in spans:
        raw = line.text[left:right]
        start = line.start + left + (len(raw) - len(raw.lstrip()) if raw.strip() else 0)
        pieces.append(Piece(start, start + len(raw.strip()), read_words(raw.strip())))
    lead = len(line.text) - len(line.text.lstrip())
    return Row(line.start + lead, line.start + len(line.text.rstrip()), tuple(pieces))


def read_aligned(lines: Sequence[Line], run: range) -> Table | None:
    """Cells that stand under one another with two or more blanks between them."""
    if len(run) < LEAST or any("\t" in lines[at].text for at in run):
        return None
    columns = find_gutters([lines[at].text.rstrip() for at in run])
    if len(columns) < 2:
        return None
    lefts = [left for left, _ in columns]
    rows = [row_of(lines[at], columns[: bisect_left(lefts, len(lines[at].text))]) for at in run]
    if sum(len([word for word in row.words if word]) < 2 for row in rows):
        return None
    return with_header(run, rows, sentences=False)


def find_gutters(texts: Sequence[str]) -> list[tuple[int, int]]:
    """The spans of the columns: what lies between stretches of two or more blanks in all lines."""
    width = max(map(len, texts))
    used = bytearray(width)
    for text in texts:
        for match in re.finditer(r"\S+(?: \S+)*", text):
            used[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    spans = [match.span() for match in re.finditer(rb"\x01+(?:\x00\x01+)*", bytes(used))]
    return [(a, b) for a, b in zip([a for a, _ in spans], [*(a for a, _ in spans[1:]), width], strict=True)]


def with_header(run: range, rows: Sequence[Row], sentences: bool) -> Table | None:
    """A table only where the first line names the columns: addresses, menus and verses have no such line."""
    header, body = rows[0], rows[1:]
    width = len(header.pieces)
    if not heads(header.words, [row.words for row in body]) or (width < 3 and not strongly(rows)):
        return None
    said = [word for row in body for word in row.words if word]
    if not sentences and sum(bool(SENTENCE.search(word)) for word in said) > 0.1 * len(said):
        return None
    if not strongly(rows) and sum(word[:1].islower() for word in said) > 0.5 * len(said):
        return None
    return Table(run[0], run[-1], RECORD, tuple(body), header)


def read_ruled(lines: Sequence[Line], taken: Collection[int], guide: int) -> Table | None:
    """A table whose columns a line of dashes shows: "----- -----" below the header, or "===== =====" around it too."""
    edges = [match.span() for match in re.finditer(r"[=-]+", lines[guide].text)]
    columns = list(zip([a for a, _ in edges], [*(a for a, _ in edges[1:]), 10**9], strict=True))
    above = guide - 1
    free = above >= 0 and above not in taken and not lines[above].blank and not GUIDE.match(lines[above].text)
    last, bands = guide, [[]]  # type: tuple[int, list[list[int]]]
    while last + 1 < len(lines) and last + 1 not in taken and not lines[last + 1].blank:
        last += 1
        if GUIDE.match(lines[last].text):
            bands.append([])
        else:
            bands[-1].append(last)
    opened = len(bands) > 1 and len(bands[0]) == 1 and bool(bands[1])  # the guide stands above the header too
    header, body = (bands[0][0], bands[1]) if opened else (above if free else -1, bands[0])
    if header < 0 or not body:
        return None
    return Table(
        min(header, guide), last, RECORD, tuple(joined_rows(lines, body, columns)), ruled(lines[header], columns)
    )


def ruled(line: Line, columns: Sequence[tuple[int, int]]) -> Row:
    """The cells of a line below a guide; a word that a column's edge would cut belongs to the column where it begins."""
    text, spans, left = line.text, [], 0
    for _, right in columns[:-1]:
        if left >= len(text):  # a short line below a long guide
            break
        edge = min(right, len(text))
        while left < edge < len(text) and not text[edge - 1].isspace() and not text[edge].isspace():
            edge += 1
        spans.append((left, max(left, edge)))
        left = max(left, edge)
    return row_of(line, [*spans, (left, len(text))])


def joined_rows(lines: Sequence[Line], body: Sequence[int], columns: Sequence[tuple[int, int]]) -> list[Row]:
    """The rows; a line whose first cell is empty continues the row above."""
    groups: list[list[Row]] = []
    for at in body:
        row = ruled(lines[at], columns)
        if groups and row.pieces and not row.pieces[0].words:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [group[0] if len(group) == 1 else one_row(group) for group in groups]


def one_row(group: Sequence[Row]) -> Row:
    return Row(group[0].start, group[-1].end, tuple(joined_pieces([row.pieces for row in group], group[0].start)))
