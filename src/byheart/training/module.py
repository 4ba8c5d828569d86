"""The LightningModule: supervised fine-tuning on rows, with logits only where the loss is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import lightning as L
import torch

from byheart.training.layout import Batch, Row, packed, padded
from byheart.training.loss import token_scores, weights
from byheart.training.state import TrainState
from byheart.training.validation import SUMS, Validation, known_by_slot, sums_by_slot

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
        for part, part_weights in self._parts(rows):
            losses, right = token_scores(self.model, part)
            known += known_by_slot(right, part, torch.zeros_like(part.rows), 1)[:, 0].cpu()
            loss = (losses * part_weights.to(losses.dtype).to(self.device)).sum()
            self.manual_backward(loss)
            total += loss.detach()
        self.masters.step(self.state.rate(self.state.step))
        self.state.advance(float(total), known.tolist())
        return total

    @torch.no_grad()
    def validate(self, rows: Sequence[Row], rows_at_once: int = 16) -> Validation:
        """On held-out rows; the random state is not touched."""
        self.model.eval()
        order = sorted(rows, key=lambda row: len(row.tokens))
        total = torch.zeros(SUMS, 1, dtype=torch.float64)
        for start in range(0, len(order), rows_at_once):
            part = self._lay_out(order[start : start + rows_at_once])
            losses, right = token_scores(self.model, part)
            own = weights(part.rows, "row_mean").to(self.device) * (int(part.rows.max()) + 1) / len(order)
            total += sums_by_slot(losses, right, own, part.rows, torch.zeros_like(part.rows), 1).cpu()
        self.model.train()
        return Validation.of(total[:, 0].tolist())

    def _parts(self, rows: Sequence[Row]) -> Iterator[tuple[Batch, torch.Tensor]]:
        """The batch in parts, each target with its weight in the whole batch."""
        size = self.rows_at_once or len(rows)
        reduction = self.state.lesson.reduction
        targets = sum(len(row.tokens) - row.loss_from for row in rows)
        for start in range(0, len(rows), size):
            part = self._lay_out(rows[start : start + size])
            own = weights(part.rows, reduction)
            if reduction == "row_mean":
                own = own * (len(rows[start : start + size]) / len(rows))
            elif reduction == "token_mean":
                own = own * (len(part.targets) / targets)
            yield part, own

    def _lay_out(self, rows: Sequence[Row]) -> Batch:
        batch = packed(rows) if self.layout == "packed" else padded(rows, self.state.lesson.filler)
        return batch.to(self.device)
