"""TensorBoard: event files in each run's folder; `tensorboard --logdir outputs` compares them."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from byheart.records import Json
from byheart.report.loggers.base import About

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@dataclass(frozen=True)
class Tensorboard:
    """Curves and final scores."""

    title: ClassVar[str] = "TensorBoard"

    folder: str = "tensorboard"  # within the run's folder

    def problems(self) -> list[str]:
        missing = importlib.util.find_spec("tensorboard") is None
        return ["tensorboard is not installed: pip install 'byheart[viewers]'"] if missing else []

    def open(self, about: About) -> "TensorboardLog":
        from torch.utils.tensorboard import SummaryWriter

        return TensorboardLog(SummaryWriter(str(about.folder / self.folder)))


class TensorboardLog:
    def __init__(self, writer: "SummaryWriter"):
        self.writer = writer
        self.step = 0

    def check(self, values: Mapping[str, float], step: int) -> None:
        self.step = step
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def scored(self, scores: Mapping[str, float], probes: Sequence[Json], report: Path) -> None:
        for name, value in scores.items():
            self.writer.add_scalar(f"final/{name}", value, self.step)

    def close(self, failed: bool = False) -> None:
        self.writer.close()
