"""The contract of the expansion family: facts in, examples out, and an account of what was left out."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from byheart.errors import Problem
from byheart.records import Chunk, Document, Example, Fact, Rejection
from byheart.teacher.base import Request, Teacher
from byheart.teacher.none import NoTeacher


@dataclass(frozen=True)
class Source:
    """Everything that an expansion may read (texts, facts, the lead-in that governs a list item), and whom it may ask."""

    documents: tuple[Document, ...]
    chunks: tuple[Chunk, ...]
    facts: tuple[Fact, ...]
    lead_ins: Mapping[str, str] = field(default_factory=dict)  # Fact.id -> "No amateur station shall transmit:"
    teacher: Teacher = field(default_factory=NoTeacher)

    @cached_property
    def titles(self) -> dict[str, str]:
        return {document.id: document.title for document in self.documents}

    def facts_of(self, chunk: Chunk) -> list[Fact]:
        return self._facts_by_chunk.get(chunk.id, [])

    @cached_property
    def _facts_by_chunk(self) -> dict[str, list[Fact]]:
        by_chunk: dict[str, list[Fact]] = {}
        for fact in self.facts:
            by_chunk.setdefault(fact.chunk, []).append(fact)
        return by_chunk


@dataclass(frozen=True)
class Tally:
    """What asking a teacher about one chunk came to. What was received is `kept` and what was rejected."""

    asked: int = 0  # examples, in all its requests
    requests: int = 0
    failed: tuple[str, ...] = ()  # requests that got no answer, each with the reason
    topped_up: int = 0  # examples kept that only a second or later asking brought
    asked_on: Mapping[str, int] = field(default_factory=dict)  # Fact.id -> examples asked for
    topped_up_on: Mapping[str, int] = field(default_factory=dict)  # Fact.id -> examples of `topped_up`


@dataclass(frozen=True)
class ExpansionResult:
    """What one expansion wrote. Nothing is dropped in silence: refusals and uncovered facts carry their reason."""

    examples: tuple[Example, ...]
    rejected: tuple[Rejection, ...] = ()
    uncovered: Mapping[str, str] = field(default_factory=dict)  # Fact.id -> why nothing (or one direction only)
    short: tuple[str, ...] = ()  # floors that were not reached, in words
    tallies: Mapping[str, Tally] = field(default_factory=dict)  # Chunk.id -> what asking a teacher came to
    notes: tuple[str, ...] = ()  # what was done otherwise than asked, e.g. that the model takes no temperature
    # Good examples beyond the quotas, the most useful of each fact first. Called with `rounds=` only: they may be many.
    spare: Callable[[], Iterable[Example]] = field(default=tuple, compare=False)


class Expansion(Protocol):
    """Turns facts into examples.

    An implementation is a frozen dataclass of options with a `seed` of its own (default 0), so that a change of the
    training seed never changes the examples. The same source and options give the same examples, in the same order.
    """

    def expand(self, source: Source) -> ExpansionResult:
        """Examples on every fact, in both directions where it can."""
        ...

    def problems(self) -> Sequence[str | Problem]:
        """Problems that can be known before any work, as messages where there is no more to say than what is wrong."""
        ...


@runtime_checkable
class TeacherExpansion(Protocol):
    """An expansion that asks `source.teacher`: it can say beforehand what."""

    def requests(self, source: Source) -> list[Request]:
        """What the first round asks; top-ups may follow where the answers fall short."""
        ...

    @property
    def prompt_key(self) -> str:
        """What its examples depend on beside its options: the content of its prompt file."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What a further round of training asks for (`rounds=`)."""

    round: int  # from 2
    facts: frozenset[str]  # Fact.id of those that are not recalled
    trained: tuple[Example, ...] = ()  # what is trained so far: nothing of it is to be written again
    held_out: frozenset[tuple[str, str, str]] = frozenset()  # forms that stay held out


@runtime_checkable
class AsksAgain(Protocol):
    """An expansion that asks `source.teacher` for further examples of some facts."""

    def again(self, source: Source, wanted: Wanted) -> ExpansionResult:
        """New examples of the wanted facts; those that exist are not among them."""
        ...

    def requests_again(self, source: Source, wanted: Wanted) -> list[Request]:
        """What `again` asks."""
        ...


def example_id(question: str, answer: str) -> str:
    """The content key of an example; equal pairs from two expansions get equal ids, and the later one is dropped."""
    return hashlib.sha256(f"{question}\x1f{answer}".encode()).hexdigest()[:16]
