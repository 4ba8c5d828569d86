"""The layout, checked by machine: imports point down only, no circles, and Hydra appears in three rooms only."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import byheart

SOURCE = Path(byheart.__file__).parent
FLOORS = [
    ("records", "errors", "damage", "stable_ids", "progress", "interrupt", "outside"),
    ("store", "locks", "config"),
    ("documents",),
    ("model",),
    ("data",),
    ("teacher",),
    ("expansion",),
    ("training",),
    ("evaluation",),
    ("report", "results"),
    ("pipeline", "use"),
    ("sweep", "choosing"),
    ("checked", "candidates", "dispatch", "interface", "cli", "commands", "help"),
]
INSIDE = {  # rooms within a room, lowest first
    "sweep": [("search",), ("report",), ("run",), ("packed",)],
    "expansion": [
        ("base", "citation", "question_generation"), ("quotas", "filters"), ("ledger", "file", "rules", "from_teacher"),
    ],
}  # fmt: skip
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one, but for those under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from statements(child)


@cache
def imported(path: Path, typing_too: bool = True) -> tuple[str, ...]:
    """Every name that a file imports, late imports included."""
    return tuple(_imported(path, typing_too))


def _imported(path: Path, typing_too: bool) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if typing_too else statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Groups of modules of which each imports every other, directly or by way of others."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        found, open_ends = set(), [start]
        while open_ends:
            new = graph[open_ends.pop()] - found
            found |= new
            open_ends += new
        reached[start] = found
    loops = {
        tuple(sorted(name for name in reached[start] if start in reached[name]))
        for start in graph
        if start in reached[start]
    }
    return sorted(loops)


def import_graph() -> dict[str, set[str]]:
    names = {module(path) for path in MODULES}
    return {module(path): {*imported(path, typing_too=False)} & names - {module(path)} for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_only(path):
    assert room(path) in FLOOR, f"{room(path)} stands on no floor: give it one in this test and in the design"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "byheart" and len(parts) > 1 and parts[1] in FLOOR and parts[1] != room(path):
            assert FLOOR[parts[1]] <= FLOOR[room(path)], f"{room(path)} imports {name}, which stands above it"


@pytest.mark.parametrize("outer", INSIDE)
def test_imports_point_down_inside_a_room_too(outer):
    floor = {name: number for number, rooms in enumerate(INSIDE[outer]) for name in rooms}
    for path in MODULES:
        where = module(path).split(".")
        if where[1] != outer or len(where) < 4:
            continue
        for name in imported(path):
            parts = name.split(".")
            if parts[:2] == ["byheart", outer] and len(parts) > 2 and parts[2] in floor:
                assert floor[parts[2]] <= floor[where[2]], f"{module(path)} imports {name}, which stands above it"


def test_no_modules_import_each_other_in_a_circle():
    assert not circles(import_graph())


def test_a_circle_is_found_and_a_diamond_is_none():
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [("a", "b", "c")]


@pytest.mark.parametrize("name", sorted(FLOOR))
def test_only_rooms_that_exist_have_a_floor(name):
    assert (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_hydra_is_imported_in_three_rooms_only(path):
    if room(path) not in ("config", "cli", "sweep"):
        assert not {name for name in imported(path) if name.split(".")[0] in ("hydra", "omegaconf")}


def test_no_rooms_without_a_name():
    vague = {"utils", "util", "common", "core", "helpers", "manager", "misc"}
    assert not vague & {part.removesuffix(".py") for path in MODULES for part in path.relative_to(SOURCE).parts}


def test_question_generation_could_be_a_package_of_its_own():
    """It knows spaCy and its own records, nothing else of byheart."""
    own = "byheart.expansion.question_generation"
    files = [path for path in MODULES if path.is_relative_to(SOURCE / "expansion/question_generation")]
    assert files
    for path in files:
        outside = [name for name in imported(path) if name.startswith("byheart") and not name.startswith(own)]
        assert not outside, f"{path.name} imports {outside}"
