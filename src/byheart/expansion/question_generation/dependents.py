"""What depends on a verb, as parts with their roles: object, time, place, agent, reason, condition and so on."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Part
from byheart.expansion.question_generation.roles import (
    PLACE_PREPOSITIONS,
    REASONS,
    SITTING,
    TIME_PREPOSITIONS,
    is_place,
    is_time,
)
from byheart.expansion.question_generation.wording import CONDITIONS, SUBJECTS, after_comma, text_of

if TYPE_CHECKING:
    from spacy.tokens import Token

CONNECTIVES = frozenset(
    "however therefore thus hence moreover furthermore also instead consequently meanwhile nevertheless then finally "
    "additionally similarly likewise indeed overall still yet nonetheless further".split()
)
_TAKE_INFINITIVE = frozenset(
    "design authorize authorise allow permit require expect intend use oblige force entitle order ask believe say know "
    "think consider find see suppose estimate claim tell teach advise encourage invite choose designate make mean need "
    "compel report show prove entitle enable appoint elect".split()
)

_LIGHT = ("place", "part", "effect", "rise", "advantage", "care", "account", "control", "use", "way")  # "take place"
_ROLES = {"dobj": "object", "attr": "complement", "acomp": "quality", "oprd": "complement", "dative": "object"}


def parts_of(verb: "Token", subject: "Token", lender: "Token", taken: set[int]) -> Iterator[Part]:
    children = list(verb.children)
    if lender is not verb:  # a condition in front governs the joined verbs too
        children = [c for c in lender.children if c.dep_ == "advcl" and c.i < lender.i] + children
    for child in children:
        if child.i in taken or child.dep_ in ("aux", "auxpass", "neg", "prt", "punct", "cc", "conj", "mark", "intj"):
            continue
        if child == subject or child.dep_ in SUBJECTS or child.dep_ in ("csubj", "expl", "preconj", "parataxis", "dep"):
            continue
        if child.dep_ == "ccomp" and own_subject(child) is not None and is_joined_clause(child):
            continue
        if child.dep_ == "advmod" and child.lower_ in CONNECTIVES:
            continue
        fronted = child.i < min(subject.i, verb.i)
        by = _agent_within(child) if verb.tag_ == "VBN" else None
        part = part_of(child, fronted, [by] if by is not None else [])
        if part is not None:
            yield part
        if by is not None and (agent := part_of(by, fronted)) is not None:
            yield replace(agent, role="agent")


def _agent_within(child: "Token") -> "Token | None":
    """ "recognized in an area by operators": the parser hangs "by" on the area."""
    noun = next((c for c in child.children if c.dep_ == "pobj"), None) if child.dep_ == "prep" else None
    if noun is None:
        return None
    by = next((c for c in noun.children if c.dep_ == "prep" and c.lower_ == "by"), None)
    return by if by is not None and any(c.dep_ == "pobj" for c in by.children) else None


def part_of(child: "Token", fronted: bool, without: "Sequence[Token]" = ()) -> Part | None:
    """One dependent of a verb with its role; None where it plays none that a question can use."""
    text = text_of(child, without)
    if not text:
        return None
    if child.dep_ in ("prep", "agent"):
        return _prepositional(child, text, fronted, without)
    if child.dep_ == "advcl":
        word = next((c for c in child.children if c.dep_ in ("mark", "advmod") and c.i < child.i), None)
        if word is not None and word.lower_ == "while" and not fronted and after_comma(child):
            return Part("aside", text, child, "", fronted)  # a contrast, no condition
        if word is not None and word.lower_ in CONDITIONS:
            return Part("condition", text, child, word.lower_, fronted)
        if word is not None and word.lower_ == "as" and fronted:
            return Part("time", text, child, "as", fronted)
        if word is not None and word.lower_ in ("because", "since"):
            return Part("reason", text, child, word.lower_, fronted)
        if any(c.tag_ == "TO" for c in child.children) and word is None:
            return Part("reason", text, child, "to", fronted)
        if after_comma(child) and word is None:
            return None  # a participial tail
        return Part("aside", text, child, "", fronted)
    if child.dep_ == "xcomp":
        idle = any(c.dep_ == "auxpass" for c in child.head.children) and child.head.lemma_ not in _TAKE_INFINITIVE
        if idle and text.lower().startswith("to "):
            return Part("reason", text, child, "to", fronted)  # "was vacated to allow for the meeting"
        return Part("infinitive", text, child, "", fronted)
    if child.dep_ == "ccomp":
        helps = [c for c in child.children if c.dep_ in ("aux", "auxpass")]
        doer = own_subject(child)
        if any(c.tag_ == "TO" for c in helps) and doer is not None:
            return Part("enabling", text, child, "", fronted, text_of(doer))
        finite = child.tag_ in ("VBZ", "VBP", "VBD") or any(c.tag_ in ("MD", "VBZ", "VBP", "VBD") for c in helps)
        return Part("that" if finite else "aside", text, child, "", fronted)
    if child.dep_ == "npadvmod":
        return Part("time" if is_time(child) else "adverb", text, child, "", fronted)
    if child.dep_ == "advmod":
        return Part("adverb", text, child, "", fronted)
    if (
        child.dep_ == "dobj"
        and child.lower_ in _LIGHT
        and child.head.lemma_ in ("take", "play", "give", "make", "come")
    ):
        return Part("idiom", text, child, "", fronted)
    role = "complement" if child.dep_ == "acomp" and child.pos_ in ("NOUN", "PROPN") else _ROLES.get(child.dep_)
    return Part(role, text, child, "", fronted) if role else None


def _prepositional(child: "Token", text: str, fronted: bool, without: "Sequence[Token]") -> Part | None:
    noun = next((c for c in child.children if c.dep_ in ("pobj", "pcomp")), None)
    if noun is None:
        inner = next((c for c in child.children if c.dep_ == "prep"), None)  # "from under the table", "because of"
        noun = next((c for c in inner.children if c.dep_ == "pobj"), None) if inner is not None else None
    if noun is None:
        return None
    preposition = child.lower_
    inner_text = text_of(child, without, without_token=child)
    lowered = text.lower()
    if lowered.startswith(
        ("for example", "for instance", "in addition", "in general", "of course", "in fact", "on the other hand")
    ):
        return None
    if lowered.startswith(REASONS):
        role = "reason"
    elif child.dep_ == "agent":
        role = "agent"
    elif noun.dep_ == "pcomp" and preposition in ("by", "through"):
        role = "manner"
    elif noun.dep_ == "pcomp" and preposition in ("when", "if", "after", "before", "while", "until"):
        role = "condition"
    elif preposition in ("during", "until", "since") or (preposition in TIME_PREPOSITIONS and is_time(noun)):
        role = "time"
    elif (
        is_place(noun, preposition)
        or (child.head.lemma_ in SITTING and preposition in PLACE_PREPOSITIONS)
        or lowered.startswith(("in front of", "on top of", "next to", "inside of"))
    ):
        role = "place"
    elif lowered.startswith(("except", "according", "including", "such as", "like", "unlike", "despite")):
        role = "aside"
    else:
        role = "aside" if not fronted and after_comma(child) else "preposition"
    return Part(role, text, noun, preposition, fronted, inner_text)


def merged(parts: list[Part]) -> list[Part]:
    """Neighbouring times as one: "at the end of each communication, and at least every 10 minutes"."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last and part.role == last.role == "time" and part.fronted == last.fronted:
            doc = part.head.doc
            between = doc[_last(last.head) + 1 : _first(part.head)].text
            joint = ", and " if re.search(r"\band\b", between) else " or " if re.search(r"\bor\b", between) else " "
            merged[-1] = replace(last, text=f"{last.text}{joint}{part.text}", inner="", head=part.head)
        else:
            merged.append(part)
    return merged


def _first(token: "Token") -> int:
    return int((token.head if token.dep_ == "pobj" else token).left_edge.i)


def _last(token: "Token") -> int:
    return int(token.right_edge.i)


def own_subject(verb: "Token") -> "Token | None":
    """The nearest before the verb, where the parser sees two ("After the flood the bridge was ...")."""
    subjects = [child for child in verb.children if child.dep_ in SUBJECTS]
    return next((child for child in reversed(subjects) if child.i < verb.i), subjects[0] if subjects else None)


def is_joined_clause(verb: "Token") -> bool:
    """A clause joined without "that" ("..., the speed must not exceed"), taken for a complement by the parser."""
    return not any(child.dep_ == "mark" for child in verb.children) and any(
        child.text in (";", ":") for child in verb.head.children
    )
