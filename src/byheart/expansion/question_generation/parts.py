"""Questions about one part of a clause, by the role it plays: what, when, how often, where, why, by whom, how many."""

import re
from collections.abc import Callable, Iterator
from functools import partial

from byheart.expansion.question_generation import nouns
from byheart.expansion.question_generation.clauses import FULL, SHORT, Asked, Clause, Part, as_question
from byheart.expansion.question_generation.prepositions import (
    JOINED_AGAIN,
    LENGTH,
    Wording,
    about_agent,
    about_preposition,
    about_quality,
    both,
    phrase_behind,
)
from byheart.expansion.question_generation.wording import (
    WORDS,
    child_of,
    full_stop,
    small,
    text_of,
    without_article,
)

LIMITS = ("exceed", "surpass")
_OFTEN = re.compile(
    r"\b(?:every|per|twice|once|times|annually|yearly|monthly|weekly|daily|(?:days?|hours?|nights?) (?:a|each) \w+)\b"
)
_ORDINAL = re.compile(r"\b(?:first|second|third|last|next|\w+th) (?:time|day|year|week|month)\b")
_DATED = re.compile(
    r"\d|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|\w+days?)\b"
)
_NOW = ("today", "now", "currently", "nowadays", "presently", "then", "once", "time")
# Prepositions that behind an object more often belong to it than to the verb: "raised the duty on salt".
_OF_THE_OBJECT = ("of", "on", "about", "between", "over", "against", "towards", "without")
_DURATION = re.compile(r"(?P<n>\w+)-(?P<unit>year|month|week|day|hour|minute|second)\b")
_DEGREE = re.compile(r"as (?P<how>far(?: \w+)?|long|high|low|deep|late|early|often|many|much) as .+")


def about_part(clause: Clause, part: Part) -> Iterator[Asked]:
    """The questions for one part, the plainest first."""
    if clause.negated and part.role not in ("condition", "object", "complement", "preposition"):
        return
    ask = _ASKING.get(part.role)
    for question, answer, length in ask(clause, part) if ask else ():
        if question:
            yield Asked(f"{part.role}:{part.head.i}", question, full_stop(answer), length)


def _plainly(wh_words: str, clause: Clause, part: Part) -> Iterator[Wording]:
    if clause.lemma == "be" and any(other.role in ("complement", "infinitive") for other in clause.parts):
        return  # "Where has it been a new building?"
    yield from _short(clause, part, wh_words, _plain_answer(part))
    yield clause.compose(wh_words, [part]), clause.statement(), FULL


def _short(clause: Clause, part: Part, wh_words: str, answer: str) -> Iterator[Wording]:
    """The question with all circumstances, and without the reason: without a time or an adverb it would ask for more."""
    yield clause.compose(wh_words, [part]), answer, SHORT
    if beside := [other for other in clause.parts if other != part and other.role == "reason"]:
        yield clause.compose(wh_words, [part, *beside]), answer, SHORT


def _plain_answer(part: Part) -> str:
    """The answer as one gives it: "Edinburgh", "12 May 1999", "the outbreak of the war", where the question says the rest."""
    focused = part.focused or part.bare.partition(" ")[0].lower() in WORDS["focus"]  # "only in 1954"
    if focused or JOINED_AGAIN.search(part.bare):
        return part.text  # "on Mondays and on holidays"
    if part.preposition in ("in", "on", "at") and part.role in ("time", "place"):
        named = part.head.ent_type_ in ("GPE", "LOC") or (part.role == "time" and part.head.pos_ == "PROPN")
        dated = part.role == "time" and _DATED.search(part.bare) is not None
        placed = re.search(r" (?:in|at|on) ", part.bare)  # "on Fridays in the valleys"
        return part.bare if (named or dated) and not placed else part.text
    if part.role == "reason":
        return re.sub(r"^(?:because of|due to|owing to|as a result of|thanks to) ", "", part.text, flags=re.I)
    return part.text


