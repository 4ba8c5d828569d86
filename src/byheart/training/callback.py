"""The Lightning callback: validates when a check is due, saves checkpoints and the best weights, and ends training."""

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L

from byheart.training.checkpoint import save_checkpoint, save_weights
from byheart.training.job import Hooks
from byheart.training.module import SFTModule
from byheart.training.state import TrainState


class CheckCallback(L.Callback):
    """After each step that is due, a validation check. Each check writes a checkpoint from which training resumes exactly.

    With `keep_best` the weights are kept where an epoch's end, or the end of a budget, is the best so far.
    """

    def __init__(self, state: TrainState, hooks: Hooks, keep_best: bool):
        self.state, self.hooks, self.keep_best = state, hooks, keep_best
        self.stopped = False  # by request

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(module, SFTModule)
        state = self.state
        self.hooks.on_step(state.step, state.train_job.steps)
        state.out_of_time = state.out_of_time or self.hooks.out_of_time()
        if state.check_due:
            self._check(module)
        self.stopped = self.hooks.stop_requested()
        trainer.should_stop = self.stopped or state.over is not None

    def _check(self, module: SFTModule) -> None:
        state, checkpoints = self.state, self.state.folder / "checkpoint"
        with module.masters.measured():
            found = module.validate(state.train_job.validate) if state.train_job.validate else None
            point = state.record(found, self.hooks.recall)
            if self.keep_best and state.is_best:
                best = best_weights(state.folder, point.epoch)
                save_weights(best, module.model)
                for old in checkpoints.glob("best-epoch-*.safetensors"):
                    if old != best:
                        old.unlink()
        save_checkpoint(checkpoints, state.paused(), module.masters)
        self.hooks.on_check(point, state.curve)


def best_weights(folder: Path, epoch: float) -> Path:
    """Where the weights of the best epoch lie."""
    return folder / "checkpoint" / f"best-epoch-{epoch:g}.safetensors"


def quiet_lightning() -> None:
    """Hides Lightning's banners and its advice about data workers: the progress is shown by our own screen."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", message=r".*`isinstance\(treespec, LeafSpec\)`.*")
    warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
