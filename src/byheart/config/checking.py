"""All problems of a command line at once: unknown keys and options, wrong syntax, credentials, code that may not run."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from byheart.config.compose import Composer, Request, run_hydra
from byheart.config.folders import conf_folder
from byheart.config.trust import foreign_targets, secrets_in, secrets_in_overrides
from byheart.errors import Problem, UserError

OTHER_NAMES = {
    "learning_rate": "lr", "bs": "batch_size", "docs": "documents", "data": "documents", "file": "documents",
    "input": "documents", "pdf": "documents", "exam": "questions", "test": "questions", "device": "trainer.device",
    "output": "name", "out": "hydra.run.dir", "num_train_epochs": "epochs", "model_name": "model.path",
    "warmup": "schedule", "weight_decay": "optimizer.weight_decay", "lora_r": "adapter.rank", "r": "adapter.rank",
}  # fmt: skip
PLUGINS = ("hydra/launcher", "hydra/sweeper")  # groups of Hydra's own
PACKAGES = {
    "joblib": "hydra-joblib-launcher", "submitit_local": "hydra-submitit-launcher", "ray": "hydra-ray-launcher",
    "submitit_slurm": "hydra-submitit-launcher", "ray_aws": "hydra-ray-launcher",
}  # fmt: skip
MOST_VARIANTS = 40  # of a sweep are checked one by one before the start
COMPOSE_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)


@dataclass(frozen=True)
class Composed:
    """The configs that a request asks for (one for a run, several for a sweep), and the problems in them."""

    configs: tuple[DictConfig, ...]
    problems: tuple[Problem, ...]
    multirun: bool = False


def compose_checked(composer: Composer, request: Request) -> Composed:
    """The composed configs without the overrides that are wrong, and all problems."""
    problems = secrets_in_overrides(request.overrides)
    problems += [*_folder_problems(composer), *_word_problems(request)]
    if any(problem.value == "****" for problem in problems):
        return Composed((), tuple(problems))
    parsed, unreadable = parse_overrides(request.overrides)
    problems += unreadable
    fixed = [override for override in parsed if not override.is_sweep_override()]
    swept = [override for override in parsed if override.is_sweep_override()]
    config, found = _compose_valid(composer, request.config_name, fixed)
    problems += found
    # a wrong override is left out of the variants of a sweep, which would report it again
    wrong = {problem.where for problem in found}
    fixed = [override for override in fixed if override.key_or_group not in wrong]
    if config is None:
        return Composed((), tuple(problems))
    multirun = bool(request.flags.multirun) or getattr(config.hydra.mode, "name", None) == "MULTIRUN"
    if not multirun:
        for override in swept:
            key, _, value = (override.input_line or "").partition("=")
            fix = f"add --multirun to try each, or write a list: {key}=[{value}]"
            problems.append(Problem("several values for one run", key, value, fix))
        configs = [config]
    else:
        configs = []
        for variant in _variants([*_swept_in(config, parsed), *swept]):
            config, found = _compose_valid(composer, request.config_name, [*fixed, *variant])
            configs += [config] if config is not None else []
            problems += found
    for config in configs:
        whole = OmegaConf.to_container(config, resolve=False)
        problems += secrets_in(whole) + foreign_targets(whole) + _unknown_top_level(composer, config)
    return Composed(tuple(configs), tuple(dict.fromkeys(problems)), multirun)


def parse_overrides(overrides: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    """The overrides as Hydra reads them, and a problem for each one that it cannot read."""
    parsed: list[Override] = []
    problems: list[Problem] = []
    for override in overrides:
        try:
            parsed += OverridesParser.create().parse_overrides([override])
        except OverrideParseException:
            problems.append(_unreadable(override))
    return parsed, problems


def show(request: Request) -> None:
    """--cfg, --info, --hydra-help and completion: Hydra prints, nothing runs. Secrets are refused, not printed."""
    if secrets := secrets_in_overrides(request.overrides):
        raise UserError(*secrets)
    try:
        run_hydra(request, lambda config: None)
    except HydraException:
        composed = compose_checked(Composer(request.flags.config_dir), request)
        if not composed.problems:
            raise
        raise UserError(*composed.problems) from None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Advice for an unknown word: up to three known words that are like it."""
    known = list(known)
    last = word.rpartition(".")[2]
    near = [key for key in known if key == OTHER_NAMES.get(word) or key.rpartition(".")[2] == last]
    near += difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    near += difflib.get_close_matches(word.lower(), [key for key in known if "." not in key], n=1, cutoff=0.6)
    if not near:
        lasts = {key.rpartition(".")[2]: key for key in reversed(known)}
        near = [lasts[match] for match in difflib.get_close_matches(last, lasts, n=2, cutoff=0.7)]
    near = list(dict.fromkeys(near))[:3]
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def dotted_keys(container: object, prefix: str = "") -> list[str]:
    """All keys of a plain container in the form `stopping.patience`."""
    keys: list[str] = []
    for key, value in container.items() if isinstance(container, dict) else ():
        if not str(key).startswith("_"):
            keys.append(f"{prefix}{key}")
            keys += dotted_keys(value, f"{prefix}{key}.")
    return keys


