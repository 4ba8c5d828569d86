"""Which tokens of a flat sequence see each other: each those before it in its row, and the prefix that its row shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from byheart.training.multi_lora.grouping import Grouping, Spans, round_up, step_of


@dataclass(frozen=True)
class AttentionLayout:
    """The tokens of each sequence as batched products want them, in one block or in two of like lengths."""

    sequences: Grouping
    # Of each block (sequences, W): the row of each place, -1 in a prefix; None: one row a sequence.
    owners: tuple[Tensor | None, ...]
    masks: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # they are the same in every layer

    @classmethod
    def of(cls, spans: Spans, owners: Sequence[Sequence[int]], tokens: int, device: torch.device) -> "AttentionLayout":
        """From each sequence's span of the flat tokens, the last of which is padding, and its tokens' rows."""
        blocks = _blocks(spans, device)
        sequences = Grouping.of([[[spans[i]] for i in block] for block in blocks], tokens, device, tokens - 1)
        widths = [width for _, width in sequences.blocks]
        pairs = zip(blocks, widths, strict=True)
        return cls(sequences, tuple(_owners([owners[i] for i in block], width, device) for block, width in pairs))

    def mask(self, block: int, heads: int, like: Tensor) -> Tensor:
        """The additive mask of a block for each of `heads`: -inf where a place is not seen.

        (W, W), or (sequences, heads, W, W) where rows share a prefix.
        """
        if (block, heads) not in self.masks:
            width, owners_SW = self.sequences.blocks[block][1], self.owners[block]
            hidden = torch.ones(width, width, dtype=torch.bool, device=like.device).triu(1)  # later tokens
            if owners_SW is not None:
                seen, sees = owners_SW[:, None, :], owners_SW[:, :, None]
                hidden = (hidden | ((seen != -1) & (seen != sees)))[:, None].expand(-1, heads, -1, -1)
            self.masks[block, heads] = like.new_zeros(hidden.shape).masked_fill_(hidden, -math.inf)
        return self.masks[block, heads]


def _owners(sequences: Sequence[Sequence[int]], width: int, device: torch.device) -> Tensor | None:
    """(sequences, width). Padding belongs to the last row: it sees that row, and no token comes after it that could see it."""
    if all(owners[0] == owners[-1] for owners in sequences):
        return None
    return torch.tensor([[*own, *[own[-1]] * (width - len(own))] for own in sequences], device=device)


def _blocks(spans: Spans, device: torch.device) -> list[list[int]]:
    """The sequences in one block, or in two of like lengths where that saves a third of the attention's products. On a GPU
    the padding costs less than the second launch."""
    lengths = [round_up(end - start, step_of(device)) for start, end in spans]
    order = sorted(range(len(spans)), key=lambda i: (lengths[i], i))
    whole = len(spans) * max(lengths) ** 2
    cuts = {i: i * lengths[order[i - 1]] ** 2 + (len(spans) - i) * max(lengths) ** 2 for i in range(1, len(spans))}
    best = min(cuts, key=lambda i: cuts[i], default=0)
    if torch.device(device).type == "cuda" or not best or cuts[best] > whole * 2 / 3:
        return [list(range(len(spans)))]
    return [order[:best], order[best:]]
