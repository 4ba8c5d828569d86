"""Training in Lightning: the module that takes optimizer steps, and the callback that validates and saves between them."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch

from byheart.training.checkpoint import save_checkpoint, save_weights
from byheart.training.job import Hooks
from byheart.training.layout import Part, Row, packed, padded
from byheart.training.loss import row_weights, token_scores
from byheart.training.state import TrainState
from byheart.training.validation import Validation, known_by_slot, validate

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from byheart.training.optimizer import MasterStep


class SFTModule(L.LightningModule):
    """Trains `model` on batches of rows. Optimization is manual: a batch may be read in parts of `rows_at_once` whose
    losses add up exactly, whatever the reduction, which gradient accumulation by averaging does not give."""

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        masters: "MasterStep",
        state: TrainState,
        layout: str = "packed",
        rows_at_once: int | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.model, self.masters, self.state = model, masters, state
        self.layout, self.rows_at_once = layout, rows_at_once

    def configure_optimizers(self) -> None:
        return None  # MasterStep steps by itself: Lightning would checkpoint and clip the bfloat16 copies

    def on_fit_start(self) -> None:
        self.model.train()  # from_pretrained leaves eval mode on, and Lightning does not change that

    def transfer_batch_to_device(self, batch: list[Row], device: torch.device, index: int) -> list[Row]:
        return batch  # rows are lists: they become tensors, on the device, when they are laid out

    def training_step(self, rows: list[Row], index: int) -> torch.Tensor:
        """One optimizer step on a whole batch; gives its loss. Raises Diverged."""
        total = torch.zeros((), device=self.device)
        known = torch.zeros(2, dtype=torch.long)
        for part in self._parts(rows, self.state.train_job.reduction, self.rows_at_once or len(rows)):
            losses, right = token_scores(self.model, part.batch)
            known += known_by_slot(right, part, 1)[:, 0].cpu()
            loss = part.weighted(losses).sum()
            self.manual_backward(loss)
            total += loss.detach()
        self.masters.step(self.state.rate(self.state.step))
        self.state.advance(float(total), known.tolist())
        return total

    def validate(self, rows: Sequence[Row], rows_at_once: int = 16) -> Validation:
        """On held-out rows; the random state is not touched."""
        self.model.eval()
        in_order = sorted(rows, key=lambda row: len(row.tokens))
        (found,) = validate(self.model, self._parts(in_order, "row_mean", rows_at_once), slots=1)
        self.model.train()
        return found

    def _parts(self, rows: Sequence[Row], reduction: str, size: int) -> Iterator[Part]:
        """The batch in parts of at most `size` rows, each target with its weight in the whole batch."""
        shares = row_weights(rows, reduction)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            batch = packed(some) if self.layout == "packed" else padded(some, self.state.train_job.filler)
            part = Part(batch, torch.cat(shares[start : start + size]), torch.zeros_like(batch.rows))
            yield part.to(self.device)


class CheckCallback(L.Callback):
    """After each step that is due, a validation check. Each check writes a checkpoint from which training resumes exactly.

    With `keep_best` the weights are kept where an epoch's end, or the end of a budget, is the best so far.
    """

    def __init__(self, state: TrainState, hooks: Hooks, keep_best: bool):
        self.state, self.hooks, self.keep_best = state, hooks, keep_best
        self.stopped = False  # by request

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
            if self.keep_best and state.is_best:
                best = best_weights(state.folder, point.epoch)
                save_weights(best, module.model)
                for old in checkpoints.glob("best-epoch-*.safetensors"):
                    if old != best:
                        old.unlink()
        save_checkpoint(checkpoints, state.paused(), module.masters)
        self.hooks.on_check(point, state.curve)


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
