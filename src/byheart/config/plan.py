"""A composed config made into values: plain keys checked, sections and groups built into their small dataclasses."""

import dataclasses
import importlib
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from byheart.config.compose import run_name
from byheart.config.faults import did_you_mean
from byheart.config.folders import KEYS_OF_THE_COMMAND_LINE
from byheart.config.trust import is_own_class
from byheart.errors import Problem, UserError

SCHEDULES = ("constant", "cosine", "linear")
HYDRA_WORDS = ("_target_", "_convert_", "_recursive_", "_partial_", "_args_")


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a plain key may hold."""

    kind: Any
    words: str  # completes "must be ..."
    holds: Callable[[Any], bool] = lambda value: True


RULES = {
    "name": Rule(str | None, "a plain name for a folder", lambda v: v is None or _is_folder_name(v)),
    "seed": Rule(int, "a whole number, 0 or more", lambda v: v >= 0),
    "questions": Rule(str | None, "the path of a JSONL file"),
    "dev": Rule(float, "a share: at least 0 and below 1", lambda v: 0 <= v < 1),
    "batch_size": Rule(int, "a whole number of at least 1", lambda v: v >= 1),
    "epochs": Rule(int, "a whole number of at least 1", lambda v: v >= 1),
    "budget": Rule(int | str | None, "optimizer steps (2000) or a time (90s, 15m, 1h30m)"),
    "lr": Rule(float, "a number above 0", lambda v: v > 0),
    "schedule": Rule(str, f"one of {', '.join(SCHEDULES)}", lambda v: v in SCHEDULES),
    "estimate": Rule(bool, "true or false"),
    "retrain": Rule(str, f"one of none, {', '.join(SCHEDULES)}", lambda v: v in ("none", *SCHEDULES)),
}


def plan_values(config: DictConfig, defaults: Callable[[], Mapping[str, Any]]) -> tuple[dict[str, Any], list[Problem]]:
    """A value for every key of the plan, and all that is wrong.

    A value at fault is replaced by the one in `defaults()` (asked only then), so that what follows can be looked at
    too and all problems are reported together.
    """
    config = cast(DictConfig, OmegaConf.create(OmegaConf.to_container(config, resolve=False)))
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    keys = [str(key) for key in config]
    for key in keys:
        if (
            key in ("hydra", *KEYS_OF_THE_COMMAND_LINE)
            or key.startswith("_")
            or OmegaConf.is_dict(config._get_node(key))
        ):
            continue
        try:
            wrong = _plain_problem(key, config[key])
        except OmegaConfBaseException as error:
            wrong = Problem(str(error).splitlines()[0], key)
        if wrong:
            problems.append(wrong)
            config[key] = defaults().get(key)
        values[key] = _plain_value(key, config[key])
    values["name"] = run_name(values.get("name"), values.get("documents"))
    for key in keys:
        node = config._get_node(key)
        if key == "hydra" or key.startswith("_") or not OmegaConf.is_dict(node):
            continue
        try:
            raw = OmegaConf.to_container(config[key], resolve=True)
        except OmegaConfBaseException as error:
            problems.append(Problem(str(error).splitlines()[0], str(error.full_key or key)))
            continue
        assert isinstance(raw, dict)
        if "_target_" in raw:
            values[key] = _build(key, raw, problems)
        else:
            values[key] = {
                member: _build(f"{key}.{member}", part, problems) for member, part in cast(dict[str, Any], raw).items()
            }
    return values, problems


def field_problem(hint: Any, value: Any) -> str:
    """What a value should be where it is not of the annotated type; nothing where it is."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is dataclasses.MISSING:
        return ""
    if origin in (typing.Union, types.UnionType):
        wrongs = [field_problem(argument, value) for argument in arguments]
        return "" if "" in wrongs else " or ".join(dict.fromkeys(wrongs))
    if hint is None or hint is type(None):
        return "" if value is None else "null"
    if origin is typing.Literal:
        return "" if value in arguments else f"one of {', '.join(map(str, arguments))}"
    if hint is bool:
        return "" if isinstance(value, bool) else "true or false"
    if hint is int:
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return "" if number else "a number"
    if hint is str:
        return "" if isinstance(value, str) else "a text"
    if origin in (tuple, list) or hint in (tuple, list):
        if not isinstance(value, list | tuple):
            return "a list like [a,b]"
        inner = [argument for argument in arguments if argument is not Ellipsis]
        if origin is tuple and inner and Ellipsis not in arguments:
            if len(inner) != len(value):
                return f"a list of {len(inner)} values"
            return next((wrong for wrong in map(field_problem, inner, value) if wrong), "")
        return next((f"a list, each {wrong}" for each in value for i in inner if (wrong := field_problem(i, each))), "")
    if origin is dict or hint is dict:
        return "" if isinstance(value, dict) else "a mapping like {a: 1}"
    return ""


def _plain_problem(key: str, value: Any) -> Problem | None:
    if key == "documents":
        if value is None or (not isinstance(value, str) and not len(value)) or value == "":
            return Problem("no documents", "documents", fix="documents=handbook.pdf, or try the example: make learn")
        value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        wrong = field_problem(str | list[str], value)
        return Problem(f"must be {wrong}", key, _shown(value), "documents=handbook.pdf") if wrong else None
    rule = RULES.get(key)
    if rule is None or (not field_problem(rule.kind, value) and rule.holds(value)):
        return None
    return Problem(f"must be {rule.words}", key, _shown(value))


