"""Questions about one clause: who or what its subject is, what it does, whether it may, and each of its parts."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Clause
from byheart.expansion.question_generation.compose import (
    FULL,
    MODALS,
    SHORT,
    TITLE,
    Asked,
    behind,
    compose,
    fitting,
    in_front,
    invert_group,
    is_plural,
    sentence,
    someone,
)
from byheart.expansion.question_generation.counting import count_of, how_many, share_of
from byheart.expansion.question_generation.inflect import agree, plural, singular
from byheart.expansion.question_generation.parts import LIMITS, about_part
from byheart.expansion.question_generation.roles import GROUPS, has_number, is_person, is_time
from byheart.expansion.question_generation.within import ask_within
from byheart.expansion.question_generation.wording import capital, small, text_of, tidy

if TYPE_CHECKING:
    from spacy.tokens import Doc

_SOME = re.compile(r"^(?:any|all|only)\s+(?!of\b|one\b|other\b)", re.I)
_FOLLOWING = re.compile(
    r"(?:\b(?P<preposition>in|by|under|for|with|of|to|at|on)\s+)?(?P<one>(?:one|any|either|each)\s+of\s+)?the\s+following\s+(?P<noun>.+)$"
)
_IDLE = ("be", "have", "result", "occur", "happen", "remain", "exist", "appear", "seem", "become")
_ENDING = frozenset("fail collapse die end close disappear fall burn break sink vanish survive perish explode".split())
_SEEING = frozenset(
    "observe see note consider think call know hold base find believe regard describe say mention".split()
)


def ask_clause(clause: Clause) -> list[Asked]:
    """Everything that can be asked of it, two or three wordings a target, unranked."""
    if clause.there:
        telling = [part for part in clause.parts if part.role in ("time", "place", "reason")]
        return [*(asked for part in telling for asked in about_part(clause, part)), *ask_within(clause)]
    return [
        *_about_subject(clause),
        *(asked for part in clause.parts for asked in about_part(clause, part)),
        *_about_action(clause),
        *_about_state(clause),
        *_whether(clause),
        *_what_happened(clause),
        *ask_within(clause),
    ]


def _about_subject(clause: Clause) -> Iterator[Asked]:
    """ "Who must designate ...?", "Which stations may be ...?": asks backwards, from what is said to whom."""
    parts = fitting(clause)
    person, first = is_person(clause.noun), clause.modal
    if clause.verb.lemma_ == "be" and (
        first
        or clause.negated
        or not parts
        or parts[0].role == "infinitive"
        or parts[0].text.lower().startswith(("a ", "an "))
    ):
        return  # "Who must be a person who ...?"
    group = clause.group()
    answer = clause.subject
    if clause.nobody:
        if first not in ("may", "shall", "can", "will"):
            return
        group = re.sub(r"^(?:(will)|shall|may|can)\b", lambda found: f"{found[1] or 'may'} not", group)
        answer = someone(clause)
    early, verb, rest = _split(clause, group)
    agreed = tidy(f"{early} {agree(verb, '' if clause.auxiliaries else clause.verb.tag_)} {rest}")

    def asked(words: str, verbs: str, reply: str, length: str = SHORT) -> Asked:
        return Asked(
            "subject", in_front(parts, tidy(f"{words} {verbs} {behind(parts)}")), sentence(reply), length, True
        )

    some = _SOME.match(clause.subject)
    word = "who" if person else "what"
    plain = clause.verb.lemma_ == "be" and is_plural(clause) and not first and not person
    if some and first in MODALS:
        yield asked(f"which {_which(clause)}", group, answer)
    elif has_number(clause.noun) and not clause.nobody and clause.verb.lemma_ != "be":
        yield asked(how_many(clause.noun)[0], group, count_of(clause.noun))
    elif (
        clause.noun.lemma_.lower() in GROUPS
        and answer.startswith("the ")
        and _which(clause) != plural(clause.noun.text)
    ):
        alone = clause.noun.text  # "the defending team": which team
        yield asked(f"which {alone}", group, answer)
    if (share := share_of(clause.noun)) and not clause.nobody:
        yield asked(share[0], group, share[1])
    if not some and not clause.nobody:
        yield from _about_core(clause, word, agreed)
    if not some:
        yield asked(word, group if plain else agreed, answer)
    yield asked(word, group if plain else agreed, clause.statement(), FULL)


def _about_core(clause: Clause, word: str, verbs: str) -> Iterator[Asked]:
    """ "Changes of climate during the last centuries have ...": the subject without its time, which goes behind."""
    for child in clause.noun.children:
        timed = child.dep_ == "prep" and any(c.dep_ == "pobj" and is_time(c) for c in child.children)
        if timed and child.right_edge.i == clause.noun.right_edge.i:
            parts = fitting(clause)
            question = in_front(parts, tidy(f"{word} {verbs} {behind(parts)} {text_of(child)}"))
            yield Asked("core", question, sentence(text_of(clause.noun, without=[child])), SHORT, True)


def _split(clause: Clause, group: str) -> tuple[str, str, str]:
    """The adverbs before the first verb, that verb, and the rest: "typically", "sit", ""."""
    if not clause.auxiliaries and clause.late:
        return clause.late, clause.verb.text, clause.particle
    verb, _, rest = group.partition(" ")
    return "", verb, rest


def _which(clause: Clause) -> str:
    """The bare noun of "any amateur station", "only stations specifically designated", in the plural."""
    noun = clause.noun
    words = " ".join(
        t.text for t in noun.lefts if t.dep_ in ("amod", "compound", "nmod") and t.lower_ not in ("only", "any")
    )
    bare = tidy(f"{words} {noun.text}")
    return bare if noun.tag_ in ("NNS", "NNPS") else plural(bare)


def _about_action(clause: Clause) -> Iterator[Asked]:
    """ "What must the station licensee do?", "What is an amateur operator not allowed to do?"."""
    if (
        clause.passive
        or clause.verb.lemma_ in (*_IDLE, *LIMITS)
        or "have" in clause.auxiliaries
        or clause.modal not in (*MODALS, "should", "will")
    ):
        return
    if not any(part.role in ("object", "preposition", "infinitive", "that") for part in clause.parts):
        return
    front = [part for part in clause.parts if part.fronted and part.role == "condition"]
    doing = behind([part for part in clause.parts if part not in front])
    text = tidy(" ".join([clause.late, *clause.auxiliaries[1:], clause.verb.text, clause.particle, doing]))
    denied = clause.nobody or clause.negated
    lone = replace(clause, parts=tuple(front), particle="", early="", late="")
    for permit in (True,) if denied else (False, True):
        question = compose(lone, "what", permit=permit)
        verb = re.escape(" ".join([*clause.auxiliaries[1:], clause.verb.text]))
        if question and re.search(rf"\b{verb}\?$", question):
            yield Asked("action", re.sub(rf"\b{verb}\?$", "do?", question), sentence(text), SHORT)
            if denied and clause.modal in MODALS:
                asked = re.sub(rf"\bnot allowed to {verb}\?$", "prohibited from doing?", question)
                yield Asked("action", asked, sentence(text), SHORT)


def _whether(clause: Clause) -> Iterator[Asked]:
    """A question of yes or no, answered with the sentence: "May any station be locally controlled?"."""
    statement = clause.statement()
    denied = clause.nobody or clause.negated
    if clause.modal not in (*MODALS, *(("will",) if denied else ())) or len(statement.split()) > 34:
        return
    if clause.verb.lemma_ in _IDLE[2:] or "have" in clause.auxiliaries:
        return  # "may have lived", "may result": possible, not permitted
    kept = clause.modal if clause.modal == "will" or not denied else "may"
    asking = replace(clause, subject=someone(clause), negated=False, auxiliaries=(kept, *clause.auxiliaries[1:]))
    answer = f"{'No' if denied else 'Yes'}, {small(statement)}."
    if invert_group(asking) is None:
        return
    target = "forbidden" if denied else "whether"
    yield Asked(target, compose(asking, ""), answer, FULL)
    if not clause.passive and clause.verb.lemma_ not in _IDLE and clause.modal in MODALS:
        yield Asked(target, compose(asking, "", permit=True), answer, FULL)
        deed = compose(replace(asking, auxiliaries=("may",)), "", permit=True)
        if denied and (found := re.match(r"(?:Is|Are) (?P<who>.+?) allowed (?P<deed>to .+)$", deed)):
            question = f"Is it prohibited for {found['who']} {found['deed']}"
            yield Asked(target, question, f"Yes, it is prohibited: {small(statement)}.", FULL)


def _about_state(clause: Clause) -> Iterator[Asked]:
    """ "What does the rulebook say about the use of a phonetic alphabet?": what is done with a subject. Of a bare noun
    ("a station") a document says a hundred things."""
    described = any(child.dep_ in ("prep", "relcl", "acl", "conj") for child in clause.noun.children)
    if not clause.passive or clause.nobody or clause.helped or not described or not clause.modal:
        return
    if not is_permanent(clause):
        return
    said = " ".join(part.text for part in clause.parts if not (part.fronted and part.role == "condition"))
    when = " ".join(part.text for part in clause.parts if part.fronted and part.role == "condition")
    pronoun = "They" if is_plural(clause) else "It"
    question = f"What does {TITLE} say about {clause.subject} {small(when)}".strip()
    yield Asked("state", f"{question}?", sentence(f"{pronoun} {clause.group()} {said}"), SHORT)


def _what_happened(clause: Clause) -> Iterator[Asked]:
    """ "What happened to the building after the move?": of what is past, and that nothing else asks about."""
    if clause.nobody or clause.negated or clause.helped or is_permanent(clause):
        return
    if clause.verb.lemma_ not in _ENDING and (not clause.passive or clause.verb.lemma_ in _SEEING):
        return
    needed = (
        "object",
        "complement",
        "quality",
        "infinitive",
        "that",
        "enabling",
        "idiom",
        "agent",
        "preposition",
        "place",
    )
    if any(part.role in needed and not part.fronted for part in clause.parts):
        return
    times = [part for part in fitting(clause) if part.role in ("time", "condition")]
    question = in_front(times, tidy(f"what happened to {clause.subject} {behind(times)}"))
    pronoun = "They" if is_plural(clause) or clause.noun.pos_ in ("NUM", "DET", "PRON") else "It"
    yield Asked("happened", question, sentence(f"{pronoun} {clause.group()}"), SHORT)


def is_permanent(clause: Clause) -> bool:
    """Told in the present or as a rule ("must be", "is"), not as something that happened."""
    first = clause.auxiliaries[0] if clause.auxiliaries else ""
    return first in (*MODALS, "is", "are", "will", "should") if first else clause.verb.tag_ != "VBD"


def ask_there(doc: "Doc") -> Iterator[Asked]:
    """ "How many seats are there in the chamber?"."""
    for verb in doc:
        if verb.dep_ == "ROOT" and verb.lemma_ == "be" and verb.tag_ in ("VBP", "VBZ", "VBD"):
            noun = next((c for c in verb.children if c.dep_ == "attr"), None)
            if noun is not None and has_number(noun) and doc[verb.left_edge.i].lower_ == "there":
                words, number = how_many(noun)[0], count_of(noun)
                rest = doc[noun.i + 1 : len(doc)].text.rstrip(". ")
                question = tidy(f"{words.removesuffix(rest).strip()} {verb.text} there {rest}")
                yield Asked("count", f"{capital(question)}?", sentence(number), SHORT)


def ask_announced(clause: Clause, item: str) -> Iterator[Asked]:
    """ "Which types of messages may a station send?", "In which way must it ...?": what a lead-in announces."""
    for part in clause.parts:
        found = _FOLLOWING.search(part.text)
        if found is None or part.fronted or part.role not in ("object", "complement", "preposition"):
            continue
        kept = replace(part, text=part.text[: found.start()].strip())
        told = replace(clause, parts=tuple(kept if other == part else other for other in clause.parts))
        noun = singular(found["noun"]) if found["one"] else found["noun"]
        for permit in (False, True):
            question = compose(
                told, f"{found['preposition'] or ''} which {noun}", [] if kept.text else [kept], permit=permit
            )
            if question and not noun.startswith("exception"):
                yield Asked("announced", question, sentence(item), SHORT)
