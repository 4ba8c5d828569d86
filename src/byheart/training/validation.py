"""What held-out rows show of a model in one forward pass, without generating answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byheart.training.layout import Part
from byheart.training.loss import WHOLE, token_scores

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

BOUND = 3.0  # nats: a token that the model gives 5 % or less counts as one to which it gives 5 %


@dataclass(frozen=True)
class Validation:
    """Four means over the held-out rows.

    loss: of each row the mean cross entropy of its answer's tokens, in nats.
    bounded_loss: the same where no token counts for more than BOUND. A model that grows sure of its wrong answers
      raises the loss without end, while it still learns other answers.
    recall: the share of answers whose every token is the model's first choice after the tokens before it. Greedy
      decoding then says that answer word for word, so this is its exact match, for the price of a forward pass.
    token_accuracy: of each row, the share of its answer's tokens that are the model's first choice.
    """

    loss: float
    bounded_loss: float
    recall: float
    token_accuracy: float

    @classmethod
    def of(cls, sums: Sequence[float]) -> "Validation":
        """From a slot's sums. Shares are rounded: equal numbers of right answers are equal, whichever they are."""
        loss, bounded, *shares = sums
        return cls(loss, bounded, *(round(share, 6) for share in shares))


def validate(
    model: "PreTrainedModel | PeftModel", parts: Iterable[Part], slots: int, head: str = WHOLE
) -> list[Validation]:
    """The validation of each slot; for a slot without rows it has no meaning.

    The weights of a row's targets add up to the row's share of all rows of its slot.
    """
    totals = torch.zeros(4, slots, dtype=torch.float64)
    with torch.no_grad():
        for part in parts:
            losses_N, right_N = token_scores(model, part.batch, head, **part.model_inputs)
            whole_N = whole_rows(right_N, part.batch.rows)[part.batch.rows]
            each = part.weighted(torch.stack([losses_N, losses_N.clamp(max=BOUND), whole_N, right_N])).cpu()
            # On the CPU: CUDA adds in no fixed order, and the last bit of a loss may choose another epoch.
            totals += each.new_zeros(4, slots).index_add(1, part.slots.cpu(), each)
    return [Validation.of(sums) for sums in totals.T.tolist()]


def known_by_slot(right_N: Tensor, part: Part, slots: int) -> Tensor:
    """(2, slots): how many rows of each slot are predicted word for word, and how many rows there are, replayed ones left out."""
    batch = part.batch
    whole_R = whole_rows(right_N, batch.rows)
    counted_R = torch.ones_like(whole_R)
    if batch.soft_at is not None:
        counted_R[batch.rows[batch.soft_at]] = False
    slots_R = torch.zeros_like(whole_R, dtype=torch.long).index_put((batch.rows,), part.slots)
    each = torch.stack([whole_R & counted_R, counted_R]).long()
    return each.new_zeros(2, slots).index_add(1, slots_R, each)


def whole_rows(right_N: Tensor, rows_N: Tensor) -> Tensor:
    """(R,): whether every target of a row is right."""
    whole_R = torch.ones(int(rows_N.max()) + 1, dtype=torch.bool, device=right_N.device)
    whole_R[rows_N[~right_N]] = False
    return whole_R
