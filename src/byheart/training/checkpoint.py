"""What resuming needs: the adapter, the optimizer, the random state and the curve so far; no base weights."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.store import said_if_unwritten
from byheart.types import CurvePoint

if TYPE_CHECKING:
    from byheart.training.optimizer import MasterStep

_STATE, _TENSORS = "state.json", "training.pt"


def save_checkpoint(
    folder: Path, step: int, optimizer: "MasterStep", curve: Sequence[CurvePoint], seconds: float
) -> None:
    """Writes `folder`/step-N and then drops the older ones: whatever kills the process, one whole checkpoint stays.

    The optimizer's masters are the trained weights, so the adapter is in it.
    """
    import torch

    done = folder / f"step-{step:07d}"
    making = folder / f".making-{os.getpid()}"
    state = {"step": step, "seconds": seconds, "curve": [asdict(point) for point in curve]}
    for litter in folder.glob(".making-*"):
        shutil.rmtree(litter, ignore_errors=True)
    with said_if_unwritten(folder):
        making.mkdir(parents=True)
        try:
            # Given a path, torch writes through its own stream, whose complaint does not say that the disk is full.
            with (making / _TENSORS).open("wb") as file:
                torch.save({"optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}, file)
            (making / _STATE).write_text(json.dumps(state))
            shutil.rmtree(done, ignore_errors=True)
            making.replace(done)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)  # on a full disk it would leave no room for the run's last word
            raise
    for old in folder.glob("step-*"):
        if old != done:
            shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path, optimizer: "MasterStep") -> tuple[int, list[CurvePoint], float]:
    """(steps done, curve, seconds) of the newest whole checkpoint, put into the optimizer; (0, [], 0.0) without one."""
    import torch

    newest = max(folder.glob("step-*"), default=None)
    if newest is None:
        return 0, [], 0.0
    tensors: dict[str, Any] = torch.load(newest / _TENSORS, map_location="cpu", weights_only=True)
    optimizer.load_state_dict(tensors["optimizer"])
    torch.set_rng_state(tensors["random"])
    state = json.loads((newest / _STATE).read_text())
    return state["step"], [CurvePoint(**point) for point in state["curve"]], state["seconds"]


def save_weights(path: Path, model: Any) -> None:
    """The trained weights alone, under their names in the model, moved into place when whole."""
    from safetensors.torch import save_file

    weights = {name: p.detach().contiguous().clone() for name, p in model.named_parameters() if p.requires_grad}
    making = path.with_name(f".{path.name}-{os.getpid()}")
    with said_if_unwritten(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, making)
        making.replace(path)


def load_weights(path: Path, model: Any) -> None:
    """Puts weights that `save_weights` wrote into a model of the same shape."""
    from safetensors.torch import load_file

    saved = load_file(path)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    if trained != saved.keys():
        raise ValueError(f"{path} does not fit the model: {sorted(trained ^ saved.keys())[:3]} ...")
    model.load_state_dict(saved, strict=False)
