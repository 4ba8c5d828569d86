"""Trains one adapter: Lightning runs the steps; `TrainState` decides when to validate and when to end."""

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.training.checkpoint import load_checkpoint, load_weights
from byheart.training.hardware import cores, cpu_has_bfloat16
from byheart.training.job import Hooks, TrainJob, TrainResult
from byheart.training.optimizer import AdamW, MasterStep, base_of
from byheart.training.stopping import Stopping

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Trainer:
    """Where and in what precision training runs. `auto` takes a GPU where there is one, and bfloat16 in hardware."""

    device: str = "auto"  # auto | cpu | cuda | mps
    precision: str = "auto"  # auto | bfloat16 | float32
    layout: str = "packed"  # packed | padded: how the rows of a batch lie in memory
    threads: int | None = None  # CPU threads; null: $OMP_NUM_THREADS, else all cores
    rows_at_once: int | None = None  # rows in one forward pass; null: the whole batch (gradient accumulation below)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("device", ("auto", "cpu", "cuda", "mps")),
            ("precision", ("auto", "bfloat16", "float32", "float64")),
            ("layout", ("packed", "padded")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        for name in ("threads", "rows_at_once"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 or null, got {getattr(self, name)}")

    def place(self) -> tuple[str, str]:
        """(device, dtype) of this machine under these options."""
        import torch

        if self.threads or "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(self.threads or cores())
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        if self.precision != "auto":
            return device, self.precision
        if device == "cuda":
            return device, "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
        return device, "bfloat16" if device == "cpu" and cpu_has_bfloat16() else "float32"

    def fit(
        self,
        model: "PreTrainedModel | PeftModel",
        train_job: TrainJob,
        optimizer: AdamW,
        stopping: Stopping,
        folder: Path,
        hooks: Hooks | None = None,
        keep_best: bool = True,
    ) -> TrainResult:
        """Trains `model` in place, from the newest checkpoint in `folder`/checkpoint where there is one.

        Afterwards the model holds the weights of the best epoch, or with `keep_best=False` those of the last step. Where
        time runs out, the weights of the last step are compared with those of the best epoch.
        Raises Diverged where the loss became NaN or exploded.
        """
        import lightning as L
        from torch.utils.data import DataLoader

        from byheart.training.module import CheckCallback, SFTModule, best_weights, quiet_lightning
        from byheart.training.state import TrainState

        trained = [p for p in model.parameters() if p.requires_grad]
        masters = MasterStep(trained, optimizer, base_of(model) if optimizer.toward_base else None)
        state = TrainState(train_job, optimizer, stopping, folder, load_checkpoint(folder / "checkpoint", masters))
        callback = CheckCallback(state, hooks or Hooks(), keep_best)
        if state.over is None:
            batches = list(islice(state.batches(), train_job.steps - state.step))
            device = next(model.parameters()).device.type
            quiet_lightning()
            runner = L.Trainer(
                accelerator={"cuda": "gpu"}.get(device, device),
                devices=1,
                max_epochs=1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[callback],
            )
            module = SFTModule(model, masters, state, self.layout, self.rows_at_once)
            runner.fit(module, DataLoader(batches, batch_size=None, shuffle=False))  # type: ignore[arg-type]
        result = state.result("stopped" if callback.stopped else state.over or "budget", keep_best=keep_best)
        masters.conclude()
        chosen = result.chosen_epoch
        if chosen is not None and (best := best_weights(folder, chosen)).is_file():
            load_weights(best, model)
        model.eval()
        return result
