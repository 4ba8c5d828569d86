"""When validation loss has turned upward, which epoch was the best, and what is no training any more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from byheart.errors import Diverged
from byheart.types import CurvePoint

EXPLODED = 3.0  # times the lowest validation loss, and above a uniform guess over 20,000 words
GUESSING = 10.0  # nats


@dataclass(frozen=True)
class Stopping:
    """Stops when smoothed validation loss has risen above its minimum for `patience` checks in a row."""

    patience: int | None = 4  # checks; null never stops
    tolerance: float = 0.01  # relative: a rise below one per cent is noise
    checks_per_epoch: int = 4

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be at least 1 or null, got {self.patience}")
        if self.tolerance < 0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")
        if self.checks_per_epoch < 1:
            raise ValueError(f"checks_per_epoch must be at least 1, got {self.checks_per_epoch}")

    def turned(self, curve: Sequence[CurvePoint]) -> bool:
        """Has the smoothed loss turned upward for good?"""
        losses = self._smoothed(curve)
        if self.patience is None or len(losses) <= self.patience:
            return False
        lowest = min(losses[: -self.patience])
        return all(loss > lowest * (1 + self.tolerance) for loss in losses[-self.patience :])

    def still_falling(self, curve: Sequence[CurvePoint]) -> bool:
        """Did the smoothed loss reach its lowest at the last check? Then more epochs may teach more."""
        losses = self._smoothed(curve)
        return len(losses) > 1 and losses[-1] < min(losses[:-1])

    def _smoothed(self, curve: Sequence[CurvePoint]) -> list[float]:
        """Over half an epoch, so that one odd check decides nothing."""
        return smooth([p.val_loss for p in curve if p.val_loss is not None], max(1, self.checks_per_epoch // 2))


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Trailing means over up to `window` values."""
    return [sum(part) / len(part) for end in range(1, len(values) + 1) for part in [values[max(0, end - window) : end]]]


def ends(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    """The points at the end of an epoch."""
    return [point for point in curve if float(point.epoch).is_integer()]


def best_by_loss(curve: Sequence[CurvePoint]) -> int | None:
    """The epoch with the lowest validation loss at its end; the earlier of equals. None where none was measured."""
    measured = [point for point in ends(curve) if point.val_loss is not None]
    return round(min(measured, key=lambda p: (p.val_loss, p.epoch)).epoch) if measured else None


def best_by_recall(curve: Sequence[CurvePoint]) -> int | None:
    """The epoch with the highest recall at its end; of equals the one that loss chose, else the earlier.

    A recall of 0 throughout prefers no epoch, and must not be told as if it spoke against the one that was kept.
    """
    kept = best_by_loss(curve)
    measured = [point for point in ends(curve) if point.recall is not None]
    if not measured:
        return None
    return round(min(measured, key=lambda p: (-(p.recall or 0.0), p.epoch != kept, p.epoch)).epoch)


def refuse_divergence(
    loss: float, curve: Sequence[CurvePoint], step: int, steps: int, reduction: str = "row_mean"
) -> None:
    """Raises Diverged where the loss is no number or has exploded. A sum over targets compares with no mean loss."""
    lowest = min((p.val_loss for p in curve if p.val_loss is not None), default=loss)
    exploded = reduction != "sum" and loss > GUESSING and loss > EXPLODED * lowest
    if exploded or not math.isfinite(loss):
        raise Diverged(
            f"the loss became {loss:.3g} at step {step} of {steps}. Lower lr (a third of it is a good next try), "
            "raise batch_size, or set optimizer.clip=1.0. What was learned before is kept."
        )
