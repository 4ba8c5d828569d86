"""What resuming needs: the adapter, the optimizer, the random state and the curve so far; no base weights."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError

from byheart.damage import go_on, is_trial, run_of
from byheart.errors import Problem, UserError
from byheart.model.random_state import random_state, set_random_state
from byheart.records import CurvePoint
from byheart.store import said_if_unwritten
from byheart.training.job import Paused

if TYPE_CHECKING:
    import torch

    from byheart.training.optimizer import MasterStep

Loaded = TypeVar("Loaded")
_STATE, _TENSORS = "state.json", "training.pt"


def save_checkpoint(folder: Path, training: Paused, optimizer: "MasterStep") -> None:
    """Writes `folder`/step-N beside the one before it: whatever kills the process, one whole checkpoint stays.

    The one before is kept against a disk that damages the newest. Those before it go first, so that there are never
    more than two. The optimizer's masters are the trained weights, so the adapter is in it.
    """
    import torch

    done = folder / f"step-{training.steps:07d}"
    making = folder / f".making-{os.getpid()}"
    curve = [asdict(point) for point in training.curve]
    state = {"step": training.steps, "seconds": training.seconds, "curve": curve}  # checks end here: no losses wait
    for litter in folder.glob(".making-*"):
        shutil.rmtree(litter, ignore_errors=True)
    drop_earlier(folder)
    with said_if_unwritten(folder):
        making.mkdir(parents=True)
        try:
            # Given a path, torch writes through its own stream, whose complaint does not say that the disk is full.
            with (making / _TENSORS).open("wb") as file:
                torch.save({"optimizer": optimizer.state_dict(), "random": random_state()}, file)
            (making / _STATE).write_text(json.dumps(state))
            shutil.rmtree(done, ignore_errors=True)
            making.replace(done)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)  # on a full disk it would leave no room for the run's last word
            raise


def drop_earlier(folder: Path) -> None:
    """Leaves the newest checkpoint alone, as after the end of a training."""
    for old in _newest_first(folder)[1:]:
        shutil.rmtree(old, ignore_errors=True)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def begin_with(folder: Path, before: Path) -> None:
    """Lets a training in `folder` begin with the weights, optimizer and random state of the newest checkpoint in `before`.

    Where `folder` has a checkpoint of its own, nothing is done.
    """
    newest = max(before.glob("step-*"), default=None)
    if newest is None or any(folder.glob("step-*")):
        return
    done, making = folder / "step-0000000", folder / f".making-{os.getpid()}"
    with said_if_unwritten(folder):
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        shutil.copyfile(newest / _TENSORS, making / _TENSORS)
        (making / _STATE).write_text(json.dumps({"step": 0, "seconds": 0.0, "curve": []}))
        making.replace(done)


def _said_if_damaged(load: Callable[[Path, Any], Loaded]) -> Callable[[Path, Any], Loaded]:
    """Files that are missing, cut off or of another training become a UserError that names what to remove."""

    @wraps(load)
    def loaded(path: Path, into: Any) -> Loaded:
        try:
            return load(path, into)
        except (
            OSError,
            EOFError,
            RuntimeError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            AssertionError,
            RecursionError,
            UnpicklingError,
            SafetensorError,
            zipfile.BadZipFile,
        ) as e:
            said = " ".join(str(e).split())[:160] or type(e).__name__
            run = run_of(path)
            then = "training then starts again from its first step"
            line = "" if run is None or is_trial(run) else f": {go_on(run)}"
            place = path.parent.parent if path.name in (_STATE, _TENSORS) else path.parent
            fix = f"remove the folder {place}; {then}{line}"
            raise UserError(Problem(f"this checkpoint cannot be loaded: {said}", str(path), fix=fix)) from e

    return loaded


def load_checkpoint(
    folder: Path, optimizer: "MasterStep", on_note: Callable[[str], None] = lambda text: None
) -> Paused:
    """The newest whole checkpoint, whose tensors are put into the optimizer; the first step without one.

    Where the newest is damaged, the one before it is taken, with a note. Raises UserError where none is whole.
    """
    places = _newest_first(folder)
    for place in places:
        try:
            paused = _load(place, optimizer)
        except UserError as error:
            if place == places[-1]:
                raise
            what = f"{error.problems[0].where}: {error.problems[0].what}"
            on_note(f"{what}; training goes on from the checkpoint before it")
            continue
        for newer in places[: places.index(place)]:
            shutil.rmtree(newer)
        return paused
    return Paused()


def _load(place: Path, optimizer: "MasterStep") -> Paused:
    state = _said_if_damaged(lambda file, into: read_state(file.parent))(place / _STATE, None)
    _load_tensors(place / _TENSORS, optimizer)
    best = [*place.parent.glob("best-epoch-*.safetensors")]
    return replace(state, kept=frozenset(file.stem.removeprefix("best-epoch-") for file in best))


@_said_if_damaged
def _load_tensors(file: Path, optimizer: "MasterStep") -> None:
    import torch

    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if (name := archive.testzip()) is not None:  # torch does not look at the checksums
                raise ValueError(f"{name} in it does not match its checksum")
    tensors = torch.load(file, map_location="cpu", weights_only=True)
    optimizer.load_state_dict(tensors["optimizer"])
    random = tensors["random"]
    set_random_state({"cpu": random} if isinstance(random, torch.Tensor) else random)  # older: of the CPU alone


def read_state(place: Path) -> Paused:
    """A checkpoint without its tensors. Raises OSError, ValueError, KeyError or TypeError where it is damaged."""
    state = json.loads((place / _STATE).read_text(encoding="utf-8"))
    curve = tuple(CurvePoint(**point) for point in state["curve"])
    return Paused(int(state["step"]), curve, seconds=float(state["seconds"]))


def newest_state(folder: Path) -> Paused | None:
    """Of the newest checkpoint in a folder that can be read, without its tensors."""
    for place in _newest_first(folder):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            return read_state(place)
    return None


def save_weights(path: Path, model: "torch.nn.Module") -> None:
    """The trained weights alone, under their names in the model, moved into place when whole."""
    from safetensors.torch import save_file

    weights = {name: p.detach().contiguous().clone() for name, p in model.named_parameters() if p.requires_grad}
    making = path.with_name(f".{path.name}-{os.getpid()}")
    with said_if_unwritten(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, making)
        making.replace(path)


@_said_if_damaged
def load_weights(path: Path, model: "torch.nn.Module") -> None:
    """Puts weights that `save_weights` wrote into a model of the same shape."""
    from safetensors.torch import load_file

    saved = load_file(path)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    if trained != saved.keys():
        raise ValueError(f"{path} does not fit the model: {sorted(trained ^ saved.keys())[:3]} ...")
    model.load_state_dict(saved, strict=False)
