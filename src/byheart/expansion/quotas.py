"""How many examples are asked for: the floors of the recipe, and the ceiling that wins over them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil

from byheart.records import FORWARD, REVERSE, Chunk, Example, Fact


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """The counts that every expansion takes; mixed into each member's options."""

    seed: int = 0
    tokens_per_question: int = 60  # at least one question for every so many tokens of a chunk
    per_chunk: int | None = None  # or: at least so many for each chunk
    examples_per_fact: int = 1  # at least so many for every fact in each direction
    max_examples: int | None = None  # wins over the floors; drops round-robin over facts

    def __post_init__(self) -> None:
        if self.tokens_per_question < 1:
            raise ValueError(f"tokens_per_question must be at least 1, got {self.tokens_per_question}")
        if self.per_chunk is not None and self.per_chunk < 1:
            raise ValueError(f"per_chunk must be at least 1 or null, got {self.per_chunk}")
        if self.examples_per_fact < 0:
            raise ValueError(f"examples_per_fact must not be negative, got {self.examples_per_fact}")
        if self.max_examples is not None and self.max_examples < 1:
            raise ValueError(f"max_examples must be at least 1 or null, got {self.max_examples}")

    def asked_of(self, chunk: Chunk) -> int:
        """The floor of one chunk."""
        return self.per_chunk or ceil(chunk.tokens / self.tokens_per_question)


Candidates = Mapping[str, Sequence[Example]]  # Fact.id -> its examples, the most useful first


def choose(
    density: Quotas,
    chunks: Sequence[Chunk],
    facts: Sequence[Fact],
    candidates: Candidates,
    usual: int | Mapping[str, int],
) -> list[Example]:
    """`usual` examples of each fact (or by Fact.id), topped up to the floors, then cut to `max_examples` round-robin over facts."""
    own = {fact.id: list(candidates.get(fact.id, ())) for fact in facts}
    counts = usual if isinstance(usual, Mapping) else dict.fromkeys(own, usual)
    kept = {name: examples[: counts[name]] for name, examples in own.items()}
    for name, examples in own.items():
        for direction in (FORWARD, REVERSE):
            _top_up(kept, {name: [e for e in examples if e.direction == direction]}, density.examples_per_fact)
    by_chunk: dict[str, dict[str, list[Example]]] = defaultdict(dict)
    for fact in facts:
        by_chunk[fact.chunk][fact.id] = own[fact.id]
    for chunk in chunks:
        _top_up(kept, by_chunk[chunk.id], density.asked_of(chunk))
    for name, examples in own.items():
        rank = {example.id: place for place, example in enumerate(examples)}
        kept[name].sort(key=lambda example: rank[example.id])
    chosen = [example for examples in kept.values() for example in examples]
    if density.max_examples is None:
        return chosen
    rounds = zip_longest(*kept.values())
    first = [example for one_round in rounds for example in one_round if example is not None][: density.max_examples]
    survivors = {example.id for example in first}
    return [example for example in chosen if example.id in survivors]


def _top_up(kept: dict[str, list[Example]], candidates: Candidates, floor: int) -> None:
    """Add the next best candidates, one fact after the other, until `floor` of the candidates are kept."""
    counted = {example.id for examples in candidates.values() for example in examples}
    have = sum(example.id in counted for fact in candidates for example in kept[fact])
    taken = {example.id for fact in candidates for example in kept[fact]}
    waiting = [[example for example in examples if example.id not in taken] for examples in candidates.values()]
    for one_round in zip_longest(*waiting):
        for fact, example in zip(candidates, one_round, strict=True):
            if have >= floor:
                return
            if example is not None:
                kept[fact].append(example)
                have += 1


def shortfalls(
    density: Quotas,
    chunks: Sequence[Chunk],
    facts: Sequence[Fact],
    examples: Sequence[Example],
    who: str,
    outcomes: Mapping[str, str] | None = None,
    directions: Sequence[str] = (FORWARD, REVERSE),
) -> list[str]:
    """The floors that `examples` do not reach, one sentence each: the whole first, then chunk by chunk.

    `outcomes` maps Chunk.id to the result of the requests about it, which its sentence then ends with.
    """
    per_chunk = Counter(example.chunk for example in examples)
    per_direction = Counter((fact, example.direction) for example in examples for fact in example.facts)
    poor_chunks = []
    for chunk in chunks:
        if (have := per_chunk[chunk.id]) < (asked := density.asked_of(chunk)):
            where = f"{chunk.id} ({chunk.headings[-1]})" if chunk.headings else chunk.id
            outcome = f": {outcomes[chunk.id]}" if outcomes and chunk.id in outcomes else ""
            poor_chunks.append(f"{who}: chunk {where} has {have} of {asked} examples{outcome}")
    short = []
    if poor_chunks:
        rule = f"{density.per_chunk} a chunk" if density.per_chunk else f"one for {density.tokens_per_question} tokens"
        short.append(f"{who}: {len(poor_chunks)} of {len(chunks)} chunks have fewer examples than {rule}")
    for direction in directions:
        poor = [fact.id for fact in facts if per_direction[fact.id, direction] < density.examples_per_fact]
        if poor:
            fewer = f"fewer than {density.examples_per_fact} {direction} examples"
            short.append(f"{who}: {len(poor)} of {len(facts)} facts have {fewer}")
    if short and density.max_examples is not None and len(examples) >= density.max_examples:
        short.append(f"{who}: max_examples={density.max_examples} was reached; raise it to meet the floors above")
    return [*short, *poor_chunks]
