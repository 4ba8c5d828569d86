"""What depends on a verb, as parts with their roles: object, time, place, agent, reason, condition and so on."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Part
from byheart.expansion.question_generation.nouns import is_no_day, is_place, is_time
from byheart.expansion.question_generation.wording import FINITE, NOUNS, SUBJECTS, WORDS, after_comma, child_of, text_of

if TYPE_CHECKING:
    from spacy.tokens import Token

_ROLES = {"dobj": "object", "dative": "object", "attr": "complement", "oprd": "complement", "acomp": "quality"}
_TIGHT = ("object", "complement", "quality", "infinitive")  # roles that no comma stands before
# Dependents that are no part: of the verb itself, of the subject, or clauses of their own.
_NO_PARTS = (*SUBJECTS, *"aux auxpass neg prt punct cc conj mark intj csubj expl preconj parataxis dep".split())
_REASONS = ("because of", "due to", "owing to", "for the purpose of", "in order to", "as a result of", "thanks to")
_FIXED = (
    "at once",
    "at a time",
    "at the same time",
    "at all",
    "in advance",
    "in person",
    "on foot",
    "by hand",
    "at first",
    "at last",
    "in turn",
)
_IDIOMS = ("for example", "for instance", "in addition", "in general", "of course", "in fact", "on the other hand")
_PLACES = ("in front of", "on top of", "next to", "inside of")
_ASIDES = ("according", "including", "such as", "like", "unlike", "despite")
_EXCEPTIONS = ("except", "other than", "apart from", "but for")


def parts_of(verb: "Token", subject: "Token", lender: "Token", taken: set[int]) -> Iterator[Part]:
    """The parts of a verb but for the tokens in `taken`; `lender` is the verb that it is joined to, or itself."""
    children = list(verb.children)
    if lender is not verb:  # a condition in front governs the joined verbs too
        children = [c for c in lender.children if c.dep_ == "advcl" and c.i < lender.i] + children
    for child in children:
        joined = child.dep_ == "ccomp" and own_subject(child) is not None and is_joined_clause(child)
        connects = child.dep_ == "advmod" and child.lower_ in WORDS["connectives"]
        if child.i in taken or child == subject or child.dep_ in _NO_PARTS or joined or connects or _is_focus(child):
            continue
        fronted = child.i < min(subject.i, verb.i)
        by = _agent_within(child) if verb.tag_ == "VBN" else None
        if part := part_of(child, fronted, [by] if by is not None else []):
            comma = not fronted and child.left_edge.i > 0 and child.doc[child.left_edge.i - 1].text == ","
            remark = comma and part.role == "adverb"  # "..., nearly twice as much as planned"
            part = replace(_focused(part, child, taken), lead=", " if comma and part.role not in _TIGHT else "")
            yield replace(part, role="aside") if remark else part
        if by is not None and (agent := part_of(by, fronted)):
            yield replace(agent, role="agent")


def _is_focus(adverb: "Token") -> bool:
    """ "only" in "came only in 1954": it belongs to the phrase behind it, not to the verb."""
    if adverb.dep_ != "advmod" or adverb.lower_ not in WORDS["focus"] or adverb.i < adverb.head.i:
        return False
    return any(child.left_edge.i == adverb.right_edge.i + 1 for child in adverb.head.children if child.dep_ != "punct")


def _focused(part: Part, child: "Token", taken: set[int]) -> Part:
    start = child.left_edge.i
    before = child.doc[start - 1] if start else None
    if before is None or before.head != child.head or before.i in taken or not _is_focus(before):
        return part
    inner = f"{before.text} {part.inner}" if part.inner else ""
    return replace(part, text=f"{before.text} {part.text}", inner=inner, focused=True)


def join_only(parts: list[Part]) -> list[Part]:
    """ "by administrators only": it belongs to the phrase before it."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if (
            last
            and part.role == "adverb"
            and part.text.lower() in ("only", "alone")
            and last.head.right_edge.i + 1 == part.head.i
        ):
            inner = f"{last.inner} {part.text}" if last.inner else ""
            joined[-1] = replace(last, text=f"{last.text} {part.text}", inner=inner)
        else:
            joined.append(part)
    return joined


