"""The account of an expansion: what was asked for, received, kept, refused and topped up, and which facts are not covered."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from byheart.expansion.base import ExpansionResult, Source, Tally
from byheart.expansion.filters.checks import REPEATED, UNSUPPORTED
from byheart.expansion.filters.words import plain
from byheart.expansion.from_teacher.chunk_progress import COPIED
from byheart.records import FORWARD, REVERSE, Example, Rejection

COPIES = (REPEATED, COPIED)


def join(written: Mapping[str, ExpansionResult]) -> tuple[list[Example], list[Rejection]]:
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
    written: Mapping[str, ExpansionResult],
    examples: Sequence[Example],
    rejected: Sequence[Rejection],
    asked: Mapping[str, int],
) -> dict[str, Any]:
    """ledger.json: counts by member, angle, rung, direction, chunk and fact; uncovered facts and shortfalls in words."""
    per_fact: dict[str, dict[str, int]] = defaultdict(lambda: {FORWARD: 0, REVERSE: 0})
    for example in examples:
        for fact in example.facts:
            per_fact[fact][example.direction] += 1
    bare = {f.id: f for f in source.facts if not all(per_fact[f.id].values())}
    reasons = {fact: reason for part in written.values() for fact, reason in part.uncovered.items()}
    tallies = [part.tallies for part in written.values() if part.tallies]
    taught = {member for member, part in written.items() if part.tallies}
    theirs = [e for e in examples if e.expansion in taught]
    refused = [r for r in rejected if r.example.expansion in taught]
    return {
        "asked": {"chunks": dict(asked), "total": sum(asked.values())},
        "kept": len(examples),
        "by_expansion": dict(Counter(example.expansion for example in examples)),
        "by_angle": dict(Counter(example.angle for example in examples)),
        "by_direction": dict(Counter(example.direction for example in examples)),
        "by_chunk": _by_chunk(source, examples, rejected, asked, tallies, taught),
        "facts": {fact.id: per_fact[fact.id] for fact in source.facts},
        "by_fact": _by_fact(source, examples, rejected, tallies, taught),
        "coverage": {
            way: sum(n[way] > 0 for n in per_fact.values()) / max(1, len(source.facts)) for way in (FORWARD, REVERSE)
        },
        "novelty": {
            "by_rung": _novelty(theirs, refused, lambda e: "none" if e.rung is None else f"{e.rung:g}"),
            "by_angle": _novelty(theirs, refused, lambda e: e.angle),
        },
        "rejected": dict(Counter(rejection.reason for rejection in rejected).most_common()),
        "failed": dict(
            Counter(why for each in tallies for tally in each.values() for why in tally.failed).most_common()
        ),
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
        "notes": [line for part in written.values() for line in part.notes],
    }


def _by_chunk(
    source: Source,
    examples: Sequence[Example],
    rejected: Sequence[Rejection],
    floors: Mapping[str, int],
    tallies: Sequence[Mapping[str, Tally]],
    taught: Collection[str],
) -> dict[str, dict[str, Any]]:
    """`asked` is the floor; where a teacher was asked, `requested` counts the pairs in all its requests, `received` those
    that it wrote, and `without_teacher` the kept ones of other members."""
    kept = Counter(example.chunk for example in examples)
    refused = _reasons(rejected, lambda example: [example.chunk])
    others = Counter(example.chunk for example in examples if example.expansion not in taught)
    received = Counter(each.chunk for each in _received(examples, rejected, taught))
    account: dict[str, dict[str, Any]] = {}
    for chunk in source.chunks:
        row: dict[str, Any] = {"asked": floors.get(chunk.id, 0), "kept": kept[chunk.id]}
        own = [each[chunk.id] for each in tallies if chunk.id in each]
        if own:
            row["requested"] = sum(tally.asked for tally in own)
            row["requests"] = sum(tally.requests for tally in own)
            row["failed"] = sum(len(tally.failed) for tally in own)
            row["topped_up"] = sum(tally.topped_up for tally in own)
            row["received"] = received[chunk.id]
            row["without_teacher"] = others[chunk.id]
        account[chunk.id] = {**row, "rejected": dict(refused[chunk.id])}
    return account


def _by_fact(
    source: Source,
    examples: Sequence[Example],
    rejected: Sequence[Rejection],
    tallies: Sequence[Mapping[str, Tally]],
    taught: Collection[str],
) -> dict[str, dict[str, Any]]:
    kept = Counter(fact for example in examples for fact in example.facts)
    refused = _reasons(rejected, lambda example: example.facts)
    received = Counter(fact for each in _received(examples, rejected, taught) for fact in each.facts)
    account: dict[str, dict[str, Any]] = {}
    for fact in source.facts:
        own = [each[fact.chunk] for each in tallies if fact.chunk in each]
        row: dict[str, Any] = {"kept": kept[fact.id], "received": received[fact.id]}
        if own:
            row["requested"] = sum(tally.asked_on.get(fact.id, 0) for tally in own)
            row["topped_up"] = sum(tally.topped_up_on.get(fact.id, 0) for tally in own)
        account[fact.id] = {**row, "rejected": dict(refused[fact.id])}
    return account


def _received(examples: Sequence[Example], rejected: Sequence[Rejection], taught: Collection[str]) -> Iterator[Example]:
    """What the members that ask a teacher were given by it; where none does, all that was written."""
    for example in (*examples, *(rejection.example for rejection in rejected)):
        if not taught or example.expansion in taught:
            yield example


def _reasons(rejected: Sequence[Rejection], owners: Callable[[Example], Iterable[str]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for rejection in rejected:
        for owner in owners(rejection.example):
            found[owner][rejection.reason] += 1
    return found


def _novelty(
    examples: Sequence[Example], rejected: Sequence[Rejection], named: Callable[[Example], str]
) -> dict[str, dict[str, float]]:
    """For each rung or angle: received, kept, copies, unsupported; `new`: the share of what passed that repeats nothing."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    seen: set[tuple[tuple[str, ...], str]] = set()
    for example in examples:
        row, key = rows[named(example)], (example.facts, plain(example.question))
        row["received"] += 1
        row["kept"] += 1
        row["copies"] += key in seen  # kept on demand: duplicates=keep
        seen.add(key)
    for rejection in rejected:
        row = rows[named(rejection.example)]
        row["received"] += 1
        row["copies"] += rejection.reason in COPIES
        row["unsupported"] += rejection.reason == UNSUPPORTED
    found: dict[str, dict[str, float]] = {}
    for name in sorted(rows, key=lambda name: (not name[:1].isdigit(), float(name) if name[:1].isdigit() else 0, name)):
        row = rows[name]
        passed = row["kept"] + sum(r.reason in COPIES for r in rejected if named(r.example) == name)
        found[name] = {key: row[key] for key in ("received", "kept", "copies", "unsupported")}
        found[name]["new"] = (passed - row["copies"]) / passed if passed else 0.0
    return found
