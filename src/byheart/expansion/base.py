"""The contract of the expansion family: facts in, examples out, and an account of what was left out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from byheart.types import Chunk, Document, Example, Fact, Rejection


@dataclass(frozen=True)
class Source:
    """Everything that an expansion may read: the texts, their facts, and the lead-in that governs a list item."""

    documents: tuple[Document, ...]
    chunks: tuple[Chunk, ...]
    facts: tuple[Fact, ...]
    lead_ins: Mapping[str, str] = field(default_factory=dict)  # Fact.id -> "No amateur station shall transmit:"

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
class Written:
    """What one expansion wrote. Nothing is dropped in silence: refusals and uncovered facts carry their reason."""

    examples: tuple[Example, ...]
    rejected: tuple[Rejection, ...] = ()
    uncovered: Mapping[str, str] = field(default_factory=dict)  # Fact.id -> why nothing (or one direction only)
    short: tuple[str, ...] = ()  # floors that were not reached, in words


class Expansion(Protocol):
    """Turns facts into examples.

    An implementation is a frozen dataclass of options with a `seed` of its own (default 0), so that a change of the
    training seed never changes the examples. The same source and options give the same examples, in the same order.
    """

    def expand(self, source: Source) -> Written:
        """Examples on every fact, in both directions where it can."""
        ...

    def tests(self) -> Sequence[str]:
        """Problems that can be known before any work, as messages; empty where there are none."""
        ...


def example_id(question: str, answer: str) -> str:
    """The content key of an example; equal pairs from two expansions get equal ids, and the later one is dropped."""
    return hashlib.sha256(f"{question}\x1f{answer}".encode()).hexdigest()[:16]
