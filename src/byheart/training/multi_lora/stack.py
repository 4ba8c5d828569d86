"""The LoRA matrices of all slots, stacked, on one frozen model; and one optimizer step for all of them."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byheart.errors import Problem, UserError
from byheart.model.adapters.adapter import Lora
from byheart.training.multi_lora.adapters import layer_names
from byheart.training.multi_lora.grouping import Grouping, RowGroups
from byheart.training.multi_lora.places import Place, Places, sharing_input
from byheart.training.multi_lora.products import Down, Scratch, Up
from byheart.training.optimizer import AdamW

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Stack:
    """For each target layer A (S, R, in) and B (S, R, out) of all S slots.

    A slot's matrices lie in one row of `weights` (S, P), as `Places` defines it; its float32 masters, gradients and
    moments lie in rows of the same shape.
    """

    def __init__(self, model: "PreTrainedModel", slots: int, max_rank: int, targets: str | tuple[str, ...]):
        self.slots, self.max_rank = slots, max_rank
        names = layer_names(model, targets)
        self.layers: dict[str, torch.nn.Linear] = {}
        for name in names:
            layer = model.get_submodule(name)
            if not isinstance(layer, torch.nn.Linear):
                what = f"{name}: {type(layer).__name__}"
                raise UserError(Problem("only linear layers can be packed", "adapter.targets", what, "name others"))
            self.layers[name] = layer
        first: Tensor = self.layers[names[0]].weight
        wide = torch.float32 if first.dtype.itemsize < 4 else first.dtype
        self.places = Places(self.layers, sharing_input(model, self.layers), max_rank)
        self.masters = torch.zeros(slots, self.places.size, dtype=wide, device=first.device)
        self.weights = self.masters if wide == first.dtype else self.masters.to(first.dtype)
        self.gradients = torch.zeros_like(self.masters)
        self.means = torch.zeros_like(self.masters)  # running means of the weights: what is validated and kept
        self.ups = torch.zeros_like(
            self.masters[0]
        )  # (P,) 1 in the columns of each B: scaling B alone scales the product
        for place in self.places.of.values():
            self.ups[self.places.columns[place.up]] = 1
        self.options: dict[int, AdamW] = {}
        self.steps = [0] * slots
        self.scale = torch.zeros(slots, 1, 1, dtype=first.dtype, device=first.device)
        self.clip = torch.full((slots,), torch.inf, dtype=wide, device=first.device)
        self.used = 0
        self.matrices: list[Tensor] = []
        self.reach(slots)
        # One group a slot, one flat tensor a group: AdamW with its own rate, betas, decay and step for each slot.
        self.rows = [row.detach().requires_grad_() for row in self.masters]
        self.adamw = torch.optim.AdamW([{"params": [row]} for row in self.rows], fused=True)
        # The tokens of each slot, or whole rows of each; one slot for all; None: the bare model.
        self.routing: Grouping | RowGroups | int | None = None
        self.scratch = Scratch()
        # An input, the number of the A that reads it, and the products with A of each layer that shares the input.
        self._read: tuple[Tensor, int, tuple[Tensor, ...]] | None = None
        self._hooks = [
            layer.register_forward_hook(partial(self._add, self.places.of[name])) for name, layer in self.layers.items()
        ]

    def reach(self, used: int) -> None:
        """From now on only the first `used` slots take part in forward passes and steps: empty ones would cost the same."""
        if used == self.used:
            return
        self.used = used
        # Leaves on views of `weights`: the gradients of all slots' matrices come in one tensor for each.
        self.matrices = [
            self.weights[:used, columns].view(used, *shape).detach().requires_grad_()
            for columns, shape in zip(self.places.columns, self.places.shapes, strict=True)
        ]

    def join(self, slot: int, adapter: Lora, optimizer: AdamW, initial: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """A new adapter in a free slot, as peft initialised it."""
        self._occupy(slot, adapter, optimizer)
        for name, own in self.places.named(self.masters[slot], adapter.rank).items():
            for matrix, value in zip(own, initial[name], strict=True):
                matrix.copy_(value)
        self.means[slot] = self.masters[slot]
        self._publish()

    def rejoin(self, slot: int, adapter: Lora, optimizer: AdamW, state: Mapping[str, Tensor]) -> None:
        """Puts what `state` returned into a slot of this or another stack."""
        self._occupy(slot, adapter, optimizer)
        columns = self.places.used(adapter.rank)
        self.masters[slot, columns] = state["masters"].to(self.masters)
        self.means[slot, columns] = state.get("means", state["masters"]).to(self.means)
        if "step" in state:
            own: dict[str, Tensor] = self.adamw.state[self.rows[slot]]
            self.steps[slot] = int(state["step"])
            own["step"] = state["step"].to(self.masters.device, copy=True)  # fused AdamW wants it beside the weights
            for name in _MOMENTS:
                own[name] = torch.zeros_like(self.masters[slot])
                own[name][columns] = state[name].to(self.masters)
        self._publish()

    def state(self, slot: int, rank: int) -> dict[str, Tensor]:
        """All tensors that training resumes from, on the host, without the padding to max_rank."""
        own: dict[str, Tensor] = self.adamw.state.get(self.rows[slot], {})
        rows = {"masters": self.masters[slot], "means": self.means[slot]} | {n: own[n] for n in _MOMENTS if n in own}
        columns = self.places.used(rank)
        state = {name: row.detach()[columns].cpu() for name, row in rows.items()}
        return state | ({"step": own["step"].clone().cpu()} if own else {})

    def snapshot(self, slot: int, rank: int) -> Tensor:
        """The averaged weights, in the model's dtype, on the host."""
        return self._kept(slot)[self.places.used(rank)].to(self.weights.dtype).cpu()

    def matrices_of(self, snapshot: Tensor, rank: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Layer name -> A (rank, in) and B (rank, out), of a snapshot."""
        row = snapshot.new_zeros(self.places.size)
        row[self.places.used(rank).to(row.device)] = snapshot
        return self.places.named(row, rank)

    def leave(self, slot: int) -> None:
        """Resets the slot, even if its weights are not finite."""
        for tensor in (self.masters, self.weights, self.gradients, self.means, self.scale):
            tensor[slot] = 0
        self.clip[slot] = torch.inf
        self.adamw.state.pop(self.rows[slot], None)
        self.options.pop(slot, None)
        self.steps[slot] = 0

    def step(self, rates: Mapping[int, float]) -> None:
        """One AdamW step, clipped, of each slot in `rates` with its learning rate; others keep their weights.

        Leave out a slot whose loss is NaN: its gradients are then dropped, never multiplied by zero.
        """
        gradients = self.collect_gradients()
        norms = torch.linalg.vector_norm(gradients, dim=1)
        gradients.mul_((self.clip[: self.used] / (norms + 1e-6)).clamp(max=1.0)[:, None])  # as clip_grad_norm_ does
        for slot, (row, group) in enumerate(zip(self.rows, self.adamw.param_groups, strict=True)):
            row.grad = self.gradients[slot] if slot in rates else None
            group["lr"] = rates.get(slot, 0.0)
        self.adamw.step()
        for slot in rates:
            self.steps[slot] += 1
            with torch.no_grad():
                self.means[slot].lerp_(self.masters[slot], self.options[slot].newest(self.steps[slot]))
        self._publish()

    def collect_gradients(self) -> Tensor:
        """Of the slots in use, (used, P); the matrices' own are cleared."""
        gradients = self.gradients[: self.used]
        for matrix, columns in zip(self.matrices, self.places.columns, strict=True):
            if matrix.grad is not None:
                gradients[:, columns].copy_(matrix.grad.flatten(1))
                matrix.grad = None
        return gradients

    @contextmanager
    def measured(self, slots: Collection[int]) -> Iterator[None]:
        """Inside the `with` block the model computes with the averaged weights of these slots."""
        with self._kept_weights(slots):
            for slot in slots:
                self.weights[slot] = self._kept(slot)
            yield

    @contextmanager
    def random(self, slots: Collection[int]) -> Iterator[None]:
        """Inside the `with` block each B of these slots is random, and the adapter moves every output by about its size."""
        with self._kept_weights(slots):
            for slot in slots:
                noise = torch.randn_like(self.weights[slot]) * self.ups.to(self.weights.dtype)
                strength = float(self.scale[slot]) * self.max_rank**0.5
                self.weights[slot] = torch.where(self.ups > 0, noise / strength, self.weights[slot])
            yield

    @contextmanager
    def _kept_weights(self, slots: Collection[int]) -> Iterator[None]:
        """After the `with` block those of these slots are as before."""
        kept = {slot: self.weights[slot].clone() for slot in slots}
        try:
            yield
        finally:
            for slot, own in kept.items():
                self.weights[slot] = own

    def bypass(self) -> None:
        """The bare model again; the last forward pass is forgotten."""
        self.routing = self._read = None

    def forget_gradients(self) -> None:
        """Those of a pass that was not finished, and what it left in memory."""
        self.bypass()
        self.scratch.clear()
        for matrix in self.matrices:
            matrix.grad = None

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _occupy(self, slot: int, adapter: Lora, optimizer: AdamW) -> None:
        self.leave(slot)
        self.options[slot] = optimizer
        self.scale[slot] = adapter.alpha / adapter.rank
        self.clip[slot] = optimizer.clip or torch.inf
        self.adamw.param_groups[slot] |= {
            "betas": optimizer.betas,
            "eps": optimizer.eps,
            "weight_decay": optimizer.weight_decay,
        }

    def _kept(self, slot: int) -> Tensor:
        """The mean of a slot's weights, moved a little towards the untuned model, where each B is zero."""
        back = self.ups * self.options[slot].toward_base
        return self.means[slot].lerp(self.ups.new_zeros(()), back)

    def _publish(self) -> None:
        if self.weights is not self.masters:
            self.weights[: self.used].copy_(self.masters[: self.used])

    def _add(self, place: Place, layer: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """The forward hook of each target layer: adds the products with its LoRA matrices, which lie at `place`."""
        if self.routing is None:
            return None
        a_SJI, b_SRO = self.matrices[place.down], self.matrices[place.up]
        if isinstance(self.routing, int):
            one, rank = self.routing, slice(place.start, place.start + self.max_rank)
            return output + (inputs[0] @ a_SJI[one, rank].T) * self.scale[one] @ b_SRO[one]
        tokens, scale = self.routing, self.scale[: self.used]
        if isinstance(tokens, RowGroups):
            a_SJI, b_SRO, scale = (each.index_select(0, tokens.slots) for each in (a_SJI, b_SRO, scale))
            tokens = tokens.of(inputs[0].shape[:-1].numel())
        if self._read is None or self._read[0] is not inputs[0] or self._read[1] != place.down:
            count = a_SJI.shape[1] // self.max_rank
            products = Down.apply(inputs[0], a_SJI, scale, count, tokens, self.scratch)
            self._read = inputs[0], place.down, products
        h_SWR = self._read[2][place.start // self.max_rank]
        added: Tensor = Up.apply(output, h_SWR, b_SRO, tokens, self.scratch)
        return added
