"""A clause as the questions need it: a subject, its verbs, and the parts behind them, each with the role it plays."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.wording import tidy

if TYPE_CHECKING:
    from spacy.tokens import Token


@dataclass(frozen=True)
class Part:
    """One phrase that belongs to the verb."""

    role: str  # object complement quality time place agent reason condition manner preposition infinitive that enabling
    # adverb idiom aside
    text: str  # simplified, as it stands in the sentence
    head: "Token"  # the token at its heart: the noun of a prepositional phrase
    preposition: str = ""
    fronted: bool = False  # it stands before the subject
    inner: str = ""  # the text without its preposition

    @property
    def bare(self) -> str:
        return self.inner or self.text


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
    according: str = ""  # who says so: "some scientists" of "Some scientists argue that ..."

    @property
    def passive(self) -> bool:
        return self.helped or any(child.dep_ == "auxpass" for child in self.verb.children)

    @property
    def there(self) -> bool:
        """ "There are 131 seats ...": nothing but its circumstances can be asked about."""
        return self.subject == "there"

    @cached_property
    def nobody(self) -> bool:
        """ "No station shall ...": the subject denies."""
        return self.subject.lower().startswith("no ")

    @property
    def modal(self) -> str:
        """The first auxiliary, "" where there is none."""
        return self.auxiliaries[0] if self.auxiliaries else ""

    def group(self) -> str:
        """The verbs as they stand behind the subject."""
        denial = "not" if self.negated else ""
        words = [
            *self.auxiliaries[:1],
            denial,
            self.early,
            *self.auxiliaries[1:],
            self.late,
            self.verb.text,
            self.particle,
        ]
        return " ".join(word for word in words if word)

    def statement(self) -> str:
        front = ", ".join(part.text for part in self.parts if part.fronted)
        rest = " ".join(part.text for part in self.parts if not part.fronted)
        said = f"{front}, {self.subject}" if front else self.subject
        return tidy(f"{said} {self.group()} {rest}")
