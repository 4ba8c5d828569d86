"""The live table of a sweep: one line for each trial. Where the output is no terminal, a line when a trial ends."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from byheart.records import CurvePoint
from byheart.report.tables import printable
from byheart.report.terminal import Terminal, clock, spark
from byheart.sweep.search.results import Outcome
from byheart.sweep.search.space import Params
from byheart.sweep.search.study import TrialRecord

if TYPE_CHECKING:
    from rich.console import Group, JustifyMethod
    from rich.live import Live

Number = TypeVar("Number", int, float)
SPARK = 10  # characters of a curve
WIDTH, OTHERS = 80, 55  # characters of the table, and of its columns beside the parameters
SHOWN = 18  # trials at a time: the live table must fit on a screen
STYLES = {
    "running": "cyan",
    "failed": "red",
    "pruned": "dim",
    "known": "dim",
    "interrupted": "yellow",
    "paused": "yellow",
}
WORDS = {"upturn": "turned", "budget": "done", "finished": "done", "known": "from curve", "interrupted": "queued again"}
GOING_ON = ("running", "waiting", "paused")


@dataclass
class Line:
    """One trial as it is shown."""

    number: int
    params: Params
    state: str
    epoch: float = 0.0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    memory: float = 0.0
    value: float | None = None
    reason: str = ""
    share: float = 0.0  # of its steps done
    before: float | None = None  # of its steps that an earlier command did
    began: float = field(default_factory=time.monotonic)
    elsewhere: bool = False  # another worker trains it

    @property
    def unfinished(self) -> bool:
        return self.state in GOING_ON

    @property
    def ended(self) -> bool:
        return self.state not in (*GOING_ON, "interrupted")

    def fill(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.losses, self.memory = _finite(loss for _, loss in outcome.checks), outcome.peak_memory
            self.epoch = outcome.checks[-1][0] if outcome.checks else self.epoch
            self.seconds = 0.0 if outcome.source is not None else outcome.seconds


class LiveTable:
    """Trials by number; `wanted` is how many end the sweep."""

    def __init__(self, screen: Terminal, objective: str, maximize: bool, wanted: int):
        self.screen, self.objective, self.maximize, self.wanted = screen, objective, maximize, wanted
        self.lines: dict[int, Line] = {}
        self.live: Live | None = None
        self.slots = 1

    def __enter__(self) -> "LiveTable":
        if self.screen.alive:
            from rich.live import Live

            self.live = Live(
                console=self.screen.console, get_renderable=self.table, transient=True, refresh_per_second=2
            )
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live is not None:
            self.live.stop()

    # -- events -----------------------------------------------------------------------------------------------------

    def remember(self, trial: TrialRecord) -> None:
        """A trial that ended before this command began."""
        state = trial.outcome.state if trial.outcome and trial.state == "complete" else trial.state
        self.lines[trial.number] = line = Line(trial.number, trial.params, state, value=trial.value)
        line.fill(trial.outcome)

    def starts(self, number: int, params: Params, state: str, elsewhere: bool = False) -> None:
        self.lines[number] = Line(number, params, state, elsewhere=elsewhere)

    def set_state(self, number: int, state: str) -> None:
        """`paused` or `running`."""
        self.lines[number].state = state

    def steps(self, number: int, step: int, steps: int) -> None:
        self.reaches(number, step / max(1, steps), max(0.0, (step - 1) / max(1, steps)))

    def reaches(self, number: int, share: float, before: float) -> None:
        """The share of a trial that is done, and the share that was done `before` this command."""
        line = self.lines[number]
        line.share = share
        line.before = before if line.before is None else line.before

    def checks(self, number: int, curve: Sequence[CurvePoint]) -> None:
        line, last = self.lines[number], curve[-1]
        line.epoch, line.losses = last.epoch, _finite(point.val_loss for point in curve)
        line.seconds, line.memory = last.seconds, max(line.memory, last.peak_memory)

    def ends(self, number: int, state: str, value: float | None, outcome: Outcome | None, reason: str = "") -> None:
        line = self.lines[number]
        line.state, line.value, line.reason = state, value, reason
        line.fill(outcome)
        if not self.screen.alive:
            self.say(self.summary(line))

    def say(self, text: str) -> None:
        self.screen.say(text)

    # -- drawing ----------------------------------------------------------------------------------------------------

    def summary(self, line: Line) -> str:
        """A trial that ended, as one line."""
        value = line.reason or line.state
        if line.value is not None:
            value = f"{self.objective.replace('_', ' ')} {line.value:.4f}"
        cost = f"  {clock(line.seconds)}  {line.memory:.2f} GiB" if line.seconds else ""
        state = WORDS.get(line.state, line.state)
        words = (
            f"{line.number:>4}  {in_short(line.params)}  {spark(spread(line.losses, SPARK))}  {state}  {value}{cost}"
        )
        best = self.best()
        return words + ("  best so far" if best is line and line.value is not None else "")

    def best(self) -> Line | None:
        valued = [line for line in self.lines.values() if line.value is not None]
        sign = -1 if self.maximize else 1
        return min(valued, key=lambda line: (sign * float(line.value or 0.0), line.number), default=None)

    def table(self) -> "Group":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 1, 0, 0), expand=False, header_style="dim")
        best, shown = self.best(), self._shown()
        room = min(self.screen.console.width, WIDTH) - OTHERS
        brief = any(len(in_short(line.params)) > room for line in shown)  # then the head names the keys, once
        keys = " ".join(key.rpartition(".")[2] for key in shown[0].params) if shown and brief else "parameters"
        for head, right, least, most in (
            ("#", True, 2, None), (keys, False, None, room), ("epoch", True, 5, None), ("validation", False, 10, None),
            ("state", False, 12, None), (self.objective.replace("_", " "), True, 8, None), ("time", True, 5, None),
            ("GiB", True, 4, None),
        ):  # fmt: skip
            side: JustifyMethod = "right" if right else "left"
            table.add_column(head, justify=side, no_wrap=True, overflow="ellipsis", min_width=least, max_width=most)
        for line in shown:
            state = line.reason or WORDS.get(line.state, line.state)
            if line.state == "running":
                state = f"running {line.share:.0%}"
            style = "green" if line is best else STYLES.get(line.state, "")
            seconds = time.monotonic() - line.began if line.state == "running" else line.seconds
            params = " ".join(map(_brief, line.params.values())) if brief else in_short(line.params)
            cells = [str(line.number), params, f"{line.epoch:g}" if line.epoch else "",
                     spark(spread(line.losses, SPARK)), printable(state)[:14], f"{line.value:.3f}" if line.value is not None else "",
                     short(seconds) if seconds else "", f"{line.memory:.2f}" if line.memory else ""]  # fmt: skip
            table.add_row(*(Text(cell) for cell in cells), style=style)
        return Group(table, Text(self.foot(), style="dim"))

    def foot(self) -> str:
        """Progress, the best trial so far, and the time left."""
        ended = sum(line.ended for line in self.lines.values())
        parts = [f"{ended} of {self.wanted} trials"]
        if best := self.best():
            parts.append(f"best {best.value:.4f} with {in_short(best.params)}")
        if (left := self.left()) is not None:
            parts.append(f"about {short(left)} left")
        return "; ".join(parts)

    def left(self) -> float | None:
        """Estimated seconds left, from the trials trained so far and those that run."""
        running = [line for line in self.lines.values() if line.state == "running"]
        rest, whole = [], []  # of each that runs; of each that ran or runs, from its first step to its last
        for line in running:
            done = line.share - (line.before or 0.0)
            if done > 0:
                pace = (time.monotonic() - line.began) / done
                rest.append(pace * (1 - line.share))
                whole.append(pace)
        ended = [line for line in self.lines.values() if line.ended]
        whole += [line.seconds for line in ended if line.seconds]
        if not whole:
            return None
        to_come = max(0, self.wanted - len(ended) - len(running)) * sum(whole) / len(whole)
        at_once = self.slots + sum(line.elsewhere for line in running)
        return max(max(rest, default=0.0), (sum(rest) + to_come) / at_once)

    def _shown(self) -> list[Line]:
        """The running trials, the best, and the latest of the others."""
        lines = sorted(self.lines.values(), key=lambda line: line.number)
        lines = [line for line in lines if line.state != "waiting"]
        best = self.best()
        first = [line for line in lines if line.state == "running" or line is best]
        rest = [line for line in lines if line not in first][-max(0, SHOWN - len(first)) :]
        return sorted([*first[:SHOWN], *rest], key=lambda line: line.number)


def in_short(params: Params) -> str:
    """A combination in few characters: the last part of each key, short numbers."""
    return " ".join(f"{key.rpartition('.')[2]}={_brief(value)}" for key, value in params.items())


def _finite(losses: Iterable[float | None]) -> list[float]:
    return [loss for loss in losses if loss is not None and math.isfinite(loss)]


def row_of(params: Params) -> str:
    """The name of a table's row whose columns are epochs or steps."""
    return in_short({key: value for key, value in params.items() if key != "epochs"})


def short(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}" if hours else f"{minutes}m{rest:02d}" if minutes else f"{rest}s"


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def spread(values: Sequence[Number], most: int) -> list[Number]:
    """At most so many of them (two or more), evenly chosen, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
