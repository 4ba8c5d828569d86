"""Questions about one clause: who or what its subject is, what it does, whether it may, and each of its parts."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation import nouns
from byheart.expansion.question_generation.clauses import FULL, SHORT, TITLE, Asked, Clause, as_question, behind
from byheart.expansion.question_generation.parts import LIMITS, about_part
from byheart.expansion.question_generation.within import ask_within
from byheart.expansion.question_generation.wording import (
    FINITE,
    MODALS,
    WORDS,
    agree,
    child_of,
    full_stop,
    plural,
    singular,
    small,
    text_of,
    tidy,
)

if TYPE_CHECKING:
    from spacy.tokens import Doc

_SOME = re.compile(r"^(?:any|all|only)\s+(?!of\b|one\b|other\b)", re.I)
_FOLLOWING = re.compile(
    r"(?:\b(?P<preposition>in|by|under|for|with|of|to|at|on)\s+)?(?P<one>(?:one|any|either|each)\s+of\s+)?the\s+following\s+(?P<noun>.+)$"
)
# Roles of the parts that another question asks for.
_ASKED_ELSEWHERE = frozenset("object complement quality infinitive that enabling idiom agent preposition place".split())


def ask_clause(clause: Clause) -> list[Asked]:
    """All questions on a clause, two or three wordings for each target, unranked."""
    if clause.there:
        return [*_about_parts(clause), *ask_within(clause)]
    ways = (_about_subject, _about_parts, _about_action, _about_state, _whether, _what_happened, ask_within)
    return [asked for way in ways for asked in way(clause) if _asks_enough(clause, asked)]


def _asks_enough(clause: Clause, asked: Asked) -> bool:
    """At least two words that mean something: "What is the default?", "What was stolen?" ask about anything."""
    words = [word for word in re.findall(r"[\w-]+", asked.question.lower()) if word not in WORDS["function"]]
    told = [word for word in words if word not in ("who", "many", "much", "kind", "allowed", "required")]
    named = clause.lemma == "be" and clause.noun.pos_ == "PROPN" and asked.target.startswith("complement")
    return len(told) >= (1 if named else 2)


def _about_parts(clause: Clause) -> Iterator[Asked]:
    for part in clause.parts:
        if not clause.there or part.role in ("time", "place", "reason"):
            yield from about_part(clause, part)


def _about_subject(clause: Clause) -> Iterator[Asked]:
    """ "Who must designate ...?", "Which stations may be ...?": the predicate is given, the subject is asked for."""
    parts, noun, copula = clause.fitting(), clause.noun, clause.lemma == "be"
    described = parts and parts[0].role != "infinitive" and not parts[0].text.lower().startswith(("a ", "an "))
    if copula and parts and parts[0].role == "quality" and re.match(r"(?:more|less)\b(?!.*\bthan\b)", parts[0].text):
        return  # "What is less common?"
    if (
        copula
        and parts
        and parts[0].role == "complement"
        and (nouns.has_number(parts[0].head) or parts[0].head.pos_ == "NUM")
    ):
        return  # "What is one tablet?"
    if copula and (clause.modal or clause.negated or not described):
        return  # "Who must be a person who ...?"
    group = clause.verb_group()
    if clause.nobody:
        if clause.modal not in ("may", "shall", "can", "will"):
            return
        group = re.sub(r"^(?:(will)|shall|may|can)\b", lambda found: f"{found[1] or 'may'} not", group)
    answer, word = (
        clause.asserted_subject,
        nouns.who_or_what(noun, not clause.passive and not copula, not clause.permanent),
    )
    if copula and word == "who" and parts and not nouns.is_person(parts[0].head) and parts[0].role == "complement":
        word = "what"  # "The largest employer is the shipyard"
    agreed = _agreeing(clause, group)

    def asked(subject: str, verbs: str, reply: str, length: str = SHORT) -> Asked:
        return Asked("subject", as_question(parts, [subject, verbs, behind(parts)]), full_stop(reply), length, True)

    some = _SOME.match(clause.subject)
    if some and ((not clause.plural and some.group().lower().startswith("all")) or noun.lemma_ == "number"):
        some = None  # "all equipment"
    if some and clause.modal in MODALS:
        yield asked(f"which {_bare_plural(clause)}", group, answer)
    elif nouns.has_number(noun) and nouns.is_plural(noun) and not clause.nobody and not copula:
        yield asked(nouns.how_many(noun)[0], group, nouns.count_of(noun))
    elif (
        noun.lemma_.lower() in WORDS["groups"]
        and answer.startswith("the ")
        and _bare_plural(clause) != plural(noun.text)
    ):
        yield asked(f"which {noun.text}", group, answer)  # "the defending team": which team
    if (share := nouns.share_of(noun)) and not clause.nobody:
        yield asked(share[0], group, share[1])
    if not some and not clause.nobody:
        yield from _about_core(clause, f"{word} {agreed}")
    complements = [part for part in parts if part.role == "complement"]
    many = copula and any(nouns.is_plural(part.head) or ", and " in part.text for part in complements)
    if noun.lemma_.lower() in ("person", "people") and nouns.has_number(noun):
        return  # "How many people ...?" asks for it
    verbs = group if many and clause.plural and not clause.modal and word == "what" else agreed
    if not some:
        yield asked(word, verbs, answer)
    yield asked(word, verbs, clause.statement(), FULL)


def _about_core(clause: Clause, asking: str) -> Iterator[Asked]:
    """ "Changes of climate during the last centuries have ...": the subject without its time, which goes behind."""
    for child in clause.noun.children:
        timed = child.lower_ in ("during", "in", "over") and any(
            c.dep_ == "pobj" and nouns.is_time(c) for c in child.children
        )
        if timed and child.right_edge.i == clause.noun.right_edge.i:
            parts = clause.fitting()
            question = as_question(parts, [asking, behind(parts), text_of(child)])
            yield Asked("core", question, full_stop(text_of(clause.noun, without=[child])), SHORT, True)


def _agreeing(clause: Clause, group: str) -> str:
    """The verbs behind "who" or "what", which are singular: "typically sits"."""
    if not clause.auxiliaries and clause.late:
        early, verb, rest = clause.late, clause.verb.text, clause.particle
    else:
        early, (verb, _, rest) = "", group.partition(" ")
    return tidy(f"{early} {agree(verb, '' if clause.auxiliaries else clause.verb.tag_)} {rest}")


def _bare_plural(clause: Clause) -> str:
    """The bare noun of "any amateur station", "only stations specifically designated", in the plural."""
    noun = clause.noun
    kind = [t.text for t in noun.lefts if t.dep_ in ("amod", "compound", "nmod") and t.lower_ not in ("only", "any")]
    bare = tidy(" ".join([*kind, noun.text]))
    return bare if nouns.is_plural(noun) else plural(bare)


def _about_action(clause: Clause) -> Iterator[Asked]:
    """ "What must the station licensee do?", "What is an amateur operator not allowed to do?"."""
    if clause.passive or clause.lemma in ("be", "have", *WORDS["idle"], *LIMITS) or "have" in clause.auxiliaries:
        return
    if clause.modal not in (*MODALS, "should", "will"):
        return
    if not any(part.role in ("object", "preposition", "infinitive", "that") for part in clause.parts):
        return
    acts = nouns.is_person(clause.noun) or nouns.is_body(clause.noun) or clause.noun.lemma_.lower() in WORDS["groups"]
    if not acts and clause.modal not in ("must", "shall"):
        return  # "What can grapefruit juice do?"
    front = tuple(part for part in clause.parts if part.is_front)
    verbs = [*clause.auxiliaries[1:], clause.verb.text]
    deed = [clause.late, *verbs, clause.particle, behind([part for part in clause.parts if part not in front])]
    answer = full_stop(" ".join(deed))
    lone = replace(clause, parts=front, particle="", early="", late="")
    verb = re.escape(" ".join(verbs))
    for asking in (lone.permitted(),) if clause.denied else (lone, lone.permitted()):
        question = asking.compose("what")
        if re.search(rf"\b{verb}\?$", question):
            yield Asked("action", re.sub(rf"\b{verb}\?$", "do?", question), answer, SHORT)
            if clause.denied and clause.modal in MODALS:
                question = re.sub(rf"\bnot allowed to {verb}\?$", "prohibited from doing?", question)
                yield Asked("action", question, answer, SHORT)


def _whether(clause: Clause) -> Iterator[Asked]:
    """A question of yes or no, answered with the sentence: "May any station be locally controlled?"."""
    statement, denied, modal = clause.statement(), clause.denied, clause.modal
    if not (modal in MODALS or (denied and modal == "will")) or len(statement.split()) > 34:
        return
    if clause.lemma in WORDS["idle"] or "have" in clause.auxiliaries or clause.never:
        return  # "may have lived", "may result": possible, not permitted
    if re.search(r"\bonly\b", statement) and not denied:
        return  # "May taxis be used?" "Yes, only if ..."
    kept = modal if modal == "will" or not denied else "may"
    auxiliaries = (kept, *clause.auxiliaries[1:])
    asking = replace(clause, subject=clause.asserted_subject, negated=False, auxiliaries=auxiliaries)
    target, answer = (
        "forbidden" if denied else "whether",
        f"{'No' if denied else 'Yes'}, {small(statement).rstrip('.')}.",
    )
    yield Asked(target, asking.compose(""), answer, FULL)
    if not clause.passive and clause.lemma not in ("be", "have") and modal in MODALS and clause.permits:
        yield Asked(target, asking.permitted().compose(""), answer, FULL)
        question = replace(asking, auxiliaries=("may",)).permitted().compose("")
        if denied and (found := re.match(r"(?:Is|Are) (?P<who>.+?) allowed (?P<deed>to .+)$", question)):
            question = f"Is it prohibited for {found['who']} {found['deed']}"
            yield Asked(target, question, f"Yes, it is prohibited: {small(statement)}.", FULL)


def _about_state(clause: Clause) -> Iterator[Asked]:
    """ "What does the rulebook say about the use of a phonetic alphabet?": what is done with a subject. Of a bare noun
    ("a station") a document says a hundred things."""
    described = child_of(clause.noun, "prep", "relcl", "acl", "conj") is not None
    if not clause.passive or clause.nobody or clause.helped or not described or not clause.modal:
        return
    if not clause.permanent or _SOME.match(clause.subject) or (nouns.is_person(clause.noun) and not clause.plural):
        return
    predicate = " ".join(part.text for part in clause.parts if not part.is_front)
    when = " ".join(part.text for part in clause.parts if part.is_front)
    pronoun = "They" if clause.modal == "are" or (clause.modal != "is" and clause.plural) else "It"
    question = f"What does “{TITLE}” say about {clause.subject} {small(when)}".strip()
    yield Asked("state", f"{question}?", full_stop(f"{pronoun} {clause.verb_group()} {predicate}"), SHORT)


def _what_happened(clause: Clause) -> Iterator[Asked]:
    """ "What happened to the building after the move?": of what is past, and that nothing else asks about."""
    if clause.denied or clause.never or clause.helped or clause.permanent:
        return
    if clause.lemma not in WORDS["ending"] and (not clause.passive or clause.lemma in WORDS["seeing"]):
        return
    if any(part.role in _ASKED_ELSEWHERE and not part.fronted for part in clause.parts):
        return
    times = [part for part in clause.fitting() if part.role in ("time", "condition")]
    others = [
        p for p in clause.parts if p not in times and p.role not in ("aside", "reason", "place") and not p.fronted
    ]
    past = clause.noun.left_edge.lower_ in ("a", "an") or "had" in clause.auxiliaries
    if past or others or clause.early or clause.late or any(part.preposition == "until" for part in times):
        return
    question = as_question(times, [f"what happened to {clause.subject}", behind(times)])
    yield Asked("happened", question, full_stop(f"{clause.subject} {clause.verb_group()}"), SHORT)


def ask_there(doc: "Doc") -> Iterator[Asked]:
    """ "How many seats are there in the chamber?"."""
    for verb in doc:
        if verb.dep_ == "ROOT" and verb.lemma_ == "be" and verb.tag_ in FINITE:
            noun = child_of(verb, "attr")
            if noun is not None and nouns.has_number(noun) and doc[verb.left_edge.i].lower_ == "there":
                place = [t for t in noun.rights if t.dep_ == "prep" and nouns.stands_at(t)]
                behind_it = doc[noun.right_edge.i + 1 : len(doc)].text
                rest = "" if behind_it[:1] in (",", ";", ":") else behind_it.rstrip(". ")
                words = nouns.how_many(noun, without=place)[0]
                question = as_question((), [words, verb.text, "there", *map(text_of, place), rest])
                yield Asked("count", question, full_stop(nouns.count_of(noun)), SHORT)


def ask_announced(clause: Clause, item: str) -> Iterator[Asked]:
    """ "Which types of messages may a station send?", "In which way must it ...?": what a lead-in announces."""
    for part in clause.parts:
        found = _FOLLOWING.search(part.text)
        if found is None or part.fronted or part.role not in ("object", "complement", "preposition"):
            continue
        noun = singular(found["noun"]) if found["one"] else found["noun"]
        if noun.startswith("exception"):
            continue
        kept = replace(part, text=part.text[: found.start()].strip())
        asking = replace(clause, parts=tuple(kept if other == part else other for other in clause.parts))
        wh_words = f"{found['preposition'] or ''} which {noun}"
        for form in (asking, asking.permitted()):
            if question := form.compose(wh_words, [] if kept.text else [kept]):
                yield Asked("announced", question, full_stop(item), SHORT)
