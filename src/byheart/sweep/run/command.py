"""`byheart sweep NAME` and `byheart pick FOLDER`."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from byheart.config.advice import did_you_mean
from byheart.config.compose import Request, run_hydra
from byheart.config.folders import sweeps_folder
from byheart.config.gate import gate
from byheart.config.quoting import quote_overrides, quoted
from byheart.config.saved import load_yaml, saved_config, started_in
from byheart.damage import SWEEP_AGAIN
from byheart.errors import Problem, UserError
from byheart.progress import Progress, Said
from byheart.results import SweepResult
from byheart.sweep.run.conclude import conclude
from byheart.sweep.run.trial import ConfigOf, TrialTask
from byheart.sweep.search.config import SweepConfig, set_up
from byheart.sweep.search.study import Study, look_ahead


def sweep_words(words: Sequence[str]) -> list[str]:
    """`NAME [overrides]` as arguments of `learn`. NAME: a YAML file, else one in ./sweeps, else one of the package."""
    named = [word for word in words if "=" not in word and not word.startswith("-")]
    if not named:
        raise UserError(Problem("which sweep?", fix=f"byheart sweep NAME, one of: {', '.join(_shipped())}"))
    name, rest = named[0], list(words)
    rest.remove(name)
    stem = name.removesuffix(".yaml")
    path, file = Path(name).expanduser(), f"{stem}.yaml"
    places = (path, path.with_name(f"{path.name}.yaml"), Path("sweeps") / file, sweeps_folder() / file)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        fix = did_you_mean(stem, _shipped(), f"byheart carries: {', '.join(_shipped())}; or name a YAML file")
        raise UserError(Problem("there is no such sweep", "sweep", name, fix))
    # Several documents are one text to learn, as for `learn`; of any other key several values are a sweep.
    documents = quote_overrides([word for word in rest if word.startswith("documents=")])
    rest = [word for word in rest if not word.startswith("documents=")]
    return ["-cd", str(found.parent.absolute()), "-cn", found.stem, "--multirun", *documents, *rest]


def sweep(request: Request, setup: SweepConfig, config_of: ConfigOf, progress: Progress) -> SweepResult | None:
    """Runs a study to its end; a study that was stopped continues. None in a process that another sweep started."""
    look_ahead(setup.name, setup.sweep, setup.folder, setup.fingerprint, lambda text: progress(Said(text)))
    place = f"hydra.sweep.dir={quoted(str(setup.folder))}"
    task = TrialTask(config_of, setup, progress, (*request.words, place))
    run_hydra(request.with_overrides(place), task)
    if task.failure is not None:
        raise task.failure
    return task.result


def pick(words: Sequence[str], config_of: ConfigOf, progress: Progress) -> SweepResult:
    """Reports the table of a finished or running sweep, and scores its best trial, or the one of `trial=N`."""
    folders = [word for word in words if not word.startswith("trial=")]
    numbers = [word.removeprefix("trial=") for word in words if word.startswith("trial=")]
    if len(folders) != 1 or len(numbers) > 1 or not all(number.isdigit() for number in numbers):
        found = sorted(Path("outputs/sweeps").glob("*/study.db"), key=lambda file: file.stat().st_mtime)
        name = found[-1].parent if found else "outputs/sweeps/NAME"
        fix = shlex.join(["byheart", "pick", str(name), *(f"trial={each}" for each in numbers)])
        raise UserError(Problem("which sweep?", value=" ".join(words), fix=fix))
    folder = Path(folders[0].removeprefix("sweep=")).expanduser().absolute()
    record = folder / "multirun.yaml"
    if not record.exists():
        below = sorted(str(each.parent) for each in folder.parent.glob("*/study.db"))
        fix = did_you_mean(str(folder), below, "sweeps lie in outputs/sweeps/")
        raise UserError(Problem("no sweep lies here", "pick", str(folder), fix))
    config = load_yaml(record)
    if not isinstance(config, DictConfig) or "hydra" not in config:
        what, fix = "this file is damaged: it is not the config of a sweep", f"remove it and {SWEEP_AGAIN}"
        raise UserError(Problem(what, str(record), fix=fix))
    if problems := gate(OmegaConf.to_container(config, resolve=False)):
        raise UserError(*problems)
    trial = next((each.parent for each in sorted(folder.glob("*/.hydra/config.yaml"))), None)
    if trial is None:
        raise UserError(Problem("this sweep has no trial yet", "pick", str(folder)))
    os.chdir(started_in(trial.parent))
    run_config, _ = config_of(saved_config(trial.parent, "pick"))
    arguments = [str(line) for line in OmegaConf.select(config, "hydra.overrides.task") or []]
    # The sweep's own config over a trial's: Hydra composes a sweep's without the fixed overrides.
    whole = DictConfig(OmegaConf.merge({"hydra": config.hydra}, saved_config(trial.parent, "pick")))
    setup, problems = set_up(whole, arguments, run_config, folder)
    if problems:
        raise UserError(*problems)
    study = Study(setup.name, setup.sweep, setup.space, folder, lambda text: progress(Said(text)))
    return conclude(study, TrialTask(config_of, setup, progress), int(numbers[0]) if numbers else None)


def _shipped() -> list[str]:
    return sorted(path.stem for path in sweeps_folder().glob("*.yaml"))
