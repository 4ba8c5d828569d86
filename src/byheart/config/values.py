"""A composed config made into values: plain keys checked, sections and groups built into their small dataclasses."""

import dataclasses
import importlib
import re
import typing
from collections.abc import Callable, Mapping

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from byheart.config.advice import did_you_mean
from byheart.config.compose import run_name
from byheart.config.folders import KEYS_OF_THE_COMMAND_LINE
from byheart.config.quoting import at_home
from byheart.config.schema import Rule, shown, type_problem
from byheart.config.trust import is_own_class
from byheart.errors import Problem, UserError
from byheart.stable_ids import current_path, dropped_options

HYDRA_WORDS = ("_target_", "_convert_", "_recursive_", "_partial_", "_args_")


def config_values(
    config: DictConfig, rules: Mapping[str, Rule], defaults: Callable[[], Mapping[str, typing.Any]]
) -> tuple[dict[str, typing.Any], list[Problem]]:
    """A value for every field of RunConfig, and all problems. `rules` has one for each plain key.

    A wrong value is replaced by the one in `defaults()` (called only then), so that the rest can be checked
    too and all problems are reported together. A part that cannot be built is None.
    """
    config = typing.cast(DictConfig, OmegaConf.create(OmegaConf.to_container(config, resolve=False)))
    keys = [str(key) for key in config if key != "hydra" and not str(key).startswith("_")]
    values: dict[str, typing.Any] = {}
    problems: list[Problem] = []
    parts = [key for key in keys if OmegaConf.is_dict(config._get_node(key))]
    for key in keys:
        if key in parts or key in KEYS_OF_THE_COMMAND_LINE:
            continue
        try:
            values[key] = _plain(config[key])
            wrong = rules[key].problem(key, values[key]) if key in rules else None
        except OmegaConfBaseException as error:
            wrong = Problem(str(error).splitlines()[0], key)
        if wrong:
            problems.append(wrong)
            config[key] = defaults().get(key)  # parts may refer to it: optimizer.lr is ${lr}
            values[key] = _plain(config[key])
        if key in rules and rules[key].kind is float and values[key] is not None:
            values[key] = float(values[key])
    documents, questions = values.get("documents") or (), values.get("questions")
    values["documents"] = tuple(at_home(path) for path in ([documents] if isinstance(documents, str) else documents))
    values["questions"] = at_home(questions) if questions else questions
    values["name"] = run_name(values.get("name"), values["documents"])
    for key in parts:
        raw = _resolved(config[key], key, problems)
        if "_target_" in raw:
            values[key] = _build(key, raw, problems)
        else:
            values[key] = {member: _build(f"{key}.{member}", part, problems) for member, part in raw.items()}
    return values, problems


def _plain(value: typing.Any) -> typing.Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _resolved(part: typing.Any, path: str, problems: list[Problem]) -> dict[str, typing.Any]:
    """A section or group as a plain container, without the values that refer to what is not there."""
    values: dict[str, typing.Any] = {}
    for name in list(part):
        where = f"{path}.{name}"
        if OmegaConf.is_missing(part, name):
            values[str(name)] = "???"
            continue
        try:
            inner = part[name]
            values[str(name)] = _resolved(inner, where, problems) if OmegaConf.is_dict(inner) else _plain(inner)
        except OmegaConfBaseException as error:
            fix = "${NAME} stands for the value of another key, such as ${lr}"
            problems.append(Problem(str(error).splitlines()[0], where, fix=fix))
    return values


def _build(path: str, raw: object, problems: list[Problem]) -> object | None:
    """The option object that a part of the config describes; None, and the reason in `problems`, if it cannot be built."""
    if not isinstance(raw, dict) or "_target_" not in raw:
        problems.append(Problem("this is not one of its members", path, shown(raw), "see `byheart learn --help`"))
        return None
    target = current_path(str(raw["_target_"]))
    module, _, name = target.rpartition(".")
    kind = getattr(importlib.import_module(module), name) if is_own_class(target) else None
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        problems.append(Problem("this is not one of byheart's options", f"{path}._target_", target))
        return None
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    needed = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    hints = typing.get_type_hints(kind)
    given: dict[str, object] = {}
    for name in [*raw, *(needed - raw.keys())]:
        value, where = raw.get(name, "???"), f"{path}.{name}"
        if name in HYDRA_WORDS:
            continue
        if name not in fields:
            if (name, value) in dropped_options(kind).items():
                continue  # the config of a run that was made when this option existed
            otherwise = f"it knows {', '.join(fields)}" if fields else "it has no settings"
            advice = did_you_mean(where, [f"{path}.{field}" for field in fields], otherwise)
            problems.append(Problem("there is no such key", where, fix=advice))
        elif value == "???":
            problems.append(Problem("must be set", where, fix=f"{where}=..."))
        elif isinstance(value, dict) and "_target_" in value:
            if (inner := _build(where, value, problems)) is not None:
                given[name] = inner
        elif wrong := type_problem(hints[name], value):
            problems.append(Problem(f"must be {wrong}", where, shown(value)))
        else:
            # YAML has no tuples; equality and hashing of the options rely on them
            given[name] = tuple(value) if isinstance(value, list) and "tuple" in str(hints[name]) else value
    while needed <= given.keys():
        try:
            return typing.cast(Callable[..., object], kind)(**given)
        except (ValueError, UserError) as error:
            found = _field_problems(path, given, error)
        problems += found
        # Without the wrong fields it is built again: a dataclass may report only the first of them.
        wrong_fields = {problem.where.rpartition(".")[2] for problem in found} & given.keys()
        given = {name: value for name, value in given.items() if name not in wrong_fields}
        if not wrong_fields:
            break
    return None


def _field_problems(path: str, given: Mapping[str, object], error: ValueError | UserError) -> list[Problem]:
    """The problems that a dataclass reports, with the config path of each field.

    The message of a ValueError begins with the field and may end with its value: "rank must be at least 1, got 0".
    """
    if isinstance(error, UserError):
        fields = [problem.where.rpartition(".")[2] for problem in error.problems]
        return [
            dataclasses.replace(problem, where=f"{path}.{field}") if field in given else problem
            for field, problem in zip(fields, error.problems, strict=True)
        ]
    name, _, rest = str(error).partition(" ")
    name = name.rstrip(":")
    if name not in given:
        return [Problem(str(error), path)]
    return [Problem(re.sub(r",?\s+\(?(but )?got .*$", "", rest, flags=re.S), f"{path}.{name}", shown(given[name]))]
