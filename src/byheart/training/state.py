"""The state of one training, driven by both loops: the Lightning callback and the packed engine."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from byheart.records import CurvePoint
from byheart.training.curve import write_curve
from byheart.training.hardware import peak_memory_gib
from byheart.training.job import UNCHOSEN, Paused, TrainJob, TrainResult, stream
from byheart.training.layout import Row
from byheart.training.optimizer import Optimizer
from byheart.training.stopping import WORDS, Stopping, best_by, ends, is_check, refuse_divergence
from byheart.training.validation import Validation


class TrainState:
    """The step, the curve, what was measured since the last check, and whether training is over.

    A loop takes the rows of each step from `batches`, calls `advance` after each optimizer step, and `record` where
    `check_due`.
    """

    def __init__(
        self, train_job: TrainJob, optimizer: Optimizer, stopping: Stopping, folder: Path, start: Paused | None = None
    ):
        """`folder` receives curve.csv. `start`: the state to resume from."""
        start = start or Paused()
        self.train_job, self.optimizer, self.stopping, self.folder = train_job, optimizer, stopping, folder
        self.step, self.curve = start.steps, list(start.curve)
        self.losses, self.known = list(start.losses), start.known
        self._start = start
        self.out_of_time = False  # set by a loop that has a time budget: the step just taken is the last
        self._seconds_before, self._started = start.seconds, time.monotonic()

    def batches(self) -> Iterator[list[Row]]:
        """The rows of each step from the current one on."""
        train_job = self.train_job
        for batch in stream(len(train_job.train), train_job.batch_size, train_job.epochs, train_job.seed, self.step):
            yield [train_job.train[i] for i in batch]

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0; `rate(self.step)` is that of the next one."""
        return self.optimizer.rate(step, self.train_job.steps, self.train_job.schedule)

    def advance(self, loss: float, known: Sequence[int]) -> None:
        """Counts an optimizer step. `known`: how many of its rows were predicted word for word, and how many there were.

        Replayed rows are not counted. Raises Diverged.
        """
        self.step += 1
        self.losses.append(loss)
        self.known = self.known[0] + known[0], self.known[1] + known[1]
        refuse_divergence(loss, self.curve, self.step, self.train_job.steps, self.train_job.reduction)

    @property
    def at_end(self) -> bool:
        """Whether no step may follow: all are taken, or the time is used up."""
        return self.out_of_time or self.step >= self.train_job.steps

    @property
    def epoch(self) -> float:
        whole, rest = divmod(self.step, self.train_job.steps_per_epoch)
        return self.step / self.train_job.steps_per_epoch if rest else whole

    @property
    def rows_seen(self) -> int:
        whole, rest = divmod(self.step, self.train_job.steps_per_epoch)
        return whole * len(self.train_job.train) + rest * self.train_job.batch_size

    @property
    def seconds(self) -> float:
        """Training time, including that before a resume."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def check_due(self) -> bool:
        return self.at_end or is_check(self.step, self.train_job.steps_per_epoch, self.stopping.checks_per_epoch)

    @property
    def at_epoch_end(self) -> bool:
        return self.step % self.train_job.steps_per_epoch == 0

    def refuse(self, found: Validation | None) -> None:
        """Raises Diverged if a validation says so."""
        if found is not None:
            refuse_divergence(found.loss, self.curve, self.step, self.train_job.steps)

    def record(self, found: Validation | None, recall: Callable[[], float | None] | None = None) -> CurvePoint:
        """Adds a check to the curve and to curve.csv.

        `found`: the validation, if there are validation rows. `recall` measures recall in another way; it is called at
        an epoch's end. Raises Diverged, before it is called.
        """
        self.refuse(found)
        measured = recall() if recall and self.at_epoch_end else None
        point = CurvePoint(
            step=self.step,
            epoch=self.epoch,
            rows_seen=self.rows_seen,
            train_loss=sum(self.losses) / len(self.losses),
            val_loss=found.loss if found else None,
            recall=measured if measured is not None else found.recall if found else None,
            lr=self.rate(self.step - 1),
            seconds=round(self.seconds, 3),
            peak_memory=peak_memory_gib(),
            token_accuracy=found.token_accuracy if found else None,
            bounded_loss=found.bounded_loss if found else None,
            train_recall=self.known[0] / self.known[1] if self.known[1] else None,
        )
        self.curve.append(point)
        self.losses, self.known = [], (0, 0)
        write_curve(self.folder / "curve.csv", self.curve)
        return point

    @property
    def best_epoch(self) -> float | None:
        return best_by(self.stopping.monitor, self.curve, self.at_end, self._choices())

    def _choices(self) -> list[CurvePoint] | None:
        """The checks whose weights can be chosen; None: those at the epochs' ends.

        A training that goes on with another monitor, or after a budget that ended within an epoch, has kept the weights
        of one earlier check, which need not be an epoch's end. Those of the others are gone.
        """
        kept, begun_at = self._start.kept, self._start.steps
        if kept is None:
            return None
        new = [point for point in ends(self.curve, self.at_end) if point.step > begun_at]
        return [point for point in self.curve if f"{point.epoch:g}" in kept and point not in new] + new

    @property
    def is_best(self) -> bool:
        """Whether the last check is that of the best epoch."""
        return self.best_epoch == self.curve[-1].epoch

    @property
    def over(self) -> str | None:
        """Why training ends here: upturn, finished or budget; None: it goes on."""
        if self.stopping.turned(self.curve):
            return "upturn"
        if not self.at_end:
            return None
        return "finished" if self.step >= self.train_job.steps_per_epoch * self.train_job.epochs else "budget"

    def paused(self) -> Paused:
        """What training resumes from, without tensors."""
        return Paused(self.step, tuple(self.curve), tuple(self.losses), self.seconds, {}, self.known)

    def result(self, state: str, notes: Sequence[str] = (), keep_best: bool = True) -> TrainResult:
        """`state` as in `TrainResult`. Without `keep_best` no epoch is chosen."""
        chosen = self.best_epoch if keep_best else None
        if chosen is None and keep_best and self.train_job.validate and self.step:
            ended = ends(self.curve, self.at_end)
            why = f"{WORDS[self.stopping.monitor]} stayed at 0" if ended else "the first epoch was not ended"
            notes = (*notes, f"{UNCHOSEN} {why}: the adapter is that of the last step")
        return TrainResult(
            state=state,
            curve=tuple(self.curve),
            steps=self.step,
            rows=self.rows_seen,
            epochs_run=self.step / self.train_job.steps_per_epoch,
            chosen_epoch=chosen,
            loss_would_choose=best_by("val_loss", self.curve, self.at_end),
            seconds=self.seconds,
            notes=tuple(notes),
        )
