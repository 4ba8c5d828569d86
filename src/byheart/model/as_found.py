"""A borrowed model is given back as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module


@contextmanager
def kept_modes(model: "Module") -> Iterator[None]:
    """Afterwards each part of the model is in train or eval mode as before, and the same weights want gradients.

    `model.train(mode)` would not do: it gives all parts one mode.
    """
    modes = [(part, part.training) for part in model.modules()]
    wanting = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        for parameter, wanted in wanting:
            parameter.requires_grad_(wanted)
