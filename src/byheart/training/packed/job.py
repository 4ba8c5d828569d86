"""What a slot of the packed trainer works on, and what is left of it when it is paused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byheart.model.adapter import Lora
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Lesson
from byheart.types import CurvePoint


@dataclass(frozen=True)
class Paused:
    """A job taken out of its slot, to the bit: a few megabytes on the host. Put it into `Job.paused` to go on."""

    steps: int
    curve: tuple[CurvePoint, ...]
    losses: tuple[float, ...]  # training losses since the last check
    seconds: float
    tensors: dict[str, Any]  # name -> CPU tensor: masters, moments, the optimizer's step, the best epoch's weights
    known: tuple[int, int] = (0, 0)  # rows said word for word, and rows, since the last check


@dataclass(frozen=True)
class Job:
    """One training: what `Trainer.fit` is given, as a record. `folder` receives curve.csv and adapter/ (peft's files)."""

    id: str
    lesson: Lesson
    adapter: Lora  # rank up to the pack's max_rank, any alpha; the pack's targets; no dropout
    optimizer: AdamW
    stopping: Stopping
    folder: Path
    paused: Paused | None = None
