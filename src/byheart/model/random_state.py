"""The state of torch's random numbers: on the CPU, and on the GPU that is used, whose dropout has its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def random_state() -> "dict[str, Tensor]":
    """By device: "cpu", and "cuda" or "mps" where there is one. Of several GPUs only the one that is used."""
    import torch

    return {"cpu": torch.get_rng_state()} | {name: module.get_rng_state() for name, module in _gpus().items()}


def set_random_state(state: "Mapping[str, Tensor]") -> None:
    """What `random_state` gave, perhaps on a machine with another device."""
    import torch

    torch.set_rng_state(state["cpu"])
    for name, module in _gpus().items():
        if name in state:
            module.set_rng_state(state[name])


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Afterwards the random state is as before, as with torch's `fork_rng`, which forgets Apple's GPUs and visits all of CUDA's."""
    before = random_state()
    try:
        yield
    finally:
        set_random_state(before)


def _gpus() -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {}
    if torch.cuda.is_initialized():  # where a model is on it: asking would take memory of every GPU
        found["cuda"] = torch.cuda
    if torch.backends.mps.is_available():
        found["mps"] = torch.mps
    return found
