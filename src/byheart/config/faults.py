"""Every fault of a command line at once: unknown keys and options, broken grammar, credentials, foreign code."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
MOST_VARIANTS = 40  # of a sweep's values are looked at one by one before the start


@dataclass(frozen=True)
class Composed:
    """What became of a request: one config for a run, several where a sweep was asked for."""

    configs: tuple[DictConfig, ...]
    problems: tuple[Problem, ...]
    multirun: bool = False


def compose_checked(composer: Composer, request: Request) -> Composed:
    """The composed configs, and all that is wrong with them; what is wrong was left out of them."""
    problems = secrets_in_overrides(request.overrides)
    problems += [*_hiding_folders(composer), *_hidden_files(composer), *_said_twice(request), *_not_text(request)]
    if any(problem.value == "****" for problem in problems):
        return Composed((), tuple(problems))
    parsed: list[Override] = []
    parser = OverridesParser.create()
    for override in request.overrides:
        try:
            parsed += parser.parse_overrides([override])
        except OverrideParseException as error:
            problems.append(_unreadable(override, error))
    fixed = [override for override in parsed if not override.is_sweep_override()]
    swept = [override for override in parsed if override.is_sweep_override()]
    config, found = _compose_gently(composer, request.config_name, fixed)
    problems += found
    # What is at fault already would be looked for again in every variant of a sweep, one override after another.
    fixed = [override for override in fixed if override.key_or_group not in {problem.where for problem in found}]
    if config is None:
        return Composed((), tuple(problems))
    multirun = bool(request.flags.multirun) or getattr(config.hydra.mode, "name", None) == "MULTIRUN"
    if not multirun:
        problems += [_several_values(override) for override in swept]
        configs = [config]
    else:
        configs = []
        for variant in _variants([*_swept_in(config, parsed), *swept]):
            config, found = _compose_gently(composer, request.config_name, [*fixed, *variant])
            configs += [config] if config is not None else []
            problems += found
    for config in configs:
        whole = OmegaConf.to_container(config, resolve=False)
        problems += secrets_in(whole) + foreign_targets(whole) + _unknown_top_level(composer, config)
    return Composed(tuple(configs), tuple(dict.fromkeys(problems)), multirun)


def show(request: Request) -> None:
    """--cfg, --info, --hydra-help and completion: Hydra prints, and nothing runs; but no secret is printed."""
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
    """Advice on a word that is not known."""
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


def dotted_keys(container: Any, prefix: str = "") -> list[str]:
    """`stopping.patience` and the like, of a plain container."""
    keys: list[str] = []
    for key, value in container.items() if isinstance(container, dict) else ():
        if not str(key).startswith("_"):
            keys.append(f"{prefix}{key}")
            keys += dotted_keys(value, f"{prefix}{key}.")
    return keys


def _compose_gently(composer: Composer, name: str, overrides: Sequence[Override]) -> tuple[Any, list[Problem]]:
    """Compose with all overrides; where that fails, with each that does no harm, and say what the others did wrong."""
    groups = {*composer.groups(), *PLUGINS}
    problems: list[Problem] = []
    good: list[Override] = []
    for override in overrides:
        wrong = _wrong_option(composer, override) if override.key_or_group in groups else None
        if wrong:
            problems.append(wrong)
        else:
            good.append(override)
    try:
        return composer.compose(name, _lines(good)), problems
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        whole_fault = error
    try:
        config = composer.compose(name)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        return None, [*problems, _broken_config(composer, name, error)]
    kept: list[Override] = []
    # groups first: expansion.file.path exists only once expansion=file was taken
    for override in sorted(good, key=lambda each: each.key_or_group.partition("@")[0] not in groups):
        try:
            config = composer.compose(name, _lines([*kept, override]))
            kept.append(override)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
            problems.append(_refused(composer, config, override, error))
    if not problems:  # each is fine alone, but not in their order
        problems.append(Problem(_first_line(whole_fault)))
    return config, problems


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [override.input_line or "" for override in overrides]


def _swept_in(config: DictConfig, said: Sequence[Override]) -> list[Override]:
    """The sweeper's own `params`, but for what the command line says again; what cannot be read is the sweeper's to tell."""
    params = OmegaConf.select(config, "hydra.sweeper.params") or {}
    again = {override.get_key_element() for override in said}
    found = []
    for key, value in params.items():
        text = ",".join(map(str, value)) if OmegaConf.is_list(value) else str(value)
        try:
            found += OverridesParser.create().parse_overrides([f"{key}={text}"]) if key not in again else []
        except OverrideParseException:
            continue
    return found


def _variants(swept: Sequence[Override]) -> list[list[Override]]:
    """Each value of each swept key at least once, the others at their first."""
    parser = OverridesParser.create()
    choices: list[list[Override]] = []
    for override in swept:
        if override.is_hydra_override():
            continue
        try:
            if override.is_interval_sweep():  # it has no list of values, but two ends
                ends: Any = override.value()
                lines = [f"{override.get_key_element()}={value}" for value in (ends.start, ends.end)]
            elif override.is_choice_sweep() or override.is_range_sweep():
                lines = [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
            else:
                lines = [override.input_line or ""] if not override.is_sweep_override() else []
            if not lines:
                continue  # a glob needs Hydra's loader
            choices.append(parser.parse_overrides(lines[:MOST_VARIANTS]))
        except HydraException:
            continue
    first = [values[0] for values in choices]
    variants = [first]
    for index, values in enumerate(choices):
        variants += [[*first[:index], value, *first[index + 1 :]] for value in values[1:]]
    return variants[:MOST_VARIANTS]


def _wrong_option(composer: Composer, override: Override) -> Problem | None:
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
            offers += f"; for a folder or a hub id say model.path={chosen}"
        return Problem("there is no such option", group, str(chosen), f"{advice} {offers}".strip())
    return None


def _refused(composer: Composer, config: DictConfig, override: Override, error: Exception) -> Problem:
    key = override.key_or_group
    known = dotted_keys(OmegaConf.to_container(config, resolve=False))
    if override.is_add() and key in known:
        return Problem("this key exists already", key, fix=f"leave out the +: {(override.input_line or '')[1:]}")
    if override.is_delete():
        return Problem("there is nothing of that name to leave out", key, fix=did_you_mean(key, known))
    if "Could not override" in str(error) or "No match in the defaults list" in str(error):
        return unknown_key(composer, key, known)
    return Problem(_first_line(error), key, (override.input_line or "").partition("=")[2])


def unknown_key(composer: Composer, key: str, known: Sequence[str]) -> Problem:
    head, _, rest = key.partition(".")
    member = rest.partition(".")[0]
    if head in composer.groups():
        if member and member in composer.options(head):
            return Problem("this part was not chosen", key, fix=f"choose it too, for example {head}=[...,{member}]")
        if not rest:
            return Problem("this group is not in the cast", key, fix=f"add it with +{key}=...")
    ours = [*(key for key in known if not key.startswith("hydra")), *composer.groups()]
    advice = did_you_mean(key, known if head == "hydra" else ours, "`byheart learn --help` lists all keys")
    return Problem("there is no such key", key, fix=advice)


def _unknown_top_level(composer: Composer, config: DictConfig) -> list[Problem]:
    """A key that a user's YAML or +key added: Hydra takes it in silence, and it would do nothing."""
    known = {*_shipped_keys(), *composer.groups(), "hydra"}
    strange = [str(key) for key in config if str(key) not in known and not str(key).startswith("_")]
    if not strange:
        return []
    keys = dotted_keys(OmegaConf.to_container(composer.compose("learn"), resolve=False))
    return [unknown_key(composer, key, keys) for key in strange]


