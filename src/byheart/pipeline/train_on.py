"""Training a run on after its end (`resume=RUN epochs=12`): whether it can, and where its new result waits.

A result is replaced whole or not at all. What is to take its place lies in `unfinished/` of the run's folder, at the same
paths: the config with the new settings, the new adapters. Until all of it is there, the earlier adapter, scores and page
stay. The checkpoint and the curve go on in the run's folder: they hold what the earlier result was made from.
"""

import math
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path

from byheart.config.saved import overrides_of, started_in
from byheart.errors import Problem
from byheart.pipeline.budget import adapters_scored, after_training
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.records import CurvePoint, Json
from byheart.report.next_steps import TYPED_IN, learn_line
from byheart.results import UNFINISHED
from byheart.store import read_object
from byheart.training.checkpoint import newest_state
from byheart.training.curve import read_curve, write_curve
from byheart.training.stopping import WORDS, Stopping


@dataclass(frozen=True)
class TrainedSoFar:
    """Where a run's training stands. `ended`: its account, where it has a result."""

    steps: int
    steps_per_epoch: int
    curve: tuple[CurvePoint, ...]
    ended: Json | None

    @classmethod
    def read(cls, folder: Path) -> "TrainedSoFar | None":
        """None without a whole checkpoint: before training began, of a sweep's trial, or where the user removed it."""
        state = newest_state(folder / "checkpoint")
        if not state or not state.steps or not state.curve:
            return None
        curve = state.curve
        return cls(state.steps, round(curve[-1].step / curve[-1].epoch), curve, account(folder))

    def most_steps(self, config: RunConfig) -> int:
        return min(self.steps_per_epoch * config.epochs, config.limit.steps or self.steps_per_epoch * config.epochs)


def account(folder: Path) -> Json | None:
    """The record of a training that is finished (see `pipeline.train.account_of`); it lies beside the adapter."""
    file = folder / "adapter" / "byheart.json"
    return read_object(file) if file.is_file() else None


def curve_of(folder: Path) -> list[CurvePoint]:
    """The curve of a run whose training has ended. A damaged curve.csv that was removed is made again from the checkpoint;
    empty where neither is there."""
    file = folder / "curve.csv"
    if not file.exists():
        state = newest_state(folder / "checkpoint")
        if state is None:
            return []
        write_curve(file, state.curve)
    return read_curve(file)


def result_of(folder: Path) -> Path:
    """Where the result of a run's training is written: `unfinished/`, while an earlier result stands."""
    return folder / UNFINISHED if (folder / UNFINISHED).is_dir() else folder


def place_of_changes(folder: Path) -> Path:
    """Where the settings are saved with which a run goes on: they must not be taken for those of its earlier result.

    What was made with other settings and is unfinished is removed.
    """
    forget_unfinished(folder)
    return folder / UNFINISHED if account(folder) else folder


def replace_result(folder: Path) -> None:
    """Puts each file of `unfinished/` into its place. Killed within, it is done again: the files stay there too."""
    place = folder / UNFINISHED
    names = [file.relative_to(place) for file in place.rglob("*") if file.is_file()]
    for name in sorted(names, key=lambda name: name.name == "byheart.json"):  # the account after its weights
        file, target = place / name, folder / name
        if "checkpoint" in name.parts:
            continue
        if target.exists() and target.samefile(file):
            continue  # a rename between two names of one file would do nothing
        target.parent.mkdir(parents=True, exist_ok=True)
        making = target.with_name(f".{target.name}.next")
        making.unlink(missing_ok=True)
        try:
            os.link(file, making)
        except OSError:  # a file system without links
            shutil.copy2(file, making)
        making.replace(target)


def forget_unfinished(folder: Path) -> None:
    """Once the new result is whole."""
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)


def weights_key(adapter: Path) -> list[int | float | None]:
    """What tells the weights of a run that was trained on from its earlier ones; empty for all others."""
    file = adapter / "byheart.json"
    told: Json = read_object(file) if file.is_file() else {}
    return [told["steps"], told["chosen_epoch"]] if told.get("ended_before") else []


def problems(folder: Path, before: RunConfig, config: RunConfig, anew: Callable[[], str]) -> list[Problem]:
    """Why a run cannot go on with `config` in place of `before`. `anew`: the line that starts a new run with it."""
    so_far = TrainedSoFar.read(folder)
    if so_far is None:
        return [_no_state(folder, anew)] if account(folder) else []
    found = [*_plan_problems(so_far, before, config, anew), *_length_problems(so_far, config, anew)]
    if not found and so_far.ended and so_far.ended["steps"] == so_far.steps:
        found = [*_would_end_at_once(so_far, config.stopping), *_time_problems(folder, config)]
    return found


def new_run(folder: Path, more: Sequence[str]) -> str:
    """The line that starts a new run with the settings of this one and `more`."""
    overrides, best = overrides_of(folder), folder.parent / "best.json"
    if overrides is None and best.is_file() and Path(read_object(best)["folder"]).name == folder.name:
        overrides = read_object(best)["overrides"]  # the best trial of a sweep
    if overrides is None:
        return f"{shlex.join(['byheart', 'learn', *more])}, and the settings in {folder / '.hydra' / 'config.yaml'}"
    typed_in = TYPED_IN.set(Path.cwd())
    try:
        with chdir(started_in(folder)):
            return learn_line(overrides, *more)
    finally:
        TYPED_IN.reset(typed_in)


