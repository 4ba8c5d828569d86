"""The time left of a whole run, from the speed of the stage under way and what is known of the stages after it."""

import math
import time
from collections.abc import Callable

from byheart.progress import Advanced, StageBegan

MEASURED_S = 3.0  # seconds, and ITEMS, from which a speed is measured
ITEMS = 3
CALM_S = 10.0  # a new estimate is followed within about this time


class Calm:
    """An estimate of seconds as it is shown: it counts down, follows new estimates smoothly, and is never negative."""

    def __init__(self) -> None:
        self.shown: float | None = None
        self.at = 0.0

    def show(self, estimate: float | None, now: float) -> float | None:
        """What to show for the newest estimate; None: nothing can be said."""
        if estimate is None or self.shown is None:
            self.shown = estimate
        else:
            passed = now - self.at
            counted = self.shown - passed
            self.shown = max(0.0, counted + (estimate - counted) * (1 - math.exp(-passed / CALM_S)))
        self.at = now
        return self.shown


class TimeLeft:
    """Hears where a run stands, and tells how long it will go on."""

    def __init__(self, clock: Callable[[], float] = lambda: time.monotonic()):
        self.clock, self.calm = clock, Calm()
        self.begin(StageBegan("", ""))

    def begin(self, stage: StageBegan) -> None:
        self.stage, self.began = stage, self.clock()
        self.counted = Advanced("", 0, None)
        self.first: tuple[int, float] | None = None  # the first report of finished work: how much, and when
        self.last = self.began
        self.calm.shown = None  # a stage that ended early shortens the rest at once

    def advance(self, counted: Advanced) -> None:
        if counted.label != self.counted.label or counted.total != self.counted.total:
            self.first = None
        self.counted, self.last = counted, self.clock()
        if (
            counted.done and self.first is None
        ):  # of a batch, or in the middle of a resumed run: the speed counts from there
            self.first = counted.done, self.last

    @property
    def elapsed(self) -> float:
        """Of the stage."""
        return self.clock() - self.began

    def of_part(self) -> float | None:
        """Seconds until what is counted is done."""
        now, total = self.clock(), self.counted.total
        left = None
        if self.first is not None and total is not None:
            done, passed = self.counted.done - self.first[0], self.last - self.first[1]
            if done >= min(ITEMS, total - self.first[0]) and passed >= MEASURED_S:
                left = passed / done * (total - self.counted.done) - (now - self.last)
        return _least(left, self._in(self.counted.seconds_left, self.last))

    def of_run(self) -> float | None:
        """Seconds until the end of the run, as they are to be shown; None while that is not known."""
        stage, part = self.stage, self.of_part()
        if stage.expected is not None:
            part = max(part or 0.0, stage.expected - self.elapsed)
        whole = None if part is None or stage.later is None or not stage.count else max(0.0, part) + stage.later
        budget = self._in(stage.budget_left, self.began)
        return self.calm.show(_least(whole, budget if budget and budget > 0 else None), self.clock())

    @property
    def at_most(self) -> bool:
        """Whether the run may end earlier than that."""
        known = self.stage.later is not None and (self.of_part() is not None or self.stage.expected is not None)
        return self.counted.at_most or not known

    def told(self) -> str:
        """One phrase on the time left, of the run or at least of what is counted; "" where nothing can be said."""
        if (left := self.of_run()) is not None:
            return f"{'up to' if self.at_most else 'about'} {about(left)} left"
        part = self.of_part()
        return f"about {about(max(0.0, part))} left in this stage" if part is not None else ""

    def _in(self, seconds: float | None, said: float) -> float | None:
        return None if seconds is None else seconds - (self.clock() - said)


def _least(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)


def about(seconds: float) -> str:
    """Rounded so that the last digit is worth saying: 5 s, 40 s, 4 min 20 s, 12 min, 1 h 25 min."""
    if seconds < 57.5:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 295:
        minutes, rest = divmod(10 * round(seconds / 10), 60)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
