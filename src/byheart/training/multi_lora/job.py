"""What the packed trainer is given for one training, and what it asks its caller and notifies it of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.model.adapters.adapter import Lora
from byheart.records import CurvePoint
from byheart.training.job import Paused, TrainJob
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping

if TYPE_CHECKING:
    from byheart.training.multi_lora.answers import PackAnswers

GO_ON, PAUSE, PRUNE = "go on", "pause", "prune"  # what PackedHooks.on_check may answer


@dataclass(frozen=True)
class PackedJob:
    """One training: what `Trainer.fit` is given, as a record. `folder` receives curve.csv and adapter/ (peft's files)."""

    id: str
    train_job: TrainJob
    adapter: Lora  # rank up to the pack's max_rank, any alpha; the pack's targets; no dropout
    optimizer: AdamW
    stopping: Stopping
    folder: Path
    paused: Paused | None = None


@dataclass(frozen=True)
class PackedHooks:
    """What the caller of `PackedTrainer.stream` wants to be asked and notified of.

    on_check: after each validation check; answers GO_ON, PAUSE or PRUNE.
    recall: with all jobs that end an epoch at this step, and what asks their adapters; gives a value for each.
    on_step: after each step of all jobs, job id -> (steps done, steps in all).
    on_note: one line, where a plainer way has to be taken.
    """

    on_check: Callable[[PackedJob, CurvePoint, Sequence[CurvePoint]], str] = lambda job, point, curve: GO_ON
    recall: "Callable[[Sequence[PackedJob], PackAnswers], Sequence[float | None]] | None" = None
    stop_requested: Callable[[], bool] = lambda: False
    on_step: Callable[[dict[str, tuple[int, int]]], None] = lambda steps: None
    on_note: Callable[[str], None] = lambda line: None
