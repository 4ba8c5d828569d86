"""Spreadsheets: each sheet is a section of tables, with the values as they are shown."""

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from byheart.documents.grids import MOST_REPEATED, ROOM, SPREAD, table_text
from byheart.documents.office.markup import Markdown
from byheart.documents.office.numbers import shown_number
from byheart.documents.office.package import Read, open_office, title_of
from byheart.records import counted

MOST_CELLS = 300_000  # of a sheet
MOST_MERGED = 10_000
# A formula that was never computed: it has no value beside it.
NO_VALUE = re.compile(rb"<c\b[^>]*><f\b[^>]*(?:/>|>[^<]*</f>)(?:<v\s*/>|<v></v>)?</c>")
Cells = dict[tuple[int, int], Any]  # by row and column; those of a merged range are all its first


def read_xlsx(path: Path) -> Read:
    """Raises UserError, or whatever the parsers raise on damaged XML."""
    import openpyxl

    package, _ = open_office(path)
    book = openpyxl.load_workbook(path, data_only=True, keep_links=False)
    out = Markdown()
    remarks = []
    if hidden := [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]:
        named = ", ".join(f"“{name}”" for name in hidden[:4]) + ", ..." * (len(hidden) > 4)
        remarks.append(f"{counted(len(hidden), 'hidden sheet')} left out ({named}). Show them if they are to be read")
    folded: Counter[str] = Counter()
    for sheet in book.worksheets:
        if sheet.title in hidden:
            continue
        before = len(out.parts)
        rows, columns = hidden_lines(sheet)
        cells = filled_cells(sheet)
        folded["hidden row"] += len({row for row, _ in cells if row in rows})
        folded["hidden column"] += len({column for _, column in cells if column in columns})
        seen = {place: cell for place, cell in cells.items() if place[0] not in rows and place[1] not in columns}
        for block in blocks_of(seen, rows, columns):
            write_block(block, out, header_rows(sheet))
        if len(out.parts) > before:
            out.parts.insert(before, ("heading", f"## {' '.join(sheet.title.split())}"))
        out.left_out["comment"] += sum(cell.comment is not None for cell in sheet._cells.values())
        out.left_out["cell with an error"] += sum(cell.data_type == "e" for cell in sheet._cells.values())
        out.left_out["chart"] += len(sheet._charts)
        out.left_out["picture"] += len(sheet._images)
        if len(sheet._cells) > MOST_CELLS:
            remarks.append(
                f"the sheet “{sheet.title}” has {len(sheet._cells):,} cells; the first {MOST_CELLS:,} are read"
            )
    out.left_out["sheet that is a chart"] += len(book.chartsheets)
    if said := " and ".join(counted(count, noun) for noun, count in folded.items() if count):
        remarks.append(f"{said} with content left out. Show them if they are to be read")
    sheets = [name for name in package.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
    if unknown := sum(len(NO_VALUE.findall(package.read(name))) for name in sheets):
        remarks.append(
            f"{counted(unknown, 'formula')} without a saved value left blank. Open the file, and save it again"
        )
    return Read(out.text(), title_of(package), out.left_out, remarks)


def hidden_lines(sheet: Any) -> tuple[set[int], set[int]]:
    """The numbers of the hidden rows and columns."""
    columns: set[int] = set()
    for column in sheet.column_dimensions.values():
        if column.hidden and column.min:
            columns |= set(range(column.min, min(column.max or column.min, column.min + 1000) + 1))
    return {at for at, row in sheet.row_dimensions.items() if row.hidden}, columns


def filled_cells(sheet: Any) -> Cells:
    """The cells with something in them; each cell of a merged range is its first one."""
    cells = dict(sorted(sheet._cells.items())[:MOST_CELLS])
    room = ROOM + SPREAD * len(cells)
    for area in sheet.merged_cells.ranges:
        size = area.size["rows"] * area.size["columns"]
        first = cells.get((area.min_row, area.min_col))
        if (
            first is not None
            and size <= MOST_MERGED
            and (room := room - size) >= 0
            and len(text_of(first)) <= MOST_REPEATED
        ):
            cells |= dict.fromkeys(area.cells, first)
    return {place: cell for place, cell in sorted(cells.items()) if text_of(cell)}


def header_rows(sheet: Any) -> set[int]:
    """The rows that the file itself says name columns: of its tables and of its filter."""
    areas = [table.ref for table in sheet.tables.values() if table.headerRowCount != 0]
    areas += [sheet.auto_filter.ref] if sheet.auto_filter.ref else []
    return {int(found[1]) for area in areas if (found := re.match(r"\$?[A-Z]+\$?(\d+)", area))}


def blocks_of(cells: Cells, rows: set[int], columns: set[int]) -> Iterator[Cells]:
    """The parts of a sheet that empty rows, and then empty columns, keep apart."""
    for band in parted(cells, 0, rows):
        yield from parted(band, 1, columns)


def parted(cells: Cells, axis: int, unseen: set[int]) -> list[Cells]:
    """The cells in groups that empty rows (axis 0) or columns (axis 1) keep apart."""
    group_of = {
        number: at for at, group in enumerate(runs({place[axis] for place in cells}, unseen)) for number in group
    }
    groups: dict[int, Cells] = {at: {} for at in sorted(set(group_of.values()))}
    for place, cell in cells.items():
        groups[group_of[place[axis]]][place] = cell
    return list(groups.values())


def runs(numbers: Iterable[int], unseen: set[int]) -> list[set[int]]:
    """The numbers in groups without a gap; what is hidden makes none."""
    groups: list[set[int]] = []
    last = 0
    for number in sorted(numbers):
        gap = number - last > 1 and any(between not in unseen for between in range(last + 1, number))
        if gap or not groups:
            groups.append(set())
        groups[-1].add(number)
        last = number
    return groups


def write_block(block: Cells, out: Markdown, headers: set[int]) -> None:
    numbers, columns = sorted({row for row, _ in block}), sorted({column for _, column in block})
    if len(numbers) * len(columns) > ROOM + SPREAD * len(block):  # scattered cells: filled up they would be a square
        for _, line in groupby(block.items(), key=lambda item: item[0][0]):
            out.add("; ".join(text_of(cell) for _, cell in line))
        return
    rows = [[block.get((row, column)) for column in columns] for row in numbers]
    texts = [[text_of(cell) for cell in row] for row in rows]
    if len(columns) == 1:
        for row in texts:
            out.add(row[0])
        return
    first, last = 0, len(rows)
    while first < last - 1 and len(words := set(filter(None, texts[first]))) == 1:  # a title above the table
        out.add(words.pop(), "loud")
        first += 1
    while last - 1 > first + 1 and len(set(filter(None, texts[last - 1]))) == 1:  # a note below
        last -= 1
    table, cells, header = texts[first:last], rows[first:last], numbers[first] in headers
    if len(table) > 2 and spreads(cells[0]) and all_words(cells[1]):  # "2024" over "May" and "June"
        table = [[" ".join(dict.fromkeys(filter(None, column))) for column in zip(*table[:2], strict=True)], *table[2:]]
        header = True
    out.parts.append(("text", table_text(table, header or is_header(cells))))
    for row in texts[last:]:
        out.add(next(filter(None, row)))


def spreads(row: Sequence[Any]) -> bool:
    """Whether a cell of the row is merged over several columns."""
    found = [cell for cell in row if cell is not None]
    return all_words(row) and len({id(cell) for cell in found}) < len(found)


def all_words(row: Sequence[Any]) -> bool:
    found = [cell for cell in row if cell is not None]
    return bool(found) and all(isinstance(cell.value, str) for cell in found)


def is_header(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row names the columns: words above other things, or bold above plain."""
    first, body = rows[0], rows[1:]
    if not body or sum(cell is not None for cell in first) < max(2, len(first) - 1) or not all_words(first):
        return False
    bold = all(cell.font.b for cell in first if cell is not None)
    if bold or any(cell.font.b for cell in body[0] if cell is not None):
        return bold and not all(cell.font.b for cell in body[0] if cell is not None)
    figures = any(
        all(row[at] is None or not isinstance(row[at].value, str) for row in body) for at in range(len(first))
    )
    return len(first) > 2 or (figures and len(body) > 2)


def text_of(cell: Any) -> str:
    """What the cell shows, on one line; dates as 2024-12-31."""
    value = None if cell is None or cell.data_type == "e" else cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime):
        day, clock = value.date().isoformat(), value.time().isoformat("minutes")
        return day if value.time() == datetime.time() else f"{day} {clock}"
    if isinstance(value, datetime.time):
        return value.isoformat("minutes")
    if isinstance(value, (int, float)):
        return shown_number(value, cell.number_format)
    return " ".join(str(value).split())
