"""Successive halving by pausing: at each rung the better trials go on, and the others are paused.

Asynchronous (ASHA, arXiv 1810.05934): no trial waits for a whole cohort. A trial's value at a rung is its best so far, and
the best of a rung always goes on, so the winner is a trial that ran its full length. A paused trial goes on later where
enough worse ones have come to its rung.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from byheart.config.schema import Rule
from byheart.errors import Problem
from byheart.records import CurvePoint
from byheart.sweep.search.results import OBJECTIVES, Outcome
from byheart.training.multi_lora.job import GO_ON, PAUSE
from byheart.training.stopping import MONITORS, watched

WHERE = "hydra.sweeper.halving"
EXAMPLE = f"{WHERE}={{after:[1,2],keep:0.5}}"
RULES = {
    "after": Rule(list[int], "whole epochs of at least 1", lambda epochs: epochs and min(epochs) >= 1, EXAMPLE),
    "keep": Rule(float, "a number above 0 and below 1", lambda share: 0 < share < 1, EXAMPLE),
}


@dataclass(frozen=True)
class Halving:
    """At the end of each epoch in `after`, the share `keep` of the trials that came so far goes on."""

    after: tuple[int, ...]
    keep: float = 0.5

    @classmethod
    def read(cls, raw: object) -> "tuple[Halving | None, list[Problem]]":
        if raw is None:
            return None, []
        if not isinstance(raw, Mapping) or not set(raw) <= {"after", "keep"} or "after" not in raw:
            return None, [Problem("must say after which epochs, and which share stays", WHERE, str(raw), EXAMPLE)]
        after, keep = raw["after"], raw.get("keep", 0.5)
        found = {"after": after if isinstance(after, list | tuple) else [after], "keep": keep}
        problems = [wrong for key, rule in RULES.items() if (wrong := rule.problem(f"{WHERE}.{key}", found[key]))]
        return (None, problems) if problems else (cls(tuple(sorted({*found["after"]})), float(keep)), [])


class Rungs:
    """Which trial reached which rung with what value of the objective. Without `halving` there is no rung."""

    def __init__(self, halving: Halving | None, objective: str):
        self.halving, self.objective = halving or Halving(()), objective
        self.maximize = OBJECTIVES[objective] == "maximize"
        self.reached: dict[int, dict[int, float]] = {epoch: {} for epoch in self.halving.after}  # lower is better
        self.paused: dict[int, int] = {}  # trial -> the rung it is paused at

    def at_check(self, number: int, curve: Sequence[CurvePoint]) -> str:
        """Whether a trial goes on after its latest check, or is paused."""
        point = curve[-1]
        if not self.reached or not float(point.epoch).is_integer() or self.objective not in MONITORS:
            return GO_ON
        values = [v for p, v in watched(self.objective, curve) if float(p.epoch).is_integer()]
        if not values:
            return GO_ON
        return GO_ON if self.reaches(number, round(point.epoch), (max if self.maximize else min)(values)) else PAUSE

    def reaches(self, number: int, epoch: int, value: float) -> bool:
        """Whether a trial goes on at the end of this epoch."""
        if epoch not in self.reached:
            return True
        self.reached[epoch][number] = self._lower_is_better(value)
        if self._is_good(number, epoch):
            return True
        self.paused[number] = epoch
        return False

    def resumes(self, number: int, curve: Sequence[CurvePoint]) -> bool:
        """Whether a trial that an earlier command began goes on at once, or stays paused."""
        for i in range(len(curve)):
            answer = self.at_check(number, curve[: i + 1])
            if answer == GO_ON:
                self.paused.pop(number, None)  # it went past an earlier rung before
        return number not in self.paused

    def ended(self, number: int, outcome: Outcome) -> None:
        """A trial ended by itself (its upturn, its last epoch): it counts at the rungs that it passed, or would have.
        One that was pruned counts only at those that it reached."""
        last = len(outcome.ends) if outcome.state == "pruned" else max(self.reached, default=0)
        for epoch, rung in self.reached.items():
            value = outcome.value(self.objective, epoch)
            if epoch <= last and value is not None:
                rung.setdefault(number, self._lower_is_better(value))

    def failed(self, number: int) -> None:
        """Those below it move up."""
        for rung in self.reached.values():
            if number in rung:
                rung[number] = math.inf

    def next(self, paused: Iterable[int]) -> int | None:
        """The best of the paused trials that have become good enough."""
        good = [n for n in paused if self._is_good(n, self.paused[n])]
        best = min(good, key=lambda n: (-self.paused[n], self.reached[self.paused[n]][n], n), default=None)
        if best is not None:
            del self.paused[best]
        return best

    def reason(self, number: int) -> str:
        """Why a paused trial ends with what it reached."""
        epoch = self.paused[number]
        return f"halved: {self._places(epoch)} of {len(self.reached[epoch])} went on after epoch {epoch}"

    def _is_good(self, number: int, epoch: int) -> bool:
        rung = self.reached[epoch]
        mine = (rung[number], number)
        return sum((value, other) < mine for other, value in rung.items()) < self._places(epoch)

    def _places(self, epoch: int) -> int:
        return max(1, int(len(self.reached[epoch]) * self.halving.keep))

    def _lower_is_better(self, value: float) -> float:
        return -value if self.maximize else value
