"""What rows show of a model in the pass that measures their loss: no answer need be generated for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from byheart.training.layout import Batch

BOUND = 3.0  # nats: a token that the model gives 5 % or less counts as one to which it gives 5 %
SUMS = 4


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
    def of(cls, sums: "Sequence[float]") -> "Validation":
        """From a slot's sums. Shares are rounded: equal numbers of right answers are equal, whichever they are."""
        loss, bounded, *shares = sums
        return cls(loss, bounded, *(round(share, 6) for share in shares))


def sums_by_slot(
    losses_N: "torch.Tensor",
    right_N: "torch.Tensor",
    weights_N: "torch.Tensor",
    rows_N: "torch.Tensor",
    slots_N: "torch.Tensor",
    slots: int,
) -> "torch.Tensor":
    """(SUMS, slots): each slot's share of the values of a Validation, which add up over the parts of a set of rows.

    `weights_N` are those of the losses: those of a row add up to its share of the whole set.
    """
    import torch

    whole_N = _whole(right_N, rows_N)[rows_N]
    each = torch.stack([losses_N, losses_N.clamp(max=BOUND), whole_N, right_N]) * weights_N.to(losses_N.dtype)
    return torch.zeros(SUMS, slots, dtype=each.dtype, device=each.device).index_add(1, slots_N, each)


def known_by_slot(right_N: "torch.Tensor", batch: "Batch", slots_N: "torch.Tensor", slots: int) -> "torch.Tensor":
    """(2, slots): how many rows of each slot are said word for word, and how many rows there are; none that is replayed."""
    import torch

    whole_R = _whole(right_N, batch.rows)
    told_R = torch.ones_like(whole_R)
    if batch.soft_at is not None:
        told_R[batch.rows[batch.soft_at]] = False
    slots_R = torch.zeros(len(whole_R), dtype=torch.long, device=right_N.device).index_put((batch.rows,), slots_N)
    each = torch.stack([whole_R & told_R, told_R]).long()
    return torch.zeros(2, slots, dtype=torch.long, device=each.device).index_add(1, slots_R, each)


def _whole(right_N: "torch.Tensor", rows_N: "torch.Tensor") -> "torch.Tensor":
    """(R,): whether every target of a row is right."""
    import torch

    whole_R = torch.ones(int(rows_N.max()) + 1, dtype=torch.bool, device=right_N.device)
    whole_R[rows_N[~right_N]] = False
    return whole_R
