"""Further examples of the facts that are not recalled: what the rules held back, and what a teacher is asked again."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from byheart.expansion.base import Wanted
from byheart.expansion.quotas import Quotas
from byheart.pipeline.prepare_data import PreparedData, source_of, without_probes, write_examples
from byheart.pipeline.rounds.held_out import KNOWN, HeldOut
from byheart.pipeline.rounds.recalled import FactRecall
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.records import Example, Rejection, counted
from byheart.store import read_json, read_jsonl, write_json, write_jsonl

SPARE_EACH = 7  # examples that a fact gets of those held back, in each round: half of what it begins with
_DONE = "asked_again.json"  # written last


@dataclass(frozen=True)
class Further:
    """What a round trains on beyond the one before."""

    facts: tuple[str, ...] = ()  # Fact.id of those that were not recalled
    examples: tuple[Example, ...] = ()  # new ones on them
    repeated: tuple[
        str, ...
    ] = ()  # those of the facts that have no new example: their rows are shown once more an epoch

    @property
    def words(self) -> str:
        """ "14 facts asked again, 62 new examples"."""
        said = f"{counted(len(self.facts), 'fact')} asked again, {counted(len(self.examples), 'new example')}"
        return said + (f", {len(self.repeated):,} shown more often" if self.repeated else "")


def further_examples(
    config: RunConfig,
    data: PreparedData,
    weak: Sequence[FactRecall],
    trained: Sequence[Example],
    spare: Sequence[Example],
    number: int,
    run: Run,
) -> Further:
    """Those of round `number`, from the run's folder where they were made before. `spare`: what no round has trained."""
    folder = run.folder / "rounds" / str(number)
    if (folder / _DONE).is_file():
        told = read_json(folder / _DONE)
        written = read_jsonl(folder / "examples.jsonl", Example)
        return Further(tuple(told["facts"]), tuple(written), tuple(told["repeated"]))
    facts = tuple(each.fact for each in weak)
    with run.stage("further_examples", f"Further examples on {counted(len(facts), 'fact')}") as note:
        examples = _of_spare(spare, facts)
        asked, rejected, notes = _of_members(config, data, facts, [*trained, *examples], number, run)
        examples = _capped(config, [*examples, *asked])
        taught = {fact for example in examples for fact in example.facts}
        repeated = tuple(fact for fact in facts if fact not in taught)
        write_jsonl(folder / "examples.jsonl", examples)
        write_jsonl(folder / "rejected.jsonl", rejected)
        write_json(folder / _DONE, {"facts": facts, "repeated": repeated})
        by = Counter(example.expansion for example in examples)
        note(", ".join(f"{count:,} by {who}" for who, count in by.items()))
        refused = Counter(each.reason for each in rejected if each.reason != KNOWN)
        note("; ".join(f"{count:,} refused: {why}" for why, count in refused.most_common(3)))
        if repeated:
            note(
                f"no new example on {counted(len(repeated), 'fact')}: the rows on them are shown once more in each epoch"
            )
    for line in notes:
        run.note(line)
    return Further(facts, tuple(examples), repeated)


def _of_spare(spare: Sequence[Example], facts: Sequence[str]) -> list[Example]:
    own: dict[str, list[Example]] = defaultdict(list)
    for example in spare:
        own[example.facts[0] if len(example.facts) == 1 else ""].append(example)
    return [example for fact in facts for example in own[fact][:SPARE_EACH]]


def _of_members(
    config: RunConfig, data: PreparedData, facts: Sequence[str], trained: Sequence[Example], number: int, run: Run
) -> tuple[list[Example], list[Rejection], list[str]]:
    """What the expansions that ask a teacher write, without what may not be trained; what was refused; and notes."""
    held_out, weak = HeldOut(data), frozenset(facts)
    source, wanted = source_of(data), Wanted(number, weak, tuple(trained), held_out.forms)
    examples, rejected, notes = list[Example](), list[Rejection](), list[str]()
    known = {example.id for example in trained}
    for name, member in config.expansion.items():
        part = write_examples(name, member, config.teacher, source, run, wanted)
        rejected += part.rejected
        notes += [f"round {number}, {name}: {line}" for line in part.notes]
        new, given_away = without_probes(config, [e for e in part.examples if weak.intersection(e.facts)])
        reasons = held_out.reasons(new) | {example.id: KNOWN for example in new if example.id in known}
        rejected += [*given_away, *(Rejection(e, reasons[e.id]) for e in new if e.id in reasons)]
        kept = [e for e in new if e.id not in reasons]
        known |= {e.id for e in kept}
        examples += kept
    return examples, rejected, notes


def _capped(config: RunConfig, examples: Sequence[Example]) -> list[Example]:
    """At most `max_examples` of each expansion, in turn over the facts: the ceiling holds for a round as for the first."""
    kept: set[str] = set()
    for name, member in config.expansion.items():
        own: dict[str, list[Example]] = defaultdict(list)
        for example in examples:
            if example.expansion == name:
                own[example.facts[0] if example.facts else ""].append(example)
        most = member.max_examples if isinstance(member, Quotas) else None
        turns = chain.from_iterable(zip_longest(*own.values()))
        kept |= {example.id for example in [e for e in turns if e is not None][:most]}
    return [example for example in examples if example.id in kept]
