"""Questions about one part of a clause, by the role it plays: what, when, how often, where, why, by whom, how many."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from byheart.expansion.asking.clauses import Clause, Part
from byheart.expansion.asking.compose import (
    FULL,
    MODALS,
    SHORT,
    Asked,
    behind,
    compose,
    fitting,
    sentence,
)
from byheart.expansion.asking.inflect import past, plural, third_person
from byheart.expansion.asking.roles import has_number, is_person, is_time, is_year
from byheart.expansion.asking.wording import tidy
from byheart.expansion.sentences import capital, small

LIMITS = ("exceed", "surpass")
_QUALITIES = (
    "responsible for",
    "eligible for",
    "subject to",
    "available for",
    "available to",
    "composed of",
    "known as",
    "similar to",
    "different from",
    "capable of",
    "equal to",
    "necessary for",
    "due to",
)
_COMPOUND = re.compile(
    r"(?:in accordance|with respect|in addition|on behalf|in the manner|in connection|in terms|as well|such as)\b", re.I
)
_NEVER_ASKED = ("as", "than", "upon", "like", "without", "per", "via", "unlike", "regardless")
_OFTEN = re.compile(r"\b(?:every|per|twice|once|times|annually|yearly|monthly|weekly|daily)\b")
_DURATION = re.compile(r"(?P<n>\w+)-(?P<unit>year|month|week|day|hour|minute|second)\b")

Wording = tuple[str, str, str]  # question, answer, SHORT or FULL


def about_part(clause: Clause, part: Part) -> Iterator[Asked]:
    """The questions for one part, the plainest first."""
    if clause.negated and part.role not in ("condition", "object", "complement", "preposition"):
        return
    ask = _ASKING.get(part.role)
    if ask is not None:
        target = f"{part.role}:{part.head.i}"
        for words, answer, length in ask(clause, part):
            if words:
                yield Asked(target, words, sentence(answer), length)


def _simply(word: str, clause: Clause, part: Part) -> Iterator[Wording]:
    if clause.verb.lemma_ == "be" and any(other.role == "complement" for other in clause.parts):
        return  # "Where has it been a new building?"
    yield compose(clause, word, [part]), part.text, SHORT
    if beside := _beside(clause, part):
        yield compose(clause, word, [part, *beside]), part.text, SHORT
    yield compose(clause, word, [part]), clause.statement(), FULL


def _beside(clause: Clause, part: Part) -> list[Part]:
    """The circumstances that a shorter question leaves out."""
    return [
        other
        for other in clause.parts
        if other != part and other.role in ("time", "place", "reason", "aside", "adverb")
    ]


def _about_object(clause: Clause, part: Part) -> Iterator[Wording]:
    denied = clause.nobody or clause.negated
    if clause.negated and clause.verb.lemma_ in LIMITS:
        cases = " ".join(small(other.text) for other in clause.parts if other.role == "condition")
        yield tidy(f"What is the maximum {_plain(clause.subject)} {cases}") + "?", part.text, SHORT
        yield compose(clause, "what", [part]), part.text, SHORT
        yield tidy(f"What is the highest {_plain(clause.subject)} {cases}") + "?", part.text, SHORT
        yield tidy(f"What is the maximum {_plain(clause.subject)} {cases}") + "?", clause.statement(), FULL
        return
    if clause.verb.lemma_ in ("last", "take") and is_time(part.head) and not denied:
        yield compose(clause, "how long", [part]), part.text, SHORT
    if has_number(part.head) and not denied:
        words, number = how_many(part.head)
        yield compose(clause, words, [part]), number, SHORT
        if beside := _beside(clause, part):
            yield compose(clause, words, [part, *beside]), number, SHORT
    owns = clause.verb.lemma_ in ("have", "be") and part.head.pos_ != "PROPN"
    word = (
        "who" if is_person(part.head) and (not owns or (clause.auxiliaries and clause.verb.lemma_ == "be")) else "what"
    )
    if is_person(clause.noun) and clause.verb.lemma_ == "be" and clause.noun.pos_ == "PROPN":
        word = "who"
    kind = re.match(r"an? (?P<kind>[\w\s/-]+?) (?:who|that|which|where|whose|for whom)\b", part.text)
    if kind and clause.verb.lemma_ == "be" and not denied:
        yield compose(clause, f"what kind of {kind['kind']}", [part]), part.text, SHORT
    if not denied:
        yield compose(clause, word, [part]), part.text, SHORT
        if beside := _beside(clause, part):
            yield compose(clause, word, [part, *beside]), part.text, SHORT
        yield compose(clause, word, [part]), clause.statement(), FULL
    if clause.modal in MODALS and clause.verb.lemma_ != "be":
        yield compose(clause, word, [part], permit=True), part.text, SHORT


def _about_time(clause: Clause, part: Part) -> Iterator[Wording]:
    if part.preposition == "for":
        found = _DURATION.search(part.text)
        length = f"{found['n']} {found['unit']}s" if found else part.bare
        yield compose(clause, "how long", [part], "for"), length, SHORT
        yield compose(clause, "for how long", [part]), length, SHORT
        yield compose(clause, "for how long", [part]), clause.statement(), FULL
    elif _OFTEN.search(part.text) and "at all times" not in part.text.lower():
        yield from _simply("how often", clause, part)
        yield compose(clause, "when", [part]), part.text, SHORT
    elif is_year(part.head) and part.preposition == "in":
        yield compose(clause, "in what year", [part]), part.bare, SHORT
        yield from _simply("when", clause, part)
    else:
        yield from _simply("when", clause, part)


def _about_agent(clause: Clause, part: Part) -> Iterator[Wording]:
    word = "who" if is_person(part.head) else "what"
    yield _actively(clause, part, word), part.bare, SHORT
    if word == "who":
        yield compose(clause, "by whom", [part]), part.bare, SHORT
    yield compose(clause, word, list(clause.parts), "by"), part.bare, SHORT
    yield _actively(clause, part, word), clause.statement(), FULL


def _actively(clause: Clause, part: Part, word: str) -> str:
    """ "must be approved by the master" asked in the active voice: "Who must approve ...?"."""
    verb, auxiliaries = clause.verb, clause.auxiliaries
    if clause.negated or clause.nobody or clause.early:
        return ""
    if auxiliaries[1:] == ("be",):
        group = f"{auxiliaries[0]} {verb.lemma_}"
    elif auxiliaries in (("is",), ("are",)):
        group = third_person(verb.lemma_)
    else:
        group = past(verb.text) if auxiliaries in (("was",), ("were",)) else ""
    if not group:
        return ""
    others = behind([other for other in fitting(clause, [part]) if not (other.fronted and other.role == "condition")])
    return f"{capital(tidy(f'{word} {group} {small(clause.subject)} {clause.particle} {others}'))}?"


def _about_condition(clause: Clause, part: Part) -> Iterator[Wording]:
    if part.preposition == "unless":
        return
    if part.preposition == "if":
        yield compose(clause, "under what condition", [part]), part.text, SHORT
    yield compose(clause, "when", [part]), part.text, SHORT
    yield compose(clause, "under what circumstances", [part]), part.text, SHORT
    yield compose(clause, "when", [part]), clause.statement(), FULL


def _about_preposition(clause: Clause, part: Part) -> Iterator[Wording]:
    preposition, denied = part.preposition, clause.nobody or clause.negated
    names = preposition == "as" and clause.verb.lemma_ in (
        "know",
        "refer",
        "describe",
        "regard",
        "serve",
        "act",
        "function",
    )
    if len(preposition) < 2 or (preposition in _NEVER_ASKED and not names):
        return
    after = [other for other in clause.parts if other != part and not other.fronted and other.head.i > part.head.i]
    if has_number(part.head) and (clause.passive or clause.verb.lemma_ == "consist") and not denied:
        words, number = how_many(part.head)
        yield compose(clause, words, [part, *after], preposition), number, SHORT
        return
    if part.fronted or _COMPOUND.match(part.text):
        return
    permit = denied and clause.modal in MODALS
    if clause.nobody and not permit:
        return  # "What will no licence be issued for?"
    if preposition not in ("to", "for", "from") and any(other.role == "object" for other in clause.parts):
        return  # "What does it contain its name in?"
    after += [other for other in clause.parts if other.fronted and other.role != "condition"]
    who = is_person(part.head)
    yield compose(clause, "who" if who else "what", [part, *after], preposition, permit), part.bare, SHORT
    if preposition in ("to", "from", "with", "for"):
        yield compose(clause, f"{preposition} {'whom' if who else 'what'}", [part], "", permit), part.bare, SHORT
    yield compose(clause, "who" if who else "what", [part, *after], preposition, permit), clause.statement(), FULL


def _about_quality(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "is responsible for ...", "is eligible to ...", "is more than ..."."""
    opening = next((words for words in _QUALITIES if part.text.lower().startswith(f"{words} ")), "")
    if opening:
        yield compose(clause, "what", [part], opening), part.text[len(opening) + 1 :], SHORT
        yield compose(clause, "what", [part], opening), clause.statement(), FULL
    elif found := re.match(r"(?P<word>\w+) to (?P<deed>.+)", part.text):
        yield compose(clause, "what", [part], f"{found['word']} to do"), found["deed"], SHORT


