"""All problems of a command line at once: unknown keys and options, wrong syntax, credentials, code that may not run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from byheart.config.advice import (
    broken_config,
    first_line,
    rejected,
    unknown_key,
    unreadable,
    with_meant_options,
    wrong_options,
)
from byheart.config.compose import PRIMARY, Composer, Request, run_hydra
from byheart.config.folders import conf_folder
from byheart.config.gate import gate, variables_sent
from byheart.config.keys import dotted_keys
from byheart.config.trust import secrets_in_overrides
from byheart.errors import Problem, UserError

MOST_VARIANTS = 40  # of a sweep are checked one by one before the start
COMPOSE_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, RecursionError)


@dataclass(frozen=True)
class Composed:
    """The configs that a request asks for (one for a run, several for a sweep), and the problems in them.

    `partly`: the user's own config cannot be composed. The shipped one is in its place, so that overrides can be checked.
    """

    configs: tuple[DictConfig, ...]
    problems: tuple[Problem, ...]
    multirun: bool = False
    partly: bool = False


def compose_checked(composer: Composer, request: Request) -> Composed:
    """The composed configs without the overrides that are wrong, and all problems."""
    secrets = secrets_in_overrides(request.overrides)
    problems = [*secrets.values(), *_folder_problems(composer), *_word_problems(request)]
    parsed, unreadable = parse_overrides([override for override in request.overrides if override not in secrets])
    problems += unreadable
    parsed, found = _with_known_options(composer, parsed)
    problems += found
    fixed = [override for override in parsed if not override.is_sweep_override()]
    swept = [override for override in parsed if override.is_sweep_override()]
    config, found = _compose_valid(composer, request.config_name, fixed)
    problems += found
    if config is None:
        config, found = _compose_valid(composer, PRIMARY, fixed)
        problems += found
        return Composed((config,) if config is not None else (), tuple(problems), partly=True)
    # a wrong override is left out of the variants of a sweep, which would report it again
    wrong = {problem.where for problem in found}
    fixed = [override for override in fixed if override.key_or_group not in wrong]
    multirun = bool(request.flags.multirun) or getattr(config.hydra.mode, "name", None) == "MULTIRUN"
    if not multirun:
        for override in swept:
            key, _, value = (override.input_line or "").partition("=")
            fix = "add --multirun to try each"
            if composer.is_group(override) or OmegaConf.is_list(OmegaConf.select(config, key.lstrip("+"))):
                fix += f", or write a list: {key}=[{value}]"
            elif re.fullmatch(r"-?\d+,\d+", value):
                fix += f", or write the number with a point: {key}={value.replace(',', '.')}"
            problems.append(Problem("several values for one run", key, value, fix))
        configs = [config]
    else:
        configs, found = _compose_variants(composer, request.config_name, fixed, [*_swept_in(config, parsed), *swept])
        problems += found
    typed = {override.get_key_element().lstrip("+~") for override in parsed}
    for config in configs:
        whole = OmegaConf.to_container(config, resolve=False)
        problems += gate(whole, typed) + variables_sent(whole, typed) + _unknown_top_level(composer, config)
    return Composed(tuple(configs), tuple(dict.fromkeys(problems)), multirun)


def parse_overrides(overrides: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    """The overrides as Hydra reads them, and a problem for each one that it cannot read."""
    parsed: list[Override] = []
    problems: list[Problem] = []
    for override in overrides:
        try:
            parsed += OverridesParser.create().parse_overrides([override])
        except OverrideParseException:
            problems.append(unreadable(override))
    return parsed, problems


def _with_known_options(composer: Composer, overrides: Sequence[Override]) -> tuple[list[Override], list[Problem]]:
    """The overrides with options that are there, and the problems of those that are not. Values of a sweep stay."""
    kept: list[Override] = []
    problems: list[Problem] = []
    for override in overrides:
        is_choice = composer.is_group(override) and not override.is_sweep_override()
        wrong = wrong_options(composer, override) if is_choice else []
        problems += wrong
        kept += parse_overrides([line])[0] if wrong and (line := with_meant_options(composer, override)) else []
        kept += [] if wrong else [override]
    return kept, problems


def show(request: Request) -> None:
    """--cfg, --info, --hydra-help and completion: Hydra prints, nothing runs. Secrets are refused, not printed."""
    try:
        composer = Composer(request.flags.config_dir)
        whole = OmegaConf.to_container(
            composer.compose(request.config_name, request.overrides, bool(request.flags.multirun)), resolve=False
        )
        if secrets_in_overrides(request.overrides) or gate(whole):
            raise HydraException("a secret would be printed")
        run_hydra(request, lambda config: None)
    except HydraException:
        composed = compose_checked(Composer(request.flags.config_dir), request)
        if not composed.problems:
            raise
        raise UserError(*composed.problems) from None


def _compose_valid(
    composer: Composer, name: str, overrides: Sequence[Override]
) -> tuple[DictConfig | None, list[Problem]]:
    """The config with all overrides that can be applied, and the problems of the others."""
    problems: list[Problem] = []
    good: list[Override] = []
    for override in overrides:
        if composer.is_group(override) and (wrong := wrong_options(composer, override)):
            problems += wrong
        else:
            good.append(override)
    try:
        return composer.compose(name, _lines(good)), problems
    except COMPOSE_ERRORS as error:
        error_of_all = error
    try:
        config = composer.compose(name)
    except COMPOSE_ERRORS as error:
        return None, [*problems, broken_config(composer, name, error)]
    kept: list[Override] = []
    # groups first: expansion.file.path exists only after expansion=file
    for override in sorted(good, key=lambda each: not composer.is_group(each)):
        try:
            if composer.is_group(override):
                config = composer.compose(name, _lines([*kept, override]))
                kept.append(override)
            else:
                config = composer.changed(config, [override])
        except COMPOSE_ERRORS as error:
            problems.append(rejected(composer, config, override, error))
    if not problems:  # each is right alone, but not in their order
        problems.append(Problem(first_line(error_of_all)))
    return config, problems


def _compose_variants(
    composer: Composer, name: str, fixed: Sequence[Override], swept: Sequence[Override]
) -> tuple[list[DictConfig], list[Problem]]:
    """The configs of a sweep that `_variants` chooses, and the problems in them."""
    configs: list[DictConfig] = []
    problems: list[Problem] = []
    bases: dict[tuple[str, ...], DictConfig] = {}  # a config for each choice of groups: composing takes 0.1 s
    for variant in _variants(swept):
        choice = tuple(_lines([override for override in variant if composer.is_group(override)]))
        if choice in bases:
            try:
                configs.append(composer.changed(bases[choice], variant))
                continue
            except COMPOSE_ERRORS:
                pass  # reported below, with advice
        config, found = _compose_valid(composer, name, [*fixed, *variant])
        problems += found
        if config is not None:
            configs.append(config)
            bases.setdefault(choice, config)
    return configs, problems


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [override.input_line or "" for override in overrides]


def _swept_in(config: DictConfig, said: Sequence[Override]) -> list[Override]:
    """The sweeper's own `params` that the command line does not override. The sweeper itself reports unreadable ones."""
    params = OmegaConf.select(config, "hydra.sweeper.params") or {}
    again = {override.get_key_element() for override in said}
    texts = {key: ",".join(map(str, value)) if OmegaConf.is_list(value) else value for key, value in params.items()}
    return parse_overrides([f"{key}={text}" for key, text in texts.items() if key not in again])[0]


