"""What one training is given and for how long it may run, what it reports while it runs, and how it ended."""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from byheart.records import CurvePoint
from byheart.training.layout import Row

if TYPE_CHECKING:
    from torch import Tensor

UNCHOSEN = "no epoch could be chosen, since"  # how the line begins that says why
UNITS = {"s": 1, "m": 60, "h": 3600}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?[smh])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smh])")


@dataclass(frozen=True)
class Budget:
    """The limit of a run: optimizer steps, or a time from its start to its report. With neither there is no limit."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, value: int | str | None) -> "Budget":
        """Raises ValueError where `value` is neither a count nor a time above 0."""
        if value is None:
            return cls()
        text = str(value).replace(" ", "").lower()
        if text.isdecimal() and int(text) > 0 and not isinstance(value, bool):
            return cls(steps=int(text))
        seconds = (
            sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text)) if _TIME.fullmatch(text) else 0
        )
        if not seconds > 0:
            raise ValueError(f"must be optimizer steps (2000) or a time (90s, 15m, 1h30m), got {value}")
        return cls(seconds=seconds)

    def doubled(self) -> str:
        """Twice the limit, as it is written on the command line."""
        if self.steps is not None:
            return str(2 * self.steps)
        return f"{2 * self.seconds / 60:g}m" if self.seconds is not None else "null"


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
    kinds: Mapping[str, Sequence[Row]] = field(default_factory=dict)  # only measured, by kind (see kinds.py)

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.batch_size)

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
    on_note: Callable[[str], None] = lambda line: None  # one line, where a plainer way has to be taken
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
    # On the host: masters, means, moments, step, best epoch's weights.
    tensors: "dict[str, Tensor]" = field(default_factory=dict)
    known: tuple[int, int] = (0, 0)  # rows predicted word for word, and rows, since the last check
    kept: frozenset[str] | None = None  # the epochs so far whose weights are kept, as "%g"; None: every best one's are


def batches(count: int, batch_size: int, epoch: int, seed: int) -> list[list[int]]:
    """The batches of one epoch (counted from 0) as lists of row indices; the last may be smaller.

    They depend on seed and epoch alone, so every prefix of a run equals a shorter run.
    """
    order = list(range(count))
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def stream(count: int, batch_size: int, epochs: int, seed: int, done: int = 0) -> Iterator[list[int]]:
    """All the batches of a run, epoch after epoch, without the first `done`."""
    epoch, skip = divmod(done, -(-count // batch_size))
    for number in range(epoch, epochs):
        yield from batches(count, batch_size, number, seed)[skip if number == epoch else 0 :]
