"""One job's way through its lesson: which rows come next, what was measured, when it is over, what is kept."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from byheart.training.curve import peak_memory_gib, write_curve
from byheart.training.loss import weights
from byheart.training.order import is_check, stream
from byheart.training.packed.job import Job, Paused
from byheart.training.packed.lines import Seat
from byheart.training.stopping import best_by, refuse_divergence
from byheart.training.trainer import Learned
from byheart.training.validation import Validation
from byheart.types import CurvePoint


class Course:
    def __init__(self, job: Job, slot: int):
        before = job.paused or Paused(0, (), (), 0.0, {})
        lesson = job.lesson
        self.job, self.slot = job, slot
        self.step, self.curve, self.losses = before.steps, list(before.curve), list(before.losses)
        self.known = before.known
        self.best: Tensor | None = before.tensors.get("best")  # the best epoch's weights
        self.per_epoch, self.steps = lesson.steps_per_epoch, lesson.steps
        self.order = stream(len(lesson.train), lesson.batch_size, lesson.epochs, lesson.seed, self.step)
        self._before, self._joined = before.seconds, time.monotonic()

    def seats(self) -> list[Seat]:
        """The rows of the next optimizer step."""
        rows = [self.job.lesson.train[i] for i in next(self.order)]
        counts = torch.tensor([len(row.tokens) - row.loss_from for row in rows])
        shares = weights(torch.arange(len(rows)).repeat_interleave(counts), self.job.lesson.reduction)
        return [Seat(self.slot, row, own) for row, own in zip(rows, shares.split(counts.tolist()), strict=True)]

    def validation_seats(self) -> list[Seat]:
        """The rows that choose, so weighted that their losses add up to the mean over rows of each row's mean."""
        rows = sorted(self.job.lesson.validate, key=lambda row: len(row.tokens))
        counts = [len(row.tokens) - row.loss_from for row in rows]
        return [
            Seat(self.slot, row, torch.full((count,), 1 / count / len(rows), dtype=torch.float64))
            for row, count in zip(rows, counts, strict=True)
        ]

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.job.optimizer.rate(self.step, self.steps, self.job.lesson.schedule)

    def took(self, loss: float, known: Sequence[int]) -> None:
        """A step was taken on rows with this loss; `known`: how many of them were said, and how many there are. Raises Diverged."""
        self.step += 1
        self.losses.append(loss)
        self.known = self.known[0] + known[0], self.known[1] + known[1]
        refuse_divergence(loss, self.curve, self.step, self.steps, self.job.lesson.reduction)

    @property
    def check_due(self) -> bool:
        last = self.step == self.steps
        return is_check(self.step, self.per_epoch, self.job.stopping.checks_per_epoch) or last

    @property
    def epoch_end(self) -> bool:
        return self.step % self.per_epoch == 0

    def measured(self, found: Validation | None, asked: float | None) -> CurvePoint:
        """A validation check; `asked`: recall that was measured otherwise. Raises Diverged."""
        if found is not None:
            refuse_divergence(found.loss, self.curve, self.step, self.steps)
        point = CurvePoint(
            step=self.step,
            epoch=self.step // self.per_epoch if self.epoch_end else self.step / self.per_epoch,
            rows_seen=self._rows_seen(),
            train_loss=sum(self.losses) / len(self.losses),
            val_loss=found.loss if found else None,
            recall=asked if asked is not None else found.recall if found else None,
            lr=self.job.optimizer.rate(self.step - 1, self.steps, self.job.lesson.schedule),
            seconds=round(self.seconds, 3),
            peak_memory=peak_memory_gib(),
            token_accuracy=found.token_accuracy if found else None,
            bounded_loss=found.bounded_loss if found else None,
            train_recall=self.known[0] / self.known[1] if self.known[1] else None,
        )
        self.curve.append(point)
        self.losses, self.known = [], (0, 0)
        write_curve(self.job.folder / "curve.csv", self.curve)
        return point

    @property
    def best_is_now(self) -> bool:
        best = self.job.stopping.best_epoch(self.curve, self.step == self.steps)
        return best is not None and best == self.curve[-1].epoch

    @property
    def over(self) -> str | None:
        """upturn, finished, budget, or None."""
        if self.job.stopping.turned(self.curve):
            return "upturn"
        if self.step < self.steps:
            return None
        return "finished" if self.steps == self.per_epoch * self.job.lesson.epochs else "budget"

    def learned(self, state: str, *notes: str) -> Learned:
        if self.best is None and self.job.lesson.validate and self.step:
            notes = (*notes, "stopped before the end of the first epoch: the adapter is that of the last step")
        return Learned(
            state,
            tuple(self.curve),
            self.step,
            self._rows_seen(),
            self.step / self.per_epoch,
            self.job.stopping.best_epoch(self.curve, self.step == self.steps),
            best_by("val_loss", self.curve, self.step == self.steps),
            self.seconds,
            notes,
        )

    def paused(self, tensors: dict[str, Any]) -> Paused:
        kept = tensors if self.best is None else tensors | {"best": self.best}
        return Paused(self.step, tuple(self.curve), tuple(self.losses), self.seconds, kept, self.known)

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._joined

    def _rows_seen(self) -> int:
        whole, rest = divmod(self.step, self.per_epoch)
        return whole * len(self.job.lesson.train) + rest * self.job.lesson.batch_size
