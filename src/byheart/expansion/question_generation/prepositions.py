"""Questions about a phrase with a preposition: by whom, to what, with how many."""

import re
from collections.abc import Iterator

from byheart.expansion.question_generation import nouns
from byheart.expansion.question_generation.clauses import FULL, SHORT, Clause, Part, as_question, behind
from byheart.expansion.question_generation.wording import MODALS, WORDS, child_of, past, small, third_person

_QUALITY = re.compile(
    r"(?P<opening>responsible for|eligible for|subject to|available (?:for|to)|composed of|known as|similar to|different from"
    r"|capable of|equal to|necessary for|due to) (?P<noun>.*)$",
    re.I | re.S,
)
_COMPOUND = re.compile(
    r"(?:in accordance|with respect|in addition|on behalf|in the manner|in connection|in terms|as well|such as|in favou?r)\b",
    re.I,
)
_NAMED_AS = ("know", "refer", "describe", "regard", "serve", "act", "function")
_UNITS = r"(?:second|minute|hour|day|night|week|month|year|decade|century|centurie|generation)s?"
LENGTH = re.compile(rf"\b(?:\d[\d.,]*|an?|several|many|few|half|[a-z]+(?:-[a-z]+)?) (?:[a-z]+ )?{_UNITS}\b|\bperiod\b")
JOINED_AGAIN = re.compile(r"\b(?:and|or|but) (?:\w+ )?(?:in|on|at|by|for|to|from|with|under|during|after|before|as)\b")
_PIED_PIPED = ("to", "for", "from", "with", "against", "between", "into")

Wording = tuple[str, str, str]  # question, answer, SHORT or FULL


def both(clause: Clause, question: str, answer: str) -> Iterator[Wording]:
    """The question with the short answer, and with the sentence as its answer."""
    yield question, answer, SHORT
    yield question, clause.statement(), FULL


def about_agent(clause: Clause, part: Part) -> Iterator[Wording]:
    if part.head.lemma_.lower() in ("person", "people") and nouns.has_number(part.head):
        return  # "by one person at a time": how many, not who
    wh_word = nouns.who_or_what(part.head, acts=True, past=not clause.permanent)
    behind_it = [
        c for c in part.head.children if c.dep_ == "prep" and c.lower_ not in ("of", "from", "in", "for", "with")
    ]
    if any(child.tag_ == "PRP$" for child in part.head.lefts) and not nouns.is_person(part.head):
        return  # "Young birds can be recognised by their yellow foreheads"
    if JOINED_AGAIN.search(part.bare) or is_idiom(part) or behind_it:
        return  # "rented by associations outside opening hours"
    yield actively(clause, part, wh_word), part.bare, SHORT
    if wh_word == "who":
        yield clause.compose("by whom", [part]), part.bare, SHORT
    if wh_word != "who or what" and all(other.role not in ("kept", "condition") for other in clause.parts):
        yield clause.compose(wh_word, clause.parts, "by"), part.bare, SHORT
    yield actively(clause, part, wh_word), clause.statement(), FULL


def actively(clause: Clause, part: Part, subject: str) -> str:
    """ "must be approved by the master" asked in the active voice: "Who must approve ...?"."""
    verb, auxiliaries = clause.verb, clause.auxiliaries
    if auxiliaries[1:] == ("be",):
        group = f"{auxiliaries[0]} {clause.lemma}"
    elif auxiliaries in (("is",), ("are",)):
        many = subject.startswith("how many") or (nouns.is_plural(part.head) and not subject.startswith("wh"))
        group = clause.lemma if many else third_person(clause.lemma)
    else:
        group = past(verb.text) if auxiliaries in (("was",), ("were",)) else ""
    if clause.denied or clause.never or clause.early or not group:
        return ""
    others = behind([other for other in clause.fitting([part]) if not other.is_front])
    return as_question((), [subject, group, small(clause.subject), clause.particle, others])


def starts_behind(part: Part, other: Part) -> bool:
    """Whether a phrase with a preposition follows at once, and may belong to the noun of this one."""
    first = other.head.head if other.head.dep_ == "pobj" else other.head.left_edge
    return bool(other.preposition) and first.i == part.head.right_edge.i + 1


