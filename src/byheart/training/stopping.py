"""Early stopping, the best epoch, and divergence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from byheart.errors import Diverged
from byheart.records import CurvePoint

MONITORS = {  # columns of curve.csv
    "val_loss": "minimize",
    "bounded_loss": "minimize",
    "recall": "maximize",
    "token_accuracy": "maximize",
    "train_recall": "maximize",
}
WORDS = {
    "val_loss": "validation loss",
    "bounded_loss": "bounded validation loss",
    "recall": "recall of held-out answers",
    "token_accuracy": "token accuracy on held-out answers",
    "train_recall": "recall of trained answers",
}
EXPLODED = 3.0  # times the lowest validation loss, and above a uniform guess over 20,000 words
GUESSING = 10.0  # nats


@dataclass(frozen=True)
class Stopping:
    """Stops when the smoothed `monitor` has not improved by `tolerance` for `patience` checks in a row.

    Validation loss alone must have risen above its minimum by `tolerance`: that is the published advice.
    """

    monitor: str = "train_recall"  # or another of MONITORS
    patience: int | None = 8  # checks; null never stops
    tolerance: float = 0.01  # of the lowest loss, or in shares: less is noise
    checks_per_epoch: int = 4

    def __post_init__(self) -> None:
        if self.monitor not in MONITORS:
            raise ValueError(f"monitor must be one of {', '.join(MONITORS)}, got {self.monitor}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be at least 1 or null, got {self.patience}")
        if self.tolerance < 0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")
        if self.checks_per_epoch < 1:
            raise ValueError(f"checks_per_epoch must be at least 1, got {self.checks_per_epoch}")

    def turned(self, curve: Sequence[CurvePoint]) -> bool:
        """Has the smoothed curve passed its best for good?"""
        values = self._smoothed(curve)
        if self.patience is None or len(values) <= self.patience:
            return False
        before, since = values[: -self.patience], values[-self.patience :]
        if self.monitor == "val_loss":
            return min(since) > min(before) * (1 + self.tolerance)
        if MONITORS[self.monitor] == "minimize":
            return min(since) >= min(before) * (1 - self.tolerance)
        return max(before) > 0 and max(since) <= max(before) + self.tolerance  # at 0 learning has not begun

    def still_improving(self, curve: Sequence[CurvePoint]) -> bool:
        """Is the last check the best, and better than an epoch before by `tolerance`? Then more epochs may teach more."""
        falls = MONITORS[self.monitor] == "minimize"
        values = [value if falls else -value for value in self._smoothed(curve)]
        if len(values) < 2 or values[-1] >= min(values[:-1]):
            return False
        before = min(values[: -self.checks_per_epoch] or values[:1])
        least = self.tolerance * (before if falls else 1)
        return before - values[-1] > least

    @property
    def why(self) -> str:
        """Why a curve that has `turned` ends a training."""
        if self.monitor == "val_loss":
            return f"{WORDS[self.monitor]} had turned upward"
        return f"{WORDS[self.monitor]} improved no more"

    def _smoothed(self, curve: Sequence[CurvePoint]) -> list[float]:
        """Trailing means over half an epoch, so that no single check decides."""
        measured = [value for _, value in watched(self.monitor, curve)]
        return measured if self.monitor == "train_recall" else smooth(measured, max(1, self.checks_per_epoch // 2))


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Trailing means over up to `window` values."""
    return [sum(part) / len(part) for end in range(1, len(values) + 1) for part in [values[max(0, end - window) : end]]]


def watched(monitor: str, curve: Sequence[CurvePoint]) -> list[tuple[CurvePoint, float]]:
    """The points at which one of MONITORS was measured, with its value.

    train_recall counts the rows since the last check, others each time: it is averaged over the checks of an epoch.
    """
    points = [point for point in curve if getattr(point, monitor) is not None]
    values = [float(getattr(point, monitor)) for point in points]
    if monitor == "train_recall":
        values = [round(value, 6) for value in smooth(values, max(1, sum(point.epoch <= 1 for point in points)))]
    return list(zip(points, values, strict=True))


def ends(curve: Sequence[CurvePoint], over: bool = False) -> list[CurvePoint]:
    """The points at the end of an epoch; where training is `over` also its last one, wherever a budget cut it."""
    last = len(curve) - 1
    return [point for i, point in enumerate(curve) if float(point.epoch).is_integer() or (over and i == last)]


def best_by(
    monitor: str, curve: Sequence[CurvePoint], over: bool = False, among: Sequence[CurvePoint] | None = None
) -> float | None:
    """The epoch at whose end (see `ends`) one of MONITORS was the best; of equal ones the earlier, which has forgotten less.

    `among`: these points in place of the epochs' ends. None if it was never measured there, or if a share stayed 0 throughout.
    """
    at_end = {point.step for point in (ends(curve, over) if among is None else among)}
    measured = [(value, point.epoch) for point, value in watched(monitor, curve) if point.step in at_end]
    if MONITORS[monitor] == "maximize":
        measured = [(-value, epoch) for value, epoch in measured]
        if not any(value for value, _ in measured):
            return None
    best = min(measured)[1] if measured else None
    return round(best) if best is not None and float(best).is_integer() else best


def refuse_divergence(
    loss: float, curve: Sequence[CurvePoint], step: int, steps: int, reduction: str = "row_mean"
) -> None:
    """Raises Diverged if the loss is not finite or has exploded. A sum over targets cannot be compared with a mean loss."""
    lowest = min((p.val_loss for p in curve if p.val_loss is not None), default=loss)
    exploded = reduction != "sum" and loss > GUESSING and loss > EXPLODED * lowest
    if exploded or not math.isfinite(loss):
        raise Diverged(
            f"the loss became {loss:.3g} at step {step} of {steps}. Lower lr (a third of it is a good next try), "
            "raise batch_size, or set optimizer.clip=1.0. What was learned before is kept."
        )


def is_check(step: int, per_epoch: int, checks: int) -> bool:
    """Is validation due after this step (counted from 1)? `checks` times an epoch, the last at its very end."""
    place = (step - 1) % per_epoch
    return (place + 1) * checks // per_epoch > place * checks // per_epoch