def _plain_value(key: str, value: Any) -> Any:
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    if key == "documents":
        value = () if value is None else (value,) if isinstance(value, str) else tuple(value)
        return tuple(_at_home(path) for path in value)
    if key == "questions" and isinstance(value, str):
        return _at_home(value)
    kind = RULES[key].kind if key in RULES else None
    return float(value) if kind is float and value is not None else value


def _at_home(path: str) -> str:
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _is_folder_name(name: str) -> bool:
    return bool(name.strip()) and not re.search(r'[/\\\x00-\x1f:*?"<>|]', name) and not name.startswith(".")


def _build(path: str, raw: Any, problems: list[Problem]) -> Any:
    """The object that a section or a group's member stands for; None, and a problem more, where it cannot be built."""
    if not isinstance(raw, dict) or "_target_" not in raw:
        problems.append(Problem("this is not one of its members", path, _shown(raw), "see `byheart learn --help`"))
        return None
    target = str(raw["_target_"])
    if not is_own_class(target):
        if target.partition(".")[0] == "byheart":
            return None  # reported as code that a config may not run
        return _made(path, raw, problems)
    module, _, name = target.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    if dataclasses.is_dataclass(kind):
        raw, whole = _fields_checked(path, raw, kind, problems)
        if not whole:
            return None
    return _made(path, raw, problems, kind)


def _fields_checked(path: str, raw: dict[str, Any], kind: Any, problems: list[Problem]) -> tuple[dict[str, Any], bool]:
    """The fields without those at fault, and whether none of the faulty ones is needed."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    hints, checked, whole = hints_of(kind), {}, True
    for name, value in raw.items():
        if name in HYDRA_WORDS:
            checked[name] = value
            continue
        if name not in fields:
            if (name, value) in getattr(kind, "KEYED_AS", {}).items():
                continue  # the config of a run that was made when this option existed
            advice = did_you_mean(name, fields, f"it knows {', '.join(fields)}" if fields else "it has no settings")
            problems.append(Problem("there is no such key", f"{path}.{name}", fix=advice))
            continue
        wrong = "" if isinstance(value, dict) and "_target_" in value else field_problem(hints.get(name, Any), value)
        if value == "???":
            wrong = "said"
        if not wrong:
            checked[name] = value
            continue
        fix = f"{path}.{name}=..." if wrong == "said" else ""
        problems.append(Problem(f"must be {wrong}", f"{path}.{name}", "" if wrong == "said" else _shown(value), fix))
    for name, field in fields.items():
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if needed and name not in checked:
            whole = False
            if name not in raw:
                problems.append(Problem("must be said", f"{path}.{name}", fix=f"{path}.{name}=..."))
    return checked, whole


def _made(path: str, raw: dict[str, Any], problems: list[Problem], kind: Any = None) -> Any:
    try:
        return _with_tuples(instantiate(raw, _convert_="all"))
    except InstantiationException as error:
        cause = error.__cause__
        if not isinstance(cause, ValueError | TypeError | UserError | ImportError):
            raise (cause or error) from None
        problems += _blamed(path, raw, cause, kind)
        return None


def _blamed(path: str, raw: dict[str, Any], cause: Exception, kind: Any) -> list[Problem]:
    """Which fields are at fault: each is tried alone, beside those that have no default."""
    found: list[Problem] = []
    if kind is not None and dataclasses.is_dataclass(kind):
        needed = {
            field.name
            for field in dataclasses.fields(kind)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        }
        for name in raw:
            if name in HYDRA_WORDS:
                continue
            alone = {key: value for key, value in raw.items() if key in needed or key in (name, "_target_")}
            try:
                instantiate(alone, _convert_="all")
            except InstantiationException as error:
                if isinstance(error.__cause__, UserError):
                    found += error.__cause__.problems
                elif name in str(error.__cause__) or name not in needed:
                    found.append(_worded(f"{path}.{name}", name, str(error.__cause__), raw[name]))
    if not found and isinstance(cause, UserError):
        found = list(cause.problems)
    return list(dict.fromkeys(found)) or [Problem(str(cause).strip() or type(cause).__name__, path)]


def _worded(where: str, name: str, said: str, value: Any) -> Problem:
    said = re.sub(rf"^{re.escape(name)}:?\s+", "", said)
    said = re.sub(r",?\s+\(?(but )?got .*$", "", said, flags=re.S)
    return Problem(said, where, _shown(value))


def _with_tuples(built: Any) -> Any:
    """Hydra hands over lists; where the annotation says tuple, equality and hashing rely on one."""
    if not dataclasses.is_dataclass(built) or isinstance(built, type):
        return built
    hints = hints_of(type(built))
    lists = {
        field.name: tuple(getattr(built, field.name))
        for field in dataclasses.fields(built)
        if isinstance(getattr(built, field.name), list) and "tuple" in str(hints.get(field.name, ""))
    }
    return dataclasses.replace(built, **lists) if lists else built


def hints_of(kind: Any) -> dict[str, Any]:
    """The annotations that can be resolved; those that name a class imported only for type checkers are left out."""
    try:
        return typing.get_type_hints(kind)
    except (NameError, TypeError):
        pass
    hints = {}
    for owner in reversed(kind.__mro__):
        space = vars(importlib.import_module(owner.__module__))
        for name, hint in vars(owner).get("__annotations__", {}).items():
            try:
                hints[name] = eval(hint, space) if isinstance(hint, str) else hint  # our own source's annotations
            except (NameError, TypeError, AttributeError):
                hints[name] = Any
    return hints


def _shown(value: Any) -> str:
    text = str(OmegaConf.to_container(value) if OmegaConf.is_config(value) else "null" if value is None else value)
    return text if len(text) <= 80 else text[:77] + "..."
