"""The training state of the job in one slot."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from byheart.training.job import Paused
from byheart.training.loss import weights
from byheart.training.packed.batch import PackedRow
from byheart.training.packed.job import Job
from byheart.training.state import TrainState

if TYPE_CHECKING:
    from torch import Tensor


class SlotState(TrainState):
    """A TrainState with its slot, its rows ready for packing, and the weights of its best epoch."""

    def __init__(self, job: Job, slot: int):
        super().__init__(job.lesson, job.optimizer, job.stopping, job.folder, job.paused)
        self.job, self.slot = job, slot
        self.best: Tensor | None = job.paused.tensors.get("best") if job.paused else None
        self._batches = self.batches()

    def next_rows(self) -> list[PackedRow]:
        """The rows of the next optimizer step."""
        rows = next(self._batches)
        counts = torch.tensor([len(row.tokens) - row.loss_from for row in rows])
        shares = weights(torch.arange(len(rows)).repeat_interleave(counts), self.lesson.reduction)
        return [PackedRow(self.slot, row, own) for row, own in zip(rows, shares.split(counts.tolist()), strict=True)]

    def validation_rows(self) -> list[PackedRow]:
        """Weighted so that their losses add up to the mean over rows of each row's mean."""
        rows = sorted(self.lesson.validate, key=lambda row: len(row.tokens))
        counts = [len(row.tokens) - row.loss_from for row in rows]
        return [
            PackedRow(self.slot, row, torch.full((count,), 1 / count / len(rows), dtype=torch.float64))
            for row, count in zip(rows, counts, strict=True)
        ]

    def paused_with(self, tensors: "dict[str, Tensor]") -> Paused:
        """What the job resumes from in this or another pack, given its slot's tensors."""
        return replace(self.paused(), tensors=tensors if self.best is None else tensors | {"best": self.best})
