"""The house plan, kept by machine: imports point down only, and Hydra stays at the door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import byheart

SOURCE = Path(byheart.__file__).parent
FLOORS = [
    ("types", "errors", "stable_ids", "progress", "interrupt"),
    ("store", "locks", "config"),
    ("documents", "chunks", "facts"),
    ("model",),
    ("teacher",),
    ("expansion",),
    ("split", "leaks", "rows"),
    ("training",),
    ("evaluation",),
    ("report", "results"),
    ("use",),
    ("plan", "run", "writing", "studying", "examining", "stages"),
    ("sweep",),
    ("cli", "commands", "help", "interface"),
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "byheart")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_only(path):
    assert room(path) in FLOOR, f"{room(path)} stands on no floor: give it one in this test and in the design"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "byheart" and len(parts) > 1 and parts[1] != room(path):
            assert FLOOR[parts[1]] <= FLOOR[room(path)], f"{room(path)} imports {name}, which stands above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_hydra_stays_at_the_door(path):
    if room(path) not in ("config", "cli", "sweep"):
        assert not {name for name in imported(path) if name.split(".")[0] in ("hydra", "omegaconf")}


def test_no_rooms_without_a_name():
    vague = {"utils", "util", "common", "core", "helpers", "manager", "misc"}
    assert not vague & {part.removesuffix(".py") for path in MODULES for part in path.relative_to(SOURCE).parts}


def test_question_generation_could_be_a_package_of_its_own():
    """It knows spaCy and its own records, nothing else of byheart."""
    own = "byheart.expansion.asking"
    files = [path for path in MODULES if path.is_relative_to(SOURCE / "expansion/asking")]
    assert files
    for path in files:
        outside = [name for name in imported(path) if name.startswith("byheart") and not name.startswith(own)]
        assert not outside, f"{path.name} imports {outside}"
