"""Questions as people ask them, read off a sentence by rules: what must X do, what is X, which term means, what if."""

import re
from dataclasses import dataclass

from byheart.expansion.citation import Citation
from byheart.expansion.sentences import Duty, capital, find_condition, find_definition, find_duty, sentences_of, small
from byheart.types import FORWARD, REVERSE


@dataclass(frozen=True)
class Draft:
    """An example in the making: `subject` is the question without its template."""

    angle: str
    direction: str
    question: str
    answer: str
    subject: str
    cited: bool = True  # whether the citation is still to be put behind the question


def ask(statement: str, text: str, place: Citation) -> list[Draft]:
    """All the questions that the rules can read off a fact, the best first."""
    drafts: list[Draft] = []
    definition = find_definition(text)
    if definition and not _repeats(*definition):
        drafts += _about_definition(*definition, place)
    for sentence in sentences_of(definition[1] if definition and _repeats(*definition) else statement):
        duty = None if definition and not _repeats(*definition) else find_duty(sentence)
        if duty:
            drafts += _about_duty(duty, sentence)
        if condition := find_condition(sentence):
            inner = find_duty(capital(condition.result))
            result = f"{capital(condition.result)}."
            if inner and inner.verb not in ("is", "are", "was", "were"):
                drafts.append(_what_must(inner, f" {condition.word} {condition.condition}", result, "scenario"))
            drafts.append(Draft("simple", FORWARD, condition.question(), result, condition.condition))
    if place.topic:
        subject = small(place.topic)
        drafts.append(
            Draft(
                "detailed",
                FORWARD,
                f"What does {place.title} say about {_key(statement, subject)}?",
                statement,
                subject,
                cited=bool(place.number),
            )
        )
    return drafts


def _repeats(term: str, meaning: str) -> bool:
    """A run-in heading ("Broadcast station license. A broadcast station license may be held ...") defines nothing."""
    return term.lower() in meaning.lower()


def _about_definition(term: str, meaning: str, place: Citation) -> list[Draft]:
    name = term[:1].lower() + term[1:] if term[1:] == term[1:].lower() and len(term) > 1 else term
    bare = sentences_of(meaning)[0].rstrip(".")
    plural = name.endswith("s") and not name.endswith("ss")
    asked = f"What are {name}?" if plural else f"What is {_article(name)}{name}?"
    return [
        Draft("simple", FORWARD, asked, meaning, name),
        Draft("simple", REVERSE, f"Which term means: “{bare}”?", f"{term}.", bare),
        Draft("detailed", FORWARD, f"How does {place.title} define “{name}”?", f"{term}: {small(meaning)}", name),
        Draft("scenario", REVERSE, f"What do you call this: {small(bare)}?", f"{term}.", bare),
    ]


def _about_duty(duty: Duty, sentence: str) -> list[Draft]:
    full = sentence if sentence.endswith(".") else f"{sentence}."
    subject, rest = _asked(duty.subject), duty.rest
    if duty.verb in ("is", "are", "was", "were"):
        drafts = [Draft("simple", FORWARD, f"What {duty.verb} {subject}?", full, duty.subject)]
        if len(rest.split()) >= 3:
            drafts.append(
                Draft("simple", REVERSE, f"Who or what {duty.verb} {rest}?", f"{capital(duty.subject)}.", rest)
            )
        return drafts
    drafts = [_what_must(duty, "", full, "simple")]
    if len(rest.split()) >= 2:
        drafts.append(Draft("simple", REVERSE, f"Who or what {duty.verb} {rest}?", f"{capital(duty.subject)}.", rest))
    return drafts


def _what_must(duty: Duty, tail: str, answer: str, angle: str) -> Draft:
    """ "must" + "be X" asks what it must be, else what it must do; "No station shall" asks what no station may do."""
    subject = _asked(duty.subject)
    verb, negation = ([*duty.verb.split(), ""])[:2]
    if verb == "cannot":
        verb, negation = "can", "not"
    if subject.startswith("no "):
        return Draft(angle, FORWARD, f"What is {subject} allowed to do{tail}?", answer, duty.subject + tail)
    negation = f" {negation}" if negation == "not" else ""
    if duty.rest.startswith("be ") and not negation:
        question = f"What {verb} be true of {subject}{tail}?"
    elif duty.rest.startswith("have ") and not negation:
        question = f"What {verb} {subject} have{tail}?"
    else:
        question = f"What {verb} {subject}{negation} do{tail}?"
    return Draft(angle, FORWARD, question, answer, duty.subject + tail)


def _asked(subject: str) -> str:
    return small(subject)


def _article(name: str) -> str:
    if name[:1].isupper() or re.search(r"(?:ing|tion|ment|ity|ness|ence|ance|casting)$", name):
        return ""
    return "an " if name[:1] in "aeiou" else "a "


def _key(statement: str, topic: str) -> str:
    """What the sentence is about: its own best phrase, and the section's topic where that says more."""
    from byheart.expansion.phrases import key_phrases

    phrases = [
        statement[p.start : p.end] for p in key_phrases(statement) if not statement[p.start : p.end][:1].isdigit()
    ]
    best = phrases[0] if phrases else ""
    return f"{best} ({topic})" if best and best.lower() not in topic.lower() else topic
