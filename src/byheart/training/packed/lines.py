"""Rows end to end on one flat line: no padding in the dear products, attention line by line in batched products.

The alternative for models whose attention cannot be replaced is a grid: one row a line, padded on the right.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from byheart.training.layout import Batch, Line, Row, behind_prefix, targets_of
from byheart.training.packed.grouping import Grouping, round_up, step_of
from byheart.training.packed.sight import Sight


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
    sight: Sight | None  # which tokens see each other; None: the model's own attention, on a grid
    weights: Tensor  # (targets,)
    owners: Tensor  # (targets,) the slot of each

    @property
    def more(self) -> dict[str, Any]:
        """What the model is given beside the batch."""
        return {} if self.sight is None else {"sight": self.sight}


def lay(seats: Sequence[Seat], slots: int, filler: int, grid: bool, device: Any, together: int = 1) -> Pass:
    """`seats` in any order; within a slot they keep theirs. Off a grid, up to `together` rows of a slot share a prefix."""
    seats = sorted(seats, key=lambda seat: seat.slot)
    rows = [seat.row for seat in seats]
    lines = _lines(seats, 1 if grid else together)
    width = round_up(max(len(line.tokens) for _, line in lines), step_of(device))
    flat: list[int] = []
    positions: list[int] = []
    at: list[int] = []
    spans: list[tuple[int, int]] = []
    of_slot: list[list[tuple[int, int]]] = [[] for _ in range(slots)]
    for slot, line in lines:
        start = len(flat)
        spans.append((start, start + len(line.tokens)))
        of_slot[slot].append(spans[-1])
        at += [start + place for place in line.predicted_at]
        padding = width - len(line.tokens) if grid else 0
        flat += line.tokens + [filler] * padding
        positions += line.positions + [0] * padding
    if not grid:  # the last at least lies in nobody's row: see Grouping
        padding = round_up(len(flat) + 1, step_of(device)) - len(flat)
        flat += [filler] * padding
        positions += [0] * padding
    nobodys = None if grid else len(flat) - 1
    counts = torch.tensor([len(row.tokens) - row.loss_from for row in rows])
    targets = {name: value.to(device) for name, value in targets_of(rows).items()}
    batch = Batch(
        torch.tensor(flat, device=device).view((len(rows), width) if grid else (1, -1)),
        None if grid else torch.tensor([positions], device=device),
        None,
        torch.tensor(at, device=device),
        **targets,
    )
    return Pass(
        batch,
        Grouping.of([of_slot], len(flat), device, nobodys),
        None if grid else Sight.of(spans, [line.owners for _, line in lines], len(flat), device),
        torch.cat([seat.weights for seat in seats]),
        torch.tensor([seat.slot for seat in seats]).repeat_interleave(counts).to(device),
    )


def _lines(seats: Sequence[Seat], together: int) -> list[tuple[int, Line]]:
    """Each with its slot."""
    of_slot = [(slot, [seat.row for seat in own]) for slot, own in groupby(seats, key=lambda seat: seat.slot)]
    return [
        (slot, behind_prefix(rows[first : first + together]))
        for slot, rows in of_slot
        for first in range(0, len(rows), together)
    ]


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


def compile_layers(model: Any) -> list[Any]:
    """Compiles each of the model's repeated layers by itself: one graph serves them all, for any number of tokens."""
    stacks = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) > 1]
    largest: torch.nn.ModuleList = max(stacks, key=lambda m: sum(p.numel() for p in m.parameters()))
    layers = list(largest)
    for layer in layers:
        layer.compile(dynamic=True)
    return layers
