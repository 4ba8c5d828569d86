"""What `learn`, `expand`, `evaluate` and `sweep` return. Each result names its folder, which has all other files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from byheart.progress import Event
from byheart.records import Example, Json
from byheart.store import read_jsonl, read_object, read_records
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
    rounds: int = 1  # at most; rows, epochs and steps are those of the first


@dataclass(frozen=True)
class Needs:
    """What a run needs by rough arithmetic. Seconds and bytes are None where nothing tells the size of the model."""

    epochs: int  # at most
    once_s: float | None = None  # loading, examples by rules, replay, scoring; a teacher's answers are not in it
    epoch_s: float | None = None  # one epoch, with its validation checks
    limit_s: float | None = None  # a budget of time, of the whole command
    share: float = 1.0  # of the epochs that a budget of steps allows
    basis: str = ""  # what the seconds rest on
    memory: int | None = None  # bytes on the device at the peak
    total: int | None = None  # bytes that the device has
    free: int | None = None
    device: str = "cpu"
    recompute: bool = False  # with gradient checkpointing
    download: int | None = None  # bytes; 0 where the model is here, None where it is not known
    read_from: str = "files"  # what the model's size was read from: files, config or name

    @property
    def seconds(self) -> float | None:
        """Of the whole command at most."""
        if self.once_s is None or self.epoch_s is None:
            return None
        most = self.once_s + self.epochs * self.share * self.epoch_s
        return most if self.limit_s is None else min(most, self.limit_s)


@dataclass(frozen=True)
class RunEstimate:
    """What a run would take. `asking`: by expansion. `training` is exact, and not there where a teacher is asked first."""

    asking: Mapping[str, Estimate] = field(default_factory=dict)
    training: TrainingEstimate | None = None
    needs: Needs | None = None


@dataclass(frozen=True)
class Estimated(Event):
    """What the run that begins will take."""

    estimate: RunEstimate


RECORDS = ("documents.jsonl", "chunks.jsonl", "facts.jsonl", "examples.jsonl", "ledger.json", "split.json")
RESULT = (*RECORDS, "adapter", "scores.json", "answers.jsonl", "report.html")


def is_finished(folder: Path) -> bool:
    """Whether a run has its whole result. A file that was damaged and then removed is made again on `resume`."""
    record = folder / "run.json"
    state = read_object(record).get("state") if record.is_file() else ""
    return state == FINISHED and all((folder / name).exists() for name in RESULT)


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
        steps: Sequence[Json] = read_object(self.folder / "run.json").get("next_steps", ())
        return steps

    @classmethod
    def read(cls, folder: Path) -> "LearnResult":
        """The result of a run that is finished."""
        record = read_object(folder / "run.json")
        return cls(
            FINISHED, folder, read_object(folder / "scores.json"), tuple(record.get("learning", {}).get("lines", ()))
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
        best: Json = read_object(self.folder / "best.json")
        return best

    @property
    def adapter(self) -> Path:
        return Path(self.best["folder"]) / "adapter"
