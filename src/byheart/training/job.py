"""What one training is given, what it reports while it runs, and how it ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from byheart.records import CurvePoint
from byheart.training.layout import Row
from byheart.training.order import steps_per_epoch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TrainJob:
    """The rows to train on and to validate on, in which batches and for how long."""

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
class Hooks:
    """What the caller of `Trainer.fit` wants to be asked and notified of while it trains."""

    on_step: Callable[[int, int], None] = lambda step, steps: None
    on_check: Callable[[CurvePoint, Sequence[CurvePoint]], None] = lambda point, curve: None
    stop_requested: Callable[[], bool] = lambda: False
    out_of_time: Callable[[], bool] = lambda: False  # once true, the current step is the last one
    recall: Callable[[], float | None] | None = None  # at each epoch's end; replaces the recall of the validation rows


@dataclass(frozen=True)
class TrainResult:
    """How a fit ended. `state` is finished (all epochs), upturn (the monitor has passed its best), budget (its steps or
    its time are used up), or stopped (Ctrl-C). A packed job may also be paused, pruned or diverged."""

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
class Paused:
    """The training state from which a job resumes bit for bit. A packed one has its tensors too, a few megabytes on the host."""

    steps: int = 0
    curve: tuple[CurvePoint, ...] = ()
    losses: tuple[float, ...] = ()  # training losses since the last check
    seconds: float = 0.0
    tensors: "dict[str, Tensor]" = field(
        default_factory=dict
    )  # CPU: masters, means, moments, step, best epoch's weights
    known: tuple[int, int] = (0, 0)  # rows predicted word for word, and rows, since the last check
