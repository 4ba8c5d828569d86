"""The LightningModule: supervised fine-tuning on rows, with logits only where the loss is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import lightning as L
import torch

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
        self.model = model
        self.masters = masters
        self.state = state
        self.layout = layout
        self.rows_at_once = rows_at_once

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
