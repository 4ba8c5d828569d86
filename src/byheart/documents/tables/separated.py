"""CSV and TSV files, written as a Markdown table."""

import csv
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from byheart.documents.tables.grid import heads
from byheart.documents.text import decode
from byheart.errors import Problem, UserError

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 20_000  # characters from which the separator is found


def read_separated(path: Path) -> tuple[str, str, list[str]]:
    """The text of a .csv or .tsv file as a table, no title, and warnings. Lines above the table stay as paragraphs."""
    text, warnings = decode(path.read_bytes(), str(path))
    text = re.sub(r"\A\s*sep=(.)\s*?\n", "", text)
    separator = "\t" if path.suffix.lower() == ".tsv" and "\t" in text else find_separator(text)
    rows = read_rows(text, separator, path)
    if any(
        len(cell) > SAMPLE and "\n" in cell for row in rows[-1:] for cell in row
    ):  # it swallowed the rest of the file
        rows = read_rows(text, separator, path, quoting=csv.QUOTE_NONE)
        warnings.append(f"{path}: a quotation mark is never closed; quotation marks are read as text")
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    rows = [row for row in rows if any(row)]
    if max((len(row) for row in rows), default=0) < 2:
        return "\n\n".join(row[0] for row in rows), "", warnings
    first = next((at for at, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)
    above, table = rows[:first], rows[first:]
    # No row is filled up to the widest: a file with one long line would grow to its square.
    used = sorted({at for row in table for at, cell in enumerate(row) if cell})
    body = [[row[at] for at in used[: bisect_left(used, len(row))]] for row in table]
    body[0] += [""] * (len(used) - len(body[0]))
    if len(body) < 2 or not heads([name or f"column {at}" for at, name in enumerate(body[0])], body[1:], sure=True):
        body.insert(0, [""] * len(used))
    lines = [written(body[0]), written(["---"] * len(used)), *map(written, body[1:])]
    paragraphs = [cell for row in above for cell in row if cell]
    return "\n\n".join([*paragraphs, "\n".join(lines)]) + "\n", "", warnings


def read_rows(text: str, separator: str, path: Path, quoting: int = csv.QUOTE_MINIMAL) -> list[list[str]]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    try:
        lines = text.splitlines(keepends=True)
        return list(csv.reader(lines, delimiter=separator, skipinitialspace=True, quoting=quoting))  # type: ignore[arg-type]
    except csv.Error as fault:
        raise UserError(
            Problem(f"the file cannot be read as a table: {fault}", str(path), fix="save it again as CSV")
        ) from None


def find_separator(text: str) -> str:
    """The sign that cuts most lines of the file into as many cells, and into more than one."""
    sample = text[:SAMPLE].splitlines(keepends=True)
    lines = sample[:-1] if len(text) > SAMPLE and len(sample) > 1 else sample

    def fit(separator: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator, skipinitialspace=True))
        width, count = max(((w, n) for w, n in widths.items() if w > 1), key=lambda pair: pair[1], default=(0, 0))
        return count, width

    return max(SEPARATORS, key=fit)


def written(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
