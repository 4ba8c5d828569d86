"""What resuming needs: the adapter, the optimizer, the random state and the curve so far; no base weights."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError

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
    """Writes `folder`/step-N and then deletes the older ones: whatever kills the process, one whole checkpoint stays.

    The optimizer's masters are the trained weights, so the adapter is in it.
    """
    import torch

    done = folder / f"step-{training.steps:07d}"
    making = folder / f".making-{os.getpid()}"
    curve = [asdict(point) for point in training.curve]
    state = {"step": training.steps, "seconds": training.seconds, "curve": curve}  # checks end here: no losses wait
    for litter in folder.glob(".making-*"):
        shutil.rmtree(litter, ignore_errors=True)
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
    for old in folder.glob("step-*"):
        if old != done:
            shutil.rmtree(old, ignore_errors=True)


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
            UnpicklingError,
            SafetensorError,
        ) as e:
            said = " ".join(str(e).split())[:160] or type(e).__name__
            folder = path if path.is_dir() else path.parent
            fix = f"remove the folder {folder}: training then starts again from its first step"
            raise UserError(Problem(f"this checkpoint cannot be loaded: {said}", str(folder), fix=fix)) from e

    return loaded


@_said_if_damaged
def load_checkpoint(folder: Path, optimizer: "MasterStep") -> Paused:
    """The newest whole checkpoint, whose tensors are put into the optimizer; the first step without one."""
    import torch

    newest = max(folder.glob("step-*"), default=None)
    if newest is None:
        return Paused()
    tensors = torch.load(newest / _TENSORS, map_location="cpu", weights_only=True)
    optimizer.load_state_dict(tensors["optimizer"])
    random = tensors["random"]
    set_random_state({"cpu": random} if isinstance(random, torch.Tensor) else random)  # older: of the CPU alone
    state = json.loads((newest / _STATE).read_text())
    curve = tuple(CurvePoint(**point) for point in state["curve"])
    kept = frozenset(file.stem.removeprefix("best-epoch-") for file in folder.glob("best-epoch-*.safetensors"))
    return Paused(state["step"], curve, seconds=state["seconds"], kept=kept)


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
