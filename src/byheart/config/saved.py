"""The config of a run that was started before, and the changes that are allowed."""

import shlex
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from byheart.config.advice import did_you_mean, wrong_options
from byheart.config.checking import parse_overrides
from byheart.config.compose import Composer, Request
from byheart.config.gate import closed_resolvers, gate, refuse_growth, variables_sent
from byheart.config.keys import dotted_keys
from byheart.config.schema import shown
from byheart.config.trust import secrets_in_overrides
from byheart.damage import SWEEP_AGAIN, is_trial, refused
from byheart.errors import Problem, UserError
from byheart.store import write_text

MAY_CHANGE = ("questions", "evaluation", "trainer")  # when a finished run is scored again
MAY_GO_ON = (  # when a run goes on: for how long, and how it is computed; beside its loggers
    "epochs", "budget", "stopping.monitor", "stopping.patience", "stopping.tolerance", "trainer.device", "trainer.threads",
    "trainer.rows_at_once", "trainer.gradient_checkpointing",
)  # fmt: skip
NEEDED = ("documents", "questions", "expansion", "evaluation", "model", "adapter", "optimizer", "trainer", "split")
MADE_WITH = "this run was made with"
CHANGEABLE = (
    "what can change: epochs, budget, stopping (monitor, patience, tolerance), logger, "
    "trainer (device, threads, rows_at_once, gradient_checkpointing)"
)


def saved_config(folder: Path, key: str) -> DictConfig:
    """The config of a run as it was first written. A resumed run uses it, not today's defaults."""
    where = folder / ".hydra" / "config.yaml"
    if not folder.is_dir():
        near = sorted(str(run.parent) for run in folder.parent.glob("*/.hydra")) if folder.parent.is_dir() else []
        named = sorted(str(run.parent) for run in Path("outputs", folder.name).glob("*/.hydra"))
        fix = did_you_mean(str(folder), near, "runs are in outputs/<name>/<time>")
        fix = f"did you mean {named[-1]}?" if named else fix
        raise UserError(Problem("there is no such folder", key, str(folder), fix))
    if not where.exists():
        below = sorted(str(run.parent.parent) for run in folder.glob("**/.hydra/config.yaml"))
        fix = f"did you mean {below[-1]}?" if below else "runs are in outputs/<name>/<time>"
        raise UserError(Problem("this folder contains no run", key, str(folder), fix))
    try:
        config = load_yaml(where)
    except UserError as error:
        raise UserError(replace(error.problems[0], fix=_anew(folder))) from None
    if not isinstance(config, DictConfig) or "documents" not in config:
        raise UserError(Problem("this is not the config of a run", str(where), fix=_anew(folder)))
    whole = OmegaConf.to_container(config, resolve=False)
    if problems := gate(whole):
        raise UserError(*problems)
    if absent := [name for name in NEEDED if name not in config]:
        what = f"this is not the whole config of a run: {', '.join(absent)} cannot be found in it"
        raise UserError(Problem(what, str(where), fix=_anew(folder)))
    return config


def load_yaml(file: Path) -> DictConfig | ListConfig:
    """Raises UserError for a damaged file."""
    refuse_growth(file)
    try:
        with closed_resolvers():
            return OmegaConf.load(file)
    except Exception as error:  # any error of the YAML parser or OmegaConf on a damaged file
        raise refused(file, f"it cannot be read: {error}") from None


def _said_in(file: Path, key: str) -> Any:
    """A value in a file of Hydra's; None where it does not say."""
    if not file.exists():
        return None
    config = load_yaml(file)
    try:
        with closed_resolvers():
            return OmegaConf.select(config, key)
    except Exception as error:
        raise refused(file, error) from None


def _anew(folder: Path) -> str:
    """What helps where the config of a run is lost: the words that it was started with, if they are left."""
    if is_trial(folder):
        return f"remove it and {SWEEP_AGAIN}"
    fix = "copy the file again, or start a new run with the same settings"
    try:
        words = words_of(folder)
    except UserError:
        words = None
    return f"{fix}: {shlex.join(['byheart', 'learn', *words])}" if words else fix


