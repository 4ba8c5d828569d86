"""The LoRA matrices of all slots, stacked, on one frozen model; and one optimizer step for all of them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from byheart.errors import Problem, UserError
from byheart.model.adapter import Lora
from byheart.training.optimizer import AdamW
from byheart.training.packed.adapters import initial
from byheart.training.packed.grouping import Grouping

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Stack:
    """For each target layer A (S, in, R) and B (S, R, out) of all S slots.

    A slot's matrices lie in one row of `weights` (S, P), its float32 masters, gradients and moments in rows alike. An
    adapter of a lower rank than R is filled up with zeros, whose gradients are zero, so that they stay zeros.
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
        size = sum((layer.in_features + layer.out_features) * max_rank for layer in self.layers.values())
        self.masters = torch.zeros(slots, size, dtype=wide, device=first.device)
        self.weights = self.masters if wide == first.dtype else self.masters.to(first.dtype)
        self.gradients = torch.zeros_like(self.masters)
        self.scale = torch.zeros(slots, 1, 1, dtype=first.dtype, device=first.device)
        self.clip = torch.full((slots,), torch.inf, dtype=wide, device=first.device)
        self._carve()
        # One group a slot, one flat tensor a group: AdamW with its own rate, betas, decay and step for each slot.
        self.rows = [row.detach().requires_grad_() for row in self.masters]
        self.adamw = torch.optim.AdamW([{"params": [row]} for row in self.rows], fused=True)
        self.routing: Grouping | int | None = None  # how tokens find their slot; one slot for all; the bare model
        self._last: tuple[Tensor, Tensor] | None = None
        self._hooks = []
        for number, layer in enumerate(self.layers.values()):
            layer.packed_matrices = self.matrices[2 * number : 2 * number + 2]
            self._hooks.append(layer.register_forward_hook(self._add))

    def join(self, slot: int, adapter: Lora, optimizer: AdamW, initial: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """A new adapter in a free slot, as peft initialised it."""
        self._occupy(slot, adapter, optimizer)
        flat = torch.cat([matrix.flatten() for pair in initial.values() for matrix in pair])
        self._fill(slot, self.masters, flat, adapter.rank)
        self._publish()

    def rejoin(self, slot: int, adapter: Lora, optimizer: AdamW, state: Mapping[str, Tensor]) -> None:
        """What `state` gave, in a slot of this or another stack."""
        self._occupy(slot, adapter, optimizer)
        self._fill(slot, self.masters, state["masters"], adapter.rank)
        if "step" in state:
            own: dict[str, Tensor] = self.adamw.state[self.rows[slot]]
            own["step"] = state["step"].clone()
            for name in _MOMENTS:
                moments = torch.zeros_like(self.masters)[:1]
                self._fill(0, moments, state[name], adapter.rank)
                own[name] = moments[0]
        self._publish()

    def state(self, slot: int, rank: int) -> dict[str, Tensor]:
        """All that training goes on from, on the host, without the filling."""
        own = self.adamw.state.get(self.rows[slot], {})
        state = {"masters": self.masters[slot], **{name: own[name] for name in _MOMENTS if name in own}}
        columns = self._columns(rank)
        kept = {name: row.detach()[columns].cpu() for name, row in state.items()}
        return kept | ({"step": own["step"].clone().cpu()} if own else {})

    def snapshot(self, slot: int, rank: int) -> Tensor:
        """The weights as the model computes with them, on the host."""
        return self.weights[slot][self._columns(rank)].cpu()

    def matrices_of(self, snapshot: Tensor, rank: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Layer name -> A and B, of a snapshot."""
        sizes = [(layer.in_features, layer.out_features) for layer in self.layers.values()]
        parts = iter(snapshot.split([n * rank for pair in sizes for n in pair]))
        return {
            name: (next(parts).view(wide, rank), next(parts).view(rank, tall))
            for name, (wide, tall) in zip(self.layers, sizes, strict=True)
        }

    def leave(self, slot: int) -> None:
        """The slot as it was before anyone joined, whatever became of its weights."""
        for tensor in (self.masters, self.weights, self.gradients, self.scale):
            tensor[slot] = 0
        self.clip[slot] = torch.inf
        self.adamw.state.pop(self.rows[slot], None)

    def step(self, rates: Mapping[int, float]) -> None:
        """One AdamW step, clipped, of each slot in `rates` with its learning rate; others keep their weights.

        A slot whose loss is no number is simply not named: its gradients are dropped, never multiplied by zero.
        """
        for matrix, columns in zip(self.matrices, self.columns, strict=True):
            if matrix.grad is not None:
                self.gradients[:, columns].copy_(matrix.grad.flatten(1))
                matrix.grad = None
        norms = torch.linalg.vector_norm(self.gradients, dim=1)
        self.gradients.mul_((self.clip / (norms + 1e-6)).clamp(max=1.0)[:, None])  # as clip_grad_norm_ does
        for slot, (row, group) in enumerate(zip(self.rows, self.adamw.param_groups, strict=True)):
            row.grad = self.gradients[slot] if slot in rates else None
            group["lr"] = rates.get(slot, 0.0)
        self.adamw.step()
        self._publish()

    def drop_gradients(self) -> None:
        for matrix in self.matrices:
            matrix.grad = None

    def bypass(self) -> None:
        """The bare model again, and nothing of its last pass."""
        self.routing = self._last = None

    def close(self) -> None:
        for hook, layer in zip(self._hooks, self.layers.values(), strict=True):
            hook.remove()
            del layer.packed_matrices

    def _carve(self) -> None:
        """`matrices`: leaves on views of `weights`, A and B of each layer in turn; `columns`: where each lies."""
        self.matrices: list[Tensor] = []
        self.columns: list[slice] = []
        ranks, at, rank = [], 0, torch.arange(self.max_rank)
        for layer in self.layers.values():
            for shape in ((layer.in_features, self.max_rank), (self.max_rank, layer.out_features)):
                columns = slice(at, at + shape[0] * shape[1])
                self.matrices.append(self.weights[:, columns].view(self.slots, *shape).detach().requires_grad_())
                self.columns.append(columns)
                ranks.append((rank if shape[1] == self.max_rank else rank[:, None]).expand(shape).flatten())
                at = columns.stop
        self._rank_of_column = torch.cat(ranks).to(self.weights.device)

    def _columns(self, rank: int) -> Tensor:
        """The columns that an adapter of this rank fills; in the same order in every stack."""
        return (self._rank_of_column < rank).nonzero().flatten()

    def _fill(self, slot: int, rows: Tensor, values: Tensor, rank: int) -> None:
        rows[slot] = 0
        rows[slot, self._columns(rank)] = values.to(rows)

    def _occupy(self, slot: int, adapter: Lora, optimizer: AdamW) -> None:
        self.leave(slot)
        self.scale[slot] = adapter.alpha / adapter.rank
        self.clip[slot] = optimizer.clip or torch.inf
        self.adamw.param_groups[slot] |= {
            "betas": optimizer.betas,
            "eps": optimizer.eps,
            "weight_decay": optimizer.weight_decay,
        }

    def _publish(self) -> None:
        if self.weights is not self.masters:
            self.weights.copy_(self.masters)

    def _add(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """The forward hook of all target layers. What differs lies on the layer: one compiled graph serves them all."""
        if self.routing is None:
            return None
        a, b = layer.packed_matrices
        if isinstance(self.routing, int):
            one = self.routing
            return output + (inputs[0] @ a[one]) * self.scale[one] @ b[one]
        delta = self.routing.scatter(torch.bmm(torch.bmm(self._grouped(inputs[0]), a) * self.scale, b))
        return output.add_(delta.view_as(output))  # fresh, and not needed by its own gradient

    def _grouped(self, x: Tensor) -> Tensor:
        """Layers that read the same input (q, k and v; gate and up) share its grouping."""
        assert isinstance(self.routing, Grouping)
        if torch.compiler.is_compiling():  # the compiler sees by itself that they are equal
            return self.routing.gather(x.flatten(0, -2))
        if self._last is None or self._last[0] is not x:
            self._last = x, self.routing.gather(x.flatten(0, -2))
        return self._last[1]
