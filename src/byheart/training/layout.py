"""How a batch of rows lies in memory: packed end to end behind the prefix that all share, or padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Row:
    tokens: list[int]
    loss_from: int  # index of the first token that carries loss, at least 1


@dataclass(frozen=True)
class Batch:
    """Model inputs, and for each loss-bearing token where it is predicted, what it is, and its row.

    B x T tokens; `mask` is None where plain causal attention will do, else (1, 1, T, T) booleans (true: may look).
    """

    tokens: "torch.Tensor"  # (B, T)
    positions: "torch.Tensor | None"  # (B, T)
    mask: "torch.Tensor | None"
    predicted_at: "torch.Tensor"  # (N,) indices into the flattened (B * T) hidden states
    targets: "torch.Tensor"  # (N,)
    rows: "torch.Tensor"  # (N,) which row of the batch each target belongs to


@dataclass(frozen=True)
class Line:
    """Rows end to end behind the prefix that all of them begin with, which stands there once."""

    tokens: list[int]
    positions: list[int]  # those that each token would have in its row alone
    owners: list[int]  # the row of each token; -1 in the prefix
    predicted_at: list[int]  # index of the token that predicts each target, row after row


def behind_prefix(rows: Sequence[Row]) -> Line:
    """A token that carries loss is never shared. A single row is all its own."""
    shared = _common_prefix(rows) if len(rows) > 1 else 0
    tokens, positions, owners, at = rows[0].tokens[:shared], list(range(shared)), [-1] * shared, []
    for i, row in enumerate(rows):
        start = len(tokens) - shared
        # The token before the first own one may lie in the prefix.
        at += [j - 1 if j - 1 < shared else start + j - 1 for j in range(row.loss_from, len(row.tokens))]
        tokens = tokens + row.tokens[shared:]
        positions += range(shared, len(row.tokens))
        owners += [i] * (len(row.tokens) - shared)
    return Line(tokens, positions, owners, at)


def padded(rows: Sequence[Row], filler: int) -> Batch:
    """One row a line, padding on the right, where a causal model never looks: no mask is needed."""
    import torch

    width = max(len(row.tokens) for row in rows)
    tokens = torch.tensor([row.tokens + [filler] * (width - len(row.tokens)) for row in rows])
    at = [i * width + j - 1 for i, row in enumerate(rows) for j in range(row.loss_from, len(row.tokens))]
    return Batch(tokens, None, None, torch.tensor(at), *_targets(rows))


def packed(rows: Sequence[Row]) -> Batch:
    """All rows on one line behind their common prefix (the system prompt), which is read once for all of them.

    Each row sees the prefix and itself, at the positions it would have alone: the same loss and gradient as padded,
    for about half the tokens where prompts are short.
    """
    import torch

    if len(rows) == 1:
        return padded(rows, filler=0)
    line = behind_prefix(rows)
    owner_T = torch.tensor(line.owners)
    causal_TT = torch.ones(len(line.tokens), len(line.tokens), dtype=torch.bool).tril()
    mask = causal_TT & ((owner_T[None, :] == -1) | (owner_T[None, :] == owner_T[:, None]))
    at = torch.tensor(line.predicted_at)
    return Batch(torch.tensor([line.tokens]), torch.tensor([line.positions]), mask[None, None], at, *_targets(rows))


def _common_prefix(rows: Sequence[Row]) -> int:
    # At loss_from - 1 the row predicts its first target: that hidden state may be shared, the target itself may not.
    limit = min(row.loss_from for row in rows)
    first = rows[0].tokens
    for place in range(limit):
        if any(row.tokens[place] != first[place] for row in rows):
            return place
    return limit


def _targets(rows: Sequence[Row]) -> "tuple[torch.Tensor, torch.Tensor]":
    import torch

    targets = [token for row in rows for token in row.tokens[row.loss_from :]]
    owners = [i for i, row in enumerate(rows) for _ in row.tokens[row.loss_from :]]
    return torch.tensor(targets), torch.tensor(owners)
