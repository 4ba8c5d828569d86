"""The names under which classes are saved: in content keys, `.hydra/config.yaml`, users' YAML files and studies.

A class's id is the path under which it was first released. It stays the same when the class moves or is renamed, so
that caches, done markers, `resume=` and studies stay valid. A class that moves gets one line in `MOVED`; if it moves
again, that line changes. A class that never moved needs no line: its id is its path.
"""

from typing import Any

# First path of a class, or of a module with all its classes -> where it is now.
MOVED: dict[str, str] = {
    "byheart.chunks": "byheart.data.chunks",
    "byheart.rows": "byheart.data.rows",
    "byheart.split": "byheart.data.split",
    "byheart.types": "byheart.records",
    "byheart.expansion.angles": "byheart.expansion.from_teacher.angles",
    "byheart.expansion.gates.checks.Gates": "byheart.expansion.filters.checks.Filters",
    "byheart.expansion.ladder": "byheart.expansion.from_teacher.ladder",
    "byheart.expansion.rewrites": "byheart.expansion.from_teacher.rewrites",
    "byheart.expansion.rules": "byheart.expansion.rules.rules",
    "byheart.model.adapter": "byheart.model.adapters.adapter",
    "byheart.model.lora_variants": "byheart.model.adapters.variants",
}

# Options that a class has no more, with their last default: id -> option -> value. Content keys and studies still count
# them, and a saved config that holds this value is read.
DROPPED: dict[str, dict[str, Any]] = {
    "byheart.expansion.rules.Rules": {"rank": False, "rank_drop": 0.2},
}

# Options that a class got after its first release, with the value that means what was done before: id -> option -> value.
# Content keys and studies count them only where they have another value. A tuple holds several such values.
ADDED: dict[str, dict[str, Any]] = {
    "byheart.model.base_model.BaseModel": {
        "template": None,
        "template_args": {},
        "date": "2024-07-26",
        "quantization": None,
    },
    "byheart.model.adapter.Lora": {"experts": False},
    "byheart.evaluation.recall.Recall": {"probability": False},
    "byheart.types.Probe": {  # what a probe is compared by: no answer depends on it
        "kind": (
            *("", "questions", "trained_wording", "heldout_wording"),
            *("heldout_angle", "other_answer", "heldout_fact"),
        )
    },
    "byheart.evaluation.forgetting.Forgetting": {"probes": None, "sample": 40, "lm_eval": ((), [])},
    "byheart.teacher.batch.Batch": {"bytes_per_token": 50},
    "byheart.teacher.openai.OpenAI": {"bytes_per_token": 1000},
    "byheart.training.trainer.Trainer": {"gradient_checkpointing": ("auto", False)},
}


def id_of(path: str) -> str:
    """The id of the class that is at `path` now; an id stays as it is."""
    return _mapped(path, {now: first for first, now in MOVED.items()})


def class_id(kind: type) -> str:
    return id_of(f"{kind.__module__}.{kind.__qualname__}")


def dropped_options(kind: type) -> dict[str, Any]:
    return DROPPED.get(class_id(kind), {})


def is_as_before(identity: str, option: str, value: Any) -> bool:
    """Whether this option is one of `ADDED`, at the value that changes nothing."""
    added = ADDED.get(identity, {})
    same = added.get(option)
    return option in added and (value in same if isinstance(same, tuple) else bool(same == value))


def current_path(target: str) -> str:
    """Where the class of an id is now; a path of today stays as it is."""
    return _mapped(target, MOVED)


def _mapped(path: str, table: dict[str, str]) -> str:
    """By the line of the class, else by that of its module."""
    module, _, name = path.rpartition(".")
    return table.get(path) or (f"{table[module]}.{name}" if module in table else path)
