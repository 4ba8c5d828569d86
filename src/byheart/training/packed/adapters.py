"""Adapters as peft makes and saves them: peft itself is asked, on the model, between two ticks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from torch import Tensor

from byheart.model.adapter import Lora
from byheart.store import said_if_unwritten


def initial(adapter: Lora, model: Any, seed: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Layer name -> A (rank, in) and B (rank, out), with the bits that `attach` gives under this seed."""
    with torch.random.fork_rng(devices=[]), _attached(adapter, model, seed) as layers:
        return {
            name: (layer.lora_A["default"].weight.detach().clone(), layer.lora_B["default"].weight.detach().T.clone())
            for name, layer in layers.items()
        }


def save(adapter: Lora, model: Any, matrices: Mapping[str, tuple[Tensor, Tensor]], folder: Path) -> None:
    """peft's own files, moved into place when whole."""
    making = folder.with_name(f".{folder.name}-making")
    with (
        said_if_unwritten(folder),
        torch.random.fork_rng(devices=[]),
        _attached(adapter, model, seed=0) as layers,
        torch.no_grad(),
    ):
        for name, (a, b) in matrices.items():
            layers[name].lora_A["default"].weight.copy_(a)
            layers[name].lora_B["default"].weight.copy_(b.T)
        rmtree(making, ignore_errors=True)
        layers.peft_model.save_pretrained(str(making))
        rmtree(folder, ignore_errors=True)
        making.replace(folder)


class _Layers(dict[str, Any]):
    peft_model: Any


@contextmanager
def _attached(adapter: Lora, model: Any, seed: int) -> Iterator[_Layers]:
    from peft.tuners.lora import LoraLayer

    torch.manual_seed(seed)
    wrapped = adapter.attach(model)
    try:
        found = _Layers((name, layer) for name, layer in model.named_modules() if isinstance(layer, LoraLayer))
        found.peft_model = wrapped
        yield found
    finally:
        wrapped.unload()
