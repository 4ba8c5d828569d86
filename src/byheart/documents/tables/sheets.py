"""Records that each stand under a heading, which is their name: a page of pumps with "Flow: 20" and "Price: 149" for each."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import takewhile

from byheart.documents.blocks import ITEM, RECORD, TEXT, Block, Cell, Heading
from byheart.documents.pairs.lines import rows_of
from byheart.documents.tables.grid import read_words
from byheart.documents.tables.stanzas import FIELD, MOST_NAME, Field, are_records, cells_of, ranks


def join_sheets(text: str, headings: Sequence[Heading], blocks: list[Block]) -> list[Block]:
    """The blocks, where the fields at the beginning of a section are one record, if several sections have the same fields."""
    sheets: dict[int, list[tuple[Heading, list[Block], list[Field]]]] = defaultdict(list)  # by the level of the heading
    ends = [*(heading.start for heading in headings[1:]), len(text) + 1][: len(headings)]
    for heading, end in zip(headings, ends, strict=True):
        first, last = (bisect_left(blocks, place, key=lambda block: block.start) for place in (heading.end, end))
        read = list(takewhile(lambda pair: pair[1], ((block, fields_of(text, block)) for block in blocks[first:last])))
        fields = [field for _, own in read for field in own]
        if len(fields) > 1:
            sheets[heading.level].append((heading, [block for block, _ in read], fields))
    made: dict[int, Block] = {}
    gone: set[int] = set()
    for level in sheets.values():
        titles = [heading.title for heading, _, _ in level]
        if are_records([fields for _, _, fields in level], titles, apart=True):
            names = ranks([fields for _, _, fields in level])
            for heading, own, fields in level:
                made[own[0].start] = record(heading, own, fields, names)
                gone |= {block.start for block in own}
    return [made.get(block.start, block) for block in blocks if block.start in made or block.start not in gone]


def fields_of(text: str, block: Block) -> list[Field]:
    """The fields of a block, [] where a line of it is none."""
    if block.kind not in (TEXT, ITEM) or block.end - block.start > 2000:
        return []
    found = []
    for row in rows_of(text, block):
        match = FIELD.match(row.text)
        if not match or len(match["name"].split()) > MOST_NAME:
            return []
        value = read_words(row.text[match.end() :].strip())
        found.append(Field(0, 0, row.start, row.start + match.end(), match["name"].strip(), value))
    return found


def record(heading: Heading, own: Sequence[Block], fields: Sequence[Field], names: Mapping[str, int]) -> Block:
    start = own[0].start
    cells = (Cell("", heading.title, start), *cells_of(fields, names))
    return Block(start, start, own[-1].end, RECORD, cells=cells)
