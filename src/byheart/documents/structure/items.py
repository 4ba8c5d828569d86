"""The context of a list item: the sentences that introduce it, the words that close its list, and its labels."""

import re
from dataclasses import dataclass, field, replace

from byheart.documents.blocks import CAPTION, CODE, HEADER, ITEM, NOTE, RECORD, ROW, TEXT, Block, Outline
from byheart.documents.languages.language import document_language, is_english
from byheart.documents.languages.sentences import VERB, Span, statements
from byheart.documents.structure.numbering import NAMED

# Behind such a word, and behind a comma, an item with a small letter goes on with the sentence.
OPEN_END = re.compile(
    r"(?:,|\b(?:to|of|by|from|for|that|if|when|where|who|which|whose|is|are|be|has|have|may|must|shall|should|can|cannot|will|"
    r"not|unless|until|with|without|dass|wenn|soweit|die|der|das|oder|que|si|qui))[*_]*$",
    re.IGNORECASE,
)
CONJUNCTION = re.compile(r"\b(?:and|or|und|oder|et|ou)$", re.IGNORECASE)
MARKERS = re.compile(rf"{NAMED.pattern}|\([^)]*\)|[^\s()]+[.)]?", re.IGNORECASE)
FIRST = re.compile(r"\(?[aiAI1][.)]+|\d{1,3}(?:\.\d{1,3})*\.1[.)]?")
CHINESE = re.compile(r"（?[一二三四五六七八九十]{1,3}[）、]|（\d{1,3}）|\d{1,3}、|[①-⑳]")
ABSOLUTE = re.compile(r"\d{1,3}(?:\.\d{1,3})+")
LEADS = re.compile(r"[:：—–][\"”*_]*$")
SINGLE = re.compile(r"\(?([A-Za-z]{1,6}|[а-яё]|\d{1,3}(?:\.\d{1,3})*)[.)]?")
ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@dataclass(frozen=True)
class Place:
    """Where a block stands: the spans of its introducing sentences, and its labels, both from the outermost inward."""

    chain: tuple[Span, ...] = ()
    labels: str = ""
    closing: Span | None = None  # behind the list, the words that end the sentence of each item: "shall be void."
    closes: bool = False  # whether the block itself begins with such words


@dataclass
class Level:
    """An open list: the kind of its markers, their indent, the last marker, and the sentences that introduce its items."""

    kind: str
    indent: int
    label: str
    chain: tuple[Span, ...]
    items: list[int] = field(default_factory=list)  # indices of the blocks


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
            above, levels, header = None, [], ()
        if block.kind in (NOTE, CAPTION):  # they stand between the items of a list and belong to none
            places.append(Place())
            continue
        if block.kind in (ROW, RECORD) and block.cells:
            places.append(Place(header))
            continue
        header = ((block.body, block.end),) if block.kind == HEADER else ()
        if block.kind == ITEM:
            chain = lead_in(text, above, places[-1].chain if places else (), block)
            for marker in markers_of(block.label):
                chain = enter(levels, marker, block.indent, chain)
            levels[-1].items.append(len(places))
            places.append(Place(chain, joined([level.label for level in levels if level.kind != "bullet"])))
        elif above and any(level.chain for level in levels) and (span := closing(text, above, block)):
            close(levels, places, text, span)
            places.append(Place((), joined([level.label for level in levels if level.kind != "bullet"]), closes=True))
        else:  # a further paragraph of an item above, or of none
            while levels and levels[-1].indent >= block.indent:
                levels.pop()
            places.append(Place((), joined([level.label for level in levels if level.kind != "bullet"])))
        above = block
    return places


def lead_in(text: str, above: Block | None, chain: tuple[Span, ...], item: Block) -> tuple[Span, ...]:
    """The last sentence of the block above, with those that introduce that block, if it ends like an introduction."""
    if above is None or above.kind in (ROW, RECORD, HEADER, CODE):
        return ()
    end = text[max(above.body, above.end - 40) : above.end]
    language = document_language(text)
    if not LEADS.search(end):
        if not text[item.body].islower() or CONJUNCTION.search(end) or (above.kind == ITEM and end[-1] == ","):
            return ()
        # "... where the Charterer" before "(a) fails to pay"; "Rules for pets" is no beginning of a sentence.
        begun = FIRST.fullmatch(markers_of(item.label)[-1]) and end[-1].isalpha()
        if not OPEN_END.search(end) and not (
            begun and (not is_english(language) or VERB.search(text, above.body, above.end))
        ):
            return ()
    return (*chain, statements(text, above.body, above.end, above.kind == ITEM, language)[-1])


