"""What `learn`, `expand`, `evaluate` and `sweep` return. Each result names its folder, which has all other files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from byheart.records import Example, Json
from byheart.store import read_json, read_jsonl, read_records
from byheart.teacher.base import Estimate

FINISHED, INTERRUPTED, ESTIMATED = "finished", "interrupted", "estimated"
UNFINISHED = "unfinished"  # in a run's folder: what is to replace its result, while it is trained on


@dataclass(frozen=True)
class TrainingEstimate:
    """Exact but for the tokens, which the packaged tokenizer counts."""

    rows: int
    replayed: int  # rows more that replay what the model knows
    tokens_per_row: float
    batch_size: int
    epochs: int  # at most
    steps: int  # at most
    budget: int | str | None  # where it may end the training before its epochs do
    in_steps: bool = False  # the budget gives `steps`; else it is a time, or there is none


@dataclass(frozen=True)
class RunEstimate:
    """What a run would take. `asking`: by expansion; where a teacher is asked, the training cannot be known yet."""

    asking: Mapping[str, Estimate] = field(default_factory=dict)
    training: TrainingEstimate | None = None


@dataclass(frozen=True)
class LearnResult:
    """`state`: finished, interrupted (Ctrl-C in training; the adapter so far is saved) or estimated (nothing was trained)."""

    state: str
    folder: Path
    scores: Json = field(default_factory=dict)  # scores.json: condition -> metric -> value, count, low, high
    learning: tuple[str, ...] = ()  # sentences on how the training went
    estimate: RunEstimate | None = None

    @property
    def adapter(self) -> Path:
        so_far = self.folder / UNFINISHED / "adapter"
        return so_far if self.state == INTERRUPTED and so_far.is_dir() else self.folder / "adapter"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def answers(self) -> Sequence[Json]:
        """Every probe with what the model answered before and after; read from answers.jsonl."""
        return read_records(self.folder / "answers.jsonl")

    @property
    def next_steps(self) -> Sequence[Json]:
        """What to do next, each with `why` and `command`; read from run.json."""
        steps: Sequence[Json] = read_json(self.folder / "run.json").get("next_steps", ())
        return steps

    @classmethod
    def read(cls, folder: Path) -> "LearnResult":
        """The result of a run that is finished."""
        record = read_json(folder / "run.json")
        return cls(
            FINISHED, folder, read_json(folder / "scores.json"), tuple(record.get("learning", {}).get("lines", ()))
        )


@dataclass(frozen=True)
class ExpandResult:
    """`state`: finished or estimated."""

    state: str
    folder: Path
    estimate: RunEstimate | None = None

    @property
    def examples(self) -> list[Example]:
        return read_jsonl(self.folder / "examples.jsonl", Example)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.html"


@dataclass(frozen=True)
class EvaluateResult:
    """`folder` lies below the run's: evaluations/<name of the questions' file>."""

    folder: Path
    scores: Json

    @property
    def answers(self) -> Sequence[Json]:
        return read_records(self.folder / "answers.jsonl")


@dataclass(frozen=True)
class SweepResult:
    """A sweep that ended. `best.yaml` in its folder trains the chosen trial again; trials.csv lists them all."""

    folder: Path
    overrides: tuple[str, ...]  # `byheart learn` with these trains the chosen trial again
    scored: LearnResult | None = None  # of the chosen trial; None where it was scored before, or trained elsewhere
    next_steps: tuple[Json, ...] = ()  # what to do next, each with `why` and `command`

    @property
    def best(self) -> Json:
        """The chosen trial: its number, folder, overrides, params and values."""
        best: Json = read_json(self.folder / "best.json")
        return best

    @property
    def adapter(self) -> Path:
        return Path(self.best["folder"]) / "adapter"
