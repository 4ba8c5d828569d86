"""The numbers that a word processor shows before paragraphs: they are nowhere in the text and have to be counted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from byheart.documents.office.markup import numeral

if TYPE_CHECKING:
    from lxml.etree import _Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
STYLES = {"lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I"}
MOST_LEVELS = 9


@dataclass(frozen=True)
class Level:
    start: int = 1
    format: str = "decimal"
    pattern: str = "%1."  # "%1.%2" shows the numbers of this level and of the one above
    legal: bool = False  # all numbers in figures


@dataclass
class Numbering:
    """The lists of a document, and how far each has been counted."""

    lists: Mapping[str, str] = field(default_factory=dict)  # the definition that each list follows
    levels: Mapping[tuple[str, int], Level] = field(default_factory=dict)  # by definition, or by list where it differs
    counts: dict[str, list[int | None]] = field(default_factory=dict)
    begun: set[tuple[str, int]] = field(default_factory=set)

    def label(self, number_id: str, depth: int) -> str:
        """What stands before the next paragraph of the list at this level: "2.1", "(a)", "-" for a bullet, or ""."""
        if number_id not in self.lists or not 0 <= depth < MOST_LEVELS:
            return ""
        definition = self.lists[number_id]
        counts = self.counts.setdefault(definition, [None] * MOST_LEVELS)
        own = self.levels.get((number_id, depth))
        if own and (number_id, depth) not in self.begun:  # this list counts anew
            self.begun.add((number_id, depth))
            counts[depth] = None
        level = self._level(number_id, depth)
        counts[depth] = level.start if counts[depth] is None else (counts[depth] or 0) + 1
        counts[depth + 1 :] = [None] * (MOST_LEVELS - depth - 1)
        if level.format == "bullet":
            return "-"
        if level.format == "none":
            return re.sub(r"%\d", "", level.pattern).strip()

        def shown(found: re.Match[str]) -> str:
            at = min(int(found[1]) - 1, depth)
            of = self._level(number_id, at)
            count = counts[at]
            style = "1" if level.legal else STYLES.get(of.format, "1")
            return numeral(of.start if count is None else count, style)

        return re.sub(r"%([1-9])", shown, level.pattern).strip()

    def _level(self, number_id: str, depth: int) -> Level:
        by_list = self.levels.get((number_id, depth))
        return by_list or self.levels.get((self.lists[number_id], depth)) or Level(pattern=f"%{depth + 1}.")


def read_numbering(tree: "_Element") -> Numbering:
    """The lists that numbering.xml defines."""
    levels: dict[tuple[str, int], Level] = {}
    styled: dict[str, str] = {}  # a definition by the style of lists that it makes
    linked: dict[str, str] = {}
    for definition in tree.iterchildren(W + "abstractNum"):
        name = "of " + str(definition.get(W + "abstractNumId"))
        if style := _value(definition, "styleLink"):
            styled[style] = name
        if style := _value(definition, "numStyleLink"):
            linked[name] = style
        for level in definition.iterchildren(W + "lvl"):
            levels[name, _number(level.get(W + "ilvl"), 0)] = read_level(level)
    lists: dict[str, str] = {}
    for each in tree.iterchildren(W + "num"):
        number_id, definition_id = str(each.get(W + "numId")), "of " + _value(each, "abstractNumId")
        definition_id = styled.get(linked.get(definition_id, ""), definition_id)
        lists[number_id] = definition_id
        for override in each.iterchildren(W + "lvlOverride"):
            depth = _number(override.get(W + "ilvl"), 0)
            inner = override.find(W + "lvl")
            level = read_level(inner) if inner is not None else levels.get((definition_id, depth), Level())
            start = _value(override, "startOverride")
            levels[number_id, depth] = Level(_number(start, level.start), level.format, level.pattern, level.legal)
    return Numbering(lists, levels)


def read_level(level: "_Element") -> Level:
    return Level(
        _number(_value(level, "start"), 1),
        _value(level, "numFmt") or "decimal",
        _value(level, "lvlText"),
        level.find(W + "isLgl") is not None,
    )


def _value(element: "_Element", child: str) -> str:
    found = element.find(W + child)
    return "" if found is None else str(found.get(W + "val", ""))


def _number(text: str | None, other: int) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,6}", text) else other
