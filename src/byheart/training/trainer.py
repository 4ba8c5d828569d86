"""Trains one adapter: Lightning runs the steps; `TrainState` decides when to validate and when to end."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.errors import Problem, UserError
from byheart.model.memory import free_bytes, is_out_of_memory
from byheart.model.sizes import of_model
from byheart.training.checkpoint import drop_earlier, load_checkpoint, load_weights
from byheart.training.hardware import cores, cpu_has_bfloat16
from byheart.training.job import Hooks, TrainJob, TrainResult
from byheart.training.layout import Row
from byheart.training.memory import Pass, training_bytes
from byheart.training.optimizer import MasterStep, Optimizer, base_of
from byheart.training.stopping import Stopping

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


AUTO = "auto"
DEVICES = (AUTO, "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Trainer:
    """Where and in what precision training runs. `auto` takes a GPU where there is one, and bfloat16 in hardware."""

    device: str = "auto"  # auto | cpu | cuda | mps
    precision: str = "auto"  # auto | bfloat16 | float32
    layout: str = "packed"  # packed | padded: how rows lie in memory, where the model reads them so rightly
    threads: int | None = None  # CPU threads; null: $OMP_NUM_THREADS, else all cores
    rows_at_once: int | None = None  # rows in one forward pass; null: the whole batch (gradient accumulation below)
    # Activations are computed again in the backward pass: less memory, more time. auto: where memory does not suffice.
    gradient_checkpointing: bool | str = AUTO

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            fix = "one GPU of several: CUDA_VISIBLE_DEVICES=1 byheart ... trainer.device=cuda"
            raise UserError(Problem(f"must be one of {', '.join(DEVICES)}", "trainer.device", self.device, fix))
        for name, allowed in (
            ("precision", ("auto", "bfloat16", "float32", "float64")),
            ("layout", ("packed", "padded")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        if self.gradient_checkpointing not in (True, False, AUTO):
            raise ValueError(f"gradient_checkpointing must be auto, true or false, got {self.gradient_checkpointing}")
        for name in ("threads", "rows_at_once"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 or null, got {getattr(self, name)}")

    @property
    def alone(self) -> str:
        """Why a trial with these options cannot share a pack; "" where it can."""
        always = self.gradient_checkpointing is True
        return "a pack keeps its activations (trainer.gradient_checkpointing=true)" if always else ""

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
        optimizer: Optimizer,
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

        from byheart.training.agreement import find_path
        from byheart.training.module import COMPUTED_AGAIN, CheckCallback, SFTModule, best_weights, quiet_lightning
        from byheart.training.state import TrainState

        hooks = hooks or Hooks()
        with _told_if_memory_is_full(train_job, self.gradient_checkpointing is not False):
            # Before a checkpoint is read, so that a resumed training takes the same path.
            path = find_path(model, [*train_job.train, *train_job.validate], self.layout, train_job.filler)
            for note in path.notes:
                hooks.on_note(note)
            trained = [p for p in model.parameters() if p.requires_grad]
            masters = MasterStep(trained, optimizer, base_of(model) if optimizer.toward_base else None)
            start = load_checkpoint(folder / "checkpoint", masters, hooks.on_note)
            state = TrainState(train_job, optimizer, stopping, folder, start)
            callback = CheckCallback(state, hooks, keep_best)
            if state.over is None:
                batches = list(islice(state.batches(), train_job.steps - state.step))
                device = next(model.parameters()).device
                quiet_lightning()
                runner = L.Trainer(
                    accelerator=device.type,
                    devices=[device.index or 0] if device.type == "cuda" else 1,
                    max_epochs=1,
                    logger=False,
                    enable_checkpointing=False,
                    enable_progress_bar=False,
                    enable_model_summary=False,
                    callbacks=[callback],
                )
                module = SFTModule(model, masters, state, path, self.rows_at_once, hooks.on_note)
                packed = path.layout == "packed"
                wanted = self.gradient_checkpointing is True or self._memory_is_short(model, batches, optimizer, packed)
                if wanted and self.gradient_checkpointing == AUTO:
                    hooks.on_note(f"memory would not suffice otherwise: {COMPUTED_AGAIN}")
                with _recomputing(model, wanted) as begin:
                    module.save_memory = begin if self.gradient_checkpointing == AUTO and not wanted else None
                    runner.fit(module, DataLoader(batches, batch_size=None, shuffle=False))  # type: ignore[arg-type]
            result = state.result("stopped" if callback.stopped else state.over or "budget", keep_best=keep_best)
            masters.conclude()
            chosen = result.chosen_epoch
            if chosen is not None and (best := best_weights(folder, chosen)).exists():
                load_weights(best, model)
            if result.state != "stopped":
                drop_earlier(folder / "checkpoint")
            model.eval()
        return result

    def _memory_is_short(
        self, model: "PreTrainedModel | PeftModel", batches: Sequence[list[Row]], optimizer: Optimizer, packed: bool
    ) -> bool:
        """Whether the largest batch needs gradient checkpointing by estimate, and the setting leaves it open."""
        sizes = of_model(model) if self.gradient_checkpointing == AUTO and _can_recompute(model) else None
        if sizes is None or not batches:
            return False
        most = self.rows_at_once or max(map(len, batches))
        parts = (batch[start : start + most] for batch in batches for start in range(0, len(batch), most))
        read = max((Pass.of(part, packed) for part in parts), key=lambda part: part.tokens)
        weight = next(model.parameters())
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        where = read, weight.itemsize, weight.device.type
        needed, less = (training_bytes(sizes, trained, optimizer, *where, recompute) for recompute in (False, True))
        return needed > free_bytes(weight.device.type) and less < needed


@contextmanager
def _told_if_memory_is_full(train_job: TrainJob, recomputing: bool) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        error.__traceback__ = None  # its frames hold what filled the memory
        longest = max(len(row.tokens) for row in train_job.train)
        what = f"memory does not hold one step, even with one row at a time (the longest has {longest} tokens)"
        fix = f"a smaller model, a lower adapter.rank, or shorter rows: rows.max_tokens below {longest}"
        if not recomputing:
            fix = f"trainer.gradient_checkpointing=true, {fix}"
        raise UserError(Problem(what, "model.path", fix=fix)) from None


def _can_recompute(model: "PreTrainedModel | PeftModel") -> bool:
    return bool(getattr(model, "supports_gradient_checkpointing", False))


@contextmanager
def _recomputing(model: "PreTrainedModel | PeftModel", wanted: bool) -> Iterator[Callable[[], None] | None]:
    """Inside the `with` block each layer keeps its input only and is computed again in the backward pass, if `wanted`.

    Gives the function that begins with it later; None where the class of models cannot.
    """
    switches: Any = model  # peft forwards them to the model
    if wanted and not _can_recompute(model):
        where, fix = "trainer.gradient_checkpointing", "set it to false; for less memory lower trainer.rows_at_once"
        raise UserError(Problem("this class of models cannot compute its layers again", where, "true", fix))
    begun = False

    def begin() -> None:
        nonlocal begun
        begun = True
        switches.gradient_checkpointing_enable({"use_reentrant": False})  # else it needs inputs with gradients

    if wanted:
        begin()
    try:
        yield begin if _can_recompute(model) else None
    finally:
        if begun:
            switches.gradient_checkpointing_disable()