def about_preposition(clause: Clause, part: Part) -> Iterator[Wording]:
    preposition = part.preposition
    names = preposition == "as" and clause.lemma in _NAMED_AS
    if len(preposition) < 2 or (preposition in WORDS["never_stranded"] and not names):
        return
    if JOINED_AGAIN.search(part.bare) or (clause.lemma == "be" and (preposition != "to" or part.head.pos_ != "VERB")):
        return  # "can be written in Lua or in Rust", "is in second class"
    if any(child.dep_ == "prep" and child.lower_ in ("with", preposition) for child in part.head.children):
        return  # "connects to the relay with a command", "on a lead on the paths": whose is it?
    if preposition == "about" and clause.lemma in ("weigh", "cost", "measure", "last", "take"):
        return
    if is_idiom(part) or (preposition == "from" and re.search(r"\bto\b", part.bare)):
        return  # "on request", "from two to five pence"
    if any(other.fronted and other.role == "preposition" for other in clause.parts) or clause.never:
        return  # "For a private car, 0.30 euros are paid for ..."
    if preposition == "with" and any(starts_behind(part, other) for other in clause.parts):
        return  # "served with dill on top"
    if preposition == "at" and not nouns.has_number(part.head):
        return  # "handed out at the reception": where
    if preposition == "to" and clause.particle == "up":
        return  # "up to 15 euros": an amount
    after = [other for other in clause.parts if other != part and not other.fronted and other.head.i > part.head.i]
    if nouns.has_number(part.head) and (clause.passive or clause.lemma == "consist") and not clause.denied:
        if [other for other in clause.fitting([part, *after]) if not other.is_front]:
            question = clause.compose(f"{preposition} {nouns.how_many(part.head)[0]}", [part])
        else:
            question = clause.compose(nouns.how_many(part.head)[0], [part, *after], preposition)
        yield question, nouns.count_of(part.head), SHORT
        return
    if part.fronted or _COMPOUND.match(part.text):
        return
    if clause.lemma == "be" and preposition == "to":  # "The role of the chair is to lead the meeting"
        yield from both(clause, clause.compose("what", [part]), part.text)
        return
    if preposition == "in" and clause.lemma in ("know", "call", "refer"):
        return  # "What is it known in?" "English."
    if clause.nobody and clause.modal not in MODALS:
        return  # "What will no licence be issued for?"
    wh_word = nouns.who_or_what(part.head, acts=preposition in ("to", "from", "with"))
    objects = [other for other in clause.parts if other.role == "object"]
    if objects and (preposition not in ("to", "for", "from") or (preposition == "for" and wh_word != "who")):
        return  # "What does it contain its name in?"
    if wh_word == "who or what" or (
        wh_word == "what" and preposition in ("to", "from", "with") and nouns.may_act(part.head)
    ):
        return
    whom = "whom" if wh_word == "who" else "what"
    asked = clause.permitted() if clause.denied and clause.modal in MODALS else clause
    after += [other for other in clause.parts if other.fronted and other.role != "condition"]
    before = [other for other in clause.fitting([part, *after]) if not other.fronted and other.head.i < part.head.i]
    long = any(other.role == "adverb" and " " in other.text for other in before)
    if long or any(other.role in ("preposition", "place", "time") for other in before):
        if wh_word == "what" and preposition not in _PIED_PIPED:
            return  # "In what did the museum open?"
        # "What is a station not allowed to transmit messages for a third party to?": no preposition ends a question there.
        yield from both(clause, asked.compose(f"{preposition} {whom}", [part]), part.bare)
        return
    if (next_to := phrase_behind(clause, part)) is not None and next_to.role in ("preposition", "place"):
        return  # "raised above the mark on the post": half an answer
    stranded = asked.compose(wh_word, [part, *after], preposition)
    yield stranded, part.bare, SHORT
    if preposition in ("to", "from", "with", "for") and not part.focused:
        yield asked.compose(f"{preposition} {whom}", [part]), part.bare, SHORT
    yield stranded, clause.statement(), FULL


def is_idiom(part: Part) -> bool:
    """ "on request", "in writing", "by default": a bare noun behind a preposition is no thing to ask for."""
    beside = [child for child in part.head.children if child.i < part.head.i or child.dep_ == "cc"]
    if part.preposition == "by":  # "by encrypted e-mail", but "by the master", "by wooden keys"
        beside = [child for child in beside if child.dep_ not in ("amod", "compound")]
    bare = part.head.tag_ in ("NN", "VBG") and not beside
    return bare and part.preposition in ("on", "in", "by", "at", "under", "without", "off", "over", "from")


def about_quality(clause: Clause, part: Part) -> Iterator[Wording]:
    """ "is responsible for ...", "is eligible to ...", "is more than ..."."""
    if (found := _QUALITY.match(part.text)) and not LENGTH.search(found["noun"]):
        yield from both(clause, clause.compose("what", [part], found["opening"].lower()), found["noun"])
    elif (found := re.match(r"(\w+ to) (.+)", part.text)) and child_of(part.head, "xcomp") is not None:
        yield clause.compose("what", [part], f"{found[1]} do"), found[2], SHORT


def phrase_behind(clause: Clause, part: Part) -> Part | None:
    """The prepositional phrase that follows a part at once."""
    end = part.head.right_edge.i + 1
    return next((o for o in clause.parts if o.preposition and not o.fronted and o.head.left_edge.i - 1 == end), None)