def _about_object(clause: Clause, part: Part) -> Iterator[Wording]:
    copula = clause.lemma == "be"
    names = part.head.pos_ in ("NOUN", "PROPN", "NUM", "PRON", "VERB", "SYM", "X") or any(
        c.lower_ == "of" for c in part.head.children
    )
    if part.head.tag_ == "PRP" or not names or part.text.endswith(("self", "selves")):
        return  # "keeps fresh"
    senses = clause.lemma in ("taste", "smell", "look", "sound", "feel") and part.head.left_edge == part.head.right_edge
    if part.text.lower().startswith("no ") or (senses and not clause.passive):
        return  # "has had no station", "tastes dusty"
    if clause.negated and clause.lemma in LIMITS:
        yield from _about_limit(clause, part)
        return
    if clause.lemma in ("last", "take") and nouns.is_time(part.head) and not clause.denied:
        yield from both(clause, clause.compose("how long", [part]), part.text)
        return  # "What does it take?" "An hour."
    behind_it = phrase_behind(clause, part)
    if behind_it is not None and (
        behind_it.preposition in _OF_THE_OBJECT or (behind_it.preposition == "from" and behind_it.role == "time")
    ):
        return  # "What did the council raise on salt?"
    apiece = any(child.dep_ == "prep" and child.lower_ == "for" for child in part.head.children)  # "8 euros for adults"
    if nouns.has_number(part.head) and not clause.denied and not copula and not apiece:
        yield from _short(clause, part, nouns.how_many(part.head)[0], nouns.count_of(part.head))
    if share := nouns.share_of(part.head):
        yield clause.compose(share[0], [part]), share[1], SHORT
    kind = re.match(r"an? (?P<kind>[\w\s/-]+?) (?:who|that|which|where|whose|for whom)\b", part.text)
    if kind and copula and not clause.denied:
        yield clause.compose(f"what kind of {kind['kind']}", [part]), part.text, SHORT
    wh_word = _for_object(clause, part)
    if not clause.denied:
        yield from _short(clause, part, wh_word, part.text)
        yield clause.compose(wh_word, [part]), clause.statement(), FULL
    if not copula:
        yield clause.permitted().compose(wh_word, [part]), part.text, SHORT