def closing(text: str, above: Block, block: Block) -> Span | None:
    """The first sentence of the block if it ends that of the list above: "shall be void." below "(b) is late,"."""
    if above.kind != ITEM or block.kind != TEXT or not text[block.body].islower():
        return None
    if text[above.end - 1] in ".!?:" or CONJUNCTION.search(text, above.end - 4, above.end):
        return None
    return statements(text, block.body, block.end, False, document_language(text))[0]


def close(levels: list[Level], places: list[Place], text: str, span: Span) -> None:
    """Give the closing words to the items of the innermost list, and with a full stop to those of all lists around it."""
    while levels and not levels[-1].chain:
        levels.pop()
    while levels and levels[-1].chain:
        for index in levels.pop().items:
            places[index] = replace(places[index], closing=span)
        if text[span[1] - 1] not in ".!?":
            break


def markers_of(label: str) -> list[str]:
    """ "(a)(2)" as "(a)", "(2)"; "§ 4 (2)" as "§ 4", "(2)"."""
    return [match.group().strip() for match in MARKERS.finditer(f"{label} A")][:-1] or [label]


def joined(labels: list[str]) -> str:
    """The labels in one, from the outermost inward. "3.3.1" says all by itself, and so does "§ 4"."""
    path = ""
    for label in labels:
        absolute = ABSOLUTE.match(label) or NAMED.match(f"{label} A")
        apart = " " if path[-1:].isdigit() and label[:1].isdigit() else ""  # "1." in a list below "1.3"
        path = label.rstrip(".):") if absolute else path + apart + label
    return path


def enter(levels: list[Level], marker: str, indent: int, chain: tuple[Span, ...]) -> tuple[Span, ...]:
    """Go to the marker's list, closing the lists below it, or open one under `chain`. Returns the list's chain."""
    kind = kind_of(marker, levels)
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        if level.kind == kind and abs(level.indent - indent) < 2 and siblings(level.label, marker):
            del levels[depth + 1 :]
            levels[depth].label = marker
            return levels[depth].chain
    if ABSOLUTE.match(marker):  # "6.3" is no part of "(a)" in 6.2
        levels[:] = [level for level in levels if marker.startswith(f"{level.label.rstrip('.):')}.")]
    while levels and levels[-1].indent > indent + 1:
        levels.pop()
    levels.append(Level(kind, indent, marker, chain))
    return chain


def siblings(label: str, marker: str) -> bool:
    """Whether two markers of one kind can be of one list: "3.3.1" and "3.3.2", not "3.5.1"."""
    return not ABSOLUTE.match(marker) or label.rpartition(".")[0] == marker.rpartition(".")[0] or label.endswith(".")


def kind_of(marker: str, levels: list[Level]) -> str:
    """bullet, or the marker with its number or letter replaced by what it is: "(1)", "(a)", "(A)", "(i)", "1."."""
    if named := NAMED.match(f"{marker} A"):
        return named["name"] or "第"
    match = SINGLE.fullmatch(marker)
    if not match:
        return re.sub(r"[\d一二三四五六七八九十①-⑳]+", "一", marker) if CHINESE.fullmatch(marker) else "bullet"
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
    last = {level.kind: match[1].lower() for level in levels if (match := SINGLE.fullmatch(level.label))}
    if as_letter in last and ord(last[as_letter][0]) + 1 == ord(value.lower()):
        return as_letter
    if as_roman in last and roman(last[as_roman]) + 1 == roman(value.lower()):
        return as_roman
    return as_roman if value.lower() == "i" else as_letter


def roman(letters: str) -> int:
    values = [ROMAN_DIGITS.get(letter, 0) for letter in letters]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
