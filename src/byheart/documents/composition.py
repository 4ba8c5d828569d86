"""What a document is made of, in words: "212 paragraphs, 40 list items, 3 tables of 58 rows; left out: 24 running heads"."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from byheart.documents.blocks import (
    CAPTION,
    CODE,
    DEFINITION,
    ENTRY,
    FORMULA,
    HEADER,
    ITEM,
    NOTE,
    PAIR,
    RECORD,
    ROW,
    SPEECH,
    TEXT,
)
from byheart.documents.languages.mixed import languages_of
from byheart.documents.structure.outline import outline
from byheart.records import Document, LeftOut, counted, counted_of

ONE = {  # what a person calls a block; here and on the ledger's page
    TEXT: "prose",
    ITEM: "list item",
    HEADER: "table header",
    ROW: "table row",
    RECORD: "record",
    CODE: "code",
    FORMULA: "formula",
    SPEECH: "speech",
    NOTE: "note",
    CAPTION: "caption",
    PAIR: "question with its answer",
    DEFINITION: "definition",
    ENTRY: "entry",
}
MANY = {
    TEXT: "paragraphs",
    ITEM: "list items",
    ROW: "table rows",
    RECORD: "records",
    CODE: "blocks of code",
    FORMULA: "formulas",
    SPEECH: "turns of speakers",
    NOTE: "notes",
    CAPTION: "captions",
    PAIR: "questions with answers",
    DEFINITION: "definitions",
    ENTRY: "entries",
}
NAMED = 4  # documents; what more of them are made of is said in one line


def with_kinds(document: Document) -> Document:
    """The document with its blocks counted and its languages told."""
    kinds = Counter(block.kind for block in outline(document.text, document.title).blocks)
    return replace(document, kinds=dict(kinds), languages=languages_of(document))


def made_of(kinds: Mapping[str, int]) -> str:
    """ "212 paragraphs, 3 tables of 58 rows"; empty where nothing was counted."""
    said = []
    for kind, nouns in MANY.items():
        count, tables = kinds.get(kind, 0), kinds.get(HEADER, 0)
        if kind == ROW and tables:
            said.append(f"{counted(tables, 'table')} of {counted(count, 'row')}")
        elif count:
            said.append(f"1 {ONE[kind]}" if kind == PAIR and count == 1 else counted_of(count, nouns))
    said += [f"{count:,} {kind}" for kind, count in kinds.items() if kind not in ONE]
    return ", ".join(said)


def left_out(parts: Iterable[LeftOut], examples: bool = False) -> str:
    """ "24 running heads, 1 table of contents"; with `examples` the words of one of each, where known."""
    shown = [
        counted_of(part.count, part.kind) + (f" (“{part.example}”)" if examples and part.example else "")
        for part in parts
    ]
    return ", ".join(shown)


def describe(documents: Sequence[Document]) -> list[str]:
    """A line for each document in which there is more than prose, or from which something was left out; one line for
    them all where they are many."""
    special = [each for each in documents if each.left_out or set(each.kinds) - {TEXT}]
    if len(special) <= NAMED:
        return [_line(Path(each.path).name, each.kinds, each.left_out) for each in special]
    kinds: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for each in special:
        kinds.update(each.kinds)
        gone.update({part.kind: part.count for part in each.left_out})
    whole = [LeftOut(kind, count) for kind, count in gone.items()]
    return [_line(f"{len(special):,} of {len(documents):,} documents", kinds, whole)]


def _line(name: str, kinds: Mapping[str, int], gone: Sequence[LeftOut]) -> str:
    parts = [made_of(kinds), f"left out: {left_out(gone)}" if gone else ""]
    return f"{name}: {'; '.join(filter(None, parts))}"
