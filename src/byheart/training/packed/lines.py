"""Rows end to end on one flat line: no padding in the dear products, attention row by row in batched products.

The alternative for models whose attention cannot be replaced is a grid: one row a line, padded on the right.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from byheart.training.layout import Batch, Row
from byheart.training.loss import token_losses
from byheart.training.packed.grouping import Grouping, Spans, round_up

ATTENTION = "byheart_lines"  # the name under which transformers finds `line_attention`
# Sizes are rounded up, so that few different shapes occur and kernels are not chosen anew each tick.
TOKENS, SLOT_TOKENS, ROW_TOKENS = 32, 16, 16


@dataclass(frozen=True)
class Seat:
    """A row in a pass: whose it is, and what each of its targets counts in its owner's loss."""

    slot: int
    row: Row
    weights: Tensor  # (targets of the row,) float64


@dataclass(frozen=True)
class Pass:
    """One forward pass over the rows of many slots."""

    batch: Batch
    slots: Grouping  # the tokens of each slot
    rows: Grouping | None  # the tokens of each row, for attention; None: the model's own attention, on a grid
    weights: Tensor  # (targets,)
    owners: Tensor  # (targets,) the slot of each


def lay(seats: Sequence[Seat], slots: int, filler: int, grid: bool, device: Any) -> Pass:
    """`seats` in any order; within a slot they keep theirs."""
    seats = sorted(seats, key=lambda seat: seat.slot)
    rows = [seat.row for seat in seats]
    if grid:
        width = round_up(max(len(row.tokens) for row in rows), ROW_TOKENS)
        starts, tokens = [i * width for i in range(len(rows))], width * len(rows)
    else:
        width = 0
        starts = [0]
        for row in rows:
            starts.append(starts[-1] + len(row.tokens))
        tokens = round_up(starts.pop() + 1, TOKENS)  # the last at least lies in nobody's row: see Grouping
    spans = [(start, start + len(row.tokens)) for start, row in zip(starts, rows, strict=True)]
    flat, positions = [filler] * tokens, [0] * tokens
    for (start, end), row in zip(spans, rows, strict=True):
        flat[start:end] = row.tokens
        positions[start:end] = range(end - start)
    at = [start + j - 1 for start, row in zip(starts, rows, strict=True) for j in range(row.loss_from, len(row.tokens))]
    of_slot: list[list[tuple[int, int]]] = [[] for _ in range(slots)]
    for seat, span in zip(seats, spans, strict=True):
        of_slot[seat.slot].append(span)
    counts = torch.tensor([len(row.tokens) - row.loss_from for row in rows])
    shape = (len(rows), width) if grid else (1, tokens)
    batch = Batch(
        torch.tensor(flat, device=device).view(shape),
        None if grid else torch.tensor([positions], device=device),
        None,
        torch.tensor(at, device=device),
        torch.tensor([t for row in rows for t in row.tokens[row.loss_from :]], device=device),
        torch.arange(len(rows)).repeat_interleave(counts).to(device),
    )
    nobodys = None if grid else tokens - 1
    return Pass(
        batch,
        Grouping.of([of_slot], tokens, SLOT_TOKENS, device, nobodys),
        None if grid else Grouping.of(_alike(spans, device), tokens, ROW_TOKENS, device, nobodys),
        torch.cat([seat.weights for seat in seats]),
        torch.tensor([seat.slot for seat in seats]).repeat_interleave(counts).to(device),
    )


def parts(seats: Sequence[Seat], tokens_at_once: int | None) -> Iterator[list[Seat]]:
    """The seats in passes of bounded size; slots take turns, so that their shares of each pass are alike."""
    if tokens_at_once is None:
        yield list(seats)
        return
    waiting: dict[int, deque[Seat]] = {}
    for seat in seats:
        waiting.setdefault(seat.slot, deque()).append(seat)
    part: list[Seat] = []
    size = 0
    while waiting:
        for slot in list(waiting):
            seat = waiting[slot].popleft()
            if part and size + len(seat.row.tokens) > tokens_at_once:
                yield part
                part, size = [], 0
            part.append(seat)
            size += len(seat.row.tokens)
            if not waiting[slot]:
                del waiting[slot]
    yield part


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
                found.append(token_losses(model, laid.batch, **({} if laid.rows is None else {"rows": laid.rows})))
            except (TypeError, NotImplementedError, ValueError):
                if grid:
                    raise
            finally:
                model.set_attn_implementation(own)
    near = 0.02 if next(model.parameters()).dtype.itemsize < 4 else 1e-4
    alike = len(found) == 2 and torch.allclose(found[0], found[1], rtol=near)
    return ATTENTION if alike else None


