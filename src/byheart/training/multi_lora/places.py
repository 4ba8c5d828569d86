"""Where each LoRA matrix lies in the row that holds all weights of a slot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Place:
    """A of a layer is (rank, in) at `start` of the matrix `down`, (places of R rows, in); its B is the matrix `up`, (R, out)."""

    down: int  # number of a matrix among `Places.shapes`
    start: int
    up: int


class Places:
    """The matrices of one slot in order. Layers that share their input (q, k and v; gate and up) store their A matrices as
    one, so that one product serves them all; the B of each layer follows.

    An adapter of a lower rank than R is padded with zeros. Their gradients are zero, so they stay zero.
    """

    def __init__(self, layers: Mapping[str, torch.nn.Linear], together: Sequence[Sequence[str]], max_rank: int):
        self.shapes: list[tuple[int, int]] = []
        self.of: dict[str, Place] = {}
        for group in together:
            down = len(self.shapes)
            self.shapes.append((len(group) * max_rank, layers[group[0]].in_features))
            for number, name in enumerate(group):
                self.of[name] = Place(down, number * max_rank, len(self.shapes))
                self.shapes.append((max_rank, layers[name].out_features))
        ends = accumulate((rows * wide for rows, wide in self.shapes), initial=0)
        self.columns = [slice(*pair) for pair in pairwise(ends)]  # of each matrix in a slot's row
        # Two bytes: in eight, it would take as much memory as two masters.
        ranks = [(torch.arange(rows) % max_rank).short().repeat_interleave(wide) for rows, wide in self.shapes]
        self._rank = torch.cat(ranks).to(layers[together[0][0]].weight.device)
        self.size = len(self._rank)

    def used(self, rank: int) -> Tensor:
        """The columns that an adapter of this rank fills; in the same order for every max_rank."""
        return (self._rank < rank).nonzero().flatten()

    def named(self, row: Tensor, rank: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Layer name -> A (rank, in) and B (rank, out), as views of a slot's row."""
        matrices = [row[at].view(shape) for at, shape in zip(self.columns, self.shapes, strict=True)]
        return {
            name: (matrices[place.down][place.start : place.start + rank], matrices[place.up][:rank])
            for name, place in self.of.items()
        }


def sharing_input(model: "PreTrainedModel", layers: Mapping[str, torch.nn.Linear]) -> list[list[str]]:
    """The layers in the order in which they run; neighbours that read the same tensor are in one list."""
    seen: list[tuple[str, Tensor]] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: seen.append((name, inputs[0])))
        for name, layer in layers.items()
    ]
    try:
        with torch.no_grad():
            model(input_ids=torch.zeros(1, 2, dtype=torch.long, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    once = list(dict(seen)) == [name for name, _ in seen] and len(seen) == len(layers)
    if not once:  # some layer runs twice, or not at all
        return [[name] for name in layers]
    return [[name for name, _ in group] for _, group in groupby(seen, key=lambda pair: id(pair[1]))]
