"""The lines of paragraphs and list items, and the pairs that are made of them."""

import re
from dataclasses import dataclass, replace
from itertools import groupby

from byheart.documents.blocks import ITEM, PAIR, TEXT, Block


@dataclass(frozen=True)
class Row:
    """A line of a paragraph or list item, or another block as a whole."""

    start: int
    end: int
    text: str
    block: Block

    @property
    def first(self) -> bool:
        return self.start == self.block.body

    @property
    def prose(self) -> bool:
        return self.block.kind in (TEXT, ITEM)


@dataclass(frozen=True)
class Found:
    """A pair in the making. `start` is where its block begins, `answer` are the rows that answer."""

    start: int
    question: str
    answer: tuple[Row, ...]
    kind: str = PAIR

    @property
    def said(self) -> str:
        """The answer, a paragraph or list item a line."""
        parts = groupby(self.answer, key=lambda row: row.block.start)
        lines: list[str] = []
        for _, group in parts:
            rows = list(group)
            mark = f"{rows[0].block.label} " if rows[0].block.label and rows[0].first and lines else ""
            lines.append(mark + " ".join(" ".join(row.text for row in rows).split()))
        return bare("\n".join(lines)) if len(lines) == 1 else "\n".join(lines)


def rows_of(text: str, block: Block) -> list[Row]:
    if block.kind not in (TEXT, ITEM):
        return [Row(block.body, block.end, text[block.body : block.end], block)]
    lines = re.finditer(r"[^\n]+", text[block.body : block.end])
    rows = []
    for line in lines:
        words = line.group().lstrip(" \t>")
        start = block.body + line.end() - len(words)
        rows.append(Row(start, start + len(words.rstrip()), words.rstrip(), block))
    return [row for row in rows if row.text]


def cut(row: Row, length: int) -> Row:
    """The row without its label."""
    return replace(row, start=row.start + length, text=row.text[length:])


def outer(row: Row) -> int:
    return row.block.start if row.first else row.start


def bare(words: str) -> str:
    """The words without marks of emphasis around them, on one line."""
    words = " ".join(words.split())
    while len(words) > 2 and words[0] == words[-1] and words[0] in "*_":
        words = words[1:-1].strip()
    words = re.sub(r"^(\*\*|__)([^*_]+)\1", r"\2", words)
    return words.strip("* ") if words.count("*") % 2 else words