def compile_layers(model: Any) -> list[Any]:
    """Compiles each of the model's repeated layers by itself: one graph serves them all, for any number of tokens."""
    stacks = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) > 1]
    largest: torch.nn.ModuleList = max(stacks, key=lambda m: sum(p.numel() for p in m.parameters()))
    layers = list(largest)
    for layer in layers:
        layer.compile(dynamic=True)
    return layers


def line_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    rows: Grouping,
    **other: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each row of one flat line: (1, H, N, D), keys and values with fewer heads perhaps.

    A transformers attention function; `rows` reaches it through the model's keyword arguments.
    """
    for name in ("sliding_window", "softcap", "s_aux"):
        if other.get(name) is not None:
            raise NotImplementedError(name)
    heads, kv_heads, size = query.shape[1], key.shape[1], query.shape[3]
    scaling = scaling or size**-0.5

    def lines(x: Tensor) -> list[Tensor]:  # (1, H, N, D) -> (rows, H, W, D) of each block
        flat_NK = x.transpose(1, 2).reshape(x.shape[2], -1)
        return [block.view(*block.shape[:2], x.shape[1], size).transpose(1, 2) for block in rows.gather(flat_NK)]

    on_gpu = partial(
        torch.nn.functional.scaled_dot_product_attention, is_causal=True, scale=scaling, enable_gqa=heads != kv_heads
    )
    of_block: Callable[[Tensor, Tensor, Tensor], Tensor] = on_gpu if query.is_cuda else partial(_attend, scaling)
    blocks = zip(lines(query), lines(key), lines(value), strict=True)
    # (rows, H, W, D) -> (rows, W, H * D)
    told = [of_block(q, k, v).transpose(1, 2).flatten(2) for q, k, v in blocks]
    return rows.scatter(*told).view(1, -1, heads, size), None


def _attend(scaling: float, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of (rows, H, W, D) on a CPU."""
    count, heads, width, size = query.shape
    groups = count * key.shape[1]
    # Query heads that share a key head lie below each other: no key is repeated.
    share = heads // key.shape[1]
    q = query.reshape(groups, share * width, size)
    k, v = (x.reshape(groups, width, size) for x in (key, value))
    ahead = torch.full((width, width), -math.inf, dtype=q.dtype, device=q.device).triu(1)
    # The softmax of bfloat16 sums in float32 inside its kernel: no copies in float32 are needed.
    shares = torch.baddbmm(ahead.repeat(share, 1), q, k.transpose(1, 2), alpha=scaling).softmax(-1)
    return torch.bmm(shares, v).view(count, heads, width, size)


def _alike(spans: Sequence[tuple[int, int]], device: Any) -> list[list[Spans]]:
    """The rows in one block, or in two of like lengths where that spares a third of the attention's products. A GPU
    minds the padding less than the second launch."""
    lengths = [round_up(end - start, ROW_TOKENS) for start, end in spans]
    order = sorted(range(len(spans)), key=lambda i: (lengths[i], i))
    whole = len(spans) * max(lengths) ** 2
    cuts = {i: i * lengths[order[i - 1]] ** 2 + (len(spans) - i) * max(lengths) ** 2 for i in range(1, len(spans))}
    best = min(cuts, key=lambda i: cuts[i], default=0)
    if torch.device(device).type == "cuda" or not best or cuts[best] > whole * 2 / 3:
        return [[[span] for span in spans]]
    return [[[spans[i]] for i in part] for part in (order[:best], order[best:])]
