"""The run that a user names: its folder, a sweep's for the best trial, a name under outputs/, or `latest`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from byheart.config.advice import did_you_mean
from byheart.config.saved import saved_config, started_in
from byheart.config.values import config_values
from byheart.errors import Problem, UserError, gather
from byheart.model.adapters.attaching import refuse_damaged_adapter
from byheart.model.base_model import BaseModel
from byheart.store import read_object
from byheart.training.trainer import Trainer

OUTPUTS, LATEST = Path("outputs"), "latest"
ASKED = ("model", "trainer", "name", "documents")  # what of a run's config is needed to ask its model
RUN = "a run's folder, a sweep's folder, a name under outputs/, or latest"


@dataclass(frozen=True)
class TrainedRun:
    """A run with trained weights: how its model is loaded, and from where its config's paths are meant."""

    folder: Path
    base: BaseModel
    trainer: Trainer
    started_in: Path
    note: str = ""  # what the user should know of these weights

    @property
    def weights(self) -> Path:
        return self.folder / "adapter"

    @property
    def full(self) -> bool:
        """Whether `weights` is a whole model."""
        return not (self.weights / "adapter_config.json").is_file()


def trained_run(named: str, device: str | None = None) -> TrainedRun:
    """The run that is meant, with nothing loaded. `device` in place of the one that it was trained on.

    Raises UserError where there is none, where it has no trained weights, and for whatever is wrong with its files.
    """
    folder = find_run(named)
    config = saved_config(folder, "run")
    for key in [*config]:
        if key not in ASKED:
            del config[key]
    if device:
        config.trainer.device = device
    values, problems = config_values(config, {}, dict)
    gather(problems)
    weights = folder / "adapter"
    if not weights.is_dir():
        raise UserError(_untrained(folder))
    refuse_damaged_adapter(weights)
    stopped = not (weights / "byheart.json").is_file()
    note = "the training of this run was stopped: these are its weights so far" if stopped else ""
    return TrainedRun(folder, values["model"], values["trainer"], started_in(folder), note)


def find_run(named: str) -> Path:
    """The folder of the run that is meant."""
    given = Path(named).expanduser()
    places = [given, OUTPUTS / given, OUTPUTS / "sweeps" / given]
    place = next((each for each in places if each.is_dir()), OUTPUTS if named == LATEST and OUTPUTS.is_dir() else None)
    if place is None and named == LATEST:
        fix = "byheart learn documents=handbook.pdf, or name a run's folder"
        raise UserError(Problem("there is no folder outputs/ here", "run", named, fix))
    if place is None:
        known = [each.name for room in (OUTPUTS, OUTPUTS / "sweeps") if room.is_dir() for each in room.iterdir()]
        fix = did_you_mean(named, [*known, LATEST], f"name {RUN}")
        raise UserError(Problem("there is no such run", "run", named, fix))
    place = place.absolute()
    if not (place / ".hydra").is_dir() and (place.parent / ".hydra").is_dir():  # its adapter/ was named
        place = place.parent
    runs = sorted(_runs(place), key=lambda run: _changed(run), reverse=True)
    if not runs:
        fix = f"byheart pick {place}" if (place / "study.db").is_file() else f"name {RUN}"
        what = "this sweep has no best trial yet" if (place / "study.db").is_file() else "this folder contains no run"
        raise UserError(Problem(what, "run", str(place), fix))
    return next((run for run in runs if (run / "adapter").is_dir()), runs[0])


def _runs(folder: Path, depth: int = 3) -> Iterator[Path]:
    """The runs in a folder; of a sweep its best trial alone."""
    if (folder / ".hydra").is_dir():
        yield folder
    elif (folder / "best.json").is_file():
        best = Path(read_object(folder / "best.json")["folder"])
        yield best if best.is_dir() else folder / best.name  # the sweep's folder may have been moved
    elif not (folder / "study.db").is_file() and depth:
        for below in folder.iterdir():
            if below.is_dir() and not below.name.startswith("."):
                yield from _runs(below, depth - 1)


def _changed(run: Path) -> float:
    record = run / "run.json"
    return record.stat().st_mtime if record.is_file() else 0.0


def _untrained(folder: Path) -> Problem:
    """Why a run has no weights, and what makes them."""
    record: Mapping[str, object] = read_object(folder / "run.json") if (folder / "run.json").is_file() else {}
    state, resume = str(record.get("state", "")), f'byheart learn "resume={folder}"'
    what = "this run has no trained weights yet"
    if state == "failed":
        return Problem(f"{what}: it failed ({record.get('error', 'see error.txt')})", "run", str(folder), resume)
    if state in ("running", "interrupted"):
        how = "it is still running, or was ended" if state == "running" else "it was stopped before its training ended"
        return Problem(f"{what}: {how}", "run", str(folder), f"wait for its end, or continue it: {resume}")
    return Problem(
        "this run made examples or an estimate only: nothing was trained",
        "run",
        str(folder),
        "byheart learn documents=...",
    )