def _agent_within(child: "Token") -> "Token | None":
    """ "recognized in an area by operators": the parser hangs "by" on the area."""
    noun = child_of(child, "pobj") if child.dep_ == "prep" else None
    if noun is None:
        return None
    by = next((c for c in noun.children if c.dep_ == "prep" and c.lower_ == "by"), None)
    return by if by is not None and child_of(by, "pobj") is not None else None


def part_of(child: "Token", fronted: bool, without: "Sequence[Token]" = ()) -> Part | None:
    """One dependent of a verb with its role; None where it plays none that a question can use."""
    text = text_of(child, without)
    if not text:
        return None
    if child.dep_ in ("prep", "agent"):
        return _prepositional(child, text, fronted, without)
    if child.dep_ == "advcl":
        role, word = _adverbial(child, fronted)
        return Part(role, text, child, word, fronted) if role else None
    if child.dep_ == "xcomp":
        passive = child_of(child.head, "auxpass") is not None
        if passive and child.head.lemma_ not in WORDS["take_infinitive"] and text.lower().startswith("to "):
            return Part("reason", text, child, "to", fronted)  # "was vacated to allow for the meeting"
        return Part("infinitive", text, child, "", fronted)
    if child.dep_ == "ccomp":
        tags = [c.tag_ for c in child.children if c.dep_ in ("aux", "auxpass")]
        doer = own_subject(child)
        if "TO" in tags and doer is not None:
            return Part("enabling", text, child, "", fronted, text_of(doer))
        finite = text.lower().startswith("that ") or child.tag_ in FINITE or not {"MD", *FINITE}.isdisjoint(tags)
        return Part("that" if finite else "kept", text, child, "", fronted)
    idiom = child.lower_ in WORDS["light_objects"] and child.head.lemma_ in WORDS["light_verbs"]
    role = _ROLES.get(child.dep_, "")
    if child.dep_ in ("npadvmod", "advmod"):
        role = "time" if child.dep_ == "npadvmod" and is_time(child) and not is_relative(child) else "adverb"
        role = "time" if child.lower_ == "ago" and not fronted else role
        if is_relative(child):
            role = "aside"  # "two minutes later": than what?
    elif child.dep_ == "dobj" and idiom:
        role = "idiom"
    elif child.dep_ == "acomp" and child.pos_ in NOUNS:
        role = "complement"
    return Part(role, text, child, "", fronted) if role else None


def _adverbial(clause: "Token", fronted: bool) -> tuple[str, str]:
    """The role of an adverbial clause, and the conjunction that opens it; no role for a participle behind a comma."""
    if clause.lower_ in ("provided", "providing", "assuming", "supposing"):
        return "condition", clause.lower_
    opening = [c for c in clause.children if c.dep_ in ("mark", "advmod") and c.i < clause.i]
    mark = next((c for c in opening if c.lower_ not in WORDS["focus"]), None)
    word = mark.lower_ if mark is not None else ""
    behind = not fronted and after_comma(clause)
    if word == "where" and not fronted:
        return ("aside" if behind else "kept"), word
    tenses = (clause.head.tag_, *(c.tag_ for c in clause.head.children if c.dep_ in ("aux", "auxpass")))
    if word == "since" and not fronted and "have" in [c.lemma_ for c in clause.head.children if c.dep_ == "aux"]:
        return "condition", word  # a time, no reason
    start = clause.left_edge.i
    if word == "when" and behind and start > 1 and is_time(clause.doc[start - 2]):
        return "aside", word  # "at night, when the relay is less busy"
    if word == "when" and behind and "VBD" in tenses:
        return "aside", word  # "in the ninth minute, when Kane scored"
    if word in WORDS["conditions"] and not (word == "while" and behind):
        return "condition", word
    if word == "as" and fronted:
        return "time", word
    if word in ("because", "since"):
        return "reason", word
    if word:
        return "aside", ""  # a contrast, no condition
    if any(c.tag_ == "TO" for c in clause.children):
        opens = clause.left_edge.tag_ == "TO" or clause.left_edge.lower_ in ("in", "so")
        return ("reason" if opens and clause.left_edge.head in (clause, clause.head) else "aside"), "to"
    return ("" if after_comma(clause) else "aside"), ""


