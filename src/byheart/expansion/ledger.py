"""The account of an expansion: what was asked for, kept, refused, and which facts are not covered."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from byheart.expansion.base import Source, Written
from byheart.types import FORWARD, REVERSE, Example, Rejection


def join(written: Mapping[str, Written]) -> tuple[list[Example], list[Rejection]]:
    """The examples of all members in their order; a pair that an earlier member wrote already is refused."""
    examples: list[Example] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for member, part in written.items():
        rejected += part.rejected
        for example in part.examples:
            if example.id in seen:
                rejected.append(Rejection(example, f"another expansion wrote the same pair before {member}"))
            else:
                seen.add(example.id)
                examples.append(example)
    return examples, rejected


def ledger(
    source: Source,
    written: Mapping[str, Written],
    examples: Sequence[Example],
    rejected: Sequence[Rejection],
    asked: Mapping[str, int],
) -> dict[str, Any]:
    """ledger.json: counts by member, angle, direction, chunk and fact; uncovered facts and shortfalls in words."""
    per_fact: dict[str, dict[str, int]] = defaultdict(lambda: {FORWARD: 0, REVERSE: 0})
    for example in examples:
        for fact in example.facts:
            per_fact[fact][example.direction] += 1
    chunks = Counter(example.chunk for example in examples)
    bare = {f.id: f for f in source.facts if not all(per_fact[f.id].values())}
    reasons = {fact: reason for part in written.values() for fact, reason in part.uncovered.items()}
    return {
        "asked": {"chunks": dict(asked), "total": sum(asked.values())},
        "kept": len(examples),
        "by_expansion": dict(Counter(example.expansion for example in examples)),
        "by_angle": dict(Counter(example.angle for example in examples)),
        "by_direction": dict(Counter(example.direction for example in examples)),
        "by_chunk": {chunk.id: {"asked": asked.get(chunk.id, 0), "kept": chunks[chunk.id]} for chunk in source.chunks},
        "facts": {fact.id: per_fact[fact.id] for fact in source.facts},
        "rejected": dict(Counter(rejection.reason for rejection in rejected)),
        "uncovered": [
            {
                "fact": fact.id,
                "text": fact.text,
                "missing": [d for d, n in per_fact[fact.id].items() if not n],
                "reason": reasons.get(fact.id, "dropped by max_examples"),
            }
            for fact in bare.values()
        ],
        "short": [line for part in written.values() for line in part.short],
    }
