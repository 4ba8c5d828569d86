"""Successive halving by pausing: at each rung the better trials go on, the others wait beside their slot for their turn.

Asynchronous (ASHA, arXiv 1810.05934): no trial waits for a whole cohort. Values only fall from rung to rung (a trial's
value is its best so far), and the best of a rung always goes on, so the winner is a trial that ran its full length.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from byheart.errors import Problem

WHERE = "hydra.sweeper.halving"
EXAMPLE = f"{WHERE}={{after:[1,2],keep:0.5}}"


@dataclass(frozen=True)
class Halving:
    """At the end of each epoch in `after`, the share `keep` of the trials that came so far goes on."""

    after: tuple[int, ...]
    keep: float = 0.5

    @classmethod
    def read(cls, raw: Any) -> "tuple[Halving | None, list[Problem]]":
        if raw is None:
            return None, []
        if not isinstance(raw, Mapping) or not set(raw) <= {"after", "keep"} or "after" not in raw:
            return None, [Problem("must say after which epochs, and which share stays", WHERE, str(raw), EXAMPLE)]
        after = raw["after"] if isinstance(raw["after"], list | tuple) else [raw["after"]]
        keep, problems = raw.get("keep", 0.5), []
        if not after or any(isinstance(e, bool) or not isinstance(e, int) or e < 1 for e in after):
            problems.append(Problem("must be whole epochs of at least 1", f"{WHERE}.after", str(raw["after"]), EXAMPLE))
        if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep < 1:
            problems.append(Problem("must lie between 0 and 1", f"{WHERE}.keep", str(keep), EXAMPLE))
        return (None, problems) if problems else (cls(tuple(sorted({*after})), float(keep)), [])


class Rungs:
    """Who reached which rung with what value; lower is better unless `maximize`."""

    def __init__(self, halving: Halving, maximize: bool):
        self.halving, self.sign = halving, -1.0 if maximize else 1.0
        self.reached: dict[int, dict[int, float]] = {epoch: {} for epoch in halving.after}
        self.waits: dict[int, int] = {}  # trial -> the rung it is held at

    def reaches(self, number: int, epoch: int, value: float) -> bool:
        """Whether a trial goes on at the end of this epoch."""
        if epoch not in self.reached:
            return True
        self.reached[epoch][number] = self.sign * value
        if self._is_good(number, epoch):
            return True
        self.waits[number] = epoch
        return False

    def over(self, number: int, values: Mapping[int, float]) -> None:
        """A trial ended by itself (its upturn, its last epoch): it counts at the rungs it went past, or would have."""
        for epoch, value in values.items():
            if epoch in self.reached:
                self.reached[epoch].setdefault(number, self.sign * value)

    def lost(self, number: int) -> None:
        """A trial failed: those below it move up."""
        for rung in self.reached.values():
            if number in rung:
                rung[number] = math.inf

    def next(self, held: Iterable[int]) -> int | None:
        """The best of the held trials that have become good enough."""
        good = [n for n in held if self._is_good(n, self.waits[n])]
        best = min(good, key=lambda n: (-self.waits[n], self.reached[self.waits[n]][n], n), default=None)
        if best is not None:
            del self.waits[best]
        return best

    def said(self, number: int) -> str:
        epoch = self.waits[number]
        rung = self.reached[epoch]
        return f"halved: {self._room(epoch)} of {len(rung)} went on after epoch {epoch}"

    def _is_good(self, number: int, epoch: int) -> bool:
        rung = self.reached[epoch]
        mine = (rung[number], number)
        return sum((value, other) < mine for other, value in rung.items()) < self._room(epoch)

    def _room(self, epoch: int) -> int:
        return max(1, int(len(self.reached[epoch]) * self.halving.keep))
