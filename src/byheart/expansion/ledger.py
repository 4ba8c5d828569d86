"""The account of an expansion: what was asked for, received, kept, refused and topped up, and which facts are not covered."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from byheart.expansion.base import ExpansionResult, Source, Tally
from byheart.expansion.filters.checks import REPEATED, UNSUPPORTED
from byheart.expansion.filters.words import plain
from byheart.expansion.from_teacher.chunk_progress import COPIED
from byheart.records import FORWARD, REVERSE, Example, Json, Rejection

COPIES = (REPEATED, COPIED)
ASKED = "it is one of your questions, which are never trained on"
FINAL = (ASKED,)  # reasons that would refuse the example again, whoever wrote it


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
    per_fact: dict[str, dict[str, int]] = {fact.id: {FORWARD: 0, REVERSE: 0} for fact in source.facts}
    for example in examples:
        for fact in per_fact.keys() & set(example.facts):
            if example.direction in per_fact[fact]:  # what asks for neither counts as neither
                per_fact[fact][example.direction] += 1
    reasons = {fact: reason for part in written.values() for fact, reason in part.uncovered.items()}
    tallies = [part.tallies for part in written.values() if part.tallies]
    taught = frozenset(member for member, part in written.items() if part.tallies)
    account = _Account(examples, rejected, tallies, taught)
    failed = Counter(why for each in tallies for tally in each.values() for why in tally.failed)
    covered = {way: sum(counts[way] > 0 for counts in per_fact.values()) for way in (FORWARD, REVERSE)}
    return {
        "asked": {"chunks": dict(asked), "total": sum(asked.values())},
        "kept": len(examples),
        "by_expansion": dict(Counter(example.expansion for example in examples)),
        "by_angle": dict(Counter(example.angle for example in examples)),
        "by_direction": dict(Counter(example.direction for example in examples)),
        "by_chunk": account.by_chunk(source, asked),
        "facts": per_fact,
        "by_fact": account.by_fact(source),
        "coverage": {way: count / max(1, len(source.facts)) for way, count in covered.items()},
        "novelty": {
            "by_rung": account.novelty(lambda example: "none" if example.rung is None else f"{example.rung:g}"),
            "by_angle": account.novelty(lambda example: example.angle),
        },
        "rejected": dict(Counter(rejection.reason for rejection in rejected).most_common()),
        "failed": dict(failed.most_common()),
        "uncovered": [
            {
                "fact": fact.id,
                "text": fact.text,
                "missing": [way for way, count in per_fact[fact.id].items() if not count],
                "reason": reasons.get(fact.id, "dropped by max_examples"),
            }
            for fact in source.facts
            if not all(per_fact[fact.id].values())
        ],
        "short": [line for part in written.values() for line in part.short],
        "notes": [line for part in written.values() for line in part.notes],
    }


@dataclass(frozen=True)
class _Account:
    """What the counts are taken from. `taught` names the members that ask a teacher."""

    examples: Sequence[Example]
    rejected: Sequence[Rejection]
    tallies: Sequence[Mapping[str, Tally]]  # of each such member, by Chunk.id
    taught: frozenset[str]

    def by_chunk(self, source: Source, floors: Mapping[str, int]) -> dict[str, Json]:
        """`asked` is the floor; where a teacher was asked, `requested` counts the pairs in all its requests, `received` those
        that it wrote, and `without_teacher` the kept ones of other members."""
        kept, received, refused = self._counted(lambda example: [example.chunk])
        others = Counter(example.chunk for example in self.examples if example.expansion not in self.taught)
        account: dict[str, Json] = {}
        for chunk in (chunk.id for chunk in source.chunks):
            row: dict[str, Any] = {"asked": floors.get(chunk, 0), "kept": kept[chunk]}
            if own := [tallies[chunk] for tallies in self.tallies if chunk in tallies]:
                row["requested"] = sum(tally.asked for tally in own)
                row["requests"] = sum(tally.requests for tally in own)
                row["failed"] = sum(len(tally.failed) for tally in own)
                row["topped_up"] = sum(tally.topped_up for tally in own)
                row["received"], row["without_teacher"] = received[chunk], others[chunk]
            account[chunk] = {**row, "rejected": dict(refused[chunk])}
        return account

    def by_fact(self, source: Source) -> dict[str, Json]:
        kept, received, refused = self._counted(lambda example: example.facts)
        account: dict[str, Json] = {}
        for fact in source.facts:
            row: dict[str, Any] = {"kept": kept[fact.id], "received": received[fact.id]}
            if own := [tallies[fact.chunk] for tallies in self.tallies if fact.chunk in tallies]:
                row["requested"] = sum(tally.asked_on.get(fact.id, 0) for tally in own)
                row["topped_up"] = sum(tally.topped_up_on.get(fact.id, 0) for tally in own)
            account[fact.id] = {**row, "rejected": dict(refused[fact.id])}
        return account

    def _counted(
        self, owners: Callable[[Example], Iterable[str]]
    ) -> tuple[Counter[str], Counter[str], dict[str, Counter[str]]]:
        """By chunk or fact: examples kept, examples received, and the reasons for what was rejected.

        Received is what teachers wrote for the members that ask one; where no member does, all that was written."""
        written = (*self.examples, *(rejection.example for rejection in self.rejected))
        received = (example for example in written if not self.taught or example.expansion in self.taught)
        reasons: dict[str, Counter[str]] = defaultdict(Counter)
        for rejection in self.rejected:
            for owner in owners(rejection.example):
                reasons[owner][rejection.reason] += 1
        kept = Counter(owner for example in self.examples for owner in owners(example))
        return kept, Counter(owner for example in received for owner in owners(example)), reasons

    def novelty(self, name_of: Callable[[Example], str]) -> dict[str, dict[str, float]]:
        """For each rung or angle of a teacher's examples: received, kept, copies, unsupported; `new`: the share of what
        passed that repeats nothing."""
        rows: dict[str, Counter[str]] = defaultdict(Counter)
        seen: set[tuple[tuple[str, ...], str]] = set()
        for example in self.examples:
            if example.expansion in self.taught:
                key = (example.facts, plain(example.question))
                # A copy is kept on demand: duplicates=keep.
                rows[name_of(example)] += Counter(received=1, kept=1, passed=1, copies=key in seen)
                seen.add(key)
        for example, reason in ((rejection.example, rejection.reason) for rejection in self.rejected):
            if example.expansion in self.taught:
                copy = reason in COPIES
                rows[name_of(example)] += Counter(
                    received=1, passed=copy, copies=copy, unsupported=reason == UNSUPPORTED
                )
        found: dict[str, dict[str, float]] = {}
        for name in sorted(
            rows, key=lambda name: (not name[:1].isdigit(), float(name) if name[:1].isdigit() else 0, name)
        ):
            row = rows[name]
            found[name] = {key: row[key] for key in ("received", "kept", "copies", "unsupported")}
            found[name]["new"] = (row["passed"] - row["copies"]) / row["passed"] if row["passed"] else 0.0
        return found