def _shipped_keys() -> dict[str, Any]:
    shipped = OmegaConf.to_container(OmegaConf.load(conf_folder() / "learn.yaml"))
    assert isinstance(shipped, dict)
    return {str(key): value for key, value in shipped.items()}


def _hiding_folders(composer: Composer) -> list[Problem]:
    folder = composer.config_dir
    if folder is None:
        return []
    plain = [key for key, value in _shipped_keys().items() if key != "defaults" and not isinstance(value, dict)]
    return [
        Problem(
            f"the folder {folder.name}/{key}/ hides the key {key}",
            "--config-dir",
            str(folder / key),
            "rename the folder: Hydra would look for a config of that group",
        )
        for key in plain
        if (folder / key).is_dir()
    ]


def _hidden_files(composer: Composer) -> list[Problem]:
    """Hydra takes the first file of a name, and ours come first: the user's would be passed over in silence."""
    if composer.config_dir is None:
        return []
    shipped = {path.relative_to(conf_folder()) for path in conf_folder().rglob("*.yaml")}
    ours = composer.config_dir.resolve() == conf_folder().resolve()
    return [
        Problem("byheart has a config of this name, which hides yours", "--config-dir", str(path), "rename yours")
        for path in sorted(composer.config_dir / name for name in shipped)
        if path.is_file() and not ours
    ]


def _not_text(request: Request) -> list[Problem]:
    """A file name that is not valid UTF-8 could not be written into the run's config."""
    return [
        Problem(
            "this name is not valid UTF-8", fix="rename the file", value=override.encode("utf-8", "replace").decode()
        )
        for override in request.overrides
        if any("\ud800" <= character <= "\udfff" for character in override)
    ]


def _said_twice(request: Request) -> list[Problem]:
    said = [each.partition("=")[2] for each in request.flags.overrides if each.startswith("documents=")]
    if len(set(said)) < 2:
        return []
    return [Problem("given twice", "documents", ", ".join(said), f"name them together: documents=[{','.join(said)}]")]


def _several_values(override: Override) -> Problem:
    key, _, value = (override.input_line or "").partition("=")
    fix = f"add --multirun to try each, or write a list: {key}=[{value}]"
    return Problem("several values for one run", key, value, fix)


def _unreadable(override: str, error: Exception) -> Problem:
    from pathlib import Path

    if "=" not in override:
        if Path(override).exists():
            fix = f"for a document say documents={override}; for several documents=[a.pdf,b.pdf]"
        else:
            fix = "settings are written key=value; `byheart learn --help` lists the keys"
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
    return replace(Problem(_first_line(error)), where=f"{name}.yaml")


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
