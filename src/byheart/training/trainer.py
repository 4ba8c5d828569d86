"""Fits an adapter: Lightning drives the steps, this room decides when to look, to keep and to stop."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from byheart.training.checkpoint import load_checkpoint
from byheart.training.cores import cores
from byheart.training.layout import Row
from byheart.training.optimizer import AdamW, base_of
from byheart.training.order import steps_per_epoch, stream
from byheart.training.stopping import Stopping
from byheart.types import CurvePoint

LAYOUTS = ("packed", "padded")


@dataclass(frozen=True)
class Lesson:
    """What is to be learned, and how long."""

    train: Sequence[Row]
    validate: Sequence[Row]
    batch_size: int
    epochs: int  # at most
    seed: int
    schedule: str
    reduction: str
    filler: int  # the padding token
    most_steps: int | None = None  # a budget: no more optimizer steps than these

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(len(self.train), self.batch_size)

    @property
    def steps(self) -> int:
        """How many optimizer steps are taken at most."""
        whole = self.steps_per_epoch * self.epochs
        return whole if self.most_steps is None else min(whole, self.most_steps)


@dataclass(frozen=True)
class Learned:
    """How a fit ended. `state` is finished (all epochs), upturn (the monitor has passed its best), budget (its steps or
    its time are used up), or stopped (Ctrl-C)."""

    state: str
    curve: tuple[CurvePoint, ...]
    steps: int
    rows: int
    epochs_run: float
    chosen_epoch: float | None  # the weights that the model now holds; None: the last step's
    loss_would_choose: float | None
    seconds: float
    notes: tuple[str, ...] = field(default=())


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
            ("layout", LAYOUTS),
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
        return device, "bfloat16" if device == "cpu" and _cpu_has_bfloat16() else "float32"

    def fit(
        self,
        model: Any,
        lesson: Lesson,
        optimizer: AdamW,
        stopping: Stopping,
        folder: Path,
        recall: Callable[[], float | None] | None = None,
        on_step: Callable[[int, int], None] = lambda step, steps: None,
        on_check: Callable[[CurvePoint, Sequence[CurvePoint]], None] = lambda point, curve: None,
        stop_requested: Callable[[], bool] = lambda: False,
        keep_best: bool = True,
        out_of_time: Callable[[], bool] = lambda: False,
    ) -> Learned:
        """Trains `model` in place, from the newest checkpoint in `folder`/checkpoint where there is one.

        Afterwards the model holds the weights of the best epoch, or with `keep_best=False` those of the last step.
        `recall` is called at each epoch's end; it replaces the recall of the validation rows. Once `out_of_time`
        answers yes, the step under way is the last; its weights are compared with those of the best epoch.
        Raises Diverged where the loss became NaN or exploded.
        """
        import lightning as L
        from torch.utils.data import DataLoader

        from byheart.training.memorizer import Memorizer
        from byheart.training.watcher import Watcher, quiet_lightning

        steps = lesson.steps
        trained = [p for p in model.parameters() if p.requires_grad]
        masters = optimizer.build(trained, base_of(model) if optimizer.toward_base else None)
        done, curve, seconds = load_checkpoint(folder / "checkpoint", masters)
        rates = [optimizer.rate(step, steps, lesson.schedule) for step in range(steps)]
        module = Memorizer(model, masters, rates, lesson.reduction, self.layout, lesson.filler, self.rows_at_once)
        module.steps_done = done
        watcher = Watcher(
            lesson,
            stopping,
            folder,
            curve,
            seconds,
            recall,
            on_step,
            on_check,
            stop_requested,
            keep_best,
            out_of_time,
        )
        already_over = done >= steps or stopping.turned(curve)
        if not already_over:
            order = stream(len(lesson.train), lesson.batch_size, lesson.epochs, lesson.seed, done)
            batches = [[lesson.train[i] for i in batch] for batch in islice(order, steps - done)]
            quiet_lightning()
            runner = L.Trainer(
                accelerator={"cuda": "gpu"}.get(_device_of(model), _device_of(model)),
                devices=1,
                max_epochs=1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[watcher],
            )
            runner.fit(module, DataLoader(batches, batch_size=None, shuffle=False))  # type: ignore[arg-type]
        return watcher.conclude(module)


def _device_of(model: Any) -> str:
    return str(next(model.parameters()).device.type)


def _cpu_has_bfloat16() -> bool:
    """In hardware (AVX512-BF16 or AMX): emulated, bfloat16 is slower than float32."""
    import torch

    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(
        capabilities.get("avx512_bf16")
        or capabilities.get("amx_bf16")
        or capabilities.get("amx_tile")
        or torch.cpu._is_avx512_bf16_supported()
    )
