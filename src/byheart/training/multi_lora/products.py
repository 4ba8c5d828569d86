"""The products of tokens with the LoRA matrices of their slot, added to the outputs of the frozen layers.

Each is one autograd function. It saves the flat input, which the frozen layer saves anyway, and groups it again in its
backward pass. Its large intermediate results lie in memory that all layers reuse.
"""

from typing import Any

import torch
from torch import Tensor

from byheart.training.multi_lora.grouping import Grouping


class Scratch:
    """Memory that every layer reuses."""

    def __init__(self) -> None:
        self._flat: dict[str, Tensor] = {}

    def clear(self) -> None:
        self._flat.clear()

    def room(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """An uninitialised tensor of this shape, valid until the same name is requested again."""
        size = torch.Size(shape).numel()
        flat = self._flat.get(name)
        if flat is None or flat.numel() < size:
            flat = self._flat[name] = like.new_empty(size)
        return flat[:size].view(shape)


class Down(torch.autograd.Function):
    """scale * A x for each of the layers that read x: (S, W, R) for each, where `a` (S, J, I) holds their A matrices stacked."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, a: Tensor, scale: Tensor, layers: int, slots: Grouping, scratch: Scratch
    ) -> tuple[Tensor, ...]:
        x_SWI = slots.gather_into(x.flatten(0, -2), scratch.room("input", slots.shape(a.shape[2]), x))
        h_SWJ = torch.bmm(x_SWI, a.transpose(1, 2)).mul_(scale)
        ctx.save_for_backward(x, a, scale)
        ctx.slots, ctx.scratch = slots, scratch
        return (h_SWJ,) if layers == 1 else tuple(part.contiguous() for part in h_SWJ.chunk(layers, dim=2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, a, scale = ctx.saved_tensors
        slots, scratch = ctx.slots, ctx.scratch
        of_h_SWJ = (gradients[0] if len(gradients) == 1 else torch.cat(gradients, dim=2)) * scale
        room_SWI = scratch.room("input", slots.shape(a.shape[2]), x)
        x_SWI = slots.gather_into(x.flatten(0, -2), room_SWI)
        of_a = torch.bmm(of_h_SWJ.transpose(1, 2), x_SWI)
        of_x = None
        if ctx.needs_input_grad[0]:
            product = torch.bmm(of_h_SWJ, a, out=room_SWI)
            of_x = slots.scatter_into(product, torch.empty_like(x).flatten(0, -2)).view_as(x)
        return of_x, of_a, None, None, None, None


class Up(torch.autograd.Function):
    """`output` (1, N, O) plus B h of each token, for h (S, W, R) and b (S, R, O); written into `output`."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, h: Tensor, b: Tensor, slots: Grouping, scratch: Scratch) -> Tensor:
        flat = output.view(-1, output.shape[-1])  # a copy, as flatten may make, would be added to in vain
        product = torch.bmm(h, b, out=scratch.room("output", slots.shape(b.shape[2]), h))
        slots.add_to(flat, product, scratch.room("flat", tuple(flat.shape), h))
        ctx.save_for_backward(h, b)
        ctx.slots, ctx.scratch = slots, scratch
        ctx.mark_dirty(output)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        h, b = ctx.saved_tensors
        room_SWO = ctx.scratch.room("output", ctx.slots.shape(b.shape[2]), h)
        g_SWO = ctx.slots.gather_into(gradients[0].flatten(0, -2), room_SWO)
        return gradients[0], torch.bmm(g_SWO, b.transpose(1, 2)), torch.bmm(h.transpose(1, 2), g_SWO), None, None
