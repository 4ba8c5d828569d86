"""Questions with a fixed wording: what a term means, what an item of a list says; recite it, complete it, fill its blanks,
name its source, turn it round."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.documents.languages.language import UNSPACED, count_words
from byheart.expansion.citation import Citation
from byheart.expansion.question_generation.dependents import own_subject
from byheart.expansion.question_generation.nouns import has_number
from byheart.expansion.question_generation.wording import (
    NOUNS,
    capital,
    sentences_of,
    small,
    text_of,
    with_article,
    without_article,
)
from byheart.expansion.rules.phrases import VERBISH, Span, cuts, find_condition, key_phrases, number_phrases
from byheart.records import FORWARD, NEITHER, REVERSE

if TYPE_CHECKING:
    from spacy.tokens import Doc

BLANK = "____"
_POINTING = ("this", "that", "these", "those", "such")
_DEFINITION = re.compile(r"^(?P<term>[A-Z][^.:;!?]{1,60})[.:]\s+(?P<meaning>[A-Z“\"].+)$")
_ANNOUNCED = re.compile(r"\bfollowing (?P<noun>[a-z]+s)\b[^:]*:?$")
ORDINALS = tuple("first second third fourth fifth sixth seventh eighth ninth tenth".split())


@dataclass(frozen=True)
class Draft:
    """An example in the making: `subject` is the question without its template."""

    angle: str
    direction: str
    question: str
    answer: str
    subject: str
    cited: bool = True  # whether the citation is still to be put before or behind the question
    free: bool = False  # whether it may be put before it
    exact: bool = False  # whether the citation must name the item, because others of its list answer it too


def defines(text: str) -> tuple[str, str] | None:
    """The term and its meaning: ("Space station", "An amateur station located ...") from "Space station. An amateur ...".

    A heading that runs in ("License grant. A license grant may be ...") defines nothing.
    """
    found = _DEFINITION.match(text.strip())
    if found is None or len(found["term"].split()) > 6 or VERBISH.search(found["term"]):
        return None
    term, meaning = found["term"].strip(), found["meaning"].strip()
    return None if term.lower() in meaning.lower() or term.count("(") != term.count(")") else (term, meaning)


def ask_definition(term: str, meaning: str, place: Citation) -> list[Draft]:
    name = lowered(term)
    bare = sentences_of(meaning)[0].rstrip(".")
    named = with_article(name)
    asked = f"What {'are' if named == name and name.endswith('s') else 'is'} {named}?"
    answer = f"{capital(bare)}."
    return [
        Draft("simple", FORWARD, asked, answer, name, free=True),
        Draft("simple", FORWARD, f"What is the definition of {named}?", answer, f"definition of {name}", free=True),
        Draft("detailed", FORWARD, f"How does {place.title} define “{name}”?", f"{term}: {small(meaning)}", name),
        Draft("detailed", REVERSE, f"Which term means “{small(bare)}”?", f"{capital(term)}.", bare),
    ]


def ask_item(text: str, lead_in: str, label: str, place: Citation) -> list[Draft]:
    """An item of an announced list ("the following principles: (a) ..."): which one it is, and what it says."""
    found = _ANNOUNCED.search(lead_in)
    letters = re.fullmatch(r"\((?:([a-j])|(\d))\)", label)
    if not found or not letters or not place.item:
        return []
    index = ord(letters[1]) - ord("a") if letters[1] else int(letters[2]) - 1
    noun = found["noun"].removesuffix("s")
    if noun in ("type", "kind", "form", "way", "class", "exception", "condition"):
        return []
    answer = f"{capital(text.rstrip('.;,'))}."
    asked = f"Which {noun} stands in {place.item} of {place.title}?"
    drafts = [Draft("simple", FORWARD, asked, answer, f"{noun} {label}", cited=False)]
    if 0 <= index < len(ORDINALS):
        asked = f"What is the {ORDINALS[index]} of the {found['noun']} under {place.topic or place.section}?"
        drafts.append(Draft("simple", FORWARD, asked, answer, f"{ORDINALS[index]} {noun}"))
    return drafts


def ask_abbreviation(statement: str) -> list[Draft]:
    """What "(LGM)" stands for, where the words before it begin with its letters."""
    drafts = []
    for match in re.finditer(r"\((?P<letters>[A-Z]{2,6})s?\)", statement):
        letters = match["letters"]
        words = statement[: match.start()].split()[-len(letters) :]
        if "".join(word[:1] for word in words).upper() == letters:
            name = " ".join(words)
            meaning, short = f"What does {letters} stand for?", f"What is the abbreviation of {name}?"
            drafts.append(Draft("simple", FORWARD, meaning, f"{capital(name)}.", letters, free=True))
            drafts.append(Draft("simple", REVERSE, short, f"{letters}.", name, free=True))
    return drafts


def lowered(term: str) -> str:
    """A term inside a sentence: its first capital is due to its place, unless another stands in the word."""
    return term[:1].lower() + term[1:] if term[1:] == term[1:].lower() and len(term) > 1 else term


def fill_templates(parsed: "Doc", place: Citation) -> dict[str, list[Draft]]:
    """By family, the ways of asking about a parsed statement, the best of each first."""
    statement = parsed.text
    return {
        "condition": [draft for sentence in sentences_of(statement) for draft in _ask_condition(sentence)],
        "recitation": _recitations(statement, place),
        "completion": _completions(statement),
        "source": name_sources(statement, place),
        "blank": fill_blanks(parsed),
        "before": _before(statement),
        "reordered": _reorderings(statement),
    }


def fill_neutral_templates(statement: str, place: Citation) -> dict[str, list[Draft]]:
    """The families that need no grammar, for a statement in any language: its own words, asked for in English."""
    return {
        "recitation": _recitations(statement, place),
        "completion": _completions(statement),
        "source": name_sources(statement, place),
        "blank": _blanks(statement, number_phrases(statement)),
        "before": _before(statement),
    }


def _ask_condition(sentence: str) -> list[Draft]:
    """What follows from a condition."""
    found = find_condition(sentence)
    if found is None or len(found.condition.split()) > 24:
        return []
    asked = f"What is the result {found.word} {found.condition}?"
    return [Draft("scenario", FORWARD, asked, f"{capital(found.result)}.", found.condition, free=True)]


def _recitations(statement: str, place: Citation) -> list[Draft]:
    if len(words := statement.split()) > 3:
        opening = " ".join(words[: min(4, len(words) - 2)])
        asked = f"Recite the sentence that begins “{opening}”."
        return [Draft("recitation", FORWARD, asked, statement, opening)]
    if UNSPACED.search(statement) and len(statement) > 5:
        opening = statement[: min(8, len(statement) // 2)]
        asked = f"Recite the sentence that begins “{opening}”."
        return [Draft("recitation", FORWARD, asked, statement, opening)]
    asked = f"Recite what {place.whole} says."
    return [Draft("recitation", FORWARD, asked, statement, place.whole, cited=False)]


def _completions(statement: str) -> list[Draft]:
    return [
        Draft("completion", FORWARD, f"Complete the sentence: “{begun} …”", statement[cut:], begun)
        for cut in cuts(statement)
        for begun in [statement[:cut].rstrip()]
    ]


def fill_blanks(parsed: "Doc", begin: int = 0) -> list[Draft]:
    """Gaps for its key phrases from the offset `begin` on."""
    return _blanks(parsed.text, [span for span in key_phrases(parsed) if span[0] >= begin], subjects(parsed))


def subjects(parsed: "Doc") -> set[str]:
    """The subjects of the main clauses, and the noun of a sentence without a verb: a gap for one asks of whom it is said."""
    roots = [token for token in parsed if token.dep_ == "ROOT"]
    own = [noun for root in roots if (noun := own_subject(root) or root).pos_ in NOUNS]
    # "This building was sold", "80 percent die": a word that points back, or a number, is not whom it is said of.
    own = [noun for noun in own if noun.left_edge.lower_ not in _POINTING and not has_number(noun)]
    return {without_article(text_of(noun)).casefold() for noun in own}


def _blanks(statement: str, phrases: Sequence[Span], asked_for: Collection[str] = ()) -> list[Draft]:
    drafts = []
    for start, end in phrases:
        answer = statement[start:end]
        gapped = statement[:start] + BLANK + statement[end:]
        direction = REVERSE if without_article(answer).casefold() in asked_for else FORWARD
        drafts.append(Draft("blank", direction, f"Fill in the blank: “{gapped}”", answer, gapped))
    return drafts


def _before(statement: str) -> list[Draft]:
    """The words before a given end of the sentence: the order of the words turned round, not who is meant."""
    drafts = []
    for cut in cuts(statement):
        begun, rest = statement[:cut].rstrip(" ,，、"), statement[cut:]
        if max(len(rest.split()), count_words(rest) if UNSPACED.search(rest) else 0) >= 3:
            drafts.append(Draft("before", NEITHER, f"Which words come before “{rest.rstrip('.。।۔')}”?", begun, rest))
    return drafts


def name_sources(statement: str, place: Citation) -> list[Draft]:
    """Which section says this, asked with the whole statement and with its second half."""
    if not place.section:
        asked = f"Which document says: “{statement}”"
        return [Draft("source", NEITHER, asked, place.title, statement, cited=False)]
    where, answer = f"Which section of {place.title}", f"{place.section}."
    drafts = [Draft("source", NEITHER, f"{where} says: “{statement}”", answer, statement, cited=False)]
    for cut in cuts(statement)[:1] if len(statement.split()) > 8 else []:
        if half := statement[cut:].rstrip(".。।۔"):
            asked = f"{where} contains the words “{half}”?"
            drafts.append(Draft("source", NEITHER, asked, answer, half, cited=False))
    return drafts


def place_in_words(place: Citation) -> str:
    """ "§ 97.25 License term of FCC Part 97", "the section “Prices” of Pumps", or the title alone."""
    named = place.section if place.number or not place.section else f"the section “{place.section}”"
    return f"{named} of {place.title}" if named else place.title


def uncited(angle: str, direction: str, question: str, answer: str, subject: str = "") -> Draft:
    """A draft whose question says itself where its answer stands."""
    return Draft(angle, direction, question, answer, subject or question, cited=False)


def _reorderings(statement: str) -> list[Draft]:
    """A condition with its clauses in the other order (against the reversal curse, arXiv 2309.12288), and asked from its result."""
    found = find_condition(statement)
    if not found:
        return []
    result, when = f"{capital(found.result)}", f"{capital(found.word)} {found.condition}"
    other = f"{result} {found.word} {found.condition}." if found.fronted else f"{when}, {found.result}."
    asked = f"In which case does this hold: “{result}”?"
    return [
        Draft("detailed", FORWARD, f"Say it the other way round: “{statement}”", other, statement),
        Draft("scenario", REVERSE, asked, f"{when}.", found.result),
    ]
