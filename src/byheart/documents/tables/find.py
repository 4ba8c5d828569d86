"""All tables and records of a text, as blocks by the lines that they take."""

from collections.abc import Collection, Sequence

from byheart.documents.blocks import Block, Line
from byheart.documents.tables.columns import find_columns
from byheart.documents.tables.grid import to_blocks
from byheart.documents.tables.pipes import find_pipes
from byheart.documents.tables.stanzas import find_stanzas


def find_tables(lines: Sequence[Line], fenced: Collection[int]) -> dict[int, tuple[Block, ...]]:
    """By line, the blocks of the table that begins there; () for its other lines. `fenced` are lines of code."""
    taken = set(fenced)
    found: dict[int, tuple[Block, ...]] = {}
    for find in (find_pipes, find_columns):
        for table in list(find(lines, taken)):
            own = range(table.first, table.last + 1)
            found |= dict.fromkeys(own, ()) | {table.first: tuple(to_blocks(table))}
            taken.update(own)
    for stanzas in find_stanzas(lines, taken):
        own = range(stanzas.first, stanzas.last + 1)
        found |= dict.fromkeys(own, ()) | {stanzas.first: stanzas.blocks}
    return found