def _about_limit(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "must not exceed 40 km/h": what the maximum is."""
    cases = " ".join(small(other.text) for other in clause.parts if other.role == "condition")
    what = f"{without_article(small(clause.subject))} {cases}"
    highest = [as_question((), [f"what is the {word}", what]) for word in ("maximum", "highest")]
    for question in (highest[0], clause.compose("what", [part]), highest[1]):
        yield question, part.text, SHORT
    yield highest[0], clause.statement(), FULL


def _for_object(clause: Clause, part: Part) -> str:
    """ "Who" for a person, but "what" for what somebody has or is: "What is a licensee?"."""
    copula = clause.lemma == "be"
    if copula and clause.noun.pos_ == "PROPN" and nouns.is_person(clause.noun):
        return "who"
    owned = clause.lemma in ("have", "be") and part.head.pos_ != "PROPN" and not (copula and clause.auxiliaries)
    return "what" if owned else nouns.who_or_what(part.head)


def _about_time(clause: Clause, part: Part) -> Iterator[Wording]:
    if part.preposition == "for":
        lasts = LENGTH.search(part.bare) or _DURATION.search(part.bare)
        if not lasts or _ORDINAL.search(part.bare) or re.search(r"\b(?:each|every)\b", part.bare):
            return  # "for the fourth time", "for life"
        found = _DURATION.search(part.text)
        length = f"{found['n']} {found['unit']}s" if found else part.bare
        short = all(
            other.is_front or other.role in ("object", "complement", "quality", "adverb")
            for other in clause.fitting([part])
        )
        yield clause.compose("how long", [part], "for" if short and not part.focused else ""), length, SHORT
        yield from both(clause, clause.compose("for how long", [part]), length)
    elif (
        _OFTEN.search(part.text)
        and part.preposition not in ("after", "before", "during")
        and "at all times" not in part.text.lower()
    ):
        yield from _plainly("how often", clause, part)
        if re.match(r"(?:at|every|on|in) ", part.text, re.I):
            yield clause.compose("when", [part]), _plain_answer(part), SHORT
    else:
        if nouns.is_year(part.head) and part.preposition == "in" and not JOINED_AGAIN.search(part.bare):
            yield clause.compose("in what year", [part]), part.head.text, SHORT
        if part.text.lower() in _NOW or (part.preposition == "from" and not re.search(r" (?:to|until) ", part.text)):
            return
        word = f"{part.preposition} when" if part.preposition in ("since", "until", "by") else "when"
        if (
            not part.preposition
            and clause.lemma in ("last", "take", "wait", "stay", "remain", "need", "require")
            and LENGTH.search(part.text)
        ):
            word = "how long"  # "lasts 33 days"
        elif part.preposition == "to":
            return  # "is limited to 20 days"
        if word == "when" and any(other.role == "condition" and not other.is_front for other in clause.parts):
            return  # "When should it be sent when ...?"
        if part.preposition == "in" and re.match(r"(?:an?|one|half) ", part.bare):
            return  # "is made in an afternoon": how long it takes
        if word == "when":
            yield from _plainly("when", clause, part)
        else:
            yield from both(clause, clause.compose(word, [part]), part.bare)


def _about_place(clause: Clause, part: Part) -> Iterator[Wording]:
    if part.preposition != "from":
        yield from _plainly("where", clause, part)
    elif not part.fronted:
        yield from both(clause, clause.compose("from where", [part]), part.bare)


def _about_condition(clause: Clause, part: Part) -> Iterator[Wording]:
    if (
        part.preposition in ("unless", "where", "provided", "providing")
        or part.text.lower().startswith("only")
        or clause.negated
    ):
        return
    if part.preposition in ("until", "since"):
        yield from both(clause, clause.compose(f"{part.preposition} when", [part]), part.text)
        return
    openings = ("under what condition", "when", "under what circumstances")
    lasting = clause.permanent and part.preposition not in ("before", "after", "once")
    for wh_words in openings if part.preposition == "if" else openings[1 : 2 + lasting]:
        yield clause.compose(wh_words, [part]), part.text, SHORT
    yield clause.compose("when", [part]), clause.statement(), FULL


def _about_infinitive(clause: Clause, part: Part) -> Iterator[Wording]:
    lowered = part.text.lower()
    if clause.lemma == "have" or (clause.passive and clause.lemma in ("require", "need", "use")):
        return  # "has to be replaced", "is required to build it": no aim of the subject
    if clause.lemma == "be":
        yield from both(clause, clause.compose("what", [part]), part.text)
    elif lowered.startswith("to be "):
        yield clause.compose("what", [part], "to be"), part.text[6:], SHORT
    elif lowered.startswith("to "):
        yield clause.compose("what", [part], "to do"), part.text[3:], SHORT
        yield from _about_goal(clause, part)
        yield clause.compose("what", [part], "to do"), clause.statement(), FULL


def _about_goal(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "was vacated to allow for the meeting": what it was vacated to allow for."""
    verb = part.head
    noun = next((child for child in verb.children if child.i > verb.i and child.dep_ in ("dobj", "prep")), None)
    if noun is not None and noun.dep_ == "prep":
        noun = child_of(noun, "pobj") if noun.lower_ in ("for", "to", "with", "against", "of", "about") else None
    if noun is None or noun.right_edge.i != verb.right_edge.i or verb.tag_ != "VB" or noun.tag_ == "PRP":
        return
    answer = text_of(noun)
    if part.text.endswith(answer):
        goal = part.text.removesuffix(answer).strip()
        yield clause.compose(nouns.who_or_what(noun), [part], goal), answer, SHORT


def _about_reason(clause: Clause, part: Part) -> Iterator[Wording]:
    yield from _plainly("why", clause, part)
    if part.preposition == "to" and not part.fronted:
        yield from _about_goal(clause, part)


def _about_enabling(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "allowed the forest to spread out": what it allowed the forest to do."""
    without = [other for other in clause.parts if other.role != "condition"]
    yield from both(clause, clause.compose("what", without, f"{part.inner} to do"), part.text.partition(" to ")[2])


def _about_that(clause: Clause, part: Part) -> Iterator[Wording]:
    lowered = part.text.lower()
    if clause.lemma == "be" or clause.passive or any(other.role == "object" for other in clause.parts):
        return
    indirect = re.match(r"(?:how|what|who|which|whether|why|where|when)\b", lowered)
    if not indirect and not lowered.startswith("that ") and clause.lemma not in WORDS["saying"] | {"mean", "ensure"}:
        return
    content = part.text if indirect or lowered.startswith("that ") else f"that {small(part.text)}"
    yield from both(clause, clause.compose("what", [part]), content)


def _about_adverb(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "extends as far south as 45°": how far south."""
    if found := _DEGREE.match(part.text):
        yield clause.compose(f"how {found['how']}", [part]), found[0], SHORT


_ASKING: dict[str, Callable[[Clause, Part], Iterator[Wording]]] = {
    "object": _about_object,
    "complement": _about_object,
    "time": _about_time,
    "place": _about_place,
    "agent": about_agent,
    "reason": _about_reason,
    "manner": partial(_plainly, "how"),
    "condition": _about_condition,
    "preposition": about_preposition,
    "quality": about_quality,
    "infinitive": _about_infinitive,
    "that": _about_that,
    "enabling": _about_enabling,
    "adverb": _about_adverb,
}
