"""What a comparison of bases is given, and what it measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from byheart.errors import Problem
from byheart.evaluation.intervals import estimate
from byheart.pipeline.run_config import RunConfig
from byheart.records import Value
from byheart.results import RunEstimate

CLOSED, OPEN, AFTER = "closed_book", "open_book", "after"
FILE = "bases.json"


@dataclass(frozen=True)
class Candidate:
    """A base to compare. `config` is None, and `reason` says why, where it cannot be used."""

    name: str  # as the user wrote it
    setting: str  # of `byheart learn`: model=qwen3_0_6b, or model.path=DIR
    config: RunConfig | None = None
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Plan:
    """`words`: the other settings as they were typed, for the line to copy. `folder` is None where none was asked for."""

    candidates: tuple[Candidate, ...]
    steps: int
    sample: int
    words: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def config(self) -> RunConfig:
        """That of the first base that can be used; but for the model it is that of all."""
        return next(each.config for each in self.candidates if each.config is not None)


@dataclass(frozen=True)
class Measured:
    """One base. Where `reason` is given it could not be used, and nothing else is known of it.

    `right`: for closed_book, open_book and after (the training), which probes it answered rightly, 1 or 0 by Probe.id.
    `probability`: of an answer's token, the geometric mean over the answer, before training.
    """

    name: str
    setting: str
    reason: str = ""
    fix: str = ""
    right: dict[str, dict[str, float]] = field(default_factory=dict)
    probability: Value | None = None
    probability_after: Value | None = None
    parameters: int = 0
    tokens: int = 0  # that the documents take
    writing: float = 0.0  # tokens a second
    training: float | None = None  # tokens a second; None where nothing was trained
    device: str = ""
    precision: str = ""
    seconds: float = 0.0  # that measuring it took
    notes: tuple[str, ...] = ()

    @property
    def reading_s(self) -> float:
        """Seconds to train on the documents once; without training to write as many tokens. What makes a base cheap."""
        return self.tokens / max(self.training or self.writing, 1e-9)


@dataclass(frozen=True)
class BasesResult:
    """What `byheart bases` found. `bases`: the best first, then those that cannot be used. `command` trains the recommended."""

    state: str  # finished, or estimated
    folder: Path
    bases: tuple[Measured, ...] = ()
    recommended: str = ""
    sentence: str = ""
    command: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)  # steps, asked, of, source, groups, rows, metric
    estimates: Mapping[str, RunEstimate | Problem] = field(default_factory=dict)  # by the name of the base

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def record(self) -> dict[str, Any]:
        """bases.json."""
        rows = [
            asdict(base) | {"scores": {name: asdict(at) for name, at in self.scores(base).items()}}
            for base in self.bases
        ]
        return {
            "state": self.state,
            "recommended": self.recommended,
            "sentence": self.sentence,
            "command": self.command,
            **self.facts,
            "bases": rows,
        }

    def scores(self, base: Measured) -> dict[str, Value]:
        """The share of right answers with its interval: closed_book, open_book, after."""
        return {name: share(answers, self.facts["groups"]) for name, answers in base.right.items() if answers}


def share(right: Mapping[str, float], groups: Mapping[str, str]) -> Value:
    ids: Sequence[str] = sorted(right)
    return estimate([right[each] for each in ids], [groups[each] for each in ids])
