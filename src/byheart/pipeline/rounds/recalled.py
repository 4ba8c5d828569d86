"""Which facts a model recalls, each found out by the best evidence that the test half leaves untouched."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from byheart.data.split import NEVER_HELD_OUT
from byheart.model.language import LanguageModel
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.rows import rows_of
from byheart.pipeline.run_config import RunConfig
from byheart.records import Example
from byheart.store import read_json, write_json

VALIDATION, FURTHER, TRAINED = "held-out wording", "further wording", "trained wording"
FEW = 2  # further wordings that are asked of a fact


@dataclass(frozen=True)
class FactRecall:
    """`asked` questions on a fact, of which the model says `said` word for word. `evidence`: VALIDATION, FURTHER or TRAINED."""

    fact: str  # Fact.id
    evidence: str
    asked: int
    said: int

    @property
    def recalled(self) -> bool:
        return self.said == self.asked


@dataclass(frozen=True)
class Recalled:
    """After a round. `said` of `asked` validation examples are said word for word."""

    asked: int
    said: int
    facts: tuple[FactRecall, ...]

    @property
    def share(self) -> float:
        return self.said / self.asked if self.asked else 0.0

    @property
    def weak(self) -> list[FactRecall]:
        return [each for each in self.facts if not each.recalled]

    def write(self, file: Path) -> None:
        write_json(file, self)

    @classmethod
    def read(cls, file: Path) -> "Recalled":
        found = read_json(file)
        return cls(found["asked"], found["said"], tuple(FactRecall(**each) for each in found["facts"]))


def evidence_of(
    data: PreparedData, spare: Sequence[Example], trained: Sequence[Example]
) -> dict[str, tuple[str, list[Example]]]:
    """Fact id -> what is asked to find out whether it is recalled, and what kind of evidence that is.

    A validation form where the fact has one; else further wordings, which no round has trained yet; else its trained
    questions. Nothing of the test half is asked, and facts that are held out whole are left out.
    """
    kinds = {
        VALIDATION: _by_fact(data.examples_of(data.split.validation)),
        FURTHER: {fact: own[:FEW] for fact, own in _by_fact(spare).items()},
        TRAINED: _by_fact([e for e in trained if e.angle not in NEVER_HELD_OUT]),
    }
    taught = {fact for example in trained for fact in example.facts} - set(data.split.heldout_facts)
    found = {}
    for fact in (fact.id for fact in data.facts if fact.id in taught):
        kind = next((kind for kind in kinds if kinds[kind].get(fact)), None)
        if kind:
            found[fact] = kind, kinds[kind][fact]
    return found


def ask_each_fact(
    config: RunConfig,
    data: PreparedData,
    session: ModelSession,
    model: LanguageModel,
    evidence: dict[str, tuple[str, list[Example]]],
) -> Recalled:
    """Asks the validation half and the evidence of each fact, in forward passes alone: nothing is generated."""
    from byheart.training.said import said_word_for_word  # imports torch

    validation = data.examples_of(data.split.validation)
    asked = {e.id: e for e in (*validation, *(e for _, own in evidence.values() for e in own))}
    rows = rows_of(config, list(asked.values()), session)
    said = said_word_for_word(model.model, list(rows.values()), config.trainer.layout, session.chat.filler)
    right = dict(zip(rows, said, strict=True))
    facts = []
    for fact, (kind, own) in evidence.items():
        if answered := [right[e.id] for e in own if e.id in right]:
            facts.append(FactRecall(fact, kind, len(answered), sum(answered)))
    held = [right[e.id] for e in validation if e.id in right]
    return Recalled(len(held), sum(held), tuple(facts))


def _by_fact(examples: Sequence[Example]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        for fact in example.facts:
            found[fact].append(example)
    return found
