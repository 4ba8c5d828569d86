"""Wrong `adapter.targets`, found by the names of the tensors before the model is loaded."""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from byheart.config.schema import shown
from byheart.errors import Problem
from byheart.model.files.classes import modeling_source, renames_weights
from byheart.model.files.folder import ModelFolder

WHERE, ALL = "adapter.targets", "all-linear"
ASKED = (ALL, "attention", "mlp")  # found by asking the loaded model


def adapter_problems(folder: ModelFolder, adapter: Any) -> Iterator[Problem]:
    """What of a LoRA adapter cannot be right, by itself or on this model. What is not certain is left to peft."""
    targets = getattr(adapter, "targets", None)
    if targets is None:  # all weights are trained
        return
    if adapter.alpha <= 0:
        yield Problem("must be above 0", "adapter.alpha", str(adapter.alpha), f"adapter.alpha={2 * adapter.rank}")
    if folder.width and adapter.rank > folder.width:
        fix = f"adapter.rank={min(16, folder.width)}"
        yield Problem(f"is larger than the model's width, {folder.width}", "adapter.rank", str(adapter.rank), fix)
    if not targets or not all(targets):
        yield Problem("must name a layer", WHERE, shown(targets), f"{WHERE}={ALL}")
    elif isinstance(targets, str):
        yield from _pattern_problems(folder, targets) if targets not in ASKED else ()
    else:
        yield from _name_problems(folder, targets)


def _name_problems(folder: ModelFolder, targets: Sequence[str]) -> Iterator[Problem]:
    modules, last = _modules(folder)
    source = modeling_source(folder.model_type) if modules else ""
    for target in targets:
        word = target.rpartition(".")[2]
        if word in last or any(name.endswith(f".{target}") for name in modules):
            continue
        if inside := {name for name in modules if f".{target}." in f".{name}"}:
            what = "holds layers, and is none itself"
            yield Problem(what, WHERE, target, _offer(target, {name.rpartition(".")[2] for name in inside}))
        elif any(f".{target}." in f".{name}" for name in folder.shapes):
            yield Problem("has no matrix to adapt", WHERE, target, _offer(target, last))
        # Tied heads and fused experts have no tensor of their name: they are found in the code of the class.
        elif source and not re.search(rf"\bself\.{re.escape(word)}\b", source):
            yield Problem("no layer of the model has this name", WHERE, target, _offer(target, last))


def _pattern_problems(folder: ModelFolder, pattern: str) -> Iterator[Problem]:
    """For a text, which peft takes as a regular expression over whole names."""
    try:
        whole = re.compile(pattern)
    except re.error as error:
        yield Problem(f"must be a list, or a regular expression: {error}", WHERE, pattern, f"{WHERE}={ALL}")
        return
    modules, last = _modules(folder)
    source = modeling_source(folder.model_type) if modules else ""
    prefixes = {"", *(f"{name}." for name in re.findall(r'base_model_prefix = "(\w+)"', source))}
    names = [*(f"{prefix}{name}" for prefix in prefixes for name in modules), "lm_head", "embed_out"]
    if not modules or any(whole.fullmatch(name) for name in names):
        return
    if pattern in last:
        fix = f"a text is a regular expression over whole names; write a list: {WHERE}=[{pattern}]"
        yield Problem("no layer of the model has such a name", WHERE, pattern, fix)
    elif source and not renames_weights(folder.model_type):
        yield Problem("no layer of the model has such a name", WHERE, pattern, _offer(pattern, last))


def _modules(folder: ModelFolder) -> tuple[list[str], set[str]]:
    """The names of all that has a matrix, whole and their last words; none where the weights are pickles."""
    modules = sorted({name.rpartition(".")[0] for name, shape in folder.shapes.items() if len(shape) > 1})
    return modules, {name.rpartition(".")[2] for name in modules}


def _offer(target: str, last: set[str]) -> str:
    near = difflib.get_close_matches(target, last, n=2, cutoff=0.6)
    named = sorted(name for name in last if not name.isdigit())[:12]
    return f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(named)}; or adapter.targets={ALL}"
