"""The keys of the shipped settings, read from their YAML files without Hydra."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from byheart.config.folders import conf_folder

OTHER_NAMES = {  # what other programs call our keys
    "learning_rate": "lr", "bs": "batch_size", "per_device_train_batch_size": "batch_size", "max_steps": "budget",
    "num_train_epochs": "epochs", "num_epochs": "epochs", "n_epochs": "epochs", "docs": "documents", "data": "documents",
    "file": "documents", "files": "documents", "input": "documents", "pdf": "documents", "exam": "questions",
    "test": "questions", "device": "trainer.device", "gpu": "trainer.device", "cuda": "trainer.device",
    "cpu": "trainer.device", "output": "name", "out": "hydra.run.dir", "output_dir": "hydra.run.dir",
    "model_name": "model.path", "model_name_or_path": "model.path", "warmup": "schedule",
    "weight_decay": "optimizer.weight_decay", "lora_r": "adapter.rank", "lora_rank": "adapter.rank", "r": "adapter.rank",
    "lora_alpha": "adapter.alpha", "max_seq_length": "rows.max_tokens", "max_length": "rows.max_tokens",
    "load_in_4bit": "model.quantization", "load_in_8bit": "model.quantization", "early_stopping": "stopping.patience",
    "fp16": "trainer.precision", "dtype": "trainer.precision", "bf16": "trainer.precision",
}  # fmt: skip


@cache
def known_keys() -> Mapping[str, object]:
    """Plain keys with their defaults; sections and groups too."""
    shipped = _read(conf_folder() / "learn.yaml")
    groups = (path.name for path in conf_folder().iterdir() if any(path.glob("*.yaml")))
    return {**{key: shipped[key] for key in shipped if key not in ("defaults", "hydra")}, **dict.fromkeys(groups)}


def known_name(key: str) -> str:
    """`Batch-Size` as `batch_size`; of a key that is not known, _ for each -."""
    if key == "documents.follow_links":  # `documents` is a plain key, which can hold no other
        return "follow_links"
    if head(key) in (*known_keys(), "hydra"):
        return key
    plain = key.replace("-", "_")
    return plain.lower() if head(plain.lower()) in known_keys() else plain


def head(key: str) -> str:
    """The top-level key, section or group of a key: `rows` of `+rows.loss_on`."""
    return key.lstrip("+~").partition(".")[0]


@cache
def options() -> Mapping[str, str]:
    """Each option of a group as one chooses it: `lora` is `adapter=lora`."""
    return {path.stem: f"{path.parent.name}={path.stem}" for path in sorted(conf_folder().glob("*/*.yaml"))}


@cache
def every_key() -> frozenset[str]:
    """Every key that some choice of options has, dotted: `rows.max_tokens`, `teacher.model`, `expansion.ladder.rungs`."""
    found = dotted_keys(_read(conf_folder() / "learn.yaml"))
    for path in conf_folder().glob("*/*.yaml"):
        package = path.read_text(encoding="utf-8").partition("# @package ")[2].partition("\n")[0]
        prefix = "" if package == "_global_" else f"{package or path.parent.name}."
        found += [key for key in dotted_keys(_read(path), prefix) if key != "defaults"]
    return frozenset(found)


def dotted_keys(container: object, prefix: str = "") -> list[str]:
    """All keys of a plain container in the form `stopping.patience`."""
    keys: list[str] = []
    for key, value in container.items() if isinstance(container, dict) else ():
        if not str(key).startswith("_"):
            keys.append(f"{prefix}{key}")
            keys += dotted_keys(value, f"{prefix}{key}.")
    return keys


def _read(path: Path) -> Any:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))