def goes_on(folder: Path, config: RunConfig) -> bool:
    """Whether a finished run can be trained for longer with the line that `longer` gives."""
    so_far = TrainedSoFar.read(folder)
    return so_far is not None and _rate_goes_on(so_far, config, replace(config, epochs=2 * config.epochs, budget=None))


def longer(config: RunConfig, run: Run) -> str:
    """The overrides that train for twice as long."""
    training, changes = run.record["training"], []
    if training["state"] != "budget":
        changes.append(f"epochs={2 * config.epochs}")
    if config.limit.seconds is not None:
        changes.append(f"budget={_duration(max(2 * config.limit.seconds, _seconds(run.record, config, twice=True)))}")
    elif config.budget is not None:
        changes.append(f"budget={config.limit.doubled()}")
    return " ".join(changes)


def _no_state(folder: Path, anew: Callable[[], str]) -> Problem:
    what = "the state after its last step is gone (checkpoint/), so this run cannot be trained on"
    if (folder / "rounds").is_dir():
        what = "a run in rounds cannot be trained on after its last round"
    return Problem(what, "resume", str(folder), f"start a new run, which pays for nothing twice: {anew()}")


def _plan_problems(
    so_far: TrainedSoFar, before: RunConfig, config: RunConfig, anew: Callable[[], str]
) -> Sequence[Problem]:
    if _rate_goes_on(so_far, before, config):
        return ()
    where, value = (
        ("schedule", config.schedule)
        if config.schedule != "constant"
        else ("optimizer.warmup", f"{config.optimizer.warmup:g}")
    )
    what = f"the learning rate was planned for {so_far.most_steps(before):,} steps, and cannot go on for another number"
    return (Problem(what, where, value, f"start a new run: {anew()}"),)


def _rate_goes_on(so_far: TrainedSoFar, before: RunConfig, config: RunConfig) -> bool:
    """False where a rate that was planned for another number of steps would jump."""
    first, other = (
        each.optimizer.rate(so_far.steps, so_far.most_steps(each), each.schedule) for each in (before, config)
    )
    return first == other


def _length_problems(so_far: TrainedSoFar, config: RunConfig, anew: Callable[[], str]) -> Sequence[Problem]:
    most, trained = so_far.most_steps(config), so_far.steps
    ends_here = so_far.ended is not None and so_far.ended["steps"] == trained
    if most > trained or (most == trained and not ends_here):
        return ()
    by_epochs = most == so_far.steps_per_epoch * config.epochs
    epochs = trained / so_far.steps_per_epoch
    said = f"{epochs:.3g} epoch{'' if epochs == 1 else 's'} ({trained:,} steps)"
    fix = f"{'epochs' if by_epochs else 'budget'} above {math.floor(epochs) if by_epochs else trained} trains it on"
    if not by_epochs and so_far.steps_per_epoch * config.epochs > trained:
        fix += ", budget=null until its last epoch"
    if most < trained:
        fix += f"; for a shorter run start a new one: {anew()}"
    where, value = ("epochs", str(config.epochs)) if by_epochs else ("budget", str(config.budget))
    return (Problem(f"this run is trained for {said} already", where, value, fix),)


def _would_end_at_once(so_far: TrainedSoFar, stopping: Stopping) -> Sequence[Problem]:
    if all(point.val_loss is None for point in so_far.curve):
        stopping = replace(stopping, monitor="train_recall")  # nothing is held out
    if not stopping.turned(so_far.curve) or stopping.patience is None:
        return ()
    enough = next(
        patience
        for patience in range(2 * stopping.patience, len(so_far.curve) + 2 * stopping.patience + 1)
        if not replace(stopping, patience=patience).turned(so_far.curve)
    )
    what = f"its training ended since {WORDS[stopping.monitor]} improved no more, and would end at once again"
    fix = f"add stopping.patience={enough}, or stopping.patience=null, which never ends it"
    return (Problem(what, "stopping.patience", str(stopping.patience), fix),)


def _time_problems(folder: Path, config: RunConfig) -> Sequence[Problem]:
    if config.limit.seconds is None:
        return ()
    record: Json = read_object(folder / "run.json")
    if config.limit.seconds > _seconds(record, config):
        return ()
    used, enough = sum(record["timings"].values()), _duration(_seconds(record, config, twice=True))
    fix = f"give the time of the whole run: budget={enough} trains twice as long"
    return (Problem(f"this run took {used:.0f} s so far, and must be scored again", "budget", str(config.budget), fix),)


def _seconds(record: Json, config: RunConfig, twice: bool = False) -> float:
    """The time of a whole run that is trained on: for one more step, or for as long again."""
    timings = record["timings"]
    again = [timings.get(stage, 0.0) for stage in ("model", *(["training"] if twice else []))]
    return float(sum(timings.values()) + sum(again) + after_training(record, adapters_scored(config)))


def _duration(seconds: float) -> str:
    """Rounded up, as it is written on the command line."""
    whole = math.ceil(seconds)
    return f"{whole}s" if whole < 60 and whole % 60 else f"{math.ceil(whole / 60)}m"
