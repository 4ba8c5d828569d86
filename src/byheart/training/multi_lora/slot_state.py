"""The training state of the job in one slot."""

from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.training.job import Paused
from byheart.training.layout import Row
from byheart.training.loss import row_weights
from byheart.training.multi_lora.batch import PackedRow
from byheart.training.multi_lora.job import PackedJob
from byheart.training.state import TrainState

if TYPE_CHECKING:
    from torch import Tensor


class SlotState(TrainState):
    """A TrainState with its slot, its rows ready for packing, and the weights of its best epoch."""

    def __init__(self, job: PackedJob, slot: int):
        super().__init__(job.train_job, job.optimizer, job.stopping, job.folder, job.paused)
        self.job, self.slot = job, slot
        self.best: Tensor | None = job.paused.tensors.get("best") if job.paused else None
        self._batches = self.batches()

    def next_rows(self) -> list[PackedRow]:
        """The rows of the next optimizer step."""
        return self._weighted(next(self._batches), self.train_job.reduction)

    def validation_rows(self) -> list[PackedRow]:
        return self._weighted(sorted(self.train_job.validate, key=lambda row: len(row.tokens)), "row_mean")

    def _weighted(self, rows: list[Row], reduction: str) -> list[PackedRow]:
        shares = row_weights(rows, reduction)
        return [PackedRow(self.slot, row, own) for row, own in zip(rows, shares, strict=True)]

    def paused_with(self, tensors: "dict[str, Tensor]") -> Paused:
        """What the job resumes from in this or another pack, given its slot's tensors."""
        return replace(self.paused(), tensors=tensors if self.best is None else tensors | {"best": self.best})
