"""Tables as Markdown, for the readers of formats that know rows and cells."""

import re
from collections.abc import Sequence


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
