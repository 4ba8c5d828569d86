"""Rows of tables whose names run into their numbers: over dots ("Fraud .......... 173.7   5.1"), or without a blank."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from byheart.documents.pdf.words import Line, Word

Gap = tuple[float, float]
DOTS = re.compile(r"(?:\.\s?){4,}|…{2,}")
ONLY_DOTS = re.compile(r"[.…]+")
ENDS = re.compile(r"[.…]{3,}$|^[.…]{3,}")
LAST_DOT = re.compile(r"(?<=[^\W\d_]{2})\.$")  # "Fraud. . . . .": the first of the dots
FIGURE = re.compile(r"[-–—−(]?\(?[$€£]?[\d.,' ]*\d[\d.,]*%?\)?|[-–—−]|\([A-Z]\)|[A-Z]{1,2}|\.{2,3}")
LEAST_FIGURES = 2  # behind the dots; a table of contents has one


def without_leaders(rows: Sequence[list[Line]]) -> list[list[Line]]:
    """The rows with the dots taken out, and the name apart from the first number, where several numbers follow."""
    return [part_leader(row) if any(DOTS.search(line.text) for line in row) else row for row in rows]


def part_leader(row: list[Line]) -> list[Line]:
    at = next(place for place, line in enumerate(row) if DOTS.search(line.text))
    line = row[at]
    parts: list[list[Word]] = [[]]
    for word in line.words:
        bare = "" if ONLY_DOTS.fullmatch(word.text) else ENDS.sub("", word.text)
        dotted = bare != word.text
        if dotted and not bare and parts[-1]:
            parts[-1][-1] = replace(parts[-1][-1], text=LAST_DOT.sub("", parts[-1][-1].text))
        if bare and dotted and word.text.startswith((".", "…")):
            parts.append([])
        if bare:
            parts[-1].append(replace(word, text=bare))
        if dotted and parts[-1]:
            parts.append([])
    cells = [replace(line, words=tuple(words)) for words in parts if words]
    figures = [each for each in [*cells[1:], *row[at + 1 :]] if FIGURE.fullmatch(each.text)]
    return [*row[:at], *cells, *row[at + 1 :]] if len(figures) >= LEAST_FIGURES else row


def part_at(row: Sequence[Line], gutters: Sequence[Gap]) -> list[Line]:
    """The row with a name parted from the figure behind it where that stands over a gutter: "Wine and beer 56.9"."""
    if sum(bool(FIGURE.fullmatch(line.text)) for line in row) < LEAST_FIGURES:
        return list(row)
    out: list[Line] = []
    for line in row:
        cuts = [
            place
            for place, (left, right) in enumerate(pairwise(line.words), 1)
            if FIGURE.fullmatch(right.text) and any(left.x1 <= b and right.x0 >= a for a, b in gutters)
        ]
        ends = [0, *cuts[-1:], len(line.words)]
        out += [replace(line, words=line.words[a:b]) for a, b in pairwise(ends)]
    return out
