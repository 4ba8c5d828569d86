"""Moves tokens between one flat sequence and the equal groups (of a slot, of a row) that batched products need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Moves:
    """A selection of rows: row i of the result is row `index[i]` of the source; the rows in `zero` are zeros."""

    index: Tensor
    zero: Tensor

    def of(self, source: Tensor, room: Tensor | None = None) -> Tensor:
        """Written into `room`, if it is given."""
        out = None if room is None else room.view(-1, room.shape[-1])
        rows = torch.index_select(source, 0, self.index, out=out)
        if len(self.zero):
            rows.index_fill_(0, self.zero, 0)
        return rows if room is None else room


@dataclass(frozen=True)
class Grouping:
    """N flat tokens as blocks of G groups of W places. Each token has at most one place; empty places hold zeros, or a
    padding token that no loss depends on.

    Never a token of a row, nor the padding behind a row: another slot's NaN times a weight of zero would still be NaN.
    """

    blocks: tuple[tuple[int, int], ...]  # (groups, width) of each
    there: Moves  # from tokens to places; an empty place holds zeros or `padding_token`
    back: Moves  # from places to tokens; a token without a place gets zeros
    whole: bool = False  # one group, whose places are the first tokens in order: nothing need be moved

    @classmethod
    def of(
        cls,
        blocks: Sequence[Sequence[Spans]],
        tokens: int,
        device: torch.device | str,
        padding_token: int | None = None,
    ) -> "Grouping":
        """From the spans (start, end) of flat tokens that each group of each block holds; widths are rounded up.

        `padding_token`: one that lies in no row, for the empty places: then no zeros need be written in each layer.
        """
        shapes: list[tuple[int, int]] = []
        there: list[int] = []
        empty: list[int] = []
        back = [-1] * tokens
        for spans in blocks:
            sizes = [sum(end - start for start, end in group) for group in spans]
            width = round_up(max(1, *sizes), step_of(device))
            shapes.append((len(spans), width))
            for group, size in zip(spans, sizes, strict=True):
                for start, end in group:
                    back[start:end] = range(len(there), len(there) + end - start)
                    there += range(start, end)
                if padding_token is None:
                    empty += range(len(there), len(there) + width - size)
                there += [padding_token or 0] * (width - size)
        unplaced = [token for token, place in enumerate(back) if place < 0]
        placed = tokens - len(unplaced)
        alone = padding_token is not None and [groups for groups, _ in shapes] == [1] and len(there) <= tokens
        whole = alone and there[:placed] == list(range(placed))
        indices = (there, empty, [max(0, place) for place in back], unplaced)
        found = [torch.tensor(index, dtype=torch.long, device=device) for index in indices]
        return cls(tuple(shapes), Moves(*found[:2]), Moves(*found[2:]), whole)

    def gather(self, flat_ND: Tensor) -> tuple[Tensor, ...]:
        """(N, D) -> (G, W, D) of each block."""
        moved: Tensor = _Move.apply(flat_ND, self.there, self.back)
        sizes = [groups * width for groups, width in self.blocks]
        parts = (moved,) if len(sizes) == 1 else moved.split(sizes)
        return tuple(part.view(*shape, -1) for part, shape in zip(parts, self.blocks, strict=True))

    def scatter(self, *grouped_GWD: Tensor) -> Tensor:
        """(G, W, D) of each block -> (N, D); tokens without a place get zeros."""
        parts = [part.flatten(0, 1) for part in grouped_GWD]
        moved: Tensor = _Move.apply(parts[0] if len(parts) == 1 else torch.cat(parts), self.back, self.there)
        return moved

    def shape(self, size: int) -> tuple[int, int, int]:
        """The shape of the only block, for vectors of this size."""
        ((groups, width),) = self.blocks
        return groups, width, size

    def gather_into(self, flat_ND: Tensor, room_GWD: Tensor) -> Tensor:
        """`gather` of the only block, without a gradient: into `room_GWD`, or as a view if nothing need be moved."""
        if self.whole:
            return flat_ND[: room_GWD.shape[1]].view_as(room_GWD)
        return self.there.of(flat_ND, room_GWD)

    def scatter_into(self, grouped_GWD: Tensor, room_ND: Tensor) -> Tensor:
        """`scatter` of the only block into `room_ND`, without a gradient."""
        if self.whole:
            room_ND[: grouped_GWD.shape[1]] = grouped_GWD[0]
            room_ND[grouped_GWD.shape[1] :] = 0
            return room_ND
        return self.back.of(grouped_GWD.flatten(0, 1), room_ND)

    def add_to(self, flat_ND: Tensor, grouped_GWD: Tensor, room_ND: Tensor) -> None:
        """Adds what `scatter_into` gives; `flat_ND` must be contiguous."""
        if self.whole:
            flat_ND[: grouped_GWD.shape[1]] += grouped_GWD[0]
        else:
            flat_ND += self.scatter_into(grouped_GWD, room_ND)


class RowGroups:
    """Whole rows of a batch (B, T, ...), each of its own slot: `of` gives the tokens of each slot for any T.

    `slots`: those that have rows, in the order of the groups.
    """

    def __init__(self, owners: Sequence[int], device: torch.device):
        """`owners`: the slot of each row."""
        self.owners, self.device = owners, device
        self.slots = torch.tensor(sorted(set(owners)), device=device)
        self._of: dict[int, Grouping] = {}  # a prompt's tokens, then one a row

    def of(self, tokens: int) -> Grouping:
        """Raises ValueError where so many are no whole rows."""
        each, rest = divmod(tokens, len(self.owners))
        if rest or not each:
            raise ValueError(f"{tokens} tokens of {len(self.owners)} rows")
        if tokens not in self._of:
            spans = [
                [(i * each, (i + 1) * each) for i, owner in enumerate(self.owners) if owner == slot]
                for slot in self.slots.tolist()
            ]
            self._of[tokens] = Grouping.of([spans], tokens, self.device)
        return self._of[tokens]


def step_of(device: torch.device | str) -> int:
    """Sizes are rounded up to a multiple of this. On a CPU padding costs more than choosing a new kernel (an eighth of a step
    between 8 and 16); a GPU wants few different shapes."""
    return 8 if torch.device(device).type == "cpu" else 16


def round_up(number: int, step: int) -> int:
    return -(-number // step) * step


class _Move(torch.autograd.Function):
    """Row selection whose gradient is row selection too: index_select's own (index_add) is slow and, on a GPU, in no
    fixed order."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, moves: Moves, back: Moves) -> Tensor:
        ctx.back = back
        return moves.of(source)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.back.of(gradients[0]), None, None
