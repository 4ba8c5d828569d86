"""From a command line that was read to settings that are checked: all problems at once, before anything is started."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from byheart.config.advice import meant_by
from byheart.config.checking import Composed, compose_checked
from byheart.config.compose import Composer, Config, Request, folder_of
from byheart.config.trust import FOREIGN_CODE, without_secrets
from byheart.config.values import config_values
from byheart.errors import Problem, UserError
from byheart.pipeline.run_config import RULES, RunConfig

if TYPE_CHECKING:
    from byheart.sweep.search.config import SweepConfig


LONGEST = 255  # bytes of a file's or folder's name


class Checked(NamedTuple):
    """A command line without problems: a RunConfig for each variant, and their folder."""

    run_configs: list[RunConfig]
    folder: Path
    multirun: bool
    setup: "SweepConfig | None" = None  # where our own sweeper is asked for


def check(request: Request) -> Checked:
    """The checked request. Raises one UserError with every problem."""
    composer, composed = _composed(request)
    problems, run_configs = list(composed.problems), list[RunConfig]()
    if is_given(request, "run"):
        fix = "to continue a run use resume=DIR; `byheart evaluate run=DIR` scores it"
        problems.append(Problem("this key is for `byheart evaluate`", "run", request.value("run") or "", fix))
    for config in composed.configs:
        run_config, found = config_of(config, composer)
        told = {problem.where for problem in problems}
        given = _keys_given(request)
        problems += [each for each in found if each.where not in told and (each.where in given or not composed.partly)]
        run_configs.append(run_config)
    if any(meant_by(problem.where, ["documents"]) for problem in problems if problem.where != "documents"):
        problems = [
            each for each in problems if (each.where, each.value) != ("documents", "null")
        ]  # not missing: misspelled
    setup, found = None, list[Problem]()
    if composed.multirun and run_configs and not any(problem.what == FOREIGN_CODE for problem in problems):
        setup, found = _set_up(request, composed.configs, run_configs)
    problems += found
    if problems:
        raise UserError(*dict.fromkeys(map(without_secrets, problems)))
    folder = setup.folder if setup is not None else folder_of(composed.configs[0], composed.multirun)
    _refuse_long(folder)
    return Checked(run_configs, folder, composed.multirun, setup)


def _refuse_long(folder: Path) -> None:
    """Raises UserError for a name that no file system takes."""
    longest = max(folder.parts, key=lambda part: len(part.encode(errors="replace")))
    if (size := len(longest.encode(errors="replace"))) > LONGEST:
        what = f"the folder of its results cannot have so long a name ({size} of {LONGEST} bytes)"
        raise UserError(Problem(what, "name", f"{longest[:40]}...", "choose a shorter one: name=NAME"))


def _composed(request: Request) -> tuple[Composer, Composed]:
    """Where the user's folder of configs is not there, the overrides are checked on the shipped config."""
    try:
        composer = Composer(request.flags.config_dir)
        return composer, compose_checked(composer, request)
    except UserError as error:
        composer = Composer()
        composed = compose_checked(composer, request.with_shipped_config())
        besides = [
            problem for problem in composed.problems if problem.where not in composer.groups
        ]  # may lie in that folder
        return composer, replace(composed, problems=(*error.problems, *besides), partly=True)


def _keys_given(request: Request) -> set[str]:
    return {override.partition("=")[0].lstrip("+~") for override in request.overrides}


def _set_up(
    request: Request, configs: Sequence[Config], run_configs: Sequence[RunConfig]
) -> "tuple[SweepConfig | None, list[Problem]]":
    """The settings of our own sweeper; None with another sweeper."""
    from byheart.sweep.search.config import is_study, set_up, study_folder

    config = configs[0]
    if not is_study(config):
        return None, []
    folder = folder_of(config, True) if folder_is_given(request) else study_folder(config).absolute()
    arguments = [override for override in request.overrides if not override.lstrip("+~").startswith("hydra")]
    return set_up(config, arguments, run_configs[0], folder)


def config_of(config: Config, composer: Composer | None = None) -> tuple[RunConfig, list[Problem]]:
    """The RunConfig and its problems. A wrong value is replaced by its default, so that the others are checked too."""

    def shipped() -> Config:
        return (composer or Composer()).compose("learn")

    values, problems = config_values(config, RULES, shipped)
    if any(value is None for key, value in values.items() if key not in ("questions", "name", "budget")):
        defaults, _ = config_values(shipped(), RULES, shipped)
        values = {key: defaults.get(key) if value is None else value for key, value in values.items()}
    for family in ("expansion", "evaluation", "logger"):
        values[family] = {key: part for key, part in (values.get(family) or {}).items() if part is not None}
    run_config = RunConfig(**{field.name: values[field.name] for field in fields(RunConfig) if field.name in values})
    places = {problem.where for problem in problems}
    # "expansion: no examples would be made" adds nothing where expansion.rules could not be built.
    news = [
        problem
        for problem in run_config.problems()
        if not any(place == problem.where or place.startswith(f"{problem.where}.") for place in places)
    ]
    return run_config, problems + news


def is_given(request: Request, key: str) -> bool:
    return request.value(key) not in (None, "", "null")


def folder_is_given(request: Request) -> bool:
    return any(override.startswith(("hydra.run.dir=", "hydra.sweep.dir=")) for override in request.overrides)
