"""The config of a run that was started before, and the changes that are allowed."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from byheart.config.advice import did_you_mean, wrong_options
from byheart.config.checking import parse_overrides
from byheart.config.compose import Composer, Request
from byheart.config.keys import dotted_keys
from byheart.config.trust import foreign_targets, secrets_in, secrets_in_overrides
from byheart.errors import Problem, UserError

ANEW = "copy the file again, or start a new run with the same settings"
MAY_CHANGE = ("questions", "evaluation", "trainer")  # when a finished run is scored again


def saved_config(folder: Path, key: str) -> DictConfig:
    """The config of a run as it was first written. A resumed run uses it, not today's defaults."""
    where = folder / ".hydra" / "config.yaml"
    if not folder.is_dir():
        near = sorted(str(run.parent) for run in folder.parent.glob("*/.hydra")) if folder.parent.is_dir() else []
        named = sorted(str(run.parent) for run in Path("outputs", folder.name).glob("*/.hydra"))
        fix = did_you_mean(str(folder), near, "runs are in outputs/<name>/<time>")
        fix = f"did you mean {named[-1]}?" if named else fix
        raise UserError(Problem("there is no such folder", key, str(folder), fix))
    if not where.is_file():
        below = sorted(str(run.parent.parent) for run in folder.glob("**/.hydra/config.yaml"))
        fix = f"did you mean {below[-1]}?" if below else "runs are in outputs/<name>/<time>"
        raise UserError(Problem("this folder contains no run", key, str(folder), fix))
    try:
        config = OmegaConf.load(where)
    except Exception as error:  # any error of the YAML parser or OmegaConf on a damaged file
        raise UserError(Problem(f"cannot be read: {str(error).splitlines()[0]}", str(where), fix=ANEW)) from None
    if not isinstance(config, DictConfig) or "documents" not in config:
        raise UserError(Problem("this is not the config of a run", str(where), fix=ANEW))
    whole = OmegaConf.to_container(config, resolve=False)
    if problems := foreign_targets(whole) + secrets_in(whole):
        raise UserError(*problems)
    return config


def started_in(folder: Path) -> Path:
    """Where the run was started: the relative paths in its config are meant from there."""
    hydra = folder / ".hydra" / "hydra.yaml"
    try:
        said = OmegaConf.select(OmegaConf.load(hydra), "hydra.runtime.cwd") if hydra.is_file() else None
    except Exception as error:  # any error of the YAML parser or OmegaConf on a damaged file
        what, fix = f"cannot be read: {str(error).splitlines()[0]}", "remove the file: paths are then meant from here"
        raise UserError(Problem(what, str(hydra), fix=fix)) from None
    return Path(said) if said and Path(said).is_dir() else Path.cwd()


def overrides_of(folder: Path) -> list[str] | None:
    """The overrides that a run was started with; None where they alone do not make its config: with `-cn`, or in a sweep."""
    overrides, hydra = (folder / ".hydra" / f"{name}.yaml" for name in ("overrides", "hydra"))
    if not overrides.is_file() or not hydra.is_file():
        return None
    if OmegaConf.select(OmegaConf.load(hydra), "hydra.job.config_name") != "learn":
        return None
    return [str(each) for each in OmegaConf.load(overrides)]


def words_of(folder: Path) -> list[str] | None:
    """The words after the command that a run was started with, of a config of the user's too; None where they are lost."""
    if (overrides := overrides_of(folder)) is not None:
        return overrides
    overrides_file, hydra = (folder / ".hydra" / f"{name}.yaml" for name in ("overrides", "hydra"))
    if not overrides_file.is_file() or not hydra.is_file():
        return None
    said = OmegaConf.load(hydra)
    sources = OmegaConf.select(said, "hydra.runtime.config_sources") or ()
    place = next((str(each.path) for each in sources if each.provider == "command-line"), None)
    flags = [*(["-cd", place] if place else []), "-cn", str(OmegaConf.select(said, "hydra.job.config_name"))]
    return [*flags, *(str(each) for each in OmegaConf.load(overrides_file))]


def refuse_other_overrides(request: Request, key: str) -> None:
    """A resumed run keeps its own settings: a curve made with two settings would mean nothing."""
    others = [override for override in request.flags.overrides if not override.startswith(f"{key}=")]
    said = {"--multirun": request.flags.multirun, "-cn": request.flags.config_name, "-cd": request.flags.config_dir}
    others += [flag for flag, value in said.items() if value]
    if others:
        what, value = f"a resumed run keeps its settings; not allowed beside {key}", ", ".join(others)
        raise UserError(Problem(what, key, value, "remove these, or start a new run with them"))


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
    problems += foreign_targets(whole)
    if problems:
        raise UserError(*dict.fromkeys(problems))
    return config


def _choose_members(composer: Composer, config: DictConfig, groups: Sequence[Override]) -> list[Problem]:
    problems = []
    for override in groups:
        group, line = override.key_or_group, override.input_line or ""
        try:
            fresh = composer.compose("learn", [line])[group]
        except (HydraException, OmegaConfBaseException) as error:
            wrong = wrong_options(composer, override)
            problems += wrong or [Problem(str(error).splitlines()[0], group, line.partition("=")[2])]
            continue
        with open_dict(config):
            if group == "trainer":
                config[group] = fresh
            elif override.is_add():
                config[group] = OmegaConf.merge({str(override.value()): fresh[str(override.value())]}, config[group])
            else:  # members that the run had keep the settings that the run had
                config[group] = {member: config[group].get(member, fresh[member]) for member in fresh}
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
