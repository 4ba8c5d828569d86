"""What held-out rows show of a model, in the pass that measures their loss: no answer need be generated for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


@dataclass(frozen=True)
class Validation:
    """Three means over the held-out rows.

    loss: of each row the mean cross entropy of its answer's tokens, in nats.
    recall: the share of answers whose every token is the model's first choice after the tokens before it. Greedy
      decoding then says that answer word for word, so this is its exact match, for the price of a forward pass.
    token_accuracy: of each row, the share of its answer's tokens that are the model's first choice.
    """

    loss: float
    recall: float
    token_accuracy: float

    @classmethod
    def of(cls, sums: "Sequence[float]") -> "Validation":
        """From a slot's three sums. Shares are rounded: equal numbers of right answers are equal, whichever they are."""
        loss, *shares = sums
        return cls(loss, *(round(share, 6) for share in shares))


def sums_by_slot(
    losses_N: "torch.Tensor",
    right_N: "torch.Tensor",
    weights_N: "torch.Tensor",
    rows_N: "torch.Tensor",
    slots_N: "torch.Tensor",
    slots: int,
) -> "torch.Tensor":
    """(3, slots): each slot's share of loss, recall and token accuracy, which add up over the parts of a set of rows.

    `weights_N` are those of the losses: those of a row add up to its share of the whole set.
    """
    import torch

    weights_N = weights_N.to(losses_N.dtype)
    rows = int(rows_N.max()) + 1
    whole_R = torch.ones(rows, dtype=torch.bool, device=right_N.device).index_put(
        (rows_N[~right_N],), right_N.new_tensor(False)
    )
    each = torch.stack([losses_N * weights_N, whole_R[rows_N] * weights_N, right_N * weights_N])
    return torch.zeros(3, slots, dtype=each.dtype, device=each.device).index_add(1, slots_N, each)
