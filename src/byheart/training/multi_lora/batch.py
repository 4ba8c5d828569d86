"""Many slots' rows as one batch: one flat sequence without padding, whose attention is computed sequence by sequence.

The alternative, for models whose attention cannot be replaced, is a grid: one row a line, padded on the right.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from byheart.training.layout import Batch, PackedSequence, Part, Row, pack_sequence, padded, targets_of
from byheart.training.multi_lora.attention_layout import AttentionLayout
from byheart.training.multi_lora.grouping import Grouping, round_up, step_of


@dataclass(frozen=True)
class PackedRow:
    """A row, its slot, and the weight of each of its targets in the loss of that slot."""

    slot: int
    row: Row
    weights: Tensor  # (targets of the row,) float64


def lay_out(
    packed_rows: Sequence[PackedRow], slots: int, filler: int, grid: bool, device: torch.device, together: int = 1
) -> tuple[Part, Grouping]:
    """One forward pass over the rows of many slots, and the tokens of each slot.

    With `grid` the model's own attention is used. The rows may come in any order; within a slot they keep theirs. Without
    `grid`, up to `together` rows of a slot share a prefix.
    """
    packed_rows = sorted(packed_rows, key=lambda each: each.slot)
    rows = [each.row for each in packed_rows]
    inputs: dict[str, AttentionLayout] = {}
    if grid:
        width = round_up(max(len(row.tokens) for row in rows), step_of(device))
        batch = padded(rows, filler, width)
        spans = [(each.slot, (i * width, i * width + len(each.row.tokens))) for i, each in enumerate(packed_rows)]
    else:
        sequences = _sequences(packed_rows, together)
        tokens, positions, at, spans = list[int](), list[int](), list[int](), []
        for slot, sequence in sequences:
            spans.append((slot, (len(tokens), len(tokens) + len(sequence.tokens))))
            at += [len(tokens) + place for place in sequence.predicted_at]
            tokens += sequence.tokens
            positions += sequence.positions
        # At least the last token is padding, which no row holds: see Grouping.
        padding = round_up(len(tokens) + 1, step_of(device)) - len(tokens)
        tokens += [filler] * padding
        positions += [0] * padding
        batch = Batch(torch.tensor([tokens]), torch.tensor([positions]), None, torch.tensor(at), **targets_of(rows))
        owners = [sequence.owners for _, sequence in sequences]
        inputs["attention_layout"] = AttentionLayout.of([span for _, span in spans], owners, len(tokens), device)
    of_slot = [[span for owner, span in spans if owner == slot] for slot in range(slots)]
    weights = torch.cat([each.weights for each in packed_rows])
    part = Part(batch, weights, torch.tensor([each.slot for each in packed_rows])[batch.rows], inputs)
    count = batch.tokens.numel()
    return part.to(device), Grouping.of([of_slot], count, device, None if grid else count - 1)


def _sequences(packed_rows: Sequence[PackedRow], together: int) -> list[tuple[int, PackedSequence]]:
    """Each with its slot."""
    of_slot = [(slot, [each.row for each in own]) for slot, own in groupby(packed_rows, key=lambda each: each.slot)]
    return [
        (slot, pack_sequence(rows[first : first + together]))
        for slot, rows in of_slot
        for first in range(0, len(rows), together)
    ]


def split(packed_rows: Sequence[PackedRow], tokens_at_once: int | None) -> Iterator[list[PackedRow]]:
    """The rows in parts of bounded size; slots take turns, so that their shares of each part are alike."""
    taken: Counter[int] = Counter()

    def turn(each: PackedRow) -> int:
        taken[each.slot] += 1
        return taken[each.slot]

    part: list[PackedRow] = []
    size = 0
    for each in sorted(packed_rows, key=turn):
        if part and tokens_at_once is not None and size + len(each.row.tokens) > tokens_at_once:
            yield part
            part, size = [], 0
        part.append(each)
        size += len(each.row.tokens)
    yield part
