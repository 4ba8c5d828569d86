"""What is the same for all trials of a study, so that no result is ever compared with one of other settings."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from byheart.config.compose import Config
from byheart.documents.load import find_documents
from byheart.errors import UserError
from byheart.stable_ids import id_of
from byheart.sweep.settings import Sweep
from byheart.sweep.space import Space

# How fast or where it is computed, and what is only said of the result: none of it changes a trial's numbers.
MAY_DIFFER = ("hydra", "logger", "name", "run", "resume", "estimate", "trainer.device", "trainer.threads")
MAY_DIFFER_TOO = ("trainer.layout", "trainer.rows_at_once", "evaluation", "retrain")


def fingerprint(
    config: Config, sweep: Sweep, space: Space, examples_vary: bool, also_swept: Iterable[str] = ()
) -> dict[str, Any]:
    """Each fixed setting by its key, the documents and questions by their content, the space by its text."""
    swept = {*(key.lstrip("+~") for key in space.distributions), *also_swept}
    plain = OmegaConf.to_container(
        OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), resolve=True
    )
    fixed = {
        key: id_of(str(value)) if key.endswith("_target_") else value
        for key, value in leaves(plain)
        if not below(key, (*MAY_DIFFER, *MAY_DIFFER_TOO)) and not below(key, swept) and key not in ("optimizer.lr",)
    }
    fixed |= {f"content of {file}": _digest(Path(file)) for file in _files(config)}
    fixed |= {f"hydra.sweeper.params {key}": text for key, text in space.as_text().items()}
    fixed["hydra.sweeper.objective"] = ", ".join(sweep.objectives)
    if "recall" in sweep.objectives:
        fixed["hydra.sweeper.probes"] = sweep.asked(examples_vary)
    return fixed


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def below(key: str, heads: Iterable[str]) -> bool:
    return any(key == head or key.startswith(f"{head}.") for head in heads)


def _files(config: Config) -> list[str]:
    documents = config.documents
    names = [documents] if isinstance(documents, str) else list(documents or ())
    try:
        found = [str(path) for path in find_documents(tuple(names))]
    except UserError:  # where the documents themselves vary, each trial says what it lacks
        found = []
    return [*found, *([str(config.questions)] if config.questions else [])]


def _digest(file: Path) -> str:
    file = file.expanduser()
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "absent"
