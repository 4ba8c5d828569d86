"""A model's folder, and all that is wrong with it as far as JSON tells. Where a file leaves room for doubt, it passes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from byheart.model.files.classes import class_names, model_types
from byheart.model.files.reading import Damaged, read_object
from byheart.model.files.tokenizer import Fault, tokenizer_faults
from byheart.model.files.weights import Shapes, read_weights

ANOTHER = "choose a causal language model (one that writes text, such as a ...ForCausalLM)"
OTHER_HEADS = {  # task of the head -> what it does
    "SEQUENCE_CLASSIFICATION": "gives a class or a reward",
    "TOKEN_CLASSIFICATION": "gives each token a class",
    "QUESTION_ANSWERING": "marks a span of a text",
    "MULTIPLE_CHOICE": "scores options",
    "MASKED_LM": "fills gaps in a text",
    "SEQ_TO_SEQ_CAUSAL_LM": "is a decoder behind an encoder",
}
PACKAGES = {  # quant_method -> packages without which transformers refuses the weights
    "bitsandbytes": ("bitsandbytes", "accelerate"),
    "gptq": ("gptqmodel", "optimum"),
    "awq": ("gptqmodel", "accelerate"),
    "compressed-tensors": ("compressed_tensors",),
    "torchao": ("torchao",),
    "hqq": ("hqq",),
    "quanto": ("optimum.quanto",),
    "aqlm": ("aqlm",),
}


@dataclass(frozen=True)
class ModelFolder:
    config: dict[str, Any] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=dict)  # of each tensor; empty where the weights are pickles
    faults: tuple[Fault, ...] = ()
    fits: bool = False  # it is there, and its class is a causal language model: its tokenizer is worth a look

    @property
    def model_type(self) -> str:
        return str(self.config.get("model_type", ""))

    @property
    def width(self) -> int | None:
        found = _text(self.config).get("hidden_size") or _text(self.config).get("n_embd")
        return found if isinstance(found, int) else None


def read_folder(folder: Path, partly: bool = False) -> ModelFolder:
    """Class and weights. `partly`: weights that are not there are no fault, because they will be downloaded."""
    try:
        return _read(folder.absolute(), partly, _stamps(folder))
    except OSError as error:
        return ModelFolder(faults=((f"cannot be read: {error.strerror}", "check its permissions"),))


def read_tokenizer(folder: Path, templated: bool) -> tuple[Fault, ...]:
    """What is wrong with the tokenizer. `templated`: the chat template of the folder is used, so that it must be right."""
    try:
        return _read_tokenizer(folder.absolute(), templated, _stamps(folder))
    except OSError as error:
        return ((f"cannot be read: {error.strerror}", "check its permissions"),)


def _stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What was read is kept until a file changes: a sweep asks for each of its variants."""
    files = sorted(each for each in folder.iterdir() if each.is_file())
    return tuple((each.name, (found := each.stat()).st_mtime_ns, found.st_size) for each in files)


@lru_cache(maxsize=8)
def _read(folder: Path, partly: bool, stamps: object) -> ModelFolder:
    if not (folder / "config.json").exists():
        return ModelFolder(faults=(_no_model(folder),))
    try:
        config = read_object(folder / "config.json")
    except Damaged as error:
        return ModelFolder(faults=((f"config.json {error}", error.fix),))
    wrong = config_faults(config)
    if wrong:  # of another kind of model, the other files need not be right
        return ModelFolder(config, faults=wrong)
    try:
        shapes = read_weights(folder)
    except Damaged as error:
        return ModelFolder(config, faults=() if partly else ((str(error), error.fix),), fits=not partly)
    return ModelFolder(config, shapes, tuple(_size_faults(config, shapes)), fits=True)


def config_faults(config: dict[str, Any]) -> tuple[Fault, ...]:
    """What config.json alone tells: another kind of model, or a package that its weights need."""
    return (*_class_faults(config), *_quantization_faults(config))


@lru_cache(maxsize=8)
def _read_tokenizer(folder: Path, templated: bool, stamps: object) -> tuple[Fault, ...]:
    config = read_object(folder / "config.json")
    return tuple(tokenizer_faults(folder, config | _text(config), templated))


def _text(config: dict[str, Any]) -> dict[str, Any]:
    """The part on the language model, where others are with it."""
    text = config.get("text_config")
    return text if isinstance(text, dict) else config


