"""Questions about one part of a clause, by the role it plays: what, when, how often, where, why, by whom, how many."""

import re
from collections.abc import Callable, Iterator
from functools import partial

from byheart.expansion.question_generation.clauses import Clause, Part
from byheart.expansion.question_generation.compose import (
    FULL,
    MODALS,
    SHORT,
    Asked,
    behind,
    compose,
    fitting,
    sentence,
)
from byheart.expansion.question_generation.counting import count_of, how_many, share_of
from byheart.expansion.question_generation.inflect import past, third_person
from byheart.expansion.question_generation.roles import has_number, is_person, is_time, is_year
from byheart.expansion.question_generation.wording import capital, small, text_of, tidy

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
    r"(?:in accordance|with respect|in addition|on behalf|in the manner|in connection|in terms|as well|such as|in favou?r)\b",
    re.I,
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
    if clause.verb.lemma_ == "be" and any(other.role in ("complement", "infinitive") for other in clause.parts):
        return  # "Where has it been a new building?"
    yield compose(clause, word, [part]), _plainly(part), SHORT
    if beside := _beside(clause, part):
        yield compose(clause, word, [part, *beside]), _plainly(part), SHORT
    yield compose(clause, word, [part]), clause.statement(), FULL


def _plainly(part: Part) -> str:
    """The answer as one gives it: "Edinburgh", "12 May 1999", "the outbreak of the war", where the question says the rest."""
    if part.preposition in ("in", "on", "at", "within") and part.role in ("time", "place"):
        named = part.head.pos_ == "PROPN" or part.head.ent_type_ in ("DATE", "TIME", "GPE", "LOC") or is_year(part.head)
        return part.bare if named else part.text
    if part.role == "reason":
        return re.sub(r"^(?:because of|due to|owing to|as a result of|thanks to) ", "", part.text, flags=re.I)
    return part.text


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
        words, _ = how_many(part.head)
        yield compose(clause, words, [part]), count_of(part.head), SHORT
        if beside := _beside(clause, part):
            yield compose(clause, words, [part, *beside]), count_of(part.head), SHORT
    if share := share_of(part.head):
        yield compose(clause, share[0], [part]), share[1], SHORT
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
        yield compose(clause, "when", [part]), _plainly(part), SHORT
    elif is_year(part.head) and part.preposition == "in":
        yield compose(clause, "in what year", [part]), part.head.text, SHORT
        yield from _simply("when", clause, part)
    else:
        yield from _simply("when", clause, part)


def _about_place(clause: Clause, part: Part) -> Iterator[Wording]:
    if part.preposition == "from" and not part.fronted:
        yield compose(clause, "from where", [part]), part.bare, SHORT
        yield compose(clause, "from where", [part]), clause.statement(), FULL
    elif part.preposition != "from":
        yield from _simply("where", clause, part)


def _about_agent(clause: Clause, part: Part) -> Iterator[Wording]:
    word = "who" if is_person(part.head) else "what"
    yield actively(clause, part, word), part.bare, SHORT
    if word == "who":
        yield compose(clause, "by whom", [part]), part.bare, SHORT
    yield compose(clause, word, list(clause.parts), "by"), part.bare, SHORT
    yield actively(clause, part, word), clause.statement(), FULL


