"""Questions about one clause: for each of its parts the words that ask for it, and the part as the answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from byheart.expansion.asking.clauses import Clause, Part, tidy
from byheart.expansion.asking.inflect import Verbs, agree, article, invert, plural
from byheart.expansion.asking.roles import has_number, is_person, is_year
from byheart.expansion.sentences import capital, small

SHORT, FULL = "short", "full"
_UNIVERSAL = re.compile(r"^(?:any|each|every|all|only)\s+(?P<noun>.+)$", re.I)
_LIMIT = re.compile(r"^(?:exceed|surpass)$")
_ARGUMENTS = ("object", "complement", "quality", "infinitive", "that", "condition", "preposition")
_DISPENSABLE = ("reason", "aside", "manner", "adverb", "time", "place")
MOST_WORDS = 24  # of a question before its citation


@dataclass(frozen=True)
class Asked:
    """A question read off a clause. `target` is what it asks for; of several on one target the best is asked first."""

    target: str
    question: str
    answer: str
    length: str  # SHORT or FULL answer
    backwards: bool = False  # it gives what is said, and asks of whom


def ask_clause(clause: Clause) -> list[Asked]:
    """Everything that can be asked of it, two or three wordings a target, unranked."""
    return [
        *_about_subject(clause),
        *(asked for part in clause.parts for asked in _about_part(clause, part)),
        *_about_action(clause),
        *_whether(clause),
    ]


def compose(clause: Clause, asking: str, without: Sequence[Part] = (), strand: str = "", permit: bool = False) -> str:
    """The question that begins with `asking`: inverted, with conditions in front where the sentence has them there."""
    verbs = _verbs(clause, permit)
    if verbs is None:
        return ""
    parts = _fitting(clause, without)
    front = [part.text for part in parts if part.fronted and part.role == "condition"]
    back = [part.text for part in parts if part.text not in front and not part.fronted]
    back += [_lowered(part) for part in parts if part.fronted and part.role != "condition"]
    negation = "not" if clause.negated and not permit else ""
    subject = _someone(clause) if clause.nobody else small(clause.subject)
    body = tidy(
        " ".join([asking, verbs.first, subject, negation, clause.adverbs, verbs.rest, clause.particle, *back, strand])
    )
    return f"{capital(', '.join(front))}, {small(body)}?" if front else f"{capital(body)}?"


def _verbs(clause: Clause, permit: bool = False) -> Verbs | None:
    verb = clause.verb
    if permit or clause.nobody:
        if not clause.auxiliaries or clause.auxiliaries[0] not in ("may", "shall", "can", "must"):
            return None
        denied = clause.nobody or clause.negated
        duty = "required" if clause.auxiliaries[0] == "must" and not denied else "allowed"
        be = "are" if _is_plural(clause) else "is"
        inner = " ".join([*clause.auxiliaries[1:], verb.text if clause.auxiliaries[1:] else verb.lemma_])
        return Verbs(be, f"{'not ' if denied else ''}{duty} to {inner}")
    return invert(list(clause.auxiliaries), verb.text, verb.lemma_, verb.tag_)


def _someone(clause: Clause) -> str:
    """ "No amateur station" as one speaks of it in a question: "an amateur station"."""
    noun = clause.subject.split(maxsplit=1)[1]
    return noun if _is_plural(clause) else f"{article(noun)} {noun}"


def _is_plural(clause: Clause) -> bool:
    return clause.noun.tag_ in ("NNS", "NNPS") or any(child.dep_ == "conj" for child in clause.noun.children)


def _fitting(clause: Clause, without: Sequence[Part]) -> list[Part]:
    """The parts that stay in the question: all that it needs, and of the others as many as it can bear."""
    parts = [part for part in clause.parts if part not in without]
    for role in _DISPENSABLE:
        if _length(clause, parts) > MOST_WORDS - 6:
            parts = [part for part in parts if part.role != role]
    return parts


def _length(clause: Clause, parts: Sequence[Part]) -> int:
    return len(clause.subject.split()) + 3 + sum(len(part.text.split()) for part in parts)


def _lowered(part: Part) -> str:
    return small(part.text)


def _sentence(text: str) -> str:
    return f"{capital(tidy(text)).rstrip('.')}."


def _about_subject(clause: Clause) -> Iterator[Asked]:
    if clause.nobody or (clause.verb.lemma_ == "be" and not clause.parts):
        return
    answer = _sentence(clause.subject)
    universal = _UNIVERSAL.match(clause.subject)
    person = is_person(clause.noun)
    parts = _fitting(clause, ())
    front = ", ".join(part.text for part in parts if part.fronted and part.role == "condition")
    back = " ".join(
        [part.text for part in parts if not part.fronted]
        + [_lowered(part) for part in parts if part.fronted and part.role != "condition"]
    )

    def ask(words: str, group: str) -> str:
        body = tidy(f"{words} {group} {back}")
        return f"{capital(front)}, {small(body)}?" if front else f"{capital(body)}?"

    group = clause.group()
    first, _, rest = group.partition(" ")
    agreed = " ".join([agree(first, "" if clause.auxiliaries else clause.verb.tag_), rest]).strip()
    if universal and not universal["noun"].lower().startswith(("of ", "one ", "other ")):
        noun = universal["noun"]
        plain = noun if _is_plural(clause) else plural(noun) if len(noun.split()) <= 4 else ""
        if plain and clause.auxiliaries and clause.auxiliaries[0] not in ("is", "has", "was", "does"):
            yield Asked("subject", ask(f"which {plain}", group), answer, SHORT, True)
    elif person:
        yield Asked("subject", ask("who", agreed), answer, SHORT, True)
    elif clause.verb.lemma_ == "be" and _is_plural(clause):
        yield Asked("subject", ask("what", group), answer, SHORT, True)
    else:
        yield Asked("subject", ask("what", agreed), answer, SHORT, True)
    word = "who" if person else "what"
    yield Asked("subject", ask(word, agreed), _sentence(clause.statement()), FULL, True)


def _about_part(clause: Clause, part: Part) -> Iterator[Asked]:
    """Questions for one part, by the role it plays."""
    full = _sentence(clause.statement())
    target = f"{part.role}:{part.head.i}"

    def asked(
        words: str, answer: str, strand: str = "", without: Sequence[Part] = (), permit: bool = False
    ) -> Iterator[Asked]:
        question = compose(clause, words, [part, *without], strand, permit)
        if question:
            yield Asked(target, question, _sentence(answer), SHORT)

    def told(words: str, strand: str = "", without: Sequence[Part] = (), permit: bool = False) -> Iterator[Asked]:
        question = compose(clause, words, [part, *without], strand, permit)
        if question:
            yield Asked(target, question, full, FULL)

    beside = [
        other for other in clause.parts if other is not part and other.role in ("time", "place", "reason", "aside")
    ]
    if part.role in ("object", "complement"):
        if has_number(part.head):
            yield from asked(_how_many(part), part.text)
            yield from asked(_how_many(part), part.text, without=beside)
        if clause.negated and _LIMIT.match(clause.verb.lemma_):
            yield Asked(target, f"What is the maximum {_plain(clause.subject)}?", _sentence(part.text), SHORT)
            yield Asked(target, f"What must {small(clause.subject)} not exceed?", _sentence(part.text), SHORT)
            return
        word = "who" if is_person(part.head) else "what"
        if part.role == "complement" and clause.verb.lemma_ == "be" and not clause.auxiliaries:
            word = "who" if is_person(clause.noun) and part.head.pos_ == "PROPN" else "what"
        yield from asked(word, part.text)
        yield from told(word)
        if clause.nobody or clause.auxiliaries[:1] in (("must",), ("may",)):
            yield from asked(word, part.text, permit=True)
    elif part.role == "time":
        often = re.search(r"\b(?:every|each|per|twice|once|times)\b", part.text)
        if often:
            yield from asked("how often", part.text)
            yield from told("how often")
        if (
            re.search(
                r"\d+.(?:year|month|week|day|hour|minute)|^for \w+ (?:year|month|week|day|hour|minute)s?", part.text
            )
            and part.preposition == "for"
        ):
            duration = re.search(r"(\d+)-(year|month|week|day|hour|minute)", part.text)
            yield from asked("how long", f"{duration[1]} {duration[2]}s" if duration else part.bare, "for")
            yield from asked("for how long", part.text)
            return
        if is_year(part.head) and part.preposition == "in":
            yield from asked("in what year", part.bare)
            yield from asked("when", part.text)
        else:
            yield from asked("when", part.text)
        yield from told("when")
    elif part.role == "place":
        yield from asked("where", part.text)
        yield from told("where")
    elif part.role == "agent":
        word = "who" if is_person(part.head) else "what"
        yield from asked(word, part.bare, "by")
        if clause.auxiliaries[1:] == ("be",) or clause.verb.text.endswith("ed"):
            yield from _actively(clause, part, target, word)
        yield from told(f"by {'whom' if word == 'who' else 'what'}")
    elif part.role == "reason":
        yield from asked("why", part.text)
        yield from told("why")
    elif part.role == "manner":
        yield from asked("how", part.text)
        yield from told("how")
    elif part.role == "condition":
        yield from _about_condition(clause, part, target)
    elif part.role == "preposition":
        yield from _about_preposition(clause, part, target)
    elif part.role == "quality" and part.text.split()[0].lower() in ("responsible", "eligible", "available", "subject"):
        inner = part.text.split(maxsplit=2)
        if len(inner) == 3 and inner[1] in ("for", "to", "of"):
            word = f"{inner[0]} {inner[1]}" if inner[1] != "to" or "eligible" not in inner[0] else f"{inner[0]} to do"
            yield from asked("what", inner[2], word)
            yield from told("what", word)
    elif part.role in ("infinitive", "that"):
        if part.role == "that":
            yield from asked("what", part.text if part.text.lower().startswith("that ") else f"that {small(part.text)}")
            yield from told("what")
        elif part.text.lower().startswith("to "):
            yield from asked("what", part.text[3:], "to do")
            yield from told("what", "to do")


def _how_many(part: Part) -> str:
    number = next(child for child in part.head.children if child.dep_ == "nummod")
    noun = part.head.doc[number.i + 1 : part.head.i + 1].text
    return f"how many {noun}"


def _plain(noun_phrase: str) -> str:
    return re.sub(r"^(?:the|a|an|its|their)\s+", "", small(noun_phrase))


def _actively(clause: Clause, part: Part, target: str, word: str) -> Iterator[Asked]:
    """ "must be approved by the master" asked in the active voice: "Who must approve ...?"."""
    verb = clause.verb
    subject = small(clause.subject)
    others = " ".join(other.text for other in _fitting(clause, [part]) if not other.fronted)
    if clause.negated or clause.nobody:
        return
    if clause.auxiliaries[1:] == ("be",):
        group = f"{clause.auxiliaries[0]} {verb.lemma_}"
    elif clause.auxiliaries in (("was",), ("were",)) and verb.text.endswith("ed"):
        group = verb.text
    else:
        return
    group = tidy(f"{clause.adverbs} {group}") if not clause.auxiliaries[1:] else group
    yield Asked(target, f"{capital(tidy(f'{word} {group} {subject} {others}'))}?", _sentence(part.bare), SHORT)


def _about_condition(clause: Clause, part: Part, target: str) -> Iterator[Asked]:
    full = _sentence(clause.statement())
    opening = {"if": "under what condition", "unless": "under what condition", "where": "where"}
    word = opening.get(part.preposition, "when")
    question = compose(clause, word, [part])
    if question and part.preposition != "unless":
        yield Asked(target, question, _sentence(part.text), SHORT)
        if word != "when":
            yield Asked(target, compose(clause, "when", [part]), _sentence(part.text), SHORT)
        yield Asked(target, question, full, FULL)
    if not clause.nobody:
        result = tidy(
            f"{clause.subject} {clause.group()} {' '.join(p.text for p in clause.parts if p is not part and not p.fronted)}"
        )
        yield Asked(f"result:{target}", f"What happens {small(part.text)}?", _sentence(result), FULL)


def _about_preposition(clause: Clause, part: Part, target: str) -> Iterator[Asked]:
    preposition = part.preposition
    if len(preposition) < 2 or preposition in ("as", "than", "upon", "like", "without"):
        return
    after = [other for other in clause.parts if other is not part and not other.fronted and other.head.i > part.head.i]
    whole_answer = _sentence(part.bare)
    if has_number(part.head) and clause.passive:
        question = compose(clause, _how_many(part), [part, *after], preposition)
        if question:
            yield Asked(target, question, whole_answer, SHORT)
    word = "whom" if is_person(part.head) else "what"
    compound = re.match(
        r"(?:in accordance|with respect|in addition|on behalf|in the manner|in connection)\b", part.text
    )
    if compound or part.fronted:
        return
    stranded = compose(clause, "who" if word == "whom" else "what", [part, *after], preposition)
    if stranded:
        yield Asked(target, stranded, whole_answer, SHORT)
    fronted = compose(clause, f"{preposition} {word}", [part])
    if fronted:
        yield Asked(target, fronted, whole_answer, SHORT)
        yield Asked(target, fronted, _sentence(clause.statement()), FULL)


def _about_action(clause: Clause) -> Iterator[Asked]:
    """ "What must the station licensee do?"."""
    if clause.passive or clause.verb.lemma_ in ("be", "have") or not clause.auxiliaries:
        return
    if clause.auxiliaries[0] not in ("must", "may", "shall", "can", "should", "will", "cannot") or clause.negated:
        return
    keep = [part for part in clause.parts if part.fronted and part.role == "condition"]
    doing = [part for part in clause.parts if part not in keep]
    text = tidy(
        " ".join([clause.adverbs, *clause.auxiliaries[1:], clause.verb.text, clause.particle, *[p.text for p in doing]])
    )
    lone = Clause(clause.subject, clause.noun, clause.auxiliaries, False, "", clause.verb, "", tuple(keep))
    for permit in (False, True):
        verbs = _verbs(lone, permit)
        if verbs is None:
            continue
        subject = _someone(clause) if clause.nobody else small(clause.subject)
        inner = verbs.rest.rsplit(" ", 1)[0] if verbs.rest.split()[:-1] else ""
        front = f"{capital(keep[0].text)}, what" if keep else "What"
        yield Asked("action", f"{tidy(f'{front} {verbs.first} {subject} {inner} do')}?", _sentence(text), SHORT)


def _whether(clause: Clause) -> Iterator[Asked]:
    """A question of yes or no, answered with the sentence."""
    if (
        not clause.auxiliaries
        or clause.auxiliaries[0] not in ("may", "must", "shall", "can")
        or len(clause.statement().split()) > 30
    ):
        return
    denied = clause.nobody or clause.negated
    statement = clause.statement()
    for permit in (True, False):
        positive = Clause(
            _someone(clause) if clause.nobody else clause.subject,
            clause.noun, clause.auxiliaries, False, clause.adverbs, clause.verb, clause.particle, clause.parts,
        )  # fmt: skip
        if positive.auxiliaries[0] in ("shall", "must") and not permit and denied:
            positive = Clause(
                positive.subject,
                positive.noun,
                ("may", *positive.auxiliaries[1:]),
                False,
                positive.adverbs,
                positive.verb,
                positive.particle,
                positive.parts,
            )
        question = compose(positive, "", (), "", permit)
        if question:
            yield Asked("whether", question, f"{'No' if denied else 'Yes'}, {small(statement)}.", FULL)