def _variants(swept: Sequence[Override]) -> list[list[Override]]:
    """Each value of each swept key at least once, the other keys at their first value."""
    choices = [values for override in swept if (values := _values_of(override))]
    first = [values[0] for values in choices]
    variants = [first]
    for index, values in enumerate(choices):
        variants += [[*first[:index], value, *first[index + 1 :]] for value in values[1:]]
    return variants[:MOST_VARIANTS]


def _values_of(swept: Override) -> list[Override]:
    """One override for each value. Of an interval, its two ends; of a glob, none: only Hydra's loader can read it."""
    values: list[Any] = []
    if swept.is_hydra_override():
        return []
    if not swept.is_sweep_override():
        return [swept]
    try:
        if swept.is_interval_sweep():
            interval: Any = swept.value()
            values = [interval.start, interval.end]
        elif swept.is_choice_sweep() or swept.is_range_sweep():
            values = list(swept.sweep_string_iterator())
        lines = [f"{swept.get_key_element()}={value}" for value in values[:MOST_VARIANTS]]
        return OverridesParser.create().parse_overrides(lines)
    except HydraException:
        return []


def _unknown_top_level(composer: Composer, config: DictConfig) -> list[Problem]:
    """Keys that a user's YAML or +key added: Hydra accepts them, and they would have no effect."""
    known = {*_shipped_keys(), *composer.groups, "hydra"}
    strange = [str(key) for key in config if str(key) not in known and not str(key).startswith("_")]
    if not strange:
        return []
    keys = dotted_keys(OmegaConf.to_container(composer.compose("learn"), resolve=False))
    return [unknown_key(composer, key, keys) for key in strange]


@cache
def _shipped_keys() -> dict[str, object]:
    shipped = OmegaConf.to_container(OmegaConf.load(conf_folder() / "learn.yaml"))
    assert isinstance(shipped, dict)
    return {str(key): value for key, value in shipped.items()}


def _folder_problems(composer: Composer) -> list[Problem]:
    """Folders of the user's that hide one of our keys, and files of the user's that one of ours hides."""
    folder, where = composer.config_dir, "--config-dir"
    if folder is None:
        return []
    fix = "rename the folder: Hydra would look for a config of that group"
    plain = [key for key, value in _shipped_keys().items() if key != "defaults" and not isinstance(value, dict)]
    problems = [
        Problem(f"the folder {folder.name}/{key}/ hides the key {key}", where, str(folder / key), fix)
        for key in plain
        if (folder / key).is_dir()
    ]
    if folder.resolve() != conf_folder().resolve():  # Hydra takes the first file of a name, and ours come first
        shipped = sorted(path.relative_to(conf_folder()) for path in conf_folder().rglob("*.yaml"))
        what = "byheart has a config with this name, which hides yours"
        problems += [
            Problem(what, where, str(folder / name), "rename your file")
            for name in shipped
            if (folder / name).is_file()
        ]
    return problems


def _word_problems(request: Request) -> list[Problem]:
    """File names that cannot be saved in the run's config, and documents= given twice."""
    problems = []
    for override in request.overrides:
        if any("\ud800" <= character <= "\udfff" for character in override):
            value = override.encode("utf-8", "replace").decode()
            problems.append(Problem("this name is not valid UTF-8", value=value, fix="rename the file"))
    documents = [each.partition("=")[2] for each in request.flags.overrides if each.startswith("documents=")]
    if len(set(documents)) > 1:
        fix = f"give them as one list: documents=[{','.join(documents)}]"
        problems.append(Problem("given twice", "documents", ", ".join(documents), fix))
    return problems
