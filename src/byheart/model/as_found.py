"""A borrowed model is given back as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.nn import Module
    from transformers import PreTrainedModel


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


@contextmanager
def plainly(model: "PreTrainedModel | PeftModel") -> Iterator[None]:
    """Inside the `with` block `generate` inherits nothing: no repetition penalty, no beams, no suppressed tokens."""
    from transformers import GenerationConfig

    base: Any = model
    if hasattr(base, "get_base_model"):  # peft's wrapper
        base = base.get_base_model()
    inherited = base.generation_config
    base.generation_config = GenerationConfig(bos_token_id=inherited.bos_token_id)
    try:
        yield
    finally:
        base.generation_config = inherited
