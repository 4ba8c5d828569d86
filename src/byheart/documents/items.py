"""The context of a list item: the sentences that introduce it, and its labels."""

import re
from dataclasses import dataclass

from byheart.documents.blocks import CAPTION, NOTE, Block, Outline
from byheart.documents.language import document_language
from byheart.documents.sentences import Span, statements

LEADS = re.compile(r"[:—–][\"”*_]*$")
SINGLE = re.compile(r"\(?([A-Za-z]{1,6}|\d{1,3}(?:\.\d{1,3})*)[.)]?")
ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@dataclass(frozen=True)
class Place:
    """Where a block stands: the spans of its introducing sentences, and its labels, both from the outermost inward."""

    chain: tuple[Span, ...] = ()
    labels: str = ""


@dataclass
class Level:
    """An open list: the kind of its markers, their indent, the last marker, and the sentences that introduce its items."""

    kind: str
    indent: int
    label: str
    chain: tuple[Span, ...]


def find_places(text: str, shape: Outline) -> list[Place]:
    """The place of each block of the outline."""
    places: list[Place] = []
    levels: list[Level] = []
    headings = iter([*(heading.start for heading in shape.headings), len(text) + 1])
    next_heading = next(headings)
    above: Block | None = None
    header: tuple[Span, ...] = ()
    for block in shape.blocks:
        while next_heading < block.start:
            next_heading = next(headings)
            above, levels = None, []
        if block.kind in (NOTE, CAPTION):  # they stand between the items of a list and belong to none
            places.append(Place())
            continue
        if block.kind == "row":
            places.append(Place(header))
            continue
        header = ((block.body, block.end),) if block.kind == "header" else ()
        if block.kind == "item":
            chain = lead_in(text, above, places[-1].chain if places else ())
            for marker in re.findall(r"\([^)]*\)|[^\s()]+[.)]?", block.label) or [block.label]:
                chain = enter(levels, marker, block.indent, chain)
            places.append(Place(chain, "".join(level.label for level in levels if level.kind != "bullet")))
        elif levels and block.indent > levels[-1].indent:  # a further paragraph of the item above
            places.append(Place((), places[-1].labels))
        else:
            levels = []
            places.append(Place())
        above = block
    return places


def lead_in(text: str, above: Block | None, chain: tuple[Span, ...]) -> tuple[Span, ...]:
    """The last sentence of the block above, with those that introduce that block, if it ends like an introduction."""
    if above is None or above.kind in ("row", "header", "code") or not LEADS.search(text, above.body, above.end):
        return ()
    return (*chain, statements(text, above.body, above.end, above.kind == "item", document_language(text))[-1])


def enter(levels: list[Level], marker: str, indent: int, chain: tuple[Span, ...]) -> tuple[Span, ...]:
    """Go to the marker's list, closing the lists below it, or open one under `chain`. Returns the list's chain."""
    kind = kind_of(marker, levels)
    for depth in range(len(levels) - 1, -1, -1):
        if levels[depth].kind == kind and abs(levels[depth].indent - indent) < 2:
            del levels[depth + 1 :]
            levels[depth].label = marker
            return levels[depth].chain
    while levels and levels[-1].indent > indent + 1:
        levels.pop()
    levels.append(Level(kind, indent, marker, chain))
    return chain


def kind_of(marker: str, levels: list[Level]) -> str:
    """bullet, or the marker with its number or letter replaced by what it is: "(1)", "(a)", "(A)", "(i)", "1."."""
    match = SINGLE.fullmatch(marker)
    if not match:
        return "bullet"
    value = match[1]
    if value[0].isdigit():
        return marker.replace(value, "1" + ".1" * value.count("."))
    letters = "a" if value.islower() else "A"
    romans = "i" if value.islower() else "I"
    as_letter, as_roman = marker.replace(value, letters), marker.replace(value, romans)
    if len(value) > 1:
        return as_letter if len(set(value)) == 1 and value[0].lower() not in ROMAN_DIGITS else as_roman
    if value.lower() not in ROMAN_DIGITS:
        return as_letter
    # "(i)" follows "(h)", or it is the first roman; "(c)" follows "(b)", or a roman "(xcix)".
    last = {level.kind: SINGLE.fullmatch(level.label)[1].lower() for level in levels if level.kind != "bullet"}  # type: ignore[index]
    if as_letter in last and ord(last[as_letter][0]) + 1 == ord(value.lower()):
        return as_letter
    if as_roman in last and roman(last[as_roman]) + 1 == roman(value.lower()):
        return as_roman
    return as_roman if value.lower() == "i" else as_letter


def roman(letters: str) -> int:
    values = [ROMAN_DIGITS.get(letter, 0) for letter in letters]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
