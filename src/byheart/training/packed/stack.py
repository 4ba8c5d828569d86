"""The LoRA matrices of all slots, stacked, on one frozen model; and one optimizer step for all of them."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from byheart.errors import Problem, UserError
from byheart.model.adapter import Lora
from byheart.training.optimizer import AdamW
from byheart.training.packed.adapters import initial
from byheart.training.packed.grouping import Grouping
from byheart.training.packed.places import Place, Places, reading_together
from byheart.training.packed.products import Scratch, down, up

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Stack:
    """For each target layer A (S, R, in) and B (S, R, out) of all S slots.

    A slot's matrices lie in one row of `weights` (S, P), as `Places` has it, its float32 masters, gradients and moments
    in rows alike.
    """

    def __init__(self, model: Any, slots: int, max_rank: int, targets: str | tuple[str, ...]):
        self.slots, self.max_rank = slots, max_rank
        names = list(initial(Lora(rank=1, alpha=1, targets=targets), model, seed=0))
        self.layers: dict[str, Any] = {name: model.get_submodule(name) for name in names}
        for name, layer in self.layers.items():
            if not isinstance(layer, torch.nn.Linear):
                what = f"{name}: {type(layer).__name__}"
                raise UserError(Problem("only linear layers can be packed", "adapter.targets", what, "name others"))
        first: Tensor = self.layers[names[0]].weight
        wide = torch.float32 if first.dtype.itemsize < 4 else first.dtype
        self.places = Places(self.layers, reading_together(model, self.layers), max_rank)
        self.masters = torch.zeros(slots, self.places.size, dtype=wide, device=first.device)
        self.weights = self.masters if wide == first.dtype else self.masters.to(first.dtype)
        self.gradients = torch.zeros_like(self.masters)
        self.means = torch.zeros_like(self.masters)  # of the weights of late: what is measured and kept
        ups = {place.up for place in self.places.of.values()}
        columns = [self.masters.new_full((end,), number in ups) for number, end in enumerate(self.places.sizes())]
        self.ups = torch.cat(columns)  # (P,) 1 where a B lies, which makes a product smaller by itself, else 0
        self.options: dict[int, AdamW] = {}
        self.steps = [0] * slots
        self.scale = torch.zeros(slots, 1, 1, dtype=first.dtype, device=first.device)
        self.clip = torch.full((slots,), torch.inf, dtype=wide, device=first.device)
        self.columns = self.places.columns()
        self.used = 0
        self.matrices: list[Tensor] = []
        self.reach(slots)
        # One group a slot, one flat tensor a group: AdamW with its own rate, betas, decay and step for each slot.
        self.rows = [row.detach().requires_grad_() for row in self.masters]
        self.adamw = torch.optim.AdamW([{"params": [row]} for row in self.rows], fused=True)
        self.routing: Grouping | int | None = None  # how tokens find their slot; one slot for all; the bare model
        self.scratch = Scratch()
        self._read: tuple[Tensor, int, tuple[Tensor, ...]] | None = (
            None  # an input, and its products with all that read it
        )
        self._hooks = []
        for name, layer in self.layers.items():
            layer.packed_place = self.places.of[name]
            self._hooks.append(layer.register_forward_hook(self._add))

    def reach(self, used: int) -> None:
        """From now on only the first so many slots take part in a pass and a step: empty ones would cost the same."""
        if used == self.used:
            return
        self.used = used
        # Leaves on views of `weights`: the gradients of all slots' matrices come in one tensor for each.
        self.matrices = [
            self.weights[:used, columns].view(used, *shape).detach().requires_grad_()
            for columns, shape in zip(self.columns, self.places.shapes, strict=True)
        ]

    def join(self, slot: int, adapter: Lora, optimizer: AdamW, initial: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """A new adapter in a free slot, as peft initialised it."""
        self._occupy(slot, adapter, optimizer)
        self._fill(slot, self.masters, self.places.flat(initial), adapter.rank)
        self.means[slot] = self.masters[slot]
        self._publish()

    def rejoin(self, slot: int, adapter: Lora, optimizer: AdamW, state: Mapping[str, Tensor]) -> None:
        """What `state` gave, in a slot of this or another stack."""
        self._occupy(slot, adapter, optimizer)
        self._fill(slot, self.masters, state["masters"], adapter.rank)
        self._fill(slot, self.means, state.get("means", state["masters"]), adapter.rank)
        if "step" in state:
            own: dict[str, Tensor] = self.adamw.state[self.rows[slot]]
            self.steps[slot] = int(state["step"])
            own["step"] = state["step"].clone()
            for name in _MOMENTS:
                moments = torch.zeros_like(self.masters)[:1]
                self._fill(0, moments, state[name], adapter.rank)
                own[name] = moments[0]
        self._publish()

    def state(self, slot: int, rank: int) -> dict[str, Tensor]:
        """All that training goes on from, on the host, without the filling."""
        own = self.adamw.state.get(self.rows[slot], {})
        state = {
            "masters": self.masters[slot],
            "means": self.means[slot],
            **{name: own[name] for name in _MOMENTS if name in own},
        }
        columns = self.places.used(rank)
        kept = {name: row.detach()[columns].cpu() for name, row in state.items()}
        return kept | ({"step": own["step"].clone().cpu()} if own else {})

    def snapshot(self, slot: int, rank: int) -> Tensor:
        """What is kept of the weights, as the model computes with it, on the host."""
        return self._kept(slot)[self.places.used(rank)].to(self.weights.dtype).cpu()

    def matrices_of(self, snapshot: Tensor, rank: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Layer name -> A (rank, in) and B (rank, out), of a snapshot."""
        return self.places.named(snapshot, rank)

    def leave(self, slot: int) -> None:
        """The slot as it was before anyone joined, whatever became of its weights."""
        for tensor in (self.masters, self.weights, self.gradients, self.means, self.scale):
            tensor[slot] = 0
        self.clip[slot] = torch.inf
        self.adamw.state.pop(self.rows[slot], None)
        self.options.pop(slot, None)
        self.steps[slot] = 0

    def step(self, rates: Mapping[int, float]) -> None:
        """One AdamW step, clipped, of each slot in `rates` with its learning rate; others keep their weights.

        A slot whose loss is no number is simply not named: its gradients are dropped, never multiplied by zero.
        """
        gradients = self.gradients[: self.used]
        for matrix, columns in zip(self.matrices, self.columns, strict=True):
            if matrix.grad is not None:
                gradients[:, columns].copy_(matrix.grad.flatten(1))
                matrix.grad = None
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

    @contextmanager
    def measured(self, slots: Collection[int]) -> Iterator[None]:
        """Within, the model computes with what is kept of these slots' weights."""
        trained = {slot: self.weights[slot].clone() for slot in slots}
        for slot in slots:
            self.weights[slot] = self._kept(slot)
        try:
            yield
        finally:
            for slot, own in trained.items():
                self.weights[slot] = own

    def bypass(self) -> None:
        """The bare model again, and nothing of its last pass."""
        self.routing = self._read = None

    def close(self) -> None:
        for hook, layer in zip(self._hooks, self.layers.values(), strict=True):
            hook.remove()
            del layer.packed_place

    def _fill(self, slot: int, rows: Tensor, values: Tensor, rank: int) -> None:
        rows[slot] = 0
        rows[slot, self.places.used(rank)] = values.to(rows)

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
        """The mean of a slot's weights, a little way back towards the untuned model, where each B is zero."""
        back = self.ups * self.options[slot].toward_base
        return self.means[slot].lerp(self.ups.new_zeros(()), back)

    def _publish(self) -> None:
        if self.weights is not self.masters:
            self.weights[: self.used].copy_(self.masters[: self.used])

    def _add(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """The forward hook of all target layers. What differs lies on the layer: one compiled graph serves them all."""
        if self.routing is None:
            return None
        place: Place = layer.packed_place
        a_SJI, b_SRO = self.matrices[place.down], self.matrices[place.up]
        rank, scale = slice(place.start, place.start + self.max_rank), self.scale[: self.used]
        if isinstance(self.routing, int):
            one = self.routing
            return output + (inputs[0] @ a_SJI[one, rank].T) * self.scale[one] @ b_SRO[one]
        if torch.compiler.is_compiling():  # the compiler sees by itself what is equal, and what can share memory
            (grouped,) = self.routing.gather(inputs[0].flatten(0, -2))
            product = torch.bmm(torch.bmm(grouped, a_SJI[:, rank].transpose(1, 2)) * scale, b_SRO)
            return output.add_(self.routing.scatter(product).view_as(output))
        if self._read is None or self._read[0] is not inputs[0] or self._read[1] != place.down:
            count = a_SJI.shape[1] // self.max_rank
            self._read = inputs[0], place.down, down(inputs[0], a_SJI, scale, count, self.routing, self.scratch)
        return up(output, self._read[2][place.start // self.max_rank], b_SRO, self.routing, self.scratch)
