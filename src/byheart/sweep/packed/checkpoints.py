"""The checkpoint of a packed trial, for a pause, Ctrl-C or a kill: a few megabytes, no base weights."""

import os
import pickle
from dataclasses import asdict
from pathlib import Path

from byheart.records import CurvePoint
from byheart.store import said_if_unwritten
from byheart.training.job import Paused

FILE = "checkpoint/packed.pt"  # in the trial's folder


def save_paused(folder: Path, paused: Paused) -> None:
    """Moved into place when whole, so that a kill leaves the checkpoint before."""
    import torch

    file = folder / FILE
    making = file.with_name(f".{file.name}-{os.getpid()}")
    state = {**vars(paused), "curve": [asdict(point) for point in paused.curve]}
    with said_if_unwritten(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with making.open("wb") as stream:
            torch.save(state, stream)
        making.replace(file)


def load_paused(folder: Path) -> Paused | None:
    """None where there is none, or none that can be read: then the trial begins again."""
    import torch

    file = folder / FILE
    if not file.is_file():
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        curve = tuple(CurvePoint(**point) for point in state.pop("curve"))
        more = {"losses": tuple(state["losses"]), "known": tuple(state.get("known", (0, 0)))}
        return Paused(**{**state, "curve": curve, **more})
    except (RuntimeError, OSError, EOFError, TypeError, KeyError, pickle.UnpicklingError):
        return None
