"""Attention over many rows in one flat sequence, registered with transformers under a name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byheart.training.agreement import OwnLosses, asked_rows, asking
from byheart.training.layout import Row
from byheart.training.loss import token_scores
from byheart.training.multi_lora.attention_layout import AttentionLayout
from byheart.training.multi_lora.batch import PackedRow, lay_out

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ATTENTION = "byheart_packed"


def choose_attention(
    model: "PreTrainedModel", rows: Sequence[Row], head: str, filler: int, together: int
) -> tuple[str | None, str]:
    """The name of our attention, if the model's losses with it are the model's own on a few of the rows.

    Else None, for a grid, and why, as the predicate of a sentence. `together`: see `lay_out`.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, packed_attention)

    def losses(rows: Sequence[Row]) -> Tensor:
        own = model.config._attn_implementation
        packed_rows = [PackedRow(0, row, torch.ones(len(row.tokens) - row.loss_from)) for row in rows]
        flat, _ = lay_out(packed_rows, 1, filler, False, next(model.parameters()).device, together)
        model.set_attn_implementation(ATTENTION)
        try:
            return token_scores(model, flat.batch, head, **flat.model_inputs)[0]
        finally:
            model.set_attn_implementation(own)

    if len(rows) == 1:  # in a pack it lies beside the rows of other jobs
        rows = [*rows, Row(rows[0].tokens[::-1], rows[0].loss_from)]
    with asking(model):
        objection, _ = OwnLosses(model, asked_rows(rows)).compared(losses)
    return (ATTENTION, "") if objection is None else (None, objection)


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    attention_layout: AttentionLayout,
    **other: object,
) -> tuple[Tensor, None]:
    """Causal attention within each sequence of a flat one: (1, H, N, D); keys and values may have fewer heads.

    A transformers attention function; `attention_layout` reaches it through the model's keyword arguments.
    """
    for name in ("sliding_window", "softcap", "s_aux"):
        if other.get(name) is not None:
            raise NotImplementedError(name)
    heads, size = query.shape[1], query.shape[3]
    scaling = scaling or size**-0.5

    def blocks(x: Tensor) -> list[Tensor]:  # (1, H, N, D) -> (sequences, H, W, D) of each block
        flat_NK = x.transpose(1, 2).reshape(x.shape[2], -1)
        grouped = attention_layout.sequences.gather(flat_NK)
        return [block.view(*block.shape[:2], x.shape[1], size).transpose(1, 2) for block in grouped]

    found = []
    attend = _on_gpu if query.is_cuda else _on_cpu
    for i, (q, k, v) in enumerate(zip(blocks(query), blocks(key), blocks(value), strict=True)):
        # (sequences, H, W, D) -> (sequences, W, H * D)
        found.append(attend(scaling, attention_layout, i, q, k, v).transpose(1, 2).flatten(2))
    return attention_layout.sequences.scatter(*found).view(1, -1, heads, size), None


def _on_gpu(scaling: float, layout: AttentionLayout, block: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    assert layout.owners[block] is None, "rows share a prefix on a CPU only: see PackedTrainer.together"
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )


def _on_cpu(scaling: float, layout: AttentionLayout, block: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of (sequences, H, W, D) by plain products."""
    count, heads, width, size = query.shape
    groups = count * key.shape[1]
    # Query heads that share a key head are stacked: no key is repeated.
    share = heads // key.shape[1]
    q = query.reshape(groups, share * width, size)
    k, v = (x.reshape(groups, width, size) for x in (key, value))
    mask = layout.mask(block, heads, query)
    mask = mask.repeat(share, 1) if mask.dim() == 2 else mask.view(groups, share * width, width)
    # The softmax of bfloat16 sums in float32 inside its kernel: no copies in float32 are needed.
    shares = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=scaling).softmax(-1)
    return torch.bmm(shares, v).view(count, heads, width, size)
