"""The result of a trial: its values at the ends of epochs, what it cost and how it ended. Small enough for the study."""

import itertools
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from byheart.damage import refused
from byheart.evaluation.base import METRICS
from byheart.store import read_object, write_json
from byheart.training.job import TrainResult
from byheart.training.stopping import MONITORS, WORDS, watched
from byheart.training.stopping import ends as ends_of

FILE = "outcome.json"
OBJECTIVES = {**MONITORS, "forgetting": "minimize"}  # what trials may be compared by
NAMES = {**WORDS, "forgetting": METRICS["perplexity_ratio"]}  # the one name of each
STATES = {
    "upturn": "turned",
    "budget": "done",
    "finished": "done",
    "interrupted": "queued again",
}
WHY = {
    "finished": "all epochs were run",
    "upturn": "its best epoch was over",
    "budget": "its budget was used up",
    "pruned": "the pruner stopped it",
    "diverged": "the loss diverged",
    "stopped": "stopped by Ctrl-C",
}


@dataclass(frozen=True)
class End:
    """What was measured at the end of an epoch."""

    epoch: float  # whole, but for the last one where a budget ended it
    val_loss: float | None
    recall: float | None
    forgetting: float | None
    seconds: float  # since the training began
    token_accuracy: float | None = None
    bounded_loss: float | None = None
    train_recall: float | None = None


@dataclass(frozen=True)
class Outcome:
    """`state` is finished, upturn, budget, pruned, diverged or stopped; `checks` are (epoch, validation loss) of every check."""

    state: str
    reason: str
    epochs: int  # asked of the training; the curve may have turned before
    ends: tuple[End, ...]
    checks: tuple[tuple[float, float], ...]
    seconds: float
    peak_memory: float  # GiB
    steps_per_epoch: int = 0
    source: int | None = None  # the trial that was trained, where this one is a part of its curve

    @classmethod
    def of(cls, result: TrainResult, epochs: int, forgetting: dict[int, float], state: str | None = None) -> "Outcome":
        trained = {point.step: value for point, value in watched("train_recall", result.curve)}
        ends = []
        for p in ends_of(result.curve, result.state == "budget"):
            epoch = round(p.epoch) if float(p.epoch).is_integer() else round(p.epoch, 4)
            recall = p.recall if p.recall is not None and math.isfinite(p.recall) else None
            more = p.token_accuracy, p.bounded_loss, trained.get(p.step)
            ends.append(End(epoch, p.val_loss, recall, forgetting.get(round(p.epoch)), p.seconds, *more))
        checks = tuple((round(p.epoch, 4), p.val_loss) for p in result.curve if p.val_loss is not None)
        memory = max((p.peak_memory for p in result.curve), default=0.0)
        state = state or result.state
        reason = "; ".join(result.notes) if state == "diverged" and result.notes else WHY.get(state, state)
        pace = round(result.steps / result.epochs_run) if result.epochs_run else 0
        return cls(state, reason, epochs, tuple(ends), checks, round(result.seconds, 2), memory, pace)

    @property
    def shown(self) -> str:
        """The state in the live table."""
        return "from curve" if self.source is not None else self.state

    @classmethod
    def read(cls, raw: dict[str, Any]) -> "Outcome":
        ends = tuple(End(**end) for end in raw["ends"])
        return cls(**{**raw, "ends": ends, "checks": tuple((epoch, loss) for epoch, loss in raw["checks"])})

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def part(self, epochs: int, number: int) -> "Outcome":
        """The first `epochs` of this curve as the outcome of another trial. `number`: the trial that was trained."""
        source = number if self.source is None else self.source
        if epochs >= self.epochs:
            return replace(self, source=source, seconds=0.0)
        checks = tuple((epoch, loss) for epoch, loss in self.checks if epoch <= epochs)
        same = self.peak_memory, self.steps_per_epoch, source
        return Outcome("finished", WHY["finished"], epochs, self.up_to(epochs), checks, 0.0, *same)

    def up_to(self, epochs: float) -> tuple[End, ...]:
        return tuple(end for end in self.ends if end.epoch <= epochs)

    def value(self, objective: str, epochs: float) -> float | None:
        """The best at any epoch's end up to `epochs`; None where it was measured at none."""
        found = [v for end in self.up_to(epochs) if (v := getattr(end, objective)) is not None and math.isfinite(v)]
        if not found:
            return None
        return min(found) if OBJECTIVES[objective] == "minimize" else max(found)

    def best_epoch(self, objective: str, epochs: int) -> float | None:
        best = self.value(objective, epochs)
        return next((end.epoch for end in self.up_to(epochs) if getattr(end, objective) == best), None)

    def covers(self, epochs: int) -> bool:
        """Whether this training has the result of one of so many epochs."""
        if self.state == "finished":
            return self.epochs >= epochs
        return self.state in ("upturn", "budget") or len(self.ends) >= epochs

    def roughness(self, tolerance: float) -> float:
        """The share of validation checks that lie above the one before by more than `tolerance` of it."""
        losses = [loss for _, loss in self.checks]
        rises = [later > before * (1 + tolerance) for before, later in itertools.pairwise(losses)]
        return sum(rises) / len(rises) if rises else 0.0


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Written last: a trial with this file need not be trained again, whatever the study says."""
    write_json(folder / FILE, outcome.as_dict())


def read_outcome(folder: Path) -> Outcome | None:
    file = folder / FILE
    if not file.exists():
        return None
    try:
        return Outcome.read(read_object(file))
    except (TypeError, KeyError, ValueError) as error:
        raise refused(file, f"it is no outcome of a trial: {error}") from None
