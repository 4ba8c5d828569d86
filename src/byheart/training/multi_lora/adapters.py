"""LoRA matrices as peft initialises and saves them: peft itself does it, on the model, between two steps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from byheart.model.adapters.adapter import Lora
from byheart.model.adapters.naming import name_base
from byheart.model.random_state import kept_random_state
from byheart.store import said_if_unwritten

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer
    from transformers import PreTrainedModel


Matrices = Mapping[str, tuple[Tensor, Tensor]]  # layer name -> A (rank, in) and B (rank, out)
Targets = str | tuple[str, ...]

# By model and targets. Attaching an adapter takes half a second: each pack would ask once more.
_layer_names: "WeakKeyDictionary[PreTrainedModel, dict[Targets, tuple[str, ...]]]" = WeakKeyDictionary()


def layer_names(model: "PreTrainedModel", targets: Targets) -> tuple[str, ...]:
    """The layers that an adapter with these targets is put on, in the order of the model."""
    if targets not in _layer_names.get(model, {}):
        initial(Lora(rank=1, alpha=1, targets=targets), model, seed=0)
    return _layer_names[model][targets]


def initial(adapter: Lora, model: "PreTrainedModel", seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """The matrices of a new adapter, with the bits that `attach` gives under this seed."""
    with kept_random_state(), attached(adapter, model, seed) as (_, layers):
        return matrices_in(layers)


def save(adapter: Lora, model: "PreTrainedModel", matrices: Matrices, folder: Path) -> None:
    """peft's own files, moved into place when whole."""
    making = folder.with_name(f".{folder.name}-making")
    with (
        said_if_unwritten(folder),
        kept_random_state(),
        attached(adapter, model, seed=0) as (wrapped, layers),
    ):
        put(matrices, layers)
        rmtree(making, ignore_errors=True)
        wrapped.save_pretrained(str(making))
        name_base(making)
        rmtree(folder, ignore_errors=True)
        making.replace(folder)


def matrices_in(layers: "Mapping[str, LoraLayer]") -> dict[str, tuple[Tensor, Tensor]]:
    return {
        name: (_weight(layer.lora_A).detach().clone(), _weight(layer.lora_B).detach().T.clone())
        for name, layer in layers.items()
    }


def put(matrices: Matrices, layers: "Mapping[str, LoraLayer]") -> list[Tensor]:
    """Copies the matrices into peft's layers. Gives peft's own tensors, A (rank, in) and B (out, rank) of each layer."""
    weights = []
    with torch.no_grad():
        for name, (a, b) in matrices.items():
            weights += [_weight(layers[name].lora_A).copy_(a), _weight(layers[name].lora_B).copy_(b.T)]
    return weights


@contextmanager
def attached(adapter: Lora, model: "PreTrainedModel", seed: int) -> "Iterator[tuple[PeftModel, dict[str, LoraLayer]]]":
    """The model with a new adapter, and its LoRA layers by name; the adapter is removed afterwards."""
    from peft.tuners.lora import LoraLayer

    torch.manual_seed(seed)
    wrapped = adapter.attach(model)
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    if not adapter.experts:
        _layer_names.setdefault(model, {})[adapter.targets] = tuple(layers)
    try:
        yield wrapped, layers
    finally:
        wrapped.unload()


def _weight(matrices: torch.nn.ModuleDict) -> Tensor:
    linear = matrices["default"]
    assert isinstance(linear, torch.nn.Linear)
    return linear.weight
