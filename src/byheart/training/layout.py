"""The layout of a batch of rows: packed into one sequence in which common prefixes are shared, padded, or one at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LAYOUTS = ("packed", "padded", "single")  # from the quickest to the one that every model reads rightly


@dataclass(frozen=True)
class SoftTargets:
    """The predictions of a frozen model at each of T targets: its K likeliest tokens and their probabilities."""

    tokens: list[list[int]]  # (T, K)
    probabilities: list[list[float]]  # (T, K)


@dataclass(frozen=True)
class Row:
    tokens: list[int]
    loss_from: int  # index of the first token that carries loss, at least 1
    soft: SoftTargets | None = None  # where given, the loss is the divergence from them; all rows have the same K


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
    soft_at: "torch.Tensor | None" = None  # (S,) those of the N targets that have soft ones
    soft_tokens: "torch.Tensor | None" = None  # (S, K)
    soft_probabilities: "torch.Tensor | None" = None  # (S, K) float32

    def to(self, device: "torch.device") -> "Batch":
        moved = {name: tensor.to(device) for name, tensor in vars(self).items() if tensor is not None}
        return replace(self, **moved)


@dataclass(frozen=True)
class Part:
    """What one forward pass reads, with the weight of each of its N targets in the loss, and its slot."""

    batch: Batch
    weights: "torch.Tensor"  # (N,) float64
    slots: "torch.Tensor"  # (N,) all 0 where one adapter is trained alone
    model_inputs: Mapping[str, object] = field(default_factory=dict)  # keyword arguments of the model besides the batch

    def to(self, device: "torch.device") -> "Part":
        """The weights stay on the CPU until they have the losses' dtype: Apple's GPUs know no float64."""
        return replace(self, batch=self.batch.to(device), slots=self.slots.to(device))

    def weighted(self, losses_N: "torch.Tensor") -> "torch.Tensor":
        """(..., N) times the weights."""
        return losses_N * self.weights.to(losses_N.dtype).to(losses_N.device)


@dataclass(frozen=True)
class PackedSequence:
    """Rows one after another in one sequence, after the prefix that all of them share, which is stored once."""

    tokens: list[int]
    positions: list[int]  # those that each token would have in its row alone
    owners: list[int]  # the row of each token; -1 in the prefix
    predicted_at: list[int]  # index of the token that predicts each target, row after row


def pack_sequence(rows: Sequence[Row]) -> PackedSequence:
    """A token that carries loss is never shared, and a single row shares nothing."""
    shared = common_prefix(rows) if len(rows) > 1 else 0
    tokens, positions, owners, at = rows[0].tokens[:shared], list(range(shared)), [-1] * shared, []
    for i, row in enumerate(rows):
        start = len(tokens) - shared
        # The token before the first own one may lie in the prefix.
        at += [j - 1 if j - 1 < shared else start + j - 1 for j in range(row.loss_from, len(row.tokens))]
        tokens = tokens + row.tokens[shared:]
        positions += range(shared, len(row.tokens))
        owners += [i] * (len(row.tokens) - shared)
    return PackedSequence(tokens, positions, owners, at)


def lay_out(rows: Sequence[Row], layout: str, filler: int, at_once: int | None = None) -> Iterator[tuple[slice, Batch]]:
    """The rows as batches of at most `at_once` rows (None: of any number), each with the place of its rows among all."""
    size = 1 if layout == "single" else at_once or len(rows)
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        yield slice(start, start + size), packed(some) if layout == "packed" else padded(some, filler)


def padded(rows: Sequence[Row], filler: int, width: int | None = None) -> Batch:
    """One row a line, padding on the right, where a causal model never looks: no mask is needed."""
    import torch

    width = width or max(len(row.tokens) for row in rows)
    tokens = torch.tensor([row.tokens + [filler] * (width - len(row.tokens)) for row in rows])
    at = [i * width + j - 1 for i, row in enumerate(rows) for j in range(row.loss_from, len(row.tokens))]
    return Batch(tokens, None, None, torch.tensor(at), **targets_of(rows))


def packed(rows: Sequence[Row]) -> Batch:
    """All rows in one sequence. Rows that begin alike share their prefix (the system prompt), which is read once.

    Each row sees its prefix and itself, at the positions that it would have alone: loss and gradient are those of
    `padded`, for about half the tokens where prompts are short.
    """
    import torch

    if len(rows) == 1:
        return padded(rows, filler=0)
    groups: dict[int, list[int]] = {}  # by first token: plain text shares no prefix with a conversation
    for i, row in enumerate(rows):
        groups.setdefault(row.tokens[0], []).append(i)
    tokens, positions, owners, prefixes = (list[int]() for _ in range(4))
    at: dict[int, list[int]] = {}
    for number, group in enumerate(groups.values()):
        sequence = pack_sequence([rows[i] for i in group])
        start, prefix = len(tokens), -1 - number
        tokens += sequence.tokens
        positions += sequence.positions
        owners += [prefix if owner < 0 else group[owner] for owner in sequence.owners]
        prefixes += [prefix] * len(sequence.tokens)
        places = iter(sequence.predicted_at)
        at |= {i: [start + next(places) for _ in rows[i].tokens[rows[i].loss_from :]] for i in group}
    # A token sees its own row, and the prefix of its group.
    owner_T, prefix_T = torch.tensor(owners), torch.tensor(prefixes)
    causal_TT = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
    mask = causal_TT & ((owner_T[None, :] == prefix_T[:, None]) | (owner_T[None, :] == owner_T[:, None]))
    predicted_at = torch.tensor([place for i in range(len(rows)) for place in at[i]])
    return Batch(torch.tensor([tokens]), torch.tensor([positions]), mask[None, None], predicted_at, **targets_of(rows))


def common_prefix(rows: Sequence[Row]) -> int:
    """How many tokens the rows may share."""
    # At loss_from - 1 the row predicts its first target: that hidden state may be shared, the target itself may not.
    limit = min(row.loss_from for row in rows)
    first = rows[0].tokens
    for place in range(limit):
        if any(row.tokens[place] != first[place] for row in rows):
            return place
    return limit


def targets_of(rows: Sequence[Row]) -> "dict[str, torch.Tensor]":
    """The part of a Batch that does not depend on how the rows lie: their targets, row after row."""
    import torch

    counts = [len(row.tokens) - row.loss_from for row in rows]
    starts = [0, *accumulate(counts)]
    soft = [(row.soft, start) for row, start in zip(rows, starts, strict=False) if row.soft is not None]
    found = {
        "targets": torch.tensor([token for row in rows for token in row.tokens[row.loss_from :]]),
        "rows": torch.arange(len(rows)).repeat_interleave(torch.tensor(counts)),
    }
    if soft:
        found["soft_at"] = torch.tensor([start + i for each, start in soft for i in range(len(each.tokens))])
        found["soft_tokens"] = torch.tensor([own for each, _ in soft for own in each.tokens])
        found["soft_probabilities"] = torch.tensor([own for each, _ in soft for own in each.probabilities])
    return found
