"""Which layers an adapter is put on, found by asking the model: its attention, its MLPs, its experts' parameters."""

import re
from typing import TYPE_CHECKING, Any

from byheart.model.adapters.language_tower import linear_modules
from byheart.model.as_found import kept_modes

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel

ALL, ATTENTION, MLP = "all-linear", "attention", "mlp"
_TOKENS = 4
_CHANGED = 0.02  # relative change of an output; rounding in bfloat16 changes less than a fifth of it


def linear_layers(model: "PreTrainedModel", kind: str) -> list[str]:
    """The linear layers in the blocks of one kind, in the order of the model.

    `attention`: blocks whose output at a token depends on the tokens before it, so linear attention, convolutions and state
    spaces too. `mlp`: the other blocks of the decoder layers. Vision layers are neither: text does not pass them.
    """
    return [
        f"{name}.{part}".rstrip(".")
        for name, mixes in _blocks(model).items()
        if mixes == (kind == ATTENTION)
        for part in linear_modules(model.get_submodule(name))
    ]


def unfit_layers(config: "LoraConfig", model: "PreTrainedModel") -> str | None:
    """A regular expression of the linear layers that cannot have LoRA matrices, as peft's `exclude_modules`.

    peft refuses some of Mamba's, whose kernels read the weights without calling the layer. It cannot add to a linear layer
    with a forward pass of its own: a router with several outputs, a product by groups. These are found by reading a token.
    """
    import torch
    from peft.tuners.tuners_utils import _check_lora_target_modules_mamba as check

    found, hooks = set(), []
    for path, module in model.named_modules():
        name = path.rpartition(".")[2]
        try:
            check(config, model, name)
        except ValueError:
            found.add(name)
        if isinstance(module, torch.nn.Linear) and type(module).forward is not torch.nn.Linear.forward:

            def heard(module: Any, given: Any, output: object, name: str = name) -> None:
                if not isinstance(output, torch.Tensor) or (given and not _as_linear(module, given[0], output)):
                    found.add(name)

            hooks.append(module.register_forward_hook(heard))
    if hooks:
        with torch.no_grad():
            model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device))
        for hook in hooks:
            hook.remove()
    return rf"(.*\.)?({'|'.join(map(re.escape, sorted(found)))})" if found else None


def _as_linear(layer: Any, given: Any, output: Any) -> bool:
    """Whether these are the shapes of a linear layer's input and output."""
    return bool(given.shape[-1] == layer.in_features and output.shape == (*given.shape[:-1], layer.out_features))


def expert_parameters(model: "PreTrainedModel") -> list[str]:
    """The stacked matrices of experts, (experts, in, out): they are parameters, and no layer that `all-linear` finds."""
    from torch.nn.modules.conv import _ConvNd

    return [
        f"{name}.{own}"
        for name, module in model.named_modules()
        if not isinstance(module, _ConvNd)
        for own, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3 and min(parameter.shape) > 1
    ]


def _blocks(model: "PreTrainedModel") -> dict[str, bool]:
    """The parts of each decoder layer that text passes, and whether they mix tokens.

    Asked in one forward pass: each block is called again with all tokens but the last changed.
    """
    import torch

    found: dict[str, bool] = {}

    def ask(name: str) -> Any:
        def hook(block: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given = args[0] if args else kwargs.get("hidden_states")
            if not isinstance(given, torch.Tensor) or given.shape[:-1].numel() != _TOKENS:  # some models drop the batch
                return
            other = given.clone()
            other[..., :-1, :] = given[..., :-1, :].flip(-1)  # a changed sign would pass a product of two projections
            changed = (other, *args[1:]) if args else ()
            again = block.forward(*changed, **(kwargs if args else kwargs | {"hidden_states": other}))
            before, after = (each[0] if isinstance(each, tuple) else each for each in (output, again))
            difference = (after[..., -1, :] - before[..., -1, :]).float().norm()
            found[name] = bool(difference > _CHANGED * before[..., -1, :].float().norm())

        return hook

    hooks = [
        block.register_forward_hook(ask(f"{layer}.{part}"), with_kwargs=True)
        for layer in _layers(model)
        for part, block in model.get_submodule(layer).named_children()
    ]
    try:
        with kept_modes(model), torch.no_grad():
            model.eval()
            model(input_ids=torch.arange(1, _TOKENS + 1, device=model.device)[None], use_cache=False)
    finally:
        for each in hooks:
            each.remove()
    return found


def _layers(model: "PreTrainedModel") -> list[str]:
    """The members of all lists of modules that lie in no other list."""
    import torch

    lists = [name for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)]
    outer = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    return [f"{name}.{number}" for name in outer for number, _ in enumerate(model.get_submodule(name).children())]
