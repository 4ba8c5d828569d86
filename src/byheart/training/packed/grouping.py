"""Moving tokens between one flat line of all of them and equal groups (slots, rows) that batched products need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grouping:
    """N flat tokens as G groups of W places. Each token has at most one place; places without a token hold zeros.

    Zeros, and never some other token: a neighbour's NaN times a weight of zero would still be NaN.
    """

    groups: int
    width: int
    there: Tensor  # (G * W,) the token at each place; any, where the place is empty
    empty: Tensor  # the empty places
    back: Tensor  # (N,) the place of each token; any, where it has none
    homeless: Tensor  # the tokens without a place

    @classmethod
    def of(cls, spans: Sequence[Sequence[tuple[int, int]]], tokens: int, round_to: int, device: Any) -> "Grouping":
        """From the spans (start, end) of flat tokens that each group holds; the width is rounded up."""
        sizes = [sum(end - start for start, end in group) for group in spans]
        width = round_up(max(1, *sizes), round_to)
        there, back = [0] * (len(spans) * width), [-1] * tokens
        for number, group in enumerate(spans):
            place = number * width
            for start, end in group:
                there[place : place + end - start] = range(start, end)
                back[start:end] = range(place, place + end - start)
                place += end - start
        empty = [number * width + i for number, size in enumerate(sizes) for i in range(size, width)]
        homeless = [token for token, place in enumerate(back) if place < 0]
        indices = (there, empty, [max(0, place) for place in back], homeless)
        return cls(len(spans), width, *(torch.tensor(index, dtype=torch.long, device=device) for index in indices))

    def gather(self, flat_ND: Tensor) -> Tensor:
        """(N, D) -> (G, W, D)"""
        moved: Tensor = _Move.apply(flat_ND, self.there, self.empty, self.back, self.homeless)
        return moved.view(self.groups, self.width, flat_ND.shape[-1])

    def scatter(self, grouped_GWD: Tensor) -> Tensor:
        """(G, W, D) -> (N, D); tokens without a place get zeros."""
        moved: Tensor = _Move.apply(grouped_GWD.flatten(0, 1), self.back, self.homeless, self.there, self.empty)
        return moved


def round_up(number: int, step: int) -> int:
    return -(-number // step) * step


class _Move(torch.autograd.Function):
    """Row selection whose gradient is row selection too: index_select's own (index_add) is slow and, on a GPU, in no
    fixed order."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, there: Tensor, empty: Tensor, back: Tensor, homeless: Tensor) -> Tensor:
        ctx.save_for_backward(back, homeless)
        return source.index_select(0, there).index_fill_(0, empty, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        back, homeless = ctx.saved_tensors
        return gradients[0].index_select(0, back).index_fill_(0, homeless, 0), None, None, None, None
