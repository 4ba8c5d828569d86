"""Which part of a model text trains. A wrapper has other parts, for images or sound."""

import re
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from byheart.model.as_found import kept_modes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_TOKENS = 4
_asked: "WeakKeyDictionary[PreTrainedModel, str | None]" = WeakKeyDictionary()


def other_towers(model: "PreTrainedModel") -> str | None:
    """A regular expression of the modules that no text trains, as peft's `exclude_modules`; None where there are none.

    The model is asked once, with a few tokens: the linear layers of such a module get no gradient. Single layers are among
    them whose weight is read without a call (Mamba's `dt_proj`): an adapter there has no effect.
    """
    if model not in _asked:
        dead = _dead(model, _reached(model))
        _asked[model] = rf"({'|'.join(map(re.escape, dead))})(\..*)?" if dead else None
    return _asked[model]


def linear_modules(model: "torch.nn.Module") -> dict[str, "torch.nn.Module"]:
    """Linear layers and GPT-2's Conv1D, by name."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return {name: module for name, module in model.named_modules() if isinstance(module, Linear | Conv1D)}


def _reached(model: "PreTrainedModel") -> set[str]:
    """The linear layers whose output gets a gradient other than zero. No gradient of a weight is computed."""
    import torch

    found: set[str] = set()

    def listen(name: str) -> Any:
        def note(gradient: torch.Tensor) -> None:
            if gradient.any():
                found.add(name)

        def hook(layer: torch.nn.Module, given: Any, output: Any) -> Any:
            if isinstance(output, tuple):  # routers also give the numbers of experts
                return tuple(hook(layer, given, each) for each in output)
            if not isinstance(output, torch.Tensor) or not output.is_floating_point():
                return output
            if not torch.is_grad_enabled():  # the class computes this without gradients, as DeepSeek's choice of tokens
                return output
            if not output.requires_grad:  # what it read does not depend on the text
                output = output.detach().requires_grad_().clone()
            output.register_hook(note)
            return output

        return hook

    hooks = [layer.register_forward_hook(listen(name)) for name, layer in linear_modules(model).items()]
    try:
        with kept_modes(model), torch.enable_grad():
            model.eval().requires_grad_(False)
            tokens = torch.arange(1, _TOKENS + 1, device=model.device)[None]
            model(input_ids=tokens, use_cache=False).logits.float().log_softmax(-1)[..., 0].sum().backward()
    finally:
        for each in hooks:
            each.remove()
    return found


def _dead(model: "PreTrainedModel", reached: set[str]) -> list[str]:
    """The largest modules of which no linear layer was reached. An expert that no token was sent to is not among them."""
    import torch

    modules, linear = dict(model.named_modules()), linear_modules(model).keys()
    with_linear = {part for name in linear for part in _outer(name)}
    alive = {part for name in reached for part in _outer(name)}
    found = []
    for name in sorted(with_linear - alive):
        above = name.rpartition(".")[0]
        family = modules[above]
        if above not in alive:
            continue  # a larger one holds it
        if isinstance(family, torch.nn.ModuleList) and any(
            type(other) is type(modules[name]) and f"{above}.{i}" in alive for i, other in enumerate(family)
        ):
            continue
        found.append(name)
    return found


def _outer(name: str) -> list[str]:
    """The module itself and those around it, the model ("") among them."""
    parts = name.split(".")
    return ["", *(".".join(parts[: i + 1]) for i in range(len(parts)))]
