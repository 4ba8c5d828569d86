"""Training in Lightning: the module that takes optimizer steps, and the callback that validates and saves between them."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch

from byheart.model.memory import halving, is_out_of_memory, release_memory
from byheart.model.random_state import random_state, set_random_state
from byheart.training.agreement import ForwardPath
from byheart.training.checkpoint import save_checkpoint, save_weights
from byheart.training.job import Hooks
from byheart.training.kinds import KindCurve
from byheart.training.layout import Part, Row, lay_out
from byheart.training.loss import row_weights, token_scores
from byheart.training.state import TrainState
from byheart.training.validation import Validation, known_by_slot, validate

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from byheart.training.optimizer import MasterStep

COMPUTED_AGAIN = "layers are computed again in the backward pass, to the same result and about a third slower"


class SFTModule(L.LightningModule):
    """Trains `model` on batches of rows. Optimization is manual: a batch may be read in parts of `rows_at_once` whose
    losses add up exactly, whatever the reduction, which gradient accumulation by averaging does not give."""

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        masters: "MasterStep",
        state: TrainState,
        path: ForwardPath | None = None,
        rows_at_once: int | None = None,
        note: Callable[[str], None] = lambda text: None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.model, self.masters, self.state = model, masters, state
        self.path, self.rows_at_once, self.note = path or ForwardPath(), rows_at_once, note
        self.save_memory: Callable[[], None] | None = None  # begins with gradient checkpointing, where that is allowed
        self.validated_at_once = 16

    def configure_optimizers(self) -> None:
        return None  # MasterStep steps by itself: Lightning would checkpoint and clip the bfloat16 copies

    def on_fit_start(self) -> None:
        self.model.train()  # from_pretrained leaves eval mode on, and Lightning does not change that

    def transfer_batch_to_device(self, batch: list[Row], device: torch.device, index: int) -> list[Row]:
        return batch  # rows are lists: they become tensors, on the device, when they are laid out

    def training_step(self, rows: list[Row], index: int) -> torch.Tensor:
        """One optimizer step on a whole batch; gives its loss. Raises Diverged."""
        before, usual = random_state(), self.rows_at_once

        def anew() -> None:
            self.model.zero_grad()  # of the attempt for which memory did not suffice
            set_random_state(before)

        def with_fewer(at_once: int) -> None:
            anew()
            was, self.rows_at_once = self.rows_at_once or len(rows), at_once
            self.note(
                f"memory does not hold {was} rows at once: training goes on with {at_once}, to the same result "
                f"(from the start: trainer.rows_at_once={at_once})"
            )

        def gradients() -> tuple[torch.Tensor, torch.Tensor]:
            at_once = min(len(rows), self.rows_at_once or len(rows))
            return halving(at_once, partial(self._gradients, rows), with_fewer)[0]

        try:
            total, known = gradients()
        except (MemoryError, RuntimeError) as error:
            if self.save_memory is None or not is_out_of_memory(error):
                raise
            error.__traceback__ = None  # what the failed attempt made hangs on its frames
            begin, self.save_memory, self.rows_at_once = self.save_memory, None, usual
            anew()
            begin()
            self.note(f"memory does not hold one row: {COMPUTED_AGAIN}")
            release_memory()
            total, known = gradients()
        self.masters.step(self.state.rate(self.state.step))
        self.state.advance(float(total), known.tolist())
        return total

    def _gradients(self, rows: list[Row], at_once: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss, and how many rows were predicted word for word and how many there were; the gradients add up."""
        total = torch.zeros((), device=self.device)
        known = torch.zeros(2, dtype=torch.long, device=self.device)
        for part in self._parts(rows, self.state.train_job.reduction, at_once):
            losses, right = token_scores(self.model, part.batch, self.path.head)
            known += known_by_slot(right, part, 1)[:, 0]
            loss = part.weighted(losses).sum()
            self.manual_backward(loss)
            total += loss.detach()
        return total, known

    def validate(self, rows: Sequence[Row], rows_at_once: int | None = None, reduction: str = "row_mean") -> Validation:
        """On rows that are not trained on; the random state is not touched."""
        self.model.eval()
        in_order = sorted(rows, key=lambda row: len(row.tokens))
        wanted = min(len(rows), rows_at_once or self.validated_at_once)
        (found,), fit = halving(
            wanted,
            lambda at_once: validate(self.model, self._parts(in_order, reduction, at_once), 1, self.path.head),
        )
        self.model.train()
        if fit < wanted:  # else a few rows of one kind would set how many are read together of all others
            self.validated_at_once = fit
        return found

    def cpu(self) -> "SFTModule":
        """Leaves the model where it is. Lightning moves it to the CPU at the end, where the next trial would train."""
        return self

    def _parts(self, rows: Sequence[Row], reduction: str, size: int | None) -> Iterator[Part]:
        """The batch in parts of at most `size` rows, each target with its weight in the whole batch."""
        shares = row_weights(rows, reduction)
        for some, batch in lay_out(rows, self.path.layout, self.state.train_job.filler, size):
            yield Part(batch, torch.cat(shares[some]), torch.zeros_like(batch.rows)).to(self.device)


class CheckCallback(L.Callback):
    """After each step that is due, a validation check. Each check writes a checkpoint from which training resumes exactly.

    With `keep_best` the weights are kept where an epoch's end, or the end of a budget, is the best so far.
    """

    def __init__(self, state: TrainState, hooks: Hooks, keep_best: bool):
        self.state, self.hooks, self.keep_best = state, hooks, keep_best
        self.stopped = False  # by request
        self.on_sigterm = signal.getsignal(signal.SIGTERM)
        self.kinds = KindCurve(state.train_job, state.folder, state.step)

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Lightning has put a handler around ours, which would end the training before the step is saved."""
        assert isinstance(module, SFTModule)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.on_sigterm)
        if self.state.step == 0 and self.kinds.due(0, ends=False):
            self.kinds.record(0, 0, partial(_loss_and_recall, module))

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(module, SFTModule)
        state = self.state
        self.hooks.on_step(state.step, state.train_job.steps)
        state.out_of_time = state.out_of_time or self.hooks.out_of_time()
        if state.check_due:
            self._check(module)
        self.stopped = self.hooks.stop_requested()
        trainer.should_stop = self.stopped or state.over is not None

    def _check(self, module: SFTModule) -> None:
        state, checkpoints = self.state, self.state.folder / "checkpoint"
        with module.masters.measured():
            found = module.validate(state.train_job.validate) if state.train_job.validate else None
            point = state.record(found, self.hooks.recall)
            if self.kinds.due(point.epoch, ends=state.over is not None):
                self.kinds.record(point.step, point.epoch, partial(_loss_and_recall, module))
            if self.keep_best and state.is_best:
                best = best_weights(state.folder, point.epoch)
                save_weights(best, module.model)
                for old in checkpoints.glob("best-epoch-*.safetensors"):
                    if old != best:
                        old.unlink()
        save_checkpoint(checkpoints, state.paused(), module.masters)
        self.hooks.on_check(point, state.curve)


def _loss_and_recall(module: SFTModule, rows: Sequence[Row], reduction: str) -> tuple[float, float]:
    found = module.validate(rows, reduction=reduction)
    return found.loss, found.recall


def best_weights(folder: Path, epoch: float) -> Path:
    """Where the weights of the best epoch lie."""
    return folder / "checkpoint" / f"best-epoch-{epoch:g}.safetensors"


def quiet_lightning() -> None:
    """Hides Lightning's banners and its advice about data workers: our own progress display replaces them."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", message=r".*`isinstance\(treespec, LeafSpec\)`.*")
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