def actively(clause: Clause, part: Part, word: str) -> str:
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
        words, _ = how_many(part.head)
        yield compose(clause, words, [part, *after], preposition), count_of(part.head), SHORT
        return
    if part.fronted or _COMPOUND.match(part.text):
        return
    if clause.verb.lemma_ == "be" and preposition == "to":  # "The role of the chair is to lead the meeting"
        yield compose(clause, "what", [part]), part.text, SHORT
        yield compose(clause, "what", [part]), clause.statement(), FULL
        return
    if preposition == "in" and clause.verb.lemma_ in ("know", "call", "refer"):
        return  # "What is it known in?" "English."
    permit = denied and clause.modal in MODALS
    if clause.nobody and not permit:
        return  # "What will no licence be issued for?"
    if preposition not in ("to", "for", "from") and any(other.role == "object" for other in clause.parts):
        return  # "What does it contain its name in?"
    after += [other for other in clause.parts if other.fronted and other.role != "condition"]
    who = is_person(part.head)
    asked = compose(clause, f"{preposition} {'whom' if who else 'what'}", [part], "", permit)
    # "What is a station not allowed to transmit messages for a third party to?": behind another phrase nothing is left over.
    crowded = any(
        other.role in ("preposition", "place", "time") and not other.fronted and other.head.i < part.head.i
        for other in fitting(clause, [part, *after])
    )
    if not crowded:
        yield compose(clause, "who" if who else "what", [part, *after], preposition, permit), part.bare, SHORT
    if crowded or preposition in ("to", "from", "with", "for"):
        yield asked, part.bare, SHORT
    if crowded:
        yield asked, clause.statement(), FULL
    else:
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
        yield from _about_goal(clause, part)
        yield compose(clause, "what", [part], "to do"), clause.statement(), FULL
    elif part.text.lower().startswith("to be "):
        yield compose(clause, "what", [part], "to be"), part.text[6:], SHORT


def _about_goal(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "was vacated to allow for the meeting": what it was vacated to allow for."""
    verb, noun = part.head, None
    for child in verb.children:
        if child.i > verb.i and child.dep_ in ("dobj", "prep"):
            noun = child if child.dep_ == "dobj" else next((c for c in child.children if c.dep_ == "pobj"), None)
            break
    if noun is None or noun.right_edge.i != verb.right_edge.i or verb.tag_ != "VB" or noun.tag_ == "PRP":
        return
    answer = text_of(noun)
    if part.text.endswith(answer):
        deed = part.text[: -len(answer)].strip()
        yield compose(clause, "who" if is_person(noun) else "what", [part], deed), answer, SHORT


def _about_reason(clause: Clause, part: Part) -> Iterator[Wording]:
    yield from _simply("why", clause, part)
    if part.preposition == "to" and not part.fronted:
        yield from _about_goal(clause, part)


def _about_enabling(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "allowed the forest to spread out": what it allowed the forest to do."""
    without = [other for other in clause.parts if other.role != "condition"]
    yield compose(clause, "what", without, f"{part.inner} to do"), part.text.partition(" to ")[2], SHORT
    yield compose(clause, "what", without, f"{part.inner} to do"), clause.statement(), FULL


def _about_that(clause: Clause, part: Part) -> Iterator[Wording]:
    said = part.text if part.text.lower().startswith("that ") else f"that {small(part.text)}"
    yield compose(clause, "what", [part]), said, SHORT
    yield compose(clause, "what", [part]), clause.statement(), FULL


def _plain(noun_phrase: str) -> str:
    return re.sub(r"^(?:the|a|an|its|their)\s+", "", small(noun_phrase))


def _about_adverb(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "extends as far south as 45°": how far south."""
    if found := re.match(
        r"as (?P<how>far(?: \w+)?|long|high|low|deep|late|early|often|many|much) as (?P<limit>.+)", part.text
    ):
        yield compose(clause, f"how {found['how']}", [part]), f"as {found['how']} as {found['limit']}", SHORT


_ASKING: dict[str, Callable[[Clause, Part], Iterator[Wording]]] = {
    "object": _about_object,
    "complement": _about_object,
    "time": _about_time,
    "place": _about_place,
    "agent": _about_agent,
    "reason": _about_reason,
    "manner": partial(_simply, "how"),
    "condition": _about_condition,
    "preposition": _about_preposition,
    "quality": _about_quality,
    "infinitive": _about_infinitive,
    "that": _about_that,
    "enabling": _about_enabling,
    "adverb": _about_adverb,
}
