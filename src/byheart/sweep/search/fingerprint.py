"""The settings that all trials of a study share. A study refuses to continue with others."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from byheart.config.compose import Config
from byheart.documents.load import find_documents
from byheart.errors import UserError
from byheart.stable_ids import DROPPED, id_of, is_as_before
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.override import bare, below, settings_of
from byheart.sweep.search.space import Space

# Where and how fast it is computed, and what only describes the result: none of it changes a trial's numbers.
MAY_DIFFER = (
    "hydra", "logger", "name", "run", "resume", "estimate", "evaluation", "retrain", "rounds", "follow_links",
    "trainer.device", "trainer.threads", "trainer.layout", "trainer.rows_at_once",
    "trainer.gradient_checkpointing",
)  # fmt: skip


def fingerprint(config: Config, sweep: SweepOptions, space: Space, examples_vary: bool) -> dict[str, object]:
    """Each fixed setting by its key, the documents and questions by their content, the space by its text."""
    swept = {bare(key) for key in space.distributions}
    fixed = {
        key: id_of(str(value)) if key.endswith("_target_") else value
        for key, value in settings_of(config, resolve=True)
        if not below(key, {*MAY_DIFFER, *swept}) and key != "optimizer.lr"
    }
    ids = {key.removesuffix("._target_"): str(value) for key, value in fixed.items() if key.endswith("._target_")}
    for part, identity in ids.items():
        fixed |= {f"{part}.{name}": value for name, value in DROPPED.get(identity, {}).items()}
    fixed = {key: value for key, value in fixed.items() if not _is_as_before(ids, key, value)}
    fixed |= {f"content of {file}": _digest(Path(file)) for file in _files(config)}
    fixed |= {f"hydra.sweeper.params {key}": text for key, text in space.as_text().items()}
    fixed["hydra.sweeper.objective"] = ", ".join(sweep.objectives)
    if "recall" in sweep.objectives:
        fixed["hydra.sweeper.probes"] = sweep.probes_asked(examples_vary)
    return fixed


def _is_as_before(ids: Mapping[str, str], key: str, value: object) -> bool:
    part, _, option = key.rpartition(".")
    return is_as_before(ids.get(part, ""), option, value)


def _files(config: Config) -> list[str]:
    documents = config.documents
    names = [documents] if isinstance(documents, str) else list(documents or ())
    try:
        found = [str(path) for path in find_documents(tuple(names), follow_links=bool(config.get("follow_links")))]
    except UserError:  # where the documents vary, each trial checks its own
        found = []
    return [*found, *([str(config.questions)] if config.questions else [])]


def _digest(file: Path) -> str:
    file = file.expanduser()
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "absent"