def _compose_valid(
    composer: Composer, name: str, overrides: Sequence[Override]
) -> tuple[DictConfig | None, list[Problem]]:
    """The config with all overrides that can be applied, and the problems of the others."""
    groups = {*composer.groups(), *PLUGINS}
    problems: list[Problem] = []
    good: list[Override] = []
    for override in overrides:
        if override.key_or_group in groups and (wrong := wrong_option(composer, override)):
            problems.append(wrong)
        else:
            good.append(override)
    try:
        return composer.compose(name, _lines(good)), problems
    except COMPOSE_ERRORS as error:
        error_of_all = error
    try:
        config = composer.compose(name)
    except COMPOSE_ERRORS as error:
        return None, [*problems, _broken_config(composer, name, error)]
    kept: list[Override] = []
    # groups first: expansion.file.path exists only after expansion=file
    for override in sorted(good, key=lambda each: each.key_or_group.partition("@")[0] not in groups):
        try:
            config = composer.compose(name, _lines([*kept, override]))
            kept.append(override)
        except COMPOSE_ERRORS as error:
            problems.append(_rejected(composer, config, override, error))
    if not problems:  # each is right alone, but not in their order
        problems.append(Problem(_first_line(error_of_all)))
    return config, problems


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


def wrong_option(composer: Composer, override: Override) -> Problem | None:
    """The first chosen option that its group does not have."""
    value = override.value()
    options = composer.options(override.key_or_group)
    for chosen in value if isinstance(value, list) else [value]:
        if chosen is None or isinstance(chosen, dict) or "${" in str(chosen) or str(chosen) in options:
            continue
        group = override.key_or_group
        offers = f"{group} offers: {', '.join(options)}"
        advice = did_you_mean(str(chosen), options)
        if group == "hydra/launcher" and chosen in PACKAGES:
            advice = f"is it installed? pip install {PACKAGES[str(chosen)]};"
        if group == "model":
            offers += f"; for a folder or a hub id use model.path={chosen}"
        return Problem("there is no such option", group, str(chosen), f"{advice} {offers}".strip())
    return None


def _rejected(composer: Composer, config: DictConfig, override: Override, error: Exception) -> Problem:
    key = override.key_or_group
    known = dotted_keys(OmegaConf.to_container(config, resolve=False))
    if override.is_add() and key in known:
        return Problem("this key exists already", key, fix=f"remove the +: {(override.input_line or '')[1:]}")
    if override.is_delete():
        return Problem("there is no such key to remove", key, fix=did_you_mean(key, known))
    if "Could not override" in str(error) or "No match in the defaults list" in str(error):
        return _unknown_key(composer, key, known)
    return Problem(_first_line(error), key, (override.input_line or "").partition("=")[2])


def _unknown_key(composer: Composer, key: str, known: Sequence[str]) -> Problem:
    head, _, rest = key.partition(".")
    member = rest.partition(".")[0]
    if head in composer.groups():
        if member and member in composer.options(head):
            return Problem("this member was not chosen", key, fix=f"choose it too, for example {head}=[...,{member}]")
        if not rest:
            return Problem("this group has no member in this config", key, fix=f"add it with +{key}=...")
    ours = [*(key for key in known if not key.startswith("hydra")), *composer.groups()]
    advice = did_you_mean(key, known if head == "hydra" else ours, "`byheart learn --help` lists all keys")
    return Problem("there is no such key", key, fix=advice)


def _unknown_top_level(composer: Composer, config: DictConfig) -> list[Problem]:
    """Keys that a user's YAML or +key added: Hydra accepts them, and they would have no effect."""
    known = {*_shipped_keys(), *composer.groups(), "hydra"}
    strange = [str(key) for key in config if str(key) not in known and not str(key).startswith("_")]
    if not strange:
        return []
    keys = dotted_keys(OmegaConf.to_container(composer.compose("learn"), resolve=False))
    return [_unknown_key(composer, key, keys) for key in strange]


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


def _unreadable(override: str) -> Problem:
    if "=" not in override:
        if Path(override).exists():
            fix = f"for a document write documents={override}; for several documents=[a.pdf,b.pdf]"
        else:
            fix = "write settings as key=value; `byheart learn --help` lists the keys"
        return Problem("this is not key=value", value=override, fix=fix)
    key, _, value = override.partition("=")
    return Problem("cannot be read", key, value, f"quote it inside quotes: '{key}=\"{value}\"'")


def _broken_config(composer: Composer, name: str, error: Exception) -> Problem:
    if isinstance(error, MissingConfigException):
        missing = error.missing_cfg_file or name
        if missing == name:
            names = composer.options("")
            return Problem(
                "there is no such config", "--config-name", name, did_you_mean(name, names, "add -cd FOLDER")
            )
        group, _, option = missing.rpartition("/")
        options = composer.options(group) if group else []
        return Problem("there is no such option", f"{group} (in {name}.yaml)", option, did_you_mean(option, options))
    return Problem(_first_line(error), f"{name}.yaml")


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