def _prepositional(child: "Token", text: str, fronted: bool, without: "Sequence[Token]") -> Part | None:
    noun = child_of(child, "pobj", "pcomp")
    double = noun is None
    if noun is None and (inner := child_of(child, "prep")) is not None:
        noun = child_of(inner, "pobj")  # "from under the table", "because of"
    preposition, lowered = child.lower_, text.lower()
    if (
        (noun is None and len(text.split()) > 1)
        or lowered.startswith(_FIXED)
        or (noun is not None and noun.pos_ == "ADV")
    ):
        return Part("kept", text, noun or child, preposition, fronted, text)  # "is listed as vulnerable", "at once"
    if noun is None or lowered.startswith(_IDIOMS):
        return None
    takes_part = preposition == "in" and any(c.dep_ == "dobj" and c.lower_ == "part" for c in child.head.children)
    if takes_part:
        return Part("preposition", text, noun, preposition, fronted, text_of(child, without, headless=True))
    sits = child.head.lemma_ in WORDS["sitting"] and preposition in WORDS["place_prepositions"]
    timed = (
        preposition in WORDS["time_prepositions"]
        and is_time(noun)
        and not (preposition == "on" and is_no_day(noun))
        and not (preposition == "by" and noun.lemma_.lower() in WORDS["shares"])  # "fell by half between 1950 and 1975"
    )
    clock = child.dep_ == "agent" and (
        noun.pos_ == "NUM" or (is_time(noun) and noun.left_edge != noun)
    )  # "must be vacated by 10:00"
    event = preposition in ("after", "before") and child.head.lemma_ not in (
        "name",
        "look",
        "ask",
        "seek",
        "call",
        "take",
        "run",
    )
    if is_relative(noun) or child_of(child, "neg") is not None:
        return Part("aside", text, noun, preposition, fronted, text)  # "not from Switzerland"
    if lowered.startswith(_EXCEPTIONS) or (lowered.startswith("up to ") and not timed):
        return Part("kept", text, noun, preposition, fronted, text)
    participle = noun.dep_ == "pcomp"
    roles = {
        "reason": lowered.startswith(_REASONS),
        "agent": child.dep_ == "agent" and not clock,
        "manner": participle and preposition in ("by", "through"),
        "condition": participle and preposition in ("when", "if", "after", "before", "while", "until"),
        "time": timed or clock or (event and not participle) or preposition in ("during", "until", "since"),
        "place": sits or is_place(noun, preposition) or lowered.startswith(_PLACES),
        "aside": lowered.startswith(_ASIDES) or (not fronted and after_comma(child)),
    }
    role = next(
        (role for role, holds in roles.items() if holds), "kept" if double else "preposition"
    )  # "out of the room"
    return Part(role, text, noun, preposition, fronted, text_of(child, without, headless=True))


def is_relative(token: "Token") -> bool:
    """ "two minutes later", "since then": a time that another sentence fixes."""
    words = (token.lower_, *(child.lower_ for child in token.children), token.head.lower_)
    late = any(word in ("later", "earlier", "afterwards", "beforehand") for word in words[:-1])
    return late or token.lower_ == "then" or (token.dep_ == "npadvmod" and words[-1] in ("later", "earlier", "ago"))


def merge_times(parts: list[Part]) -> list[Part]:
    """Neighbouring times as one: "at the end of each communication, and at least every 10 minutes"."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last and part.role == last.role == "time" and part.fronted == last.fronted:
            first = part.head.head if part.head.dep_ == "pobj" else part.head
            between = part.head.doc[last.head.right_edge.i + 1 : first.left_edge.i].text
            joint = ", and " if re.search(r"\band\b", between) else " or " if re.search(r"\bor\b", between) else " "
            merged[-1] = replace(last, text=f"{last.text}{joint}{part.text}", inner="", head=part.head)
        else:
            merged.append(part)
    return merged


def own_subject(verb: "Token") -> "Token | None":
    """The nearest before the verb, where the parser sees two ("After the flood the bridge was ...")."""
    subjects = [child for child in verb.children if child.dep_ in SUBJECTS]
    return next((child for child in reversed(subjects) if child.i < verb.i), subjects[0] if subjects else None)


def is_joined_clause(verb: "Token") -> bool:
    """A clause joined without "that" ("..., the speed must not exceed"), taken for a complement by the parser."""
    return child_of(verb, "mark") is None and any(child.text in (";", ":") for child in verb.head.children)
