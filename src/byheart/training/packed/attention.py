"""Attention over many rows on one flat line, under a name by which transformers finds it."""

from typing import Any

import torch
from torch import Tensor

from byheart.training.layout import Row
from byheart.training.loss import token_losses
from byheart.training.packed.lines import Seat, lay
from byheart.training.packed.sight import Sight

ATTENTION = "byheart_lines"


def choose_attention(model: Any) -> str | None:
    """The name of our attention where this model gives with it what it gives with its own; else None: use a grid."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, line_attention)
    own = model.config._attn_implementation
    device = next(model.parameters()).device
    rows = [Row(list(range(1, 8)), 1), Row(list(range(3, 6)), 1), Row(list(range(2, 7)), 1)]
    seats = [Seat(0, row, torch.ones(len(row.tokens) - 1)) for row in rows]
    found: list[Tensor] = []
    with torch.no_grad():
        for grid in (True, False):
            laid = lay(seats, 1, 0, grid, device)
            try:
                if not grid:
                    model.set_attn_implementation(ATTENTION)
                found.append(token_losses(model, laid.batch, **laid.more))
            except (TypeError, NotImplementedError, ValueError):
                if grid:
                    raise
            finally:
                model.set_attn_implementation(own)
    near = 0.02 if next(model.parameters()).dtype.itemsize < 4 else 1e-4
    alike = len(found) == 2 and torch.allclose(found[0], found[1], rtol=near)
    return ATTENTION if alike else None


def line_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    sight: Sight,
    **other: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each line of one flat line: (1, H, N, D), keys and values with fewer heads perhaps.

    A transformers attention function; `sight` reaches it through the model's keyword arguments.
    """
    for name in ("sliding_window", "softcap", "s_aux"):
        if other.get(name) is not None:
            raise NotImplementedError(name)
    heads, size = query.shape[1], query.shape[3]
    scaling = scaling or size**-0.5

    def blocks(x: Tensor) -> list[Tensor]:  # (1, H, N, D) -> (lines, H, W, D) of each block
        flat_NK = x.transpose(1, 2).reshape(x.shape[2], -1)
        told = sight.lines.gather(flat_NK)
        return [block.view(*block.shape[:2], x.shape[1], size).transpose(1, 2) for block in told]

    told = []
    for i, (q, k, v) in enumerate(zip(blocks(query), blocks(key), blocks(value), strict=True)):
        of_block = _on_gpu if query.is_cuda else _on_cpu
        # (lines, H, W, D) -> (lines, W, H * D)
        told.append(of_block(scaling, sight, i, q, k, v).transpose(1, 2).flatten(2))
    return sight.lines.scatter(*told).view(1, -1, heads, size), None


def _on_gpu(scaling: float, sight: Sight, block: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    assert sight.owners[block] is None, "rows share a prefix on a CPU only: see PackedTrainer.together"
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )


def _on_cpu(scaling: float, sight: Sight, block: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of (lines, H, W, D) by plain products."""
    count, heads, width, size = query.shape
    groups = count * key.shape[1]
    # Query heads that share a key head lie below each other: no key is repeated.
    share = heads // key.shape[1]
    q = query.reshape(groups, share * width, size)
    k, v = (x.reshape(groups, width, size) for x in (key, value))
    ahead = sight.ahead(block, heads, query)
    ahead = ahead.repeat(share, 1) if ahead.dim() == 2 else ahead.view(groups, share * width, width)
    # The softmax of bfloat16 sums in float32 inside its kernel: no copies in float32 are needed.
    shares = torch.baddbmm(ahead, q, k.transpose(1, 2), alpha=scaling).softmax(-1)
    return torch.bmm(shares, v).view(count, heads, width, size)
