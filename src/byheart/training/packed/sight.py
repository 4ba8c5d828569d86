"""Which tokens of one flat line see each other: each those before it in its row, and the prefix that its row shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from byheart.training.packed.grouping import Grouping, Spans, round_up, step_of


@dataclass(frozen=True)
class Sight:
    """The tokens of each line as batched products want them, in one block or in two of like lengths."""

    lines: Grouping
    owners: tuple[
        Tensor | None, ...
    ]  # of each block (lines, W): the row of each place, -1 in a prefix; None: one row a line
    made: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # `ahead` is the same in every layer

    @classmethod
    def of(cls, spans: Spans, owners: Sequence[Sequence[int]], tokens: int, device: torch.device) -> "Sight":
        """From each line's span of the flat tokens, the last of which is nobody's, and its tokens' rows."""
        blocks = _alike(spans, device)
        lines = Grouping.of([[[spans[i]] for i in block] for block in blocks], tokens, device, tokens - 1)
        widths = [width for _, width in lines.blocks]
        told = [_owners([owners[i] for i in block], width) for block, width in zip(blocks, widths, strict=True)]
        return cls(lines, tuple(None if each is None else each.to(device) for each in told))

    def ahead(self, block: int, heads: int, like: Tensor) -> Tensor:
        """What is added to the scores of a block for each of `heads`: -inf where a place is not seen.

        (W, W), or (lines, heads, W, W) where rows share a prefix.
        """
        if (block, heads) not in self.made:
            self.made[block, heads] = self._ahead(block, heads, like)
        return self.made[block, heads]

    def _ahead(self, block: int, heads: int, like: Tensor) -> Tensor:
        width, owners_LW = self.lines.blocks[block][1], self.owners[block]
        later_WW = torch.ones(width, width, dtype=torch.bool, device=like.device).triu(1)
        none = torch.zeros((), dtype=like.dtype, device=like.device)
        if owners_LW is None:
            return none.masked_fill(later_WW, -math.inf)
        seen, sees = owners_LW[:, None, :], owners_LW[:, :, None]
        hidden_LWW = later_WW | ((seen != -1) & (seen != sees))
        return none.masked_fill(hidden_LWW, -math.inf)[:, None].repeat(1, heads, 1, 1)


def _owners(lines: Sequence[Sequence[int]], width: int) -> Tensor | None:
    """Empty places go with the last row: they see it, and nothing comes after them that could see them."""
    if all(owners[0] == owners[-1] for owners in lines):
        return None
    return torch.tensor([[*owners, *[owners[-1]] * (width - len(owners))] for owners in lines])


def _alike(spans: Spans, device: torch.device) -> list[list[int]]:
    """The lines in one block, or in two of like lengths where that spares a third of the attention's products. A GPU
    minds the padding less than the second launch."""
    lengths = [round_up(end - start, step_of(device)) for start, end in spans]
    order = sorted(range(len(spans)), key=lambda i: (lengths[i], i))
    whole = len(spans) * max(lengths) ** 2
    cuts = {i: i * lengths[order[i - 1]] ** 2 + (len(spans) - i) * max(lengths) ** 2 for i in range(1, len(spans))}
    best = min(cuts, key=lambda i: cuts[i], default=0)
    if torch.device(device).type == "cuda" or not best or cuts[best] > whole * 2 / 3:
        return [list(range(len(spans)))]
    return [order[:best], order[best:]]