def _about_infinitive(clause: Clause, part: Part) -> Iterator[Wording]:
    if clause.verb.lemma_ == "be":
        yield compose(clause, "what", [part]), part.text, SHORT
        yield compose(clause, "what", [part]), clause.statement(), FULL
    elif part.text.lower().startswith("to ") and not part.text.lower().startswith("to be "):
        yield compose(clause, "what", [part], "to do"), part.text[3:], SHORT
        yield compose(clause, "what", [part], "to do"), clause.statement(), FULL
    elif part.text.lower().startswith("to be "):
        yield compose(clause, "what", [part], "to be"), part.text[6:], SHORT


def _about_enabling(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "allowed the forest to spread out": what it allowed the forest to do."""
    without = [other for other in clause.parts if other.role != "condition"]
    yield compose(clause, "what", without, f"{part.inner} to do"), part.text.partition(" to ")[2], SHORT
    yield compose(clause, "what", without, f"{part.inner} to do"), clause.statement(), FULL


def _about_that(clause: Clause, part: Part) -> Iterator[Wording]:
    said = part.text if part.text.lower().startswith("that ") else f"that {small(part.text)}"
    yield compose(clause, "what", [part]), said, SHORT
    yield compose(clause, "what", [part]), clause.statement(), FULL


def how_many(noun: Any) -> tuple[str, str]:
    """The words that ask for a counted noun, and the count: ("how many tons of dust", "182 million tons")."""
    number = next(child for child in noun.children if child.dep_ == "nummod" and child.pos_ == "NUM")
    of = next((child for child in noun.children if child.dep_ == "prep" and child.lower_ == "of"), None)
    what = " ".join(t.text for t in of.subtree) if of is not None else ""
    counted = noun.doc[noun.left_edge.i : noun.i + 1].text
    if noun.text in ("%", "percent"):
        return f"what percentage {what}", counted
    if "$" in counted or "€" in counted or "£" in counted:
        return "how much money", counted
    between = noun.doc[number.i + 1 : noun.i + 1].text.lstrip("- ")
    return f"how many {between if noun.tag_ in ('NNS', 'NNPS') else plural(between)} {what}", counted


def _plain(noun_phrase: str) -> str:
    return re.sub(r"^(?:the|a|an|its|their)\s+", "", small(noun_phrase))


_ASKING: dict[str, Callable[[Clause, Part], Iterator[Wording]]] = {
    "object": _about_object,
    "complement": _about_object,
    "time": _about_time,
    "place": partial(_simply, "where"),
    "agent": _about_agent,
    "reason": partial(_simply, "why"),
    "manner": partial(_simply, "how"),
    "condition": _about_condition,
    "preposition": _about_preposition,
    "quality": _about_quality,
    "infinitive": _about_infinitive,
    "that": _about_that,
    "enabling": _about_enabling,
}