def started_in(folder: Path) -> Path:
    """Where the run was started: the relative paths in its config are meant from there."""
    hydra = folder / ".hydra" / "hydra.yaml"
    said = _said_in(hydra, "hydra.runtime.cwd")
    return Path(said) if said and Path(said).is_dir() else Path.cwd()


def latest_run(with_adapter: bool = False) -> Path | None:
    """The run under outputs/ that was last written to. A sweep's trials are none: their sweep goes on with them."""
    runs = [file.parent for file in Path("outputs").glob("*/*/run.json") if file.parent.parent.name != "sweeps"]
    runs = [run for run in runs if not with_adapter or (run / "adapter").is_dir()]
    return max(runs, key=lambda run: (run / "run.json").stat().st_mtime, default=None)


def overrides_of(folder: Path) -> list[str] | None:
    """The overrides that a run was started with; None where they alone do not make its config: with `-cn`, or in a sweep."""
    overrides, hydra = (folder / ".hydra" / f"{name}.yaml" for name in ("overrides", "hydra"))
    if not overrides.is_file() or not hydra.is_file():
        return None
    if _said_in(hydra, "hydra.job.config_name") != "learn":
        return None
    return overrides_in(folder)


def words_of(folder: Path) -> list[str] | None:
    """The words after the command that a run was started with, of a config of the user's too; None where they are lost."""
    if (overrides := overrides_of(folder)) is not None:
        return overrides
    overrides_file, hydra = (folder / ".hydra" / f"{name}.yaml" for name in ("overrides", "hydra"))
    if not overrides_file.is_file() or not hydra.is_file():
        return None
    sources = _said_in(hydra, "hydra.runtime.config_sources") or ()
    place = next((str(each.path) for each in sources if each.provider == "command-line"), None)
    flags = [*(["-cd", place] if place else []), "-cn", str(_said_in(hydra, "hydra.job.config_name"))]
    return [*flags, *overrides_in(folder)]


def save_settings(folder: Path, config: DictConfig, overrides: Sequence[str]) -> None:
    """Saves them as Hydra does, the config last."""
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    write_text(folder / ".hydra" / "overrides.yaml", OmegaConf.to_yaml([*overrides]))
    write_text(folder / ".hydra" / "config.yaml", OmegaConf.to_yaml(config))


def overrides_in(folder: Path) -> list[str]:
    """All that Hydra saved of a run's overrides."""
    file = folder / ".hydra" / "overrides.yaml"
    if not file.exists():
        return []
    found = load_yaml(file)
    if not isinstance(found, ListConfig):
        raise refused(file, "it is no list")
    return [str(each) for each in found]


def change_resumed(config: DictConfig, request: Request, folder: Path) -> tuple[DictConfig, list[str], list[Problem]]:
    """The saved config with the new settings, the overrides that change something, and all that is wrong with them.

    What MAY_GO_ON does not name is refused, unless the run was made with the same value: a curve made with two learning
    rates or two texts would mean nothing.
    """
    said = {"--multirun": request.flags.multirun, "-cn": request.flags.config_name, "-cd": request.flags.config_dir}
    flags = [
        Problem("a resumed run takes no such flag", flag, fix="remove it") for flag, value in said.items() if value
    ]
    secrets = secrets_in_overrides(request.overrides)
    parsed, problems = parse_overrides([each for each in request.overrides if each not in secrets])
    problems += [*secrets.values(), *flags]
    composer, known, asked = Composer(), dotted_keys(OmegaConf.to_container(config, resolve=False)), []
    for override in parsed:
        key, value = override.key_or_group, (override.input_line or "").partition("=")[2]
        if key == "resume":
            continue
        if override.is_sweep_override():
            problems.append(Problem("one value at a time", key, value))
        elif key in MAY_GO_ON or key.partition(".")[0] == "logger":
            asked.append(override)
        elif key.startswith("hydra"):
            problems.append(Problem("a resumed run keeps its folder", key, value, "remove it"))
        elif not composer.is_group(override) and key not in known:
            problems.append(Problem("there is no such key", key, fix=did_you_mean(key, known, CHANGEABLE)))
        elif override.is_delete() or _made_with(config, folder, key) != _plain_value(override):
            what = f"{MADE_WITH} {key}={shown(_made_with(config, folder, key))}"
            problems.append(Problem(what, key, value, "remove it"))
    before, groups = deepcopy(config), [override for override in asked if override.key_or_group == "logger"]
    for key in {override.key_or_group for override in asked} & {*MAY_GO_ON} - {*known}:
        OmegaConf.update(config, key, None, force_add=True)  # a setting that is newer than the run
    problems += _choose_members(composer, config, groups)
    problems += _set_values(config, [override for override in asked if override not in groups])
    whole = OmegaConf.to_container(config, resolve=False)
    typed = {override.key_or_group for override in parsed}
    asks_nobody = (folder / "split.json").exists() and config.get("rounds", 1) == 1
    problems += gate(whole, typed) + ([] if asks_nobody else variables_sent(whole, typed))
    keys = {override.key_or_group: override.input_line or "" for override in asked}
    changes = [line for key, line in keys.items() if OmegaConf.select(before, key) != OmegaConf.select(config, key)]
    return config, changes, list(dict.fromkeys(problems))


