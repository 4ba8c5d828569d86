"""Terms with their meanings: lines "Term: meaning" or "Term - meaning", where at least five follow one another."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from byheart.documents.blocks import DEFINITION, ENTRY, PAIR
from byheart.documents.pairs.lines import Found, Row, bare, cut, outer
from byheart.documents.pairs.question_words import MEANS

LEAST_TERMS = 5
MOST_LINES = 20  # of one entry
TERM = re.compile(
    r"(?:\*\*|__|[*_])?(?P<term>(?:`[^`\n]+`|[^\W_])[^.:;!?,\n|=<>{}*]{0,59}?)[*_]{0,2}(?P<mark>:|[ \t]+[-–—]|：)[*_]{0,2}"
    r"(?:[ \t]+|(?<=：))(?=\S)"
)
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def terms(rows: Sequence[Row]) -> list[Found]:
    """Lines "Term: meaning" or "Term - meaning", where at least five follow one another."""
    return max((of_one_mark(rows, mark) for mark in (":", "-")), key=len)


def of_one_mark(rows: Sequence[Row], mark: str) -> list[Found]:
    found: list[Found] = []
    for run in runs(rows, partial(term_of, mark=mark)):
        names = {each.question.casefold() for each in run}  # speakers come back, terms do not
        asked = any(each.said.endswith(("?", "？", "؟")) for each in run)
        if len(run) >= LEAST_TERMS and len(names) == len(run) and not asked:
            found += run
    return found


def runs(rows: Sequence[Row], read: Callable[[Row], tuple[str, int] | None]) -> Iterator[list[Found]]:
    """Entries that follow one another, each with the lines of its paragraph that continue it."""
    run: list[Found] = []
    for row in rows:
        if row.prose and (entry := read(row)):
            run.append(Found(outer(row), bare(entry[0]), (cut(row, entry[1]),), ENTRY))
        elif run and row.block is run[-1].answer[-1].block and len(run[-1].answer) < MOST_LINES:
            run[-1] = replace(run[-1], answer=(*run[-1].answer, row))
        else:
            yield run
            run = []
    yield run


def term_of(row: Row, mark: str) -> tuple[str, int] | None:
    """The term of a line and where its meaning begins. A numbered item keeps its number, by which it is cited."""
    numbered = row.first and (row.block.label[:1].isalnum() or row.block.label.startswith("("))
    match = None if numbered else TERM.match(row.text)
    if match is None or (match["mark"].strip() in (":", "：")) != (mark == ":"):
        return None
    meaning = row.text[match.end() :]
    said = len(CJK.findall(meaning)) >= 6 or len(meaning.split()) >= 3
    return (match["term"], match.end()) if said and len(match["term"].split()) <= 6 else None


def kind_of_terms(found: Sequence[Found], glossary: bool) -> str:
    """A list that tells what words mean, or one that says something of each ("Opening hours: nine to five")."""
    meant = [each for each in found if each.kind != PAIR]
    means = sum(bool(MEANS.match(each.said)) for each in meant) >= 0.6 * len(meant)
    return DEFINITION if glossary or means else ENTRY
