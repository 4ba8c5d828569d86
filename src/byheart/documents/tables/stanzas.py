"""Records written as stanzas: lines "name: value" whose names come back from stanza to stanza."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from byheart.documents.blocks import RECORD, Block, Cell, Line
from byheart.documents.pairs.question_words import ROLES
from byheart.documents.tables.grid import column_name, is_figure, read_words

FIELD = re.compile(
    r"[ \t>]*(?:[-*+•][ \t]+)?(?:\*\*|__)?(?P<name>[^\W_][^:：\n|*]{0,39}?)(?:\*\*|__)?[:：](?:\*\*|__)?[ \t]+(?=\S)"
)
MOST_NAME = 5  # words of a name
SAID = re.compile(r"[.!?…。！？][\"”’)]*$")


@dataclass(frozen=True)
class Field:
    """A line "name: value", and the lines below that continue it."""

    first: int
    last: int
    start: int
    place: int
    name: str
    value: str


@dataclass(frozen=True)
class Stanzas:
    """Lines `first` to `last` of a text, a block for each record."""

    first: int
    last: int
    blocks: tuple[Block, ...]


def find_stanzas(lines: Sequence[Line], taken: Collection[int]) -> Iterator[Stanzas]:
    """The runs of records among the lines, in order; `taken` are lines that are something else."""
    at = 0
    while at < len(lines):
        fields, after = read_fields(lines, taken, at)
        if fields and (blocks := records(lines, fields)):
            own = [at for at in range(fields[0].first, fields[-1].last + 1)]
            own = [at for at in own if blocks[0].start <= lines[at].end and lines[at].start <= blocks[-1].end]
            yield Stanzas(own[0], own[-1], tuple(blocks))
        at = max(after, at + 1)


def read_fields(lines: Sequence[Line], taken: Collection[int], first: int) -> tuple[list[Field], int]:
    """The fields from a line on, until a line that is neither a field, nor blank, nor the rest of one; and where that is."""
    fields: list[Field] = []
    said: list[list[str]] = []  # by field, its lines
    at = first
    while at < len(lines) and at not in taken:
        line = lines[at]
        match = FIELD.match(line.text)
        if match and len(match["name"].split()) <= MOST_NAME:
            lead = len(line.text) - len(line.text.lstrip(" \t>"))
            value = read_words(line.text[match.end() :].strip())
            fields.append(Field(at, at, line.start + lead, line.start + match.end(), match["name"].strip(), value))
            said.append([value])
        elif fields and line.text[:2].isspace() and not line.blank and fields[-1].last == at - 1:
            fields[-1] = replace(fields[-1], last=at)
            said[-1].append(line.text.strip())
        elif not line.blank and not re.fullmatch(r"[ \t]*(?:[-=*_%~#][ \t]*){2,}", line.text):
            break
        at += 1
    return [replace(field, value=" ".join(parts)) for field, parts in zip(fields, said, strict=True)], at


def records(lines: Sequence[Line], fields: Sequence[Field]) -> list[Block]:
    """A block for each record, [] where the fields are no records: a glossary, a conversation, a letter's head."""
    parts = paragraphs(fields)
    if len(parts) > 1:
        key = Counter(part[0].name.casefold() for part in parts).most_common(1)[0][0]
        stanzas = max((list(run) for same, run in groupby(parts, lambda part: begins(part, key)) if same), key=len)
    else:
        stanzas = list(returning(fields))
    if not are_records(stanzas, [stanza[0].value for stanza in stanzas], apart=len(parts) > 1):
        return []
    names = ranks(stanzas)
    return [block_of(lines, stanza, names) for stanza in stanzas]


def begins(stanza: Sequence[Field], key: str) -> bool:
    return stanza[0].name.casefold() == key


def paragraphs(fields: Sequence[Field]) -> list[list[Field]]:
    """The fields between blank lines."""
    parts: list[list[Field]] = [[fields[0]]]
    for above, field in pairwise(fields):
        if field.first > above.last + 1:
            parts.append([])
        parts[-1].append(field)
    return parts


def returning(fields: Sequence[Field]) -> Iterator[list[Field]]:
    """The fields from each return of the first name to the next."""
    starts = [at for at, field in enumerate(fields) if field.name.casefold() == fields[0].name.casefold()]
    return (list(fields[a:b]) for a, b in zip(starts, [*starts[1:], len(fields)], strict=True))


def are_records(stanzas: Sequence[Sequence[Field]], keys: Sequence[str], apart: bool) -> bool:
    """Whether fields come back as those of records do; `keys` name the records, `apart`: something stands between them."""
    sizes = [len(stanza) for stanza in stanzas]
    if len(stanzas) < 2 or min(sizes) < 2 or len(stanzas) * max(sizes) < 6 or stanzas[0][0].name.casefold() in ROLES:
        return False
    counts = Counter(field.name.casefold() for stanza in stanzas for field in stanza)
    own = [[field.name.casefold() for field in stanza] for stanza in stanzas]
    once = all(len(set(names)) == len(names) for names in own)
    shared = sum(count for count in counts.values() if count >= 0.5 * len(stanzas)) >= 0.8 * sum(counts.values())
    values = [field.value for stanza in stanzas for field in stanza]
    talks = sum(bool(SAID.search(value)) for value in values) > 0.5 * len(values) or any(
        SAID.search(key) for key in keys
    )
    figures = any(is_figure(value) for value in values)
    if not once or not shared or talks or len({key.casefold() for key in keys}) < 0.8 * len(keys):
        return False
    return figures if apart else figures and min(sizes) >= 3 and len(set(map(tuple, own))) == 1


def ranks(stanzas: Sequence[Sequence[Field]]) -> dict[str, int]:
    """The names of the fields, each with its place among all."""
    names = dict.fromkeys(field.name for stanza in stanzas for field in stanza)
    return {name: at for at, name in enumerate(names)}


def cells_of(fields: Sequence[Field], names: Mapping[str, int]) -> list[Cell]:
    """The cells in the order of all names. What a record does not name has no cell: rare names would give each record one."""
    said = {field.name: field for field in fields}
    return [Cell(column_name(name), said[name].value, said[name].place) for name in sorted(said, key=names.__getitem__)]


def block_of(lines: Sequence[Line], stanza: Sequence[Field], names: Mapping[str, int]) -> Block:
    start, last = stanza[0].start, lines[stanza[-1].last]
    cells = cells_of(stanza, names)
    key = column_name(next(iter(names)))  # the first cell names the record
    unnamed = [] if cells[0].column == key else [Cell(key, "", start)]
    return Block(start, start, last.start + len(last.text.rstrip()), RECORD, cells=(*unnamed, *cells))