def _made_with(config: DictConfig, folder: Path, key: str) -> object:
    """The saved value of a key; of a group the names of what was chosen."""
    hydra = folder / ".hydra" / "hydra.yaml"
    choices = _said_in(hydra, "hydra.runtime.choices")
    if choices and key in choices:
        return choices[key]
    value = OmegaConf.select(config, key)
    if isinstance(value, DictConfig) and "_target_" not in value:
        return [str(member) for member in value]
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _plain_value(override: Override) -> object:
    value = override.value()
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def change_saved(config: DictConfig, request: Request) -> DictConfig:
    """The saved config with new questions, evaluations or trainer settings; anything else is refused."""
    parsed, problems = parse_overrides(request.overrides)
    problems += secrets_in_overrides(request.overrides).values()
    composer, changed = Composer(request.flags.config_dir), []
    for override in parsed:
        head = override.key_or_group.partition(".")[0]
        if override.key_or_group == "run":
            continue
        if head not in MAY_CHANGE:
            fix = f"only {', '.join(MAY_CHANGE)} can be set again; the rest is as the run was trained"
            problems.append(Problem("this cannot be changed", override.key_or_group, fix=fix))
        elif override.is_sweep_override():
            problems.append(Problem("one value at a time", override.key_or_group, override.input_line or ""))
        else:
            changed.append(override)
    groups = [override for override in changed if override.key_or_group in ("evaluation", "trainer")]
    problems += _choose_members(composer, config, groups)
    problems += _set_values(config, [override for override in changed if override not in groups])
    whole = OmegaConf.to_container(config, resolve=False)
    problems += gate(whole)
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return config


def _choose_members(composer: Composer, config: DictConfig, groups: Sequence[Override]) -> list[Problem]:
    problems = []
    for override in groups:
        group, line = override.key_or_group, override.input_line or ""
        try:
            fresh = composer.compose("learn", [line]).get(group, {})
        except (HydraException, OmegaConfBaseException) as error:
            wrong = wrong_options(composer, override)
            problems += wrong or [Problem(str(error).splitlines()[0], group, line.partition("=")[2])]
            continue
        with open_dict(config):
            had = config.get(group) or {}  # without a member the node is absent
            if group == "trainer":
                config[group] = fresh
            elif override.is_add():
                config[group] = OmegaConf.merge({str(override.value()): fresh[str(override.value())]}, had)
            else:  # members that the run had keep the settings that the run had
                config[group] = {member: had.get(member, fresh[member]) for member in fresh}
    return problems


def _set_values(config: DictConfig, overrides: Sequence[Override]) -> list[Problem]:
    problems = []
    OmegaConf.set_struct(config, True)
    for override in overrides:
        key = override.key_or_group
        try:
            if override.is_delete():
                parent, _, last = key.rpartition(".")
                with open_dict(config):
                    del (OmegaConf.select(config, parent) if parent else config)[last]
            else:
                added = override.is_add() or override.is_force_add()
                OmegaConf.update(config, key, override.value(), force_add=added)
        except (OmegaConfBaseException, TypeError):
            known = dotted_keys(OmegaConf.to_container(config, resolve=False))
            problems.append(Problem("there is no such key", key, fix=did_you_mean(key, known)))
    return problems
