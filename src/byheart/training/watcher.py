"""The callback that looks at a training while it runs: validates, keeps, and stops it."""

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L

from byheart.training.checkpoint import load_weights, save_checkpoint, save_weights
from byheart.training.curve import peak_memory_gib, write_curve
from byheart.training.order import is_check
from byheart.training.stopping import Stopping, best_by, refuse_divergence
from byheart.types import CurvePoint

if TYPE_CHECKING:
    from byheart.training.memorizer import Memorizer
    from byheart.training.trainer import Learned, Lesson


class Watcher(L.Callback):
    """Several checks an epoch on the validation rows; at an epoch's end, and at a budget's, the weights are kept if best.

    Each check writes the curve and a checkpoint; each is exact to resume from.
    """

    def __init__(
        self,
        lesson: "Lesson",
        stopping: Stopping,
        folder: Path,
        curve: list[CurvePoint],
        seconds: float,
        recall: Callable[[], float | None] | None,
        on_step: Callable[[int, int], None],
        on_check: Callable[[CurvePoint, Sequence[CurvePoint]], None],
        stop_requested: Callable[[], bool],
        keep_best: bool,
        out_of_time: Callable[[], bool],
    ):
        self.lesson, self.stopping, self.folder, self.curve = lesson, stopping, folder, curve
        self.per_epoch, self.steps = lesson.steps_per_epoch, lesson.steps
        self.recall, self.on_step, self.on_check, self.stop_requested = recall, on_step, on_check, stop_requested
        self.keep_best, self.out_of_time = keep_best, out_of_time
        self.before = seconds  # spent before a resume
        self.started = time.monotonic()
        self.losses: list[float] = []  # since the last check
        self.stopped = self.spent = False

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        step = module.steps_done
        self.losses.append(float(outputs["loss"] if isinstance(outputs, dict) else outputs))
        refuse_divergence(self.losses[-1], self.curve, step, self.steps, self.lesson.reduction)
        self.on_step(step, self.steps)
        self.spent = self.spent or self.out_of_time()
        last = self.spent or step == self.steps
        if is_check(step, self.per_epoch, self.stopping.checks_per_epoch) or last:
            self._check(module, step, last)
            if self.stopping.turned(self.curve):
                trainer.should_stop = True
        if self.spent:
            trainer.should_stop = True
        if self.stop_requested():
            self.stopped = trainer.should_stop = True

    def conclude(self, module: "Memorizer") -> "Learned":
        """Puts the best epoch's weights into the model, and tells how it went."""
        from byheart.training.trainer import Learned

        step = module.steps_done
        over = self.spent or step >= self.steps
        chosen = self.stopping.best_epoch(self.curve, over) if self.keep_best else None
        module.masters.conclude()
        if chosen is not None and self._kept(chosen).is_file():
            load_weights(self._kept(chosen), module.model)
        notes = []
        if chosen is None and self.keep_best and self.lesson.validate and step:
            notes.append("stopped before the end of the first epoch: the adapter is that of the last step")
        module.model.eval()
        return Learned(
            self._state(step),
            tuple(self.curve),
            step,
            min(step * self.lesson.batch_size, self._rows_seen(step)),
            step / self.per_epoch,
            chosen,
            best_by("val_loss", self.curve, over),
            self.seconds,
            tuple(notes),
        )

    def _state(self, step: int) -> str:
        if self.stopped:
            return "stopped"
        if self.stopping.turned(self.curve):
            return "upturn"
        return "finished" if step >= self.per_epoch * self.lesson.epochs else "budget"

    def _check(self, module: "Memorizer", step: int, last: bool) -> None:
        epoch_end = step % self.per_epoch == 0
        with module.masters.measured():
            point = self._measured(module, step, epoch_end)
            self.curve.append(point)
            if self.keep_best and (epoch_end or last) and self.stopping.best_epoch(self.curve, last) == point.epoch:
                save_weights(self._kept(point.epoch), module.model)
                for old in self.folder.glob("checkpoint/best-epoch-*.safetensors"):
                    if old != self._kept(point.epoch):
                        old.unlink()
        self.losses = []
        write_curve(self.folder / "curve.csv", self.curve)
        save_checkpoint(self.folder / "checkpoint", step, module.masters, self.curve, self.seconds)
        self.on_check(point, self.curve)

    def _measured(self, module: "Memorizer", step: int, epoch_end: bool) -> CurvePoint:
        found = module.validate(self.lesson.validate) if self.lesson.validate else None
        if found is not None:
            refuse_divergence(found.loss, self.curve, step, self.steps)
        asked = self.recall() if epoch_end and self.recall else None
        return CurvePoint(
            step=step,
            epoch=step // self.per_epoch if epoch_end else step / self.per_epoch,
            rows_seen=self._rows_seen(step),
            train_loss=sum(self.losses) / len(self.losses),
            val_loss=found.loss if found else None,
            recall=asked if asked is not None else found.recall if found else None,
            lr=module.rates[step - 1],
            seconds=round(self.seconds, 3),
            peak_memory=peak_memory_gib(),
            token_accuracy=found.token_accuracy if found else None,
            bounded_loss=found.bounded_loss if found else None,
            train_recall=module.share_known(),
        )

    def _kept(self, epoch: float) -> Path:
        return self.folder / "checkpoint" / f"best-epoch-{epoch:g}.safetensors"

    def _rows_seen(self, step: int) -> int:
        whole, rest = divmod(step, self.per_epoch)
        return whole * len(self.lesson.train) + rest * self.lesson.batch_size


def quiet_lightning() -> None:
    """Our screen says what matters; Lightning's banners and its advice about data workers do not fit it."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", message=r".*`isinstance\(treespec, LeafSpec\)`.*")
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
