"""The names under which classes are saved: in content keys, `.hydra/config.yaml`, users' YAML files and studies.

A class's id is the path under which it was first released. It stays the same when the class moves or is renamed, so
that caches, done markers, `resume=` and studies stay valid. A class that moves gets one line in `MOVED`; if it moves
again, that line changes. A class that never moved needs no line: its id is its path.
"""

from typing import Any

MOVED: dict[str, str] = {}  # id -> where the class is now

# Options that a class has no more, with their last default: id -> option -> value. Content keys and studies still count
# them, and a saved config that holds this value is read.
DROPPED: dict[str, dict[str, Any]] = {
    "byheart.expansion.rules.Rules": {"rank": False, "rank_drop": 0.2},
}


def id_of(path: str) -> str:
    """The id of the class that is at `path` now; an id stays as it is."""
    return next((old for old, now in MOVED.items() if now == path), path)


def class_id(kind: type) -> str:
    return id_of(f"{kind.__module__}.{kind.__qualname__}")


def dropped_options(kind: type) -> dict[str, Any]:
    return DROPPED.get(class_id(kind), {})


def current_path(target: str) -> str:
    """Where the class of an id is now; a path of today stays as it is."""
    return MOVED.get(target, target)


def with_current_paths(config: Any) -> Any:
    """A plain config whose `_target_`s, nested ones too, are paths of today."""
    if isinstance(config, dict):
        return {
            key: current_path(value) if key == "_target_" and isinstance(value, str) else with_current_paths(value)
            for key, value in config.items()
        }
    return [with_current_paths(each) for each in config] if isinstance(config, list) else config
