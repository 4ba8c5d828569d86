"""Questions that need no parser: what a term means, what an abbreviation stands for, what an item of a list says."""

import re
from dataclasses import dataclass

from byheart.expansion.citation import Citation
from byheart.expansion.question_generation.wording import capital, sentences_of, small, with_article
from byheart.expansion.rules.conditions import VERBISH
from byheart.records import FORWARD, REVERSE

_DEFINITION = re.compile(r"^(?P<term>[A-Z][^.:;!?]{1,60})[.:]\s+(?P<meaning>[A-Z“\"].+)$")
_ANNOUNCED = re.compile(r"\bfollowing (?P<noun>[a-z]+s)\b[^:]*:?$")
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


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
    if 0 <= index < len(_ORDINALS):
        asked = f"What is the {_ORDINALS[index]} of the {found['noun']} under {place.topic or place.section}?"
        drafts.append(Draft("simple", FORWARD, asked, answer, f"{_ORDINALS[index]} {noun}"))
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