def _no_model(folder: Path) -> Fault:
    """Why a folder without config.json is no model, and which folder may have been meant."""
    names = sorted(entry.name for entry in folder.iterdir())
    try:
        base = read_object(folder / "adapter_config.json").get("base_model_name_or_path")
    except Damaged:
        base = None
    if "adapter_config.json" in names:
        return (
            "this is a peft adapter, not a model",
            f"name the model that it was trained on: model.path={base or '...'}",
        )
    found = [*folder.glob("*/config.json"), *folder.glob("snapshots/*/config.json")]
    if found:  # of several checkpoints, the last one
        last = max((file.parent for file in found), key=lambda place: (len(place.name), place.name))
        return "no model in this folder, but in folders below it", f"did you mean model.path={last}?"
    if "run.json" in names:
        fix = "name the model that the run was trained on; `byheart learn resume=DIR` continues a run"
        return "this is the folder of a run, which has no whole model", fix
    if any(name.endswith(".gguf") for name in names):
        fix = "GGUF files cannot be trained: name the folder with the *.safetensors they were made from"
        return "there are only GGUF files in this folder", fix
    if "params.json" in names or any(name.startswith("consolidated") for name in names):
        return (
            "these are weights in their maker's own format",
            "download the version for transformers, with config.json",
        )
    if not names:
        return "this folder is empty", "copy the model into it, or name another folder"
    return "no model in this folder: it has no config.json", "name a folder that save_pretrained wrote"


def _class_faults(config: dict[str, Any]) -> Iterator[Fault]:
    import difflib

    causal = class_names("CAUSAL_LM")
    kind, named = str(config.get("model_type", "")), str((config.get("architectures") or [""])[0])
    if not causal:
        return
    if not kind:
        yield "config.json names no model_type", "copy config.json of the same model again"
    elif kind not in causal and kind not in model_types():
        near = difflib.get_close_matches(kind, causal, n=1, cutoff=0.8)
        fix = f'did you mean "model_type": "{near[0]}"?' if near else "pip install -U transformers"
        if config.get("auto_map"):
            what = f"its class {named} is code of its own (auto_map), which byheart does not run"
            yield what, "choose a model whose class is part of transformers"
        else:
            yield f'the installed transformers does not know its model_type "{kind}"', f"{fix}, or choose another model"
    elif kind not in causal:
        yield f"a model of type {kind} ({named or 'no class named'}) is no causal language model", ANOTHER
    elif named not in causal.values():
        for task, does in OTHER_HEADS.items():
            if named in class_names(task).values():
                yield f"its class {named} {does}: it is no causal language model", ANOTHER
                return
        two_ways = kind in class_names("MASKED_LM") or kind in class_names("SEQ_TO_SEQ_CAUSAL_LM")
        if two_ways and not config.get("is_decoder"):
            yield f"a model of type {kind} reads in both directions: it is no causal language model", ANOTHER
    elif config.get("is_encoder_decoder"):
        yield "it is a decoder behind an encoder (is_encoder_decoder)", ANOTHER


def _quantization_faults(config: dict[str, Any]) -> Iterator[Fault]:
    said = config.get("quantization_config") or _text(config).get("quantization_config")
    if not isinstance(said, dict):
        return
    method = str(said.get("quant_method", "bitsandbytes" if "load_in_4bit" in said else ""))
    absent = [name for name in PACKAGES.get(method, ()) if not _is_installed(name)]
    if absent:
        install = " ".join(name.replace(".", "-").replace("_", "-") for name in absent)
        fix = f"pip install {install}, or name the model that was not quantized"
        yield f"its weights are quantized ({method}), which needs {' and '.join(absent)}", fix


def _is_installed(package: str) -> bool:
    head, _, rest = package.partition(".")
    return find_spec(head) is not None and (not rest or find_spec(package) is not None)


def _size_faults(config: dict[str, Any], shapes: Shapes) -> Iterator[Fault]:
    """config.json of another model: no tensor has the sizes that it names. Packed (quantized) weights have others."""
    if not shapes or config.get("quantization_config"):
        return
    sizes = {size for shape in shapes.values() for size in shape}
    for name in ("vocab_size", "hidden_size"):
        asked = _text(config).get(name, config.get(name))
        if isinstance(asked, int) and asked not in sizes:
            yield f"no tensor has the {name} of config.json, {asked}", "copy config.json and the weights of one model"
