"""Puts an adapter on a model; what peft refuses becomes an error that the user can fix."""

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.damage import go_on, is_trial, run_of
from byheart.errors import Problem, UserError
from byheart.model.adapters.adapter import Adapter, Lora
from byheart.model.files.reading import Damaged, read_object, refuse_disguised
from byheart.model.files.targets import ALL, ASKED, WHERE
from byheart.model.files.weights import read_header
from byheart.model.weights import named

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def attach(adapter: Adapter, model: "PreTrainedModel") -> "PreTrainedModel | PeftModel":
    try:
        return adapter.attach(model)
    except ValueError as error:  # also peft's NoMatchingPeftModuleError
        targets = getattr(adapter, "targets", "")
        shown = targets if isinstance(targets, str) else f"[{','.join(targets)}]"
        said = re.sub(r"(Target module \w+)\(.*\) (?=is not supported)", r"\1 ", " ".join(str(error).split()))
        raise _wrong_targets(f"peft cannot use it: {said[:200]}", shown) from error


def refuse_unattachable(adapter: Adapter, model: "PreTrainedModel") -> None:
    """Raises UserError, before anything else is done, for targets that mean no layer of the loaded model."""
    targets = getattr(adapter, "targets", ALL)
    if isinstance(adapter, Lora) and (targets in ASKED or adapter.experts):
        adapter.config(model)  # asks for them
    if targets in ASKED:
        return
    modules = dict(model.named_modules())
    for target in [targets] if isinstance(targets, str) else targets:
        if isinstance(targets, str):  # as peft reads them
            meant = [module for name, module in modules.items() if re.fullmatch(targets, name)]
        else:
            meant = [module for name, module in modules.items() if f".{name}".endswith(f".{target}")]
        if not meant:
            raise _wrong_targets("no layer of the model has such a name", target)
        for module in meant:
            if getattr(getattr(module, "weight", None), "ndim", 0) < 2:
                raise _wrong_targets(f"it means a {type(module).__name__}, which is no layer with a matrix", target)


def _wrong_targets(what: str, target: str) -> UserError:
    return UserError(Problem(what, WHERE, target, f"{WHERE}={ALL}, or a list of linear layers"))


def load_adapter(model: "PreTrainedModel", folder: Path) -> "PeftModel":
    """The model in eval mode with the adapter in the folder.

    Raises UserError where it is not whole, or was not trained on this model.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils import load_peft_weights

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found missing adapter keys")  # refused below
            loaded = PeftModel.from_pretrained(model, str(folder), autocast_adapter_dtype=False)
        saved = load_peft_weights(str(folder), device="cpu").keys()
    except Exception as error:  # of json, safetensors, torch or peft: the files are not what was saved
        refuse_damaged_adapter(folder)
        raise _unusable(f"cannot be loaded: {' '.join(str(error).split())[:200]}", folder) from error
    loaded.active_peft_config.base_model_name_or_path = None  # else peft asks the hub for the base's config
    own = get_peft_model_state_dict(loaded).keys()
    found = [*named("has no weights for", own - saved), *named("has weights for other layers:", saved - own)]
    if found:
        raise _unusable(f"is not of this model: it {'; it '.join(found)}", folder)
    return loaded.eval()


def refuse_damaged_adapter(folder: Path) -> None:
    """Raises UserError for a file of a saved adapter that is missing or not whole. Full models have a check of their own."""
    if (folder / "config.json").is_file():
        return
    for name, read in (("adapter_config.json", read_object), ("adapter_model.safetensors", read_header)):
        if not (folder / name).is_file():
            raise _unusable(f"lacks {name}", folder)
        try:
            refuse_disguised(folder / name)
            read(folder / name)
        except Damaged as error:
            raise _unusable(f"is damaged: {name} {error}", folder) from None


def _unusable(what: str, folder: Path) -> UserError:
    return UserError(
        Problem(f"the saved adapter {what}", "adapter", str(folder), f"copy it again; or {_trained(folder)}")
    )


def _trained(folder: Path) -> str:
    """What trains a lost adapter again."""
    run = run_of(folder)
    if run is not None and is_trial(run):
        return f'train the best trial again: byheart learn -cd "{run.parent}" -cn best'
    return f"train again: remove the folder {folder}, then: {go_on(run or folder.parent)}"
