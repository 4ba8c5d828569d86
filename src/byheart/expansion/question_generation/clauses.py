"""A clause (its subject, its verbs and the parts behind them), and the questions that can be composed from it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.nouns import is_body, is_person
from byheart.expansion.question_generation.wording import (
    FINITE,
    MODALS,
    PLURAL,
    WORDS,
    article,
    capital,
    lemma_of,
    small,
    tidy,
)

if TYPE_CHECKING:
    from spacy.tokens import Token

SHORT, FULL = "short", "full"
TITLE = "{title}"  # stands for the name of the document
MOST_WORDS = 18  # of a question, before parts that it can do without are left out
_DISPENSABLE = ("reason", "manner", "adverb", "time", "place")
_COUNTED = re.compile(r"\b(?:how (?:many|much)|what (?:share|percentage))\b", re.I)
_DO = {"VBZ": "does", "VBP": "do", "VBD": "did"}


@dataclass(frozen=True)
class Asked:
    """A question read off a clause. `target` is what it asks for; of several on one target the best is asked first."""

    target: str
    question: str
    answer: str
    length: str  # SHORT or FULL answer
    backwards: bool = False  # the question gives the predicate, and asks for the subject or a part of it

    @property
    def is_reverse(self) -> bool:
        """Whether the answer is the whole subject: not a part of it, its number or its share."""
        return self.backwards and not self.target.startswith("within") and not _COUNTED.search(self.question)


@dataclass(frozen=True)
class Part:
    """One phrase that belongs to the verb."""

    role: str  # object complement quality time place agent reason condition manner preposition infinitive that enabling
    # adverb idiom aside kept (stays in the question, is not asked for)
    text: str  # simplified, as it stands in the sentence
    head: "Token"  # the noun of a prepositional phrase, the verb of a clause
    preposition: str = ""
    fronted: bool = False  # it stands before the subject
    inner: str = ""  # the text without its preposition
    lead: str = ""  # the comma before it
    focused: bool = False  # "only", "about" or the like stands before the preposition

    @property
    def bare(self) -> str:
        return self.inner or self.text

    @property
    def is_front(self) -> bool:
        """A condition before the subject, which stays there in a question."""
        return self.fronted and self.role == "condition"


@dataclass(frozen=True)
class Clause:
    """`subject auxiliaries (not) adverbs verb particle parts`, each as a question may need to move it."""

    subject: str
    noun: "Token"  # the head of the subject
    auxiliaries: tuple[str, ...]
    negated: bool
    early: str  # adverbs before the last auxiliary: "may only be"
    late: str  # adverbs before the verb: "be automatically controlled"
    verb: "Token"
    particle: str
    parts: tuple[Part, ...]
    helped: bool = False  # "is" or "was" was supplied to a lone participle
    according: str = ""  # the speaker of reported speech: "some scientists" of "Some scientists argue that ..."
    permission: bool = False  # a question asks what one "is allowed to" or "is required to"

    @property
    def lemma(self) -> str:
        return lemma_of(self.verb)

    @property
    def passive(self) -> bool:
        if self.helped or any(child.dep_ == "auxpass" for child in self.verb.children):
            return True  # or joined to a passive verb: "was stolen and returned"
        return self.verb.tag_ == "VBN" and self.auxiliaries[-1:] in (
            ("is",),
            ("are",),
            ("was",),
            ("were",),
            ("be",),
            ("been",),
        )

    @property
    def there(self) -> bool:
        """ "There are 131 seats ...": nothing but its circumstances can be asked about."""
        return self.subject == "there"

    @property
    def nobody(self) -> bool:
        """ "No station shall ...": the subject denies."""
        return self.subject.lower().startswith("no ")

    @property
    def denied(self) -> bool:
        return self.nobody or self.negated

    @property
    def never(self) -> bool:
        return "never" in (*self.early.split(), *self.late.split())

    @property
    def modal(self) -> str:
        """The first auxiliary, "" where there is none."""
        return self.auxiliaries[0] if self.auxiliaries else ""

    @property
    def plural(self) -> bool:
        return self.noun.tag_ in PLURAL or any(child.dep_ == "conj" for child in self.noun.children)

    @property
    def permanent(self) -> bool:
        """In the present or as a rule ("must be", "is"), not as something that happened."""
        first = self.modal
        return first in (*MODALS, "is", "are", "will", "should") if first else self.verb.tag_ != "VBD"

    @property
    def asserted_subject(self) -> str:
        """The subject of a question: "an amateur station" for "No amateur station"."""
        if not self.nobody:
            return self.subject
        noun = self.subject.split(maxsplit=1)[1]
        return noun if self.plural else f"{article(noun)} {noun}"

    @property
    def permits(self) -> bool:
        """Does it permit or require? Of a thing, "can" and "may" say what is possible: "The tablets may make you sleepy"."""
        if self.modal in ("must", "shall"):
            return True
        acts = is_person(self.noun) or is_body(self.noun) or self.noun.lemma_.lower() in WORDS["groups"]
        return self.modal == "may" and (acts or self.passive)

    def verb_group(self) -> str:
        """The verbs as they stand behind the subject."""
        first, others, denial = self.auxiliaries[:1], self.auxiliaries[1:], "not" if self.negated else ""
        words = [*first, denial, self.early, *others, self.late, self.verb.text, self.particle]
        return " ".join(word for word in words if word)

    def statement(self) -> str:
        front = "".join(f"{part.text}, " for part in self.parts if part.fronted)
        rest = " ".join(part.lead + part.text for part in self.parts if not part.fronted)
        return tidy(f"{front}{self.subject} {self.verb_group()} {rest}")

    def compose(self, asking: str, without: Sequence[Part] = (), strand: str = "") -> str:
        """The question that begins with `asking` and ends with `strand`, "" where none can be made: inverted, a condition in
        front where the sentence has it there."""
        inverted = self._inverted()
        if inverted is None:
            return ""
        first, rest = inverted
        parts = self.fitting(without)
        denial = "not" if self.negated and not self.permission else ""
        subject = self.asserted_subject if self.permission else self.subject
        return as_question(
            parts, [asking, first, subject, denial, self.early, rest, self.particle, behind(parts), strand]
        )

    def permitted(self) -> "Clause":
        """The clause asked for what one "is allowed to" or "is required to" do."""
        return replace(self, permission=True)

    def _inverted(self) -> tuple[str, str] | None:
        """The verb that changes places with the subject ("must", "is", "did") and the verbs that stay behind it ("be operated",
        "", "occur"); None where the verb is not finite, so that nothing can be asked."""
        verb, lemma, others, late = self.verb, self.lemma, self.auxiliaries[1:], self.late
        if self.permission:  # "is (not) allowed to transmit", "is required to have"
            if not self.permits or (self.passive and self.lemma in WORDS["giving"]):
                return None
            duty = "required" if self.modal in ("must", "shall") and not self.denied else "allowed"
            rest = [f"{'not ' if self.denied else ''}{duty} to", *others, late, verb.text if others else lemma]
            return "are" if self.plural else "is", " ".join(rest)
        if self.modal == "need":  # "need not be": "does ... not need to be"
            return "does", " ".join(["need to", *others, late, verb.text])
        if self.modal:
            return "must" if self.modal == "shall" else self.modal, " ".join([*others, late, verb.text])
        if verb.tag_ not in FINITE:
            return None
        return (verb.text, late) if lemma == "be" else (_DO[verb.tag_], f"{late} {lemma}")

    def fitting(self, without: Sequence[Part] = ()) -> list[Part]:
        """The parts that stay: all that a question needs, and of the others as many as it can bear."""
        parts = [part for part in self.parts if part not in without and part.role != "aside"]
        parts = [part for part in parts if part.role != "reason" or part.preposition not in ("because", "since")]
        if any(part.role == "time" and not part.fronted for part in parts):
            parts = [part for part in parts if part.role != "time" or not part.fronted]
        for role in _DISPENSABLE:
            if len(self.subject.split()) + 3 + sum(len(part.text.split()) for part in parts) > MOST_WORDS:
                parts = [part for part in parts if part.role != role]
        return parts


def as_question(parts: Sequence[Part], words: Sequence[str]) -> str:
    """The words as a question, behind the conditions that stand in front."""
    body = tidy(" ".join(words))
    front = ", ".join(part.text for part in parts if part.is_front)
    return f"{capital(front)}, {body}?" if front else f"{capital(body)}?"


def behind(parts: Sequence[Part]) -> str:
    """The parts behind the verb; a time or place that stood in front goes to the end."""
    last = [part.lead + part.text for part in parts if part.lead and part.role == "kept"]  # ", except ..."
    back = [part.lead + part.text for part in parts if not part.fronted and not (part.lead and part.role == "kept")]
    return " ".join([*back, *(small(part.text) for part in parts if part.fronted and part.role != "condition"), *last])
