"""The live table of a sweep: one line for each trial. Where the output is no terminal, a line when a trial ends."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from textwrap import fill
from typing import TYPE_CHECKING

from byheart.progress import Event
from byheart.report.live import clock
from byheart.report.tables import printable
from byheart.report.terminal import PAUSE, Terminal, spark
from byheart.report.time_left import Calm, about
from byheart.sweep.report import events
from byheart.sweep.report.comparisons import spread
from byheart.sweep.report.selection import cells, sentence
from byheart.sweep.report.tables import result_table
from byheart.sweep.search.results import NAMES, STATES, Outcome
from byheart.sweep.search.space import Params, brief, in_short

if TYPE_CHECKING:
    from rich.console import Group, JustifyMethod
    from rich.live import Live

SPARK = 10  # characters of a curve
WIDTH, OTHERS = 80, 55  # characters of the table, and of its columns other than the parameters
SHOWN = 18  # trials at a time: the live table must fit on a screen
STYLES = {
    "running": "cyan",
    "failed": "red",
    "pruned": "dim",
    "from curve": "dim",
    "interrupted": "yellow",
    "paused": "yellow",
}


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
    first: tuple[float, float] | None = None  # the share at the first report, and when: before it the model was loaded
    began: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> bool:
        return self.state not in ("running", "waiting", "paused", "interrupted")

    def fill(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.losses, self.memory = _finite(loss for _, loss in outcome.checks), outcome.peak_memory
            self.epoch = outcome.checks[-1][0] if outcome.checks else self.epoch
            self.seconds = 0.0 if outcome.source is not None else outcome.seconds


class LiveTable:
    """Listens to a sweep: shows its trials as a table, its result as another, and all other events as the terminal does."""

    def __init__(self, terminal: Terminal):
        self.terminal = terminal
        self.objective, self.maximize, self.wanted = "", False, 0  # set when the sweep begins
        self.lines: dict[int, Line] = {}
        self.live: Live | None = None
        self.calm, self.logged_at = Calm(), time.monotonic()  # when a log got the last line on the whole sweep

    def __call__(self, event: Event) -> None:
        match event:
            case events.SweepBegan():
                self._begin(event)
            case events.TrialBegan(number, params, state):
                self.lines[number] = Line(number, params, state)
                self._show()
            case events.TrialChanged(number, state):
                self.lines[number].state = state
            case events.TrialAdvanced(number, share):
                line = self.lines[number]
                line.share, line.first = share, line.first or (share, time.monotonic())
            case events.TrialChecked(number, curve):
                line, last = self.lines[number], curve[-1]
                line.epoch, line.losses = last.epoch, _finite(point.val_loss for point in curve)
                line.seconds, line.memory = last.seconds, max(line.memory, last.peak_memory)
            case events.TrialEnded(number):
                line = self.lines[number]
                line.state, line.value, line.reason = event.state, event.value, event.reason
                line.fill(event.outcome)
                self.calm.shown = None  # a trial that ended early shortens the rest at once
                if not self.terminal.alive:
                    self.terminal.say(self.summary(line))
                    if time.monotonic() - self.logged_at >= PAUSE:
                        self.terminal.say(f"  {self.foot()}")
                        self.logged_at = time.monotonic()
            case events.TrialsEnded():
                if self.live is not None:
                    self.live.stop()
            case events.TrialChosen():
                self._choose(event)
            case _:
                self.terminal(event)

    def _begin(self, began: events.SweepBegan) -> None:
        setup, self.wanted = began.setup, began.wanted
        self.objective, self.maximize = setup.sweep.objectives[0], setup.sweep.directions[0] == "maximize"
        for trial in began.ended:
            state = trial.outcome.state if trial.outcome and trial.state == "complete" else trial.state
            self.lines[trial.number] = line = Line(trial.number, trial.params, state, value=trial.value)
            line.fill(trial.outcome)
        over = f"{self.wanted} trials over {', '.join(setup.space.distributions)}"
        self.terminal.say(f"Sweep {setup.name}: {over}; compared by {NAMES[self.objective]}")
        if (limit := setup.sweep.n_trials) and limit > self.wanted:
            self.terminal.say(f"  n_trials={limit}, but there are only {self.wanted} combinations")
        if began.ended:
            self.terminal.say(f"  {len(began.ended)} of them are there already: the study continues")

    def _show(self) -> None:
        if self.live is None and self.terminal.alive:
            from rich.live import Live

            console = self.terminal.console
            self.live = Live(console=console, get_renderable=self.table, transient=True, refresh_per_second=2)
            self.live.start()

    def _choose(self, event: events.TrialChosen) -> None:
        """The results of all trials, and which one was chosen."""
        results, chosen, console = cells(event.setup, event.trials), event.chosen, self.terminal.console
        console.print()
        name = NAMES[event.setup.sweep.objectives[0]]
        self.terminal.say(sentence(name).removesuffix("."))
        console.print(result_table(results, chosen.row, console.width))
        if any(cell.after_upturn for cell in results):
            self.terminal.say("  * after the upturn: the value of the best epoch before it")
        failed = [trial for trial in event.trials if trial.state == "failed"]
        for trial in failed[:5]:
            self.terminal.say(f"  trial {trial.number} failed ({in_short(trial.params)}): {trial.reason}")
        self.terminal.say("")
        for line in (chosen.sentence, *(chosen.lead.sentences if chosen.lead else ()), *chosen.notes):
            self.terminal.say(fill(sentence(line), WIDTH - 2, subsequent_indent="  ", break_long_words=False))

    def summary(self, line: Line) -> str:
        """A trial that ended, as one line."""
        value = line.reason or line.state
        if line.value is not None:
            value = f"{NAMES[self.objective]} {line.value:.4f}"
        cost = f"  {clock(line.seconds)}  {line.memory:.2f} GiB" if line.seconds else ""
        state = STATES.get(line.state, line.state)
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
        room = min(self.terminal.console.width, WIDTH) - OTHERS
        keys_in_head = any(len(in_short(line.params)) > room for line in shown)
        keys = " ".join(key.rpartition(".")[2] for key in shown[0].params) if shown and keys_in_head else "parameters"
        for head, right, least, most in (
            ("#", True, 2, None), (keys, False, None, room), ("epoch", True, 5, None), ("validation", False, 10, None),
            ("state", False, 12, None), ("value", True, 8, None), ("time", True, 5, None),
            ("GiB", True, 4, None),
        ):  # fmt: skip
            side: JustifyMethod = "right" if right else "left"
            table.add_column(head, justify=side, no_wrap=True, overflow="ellipsis", min_width=least, max_width=most)
        for line in shown:
            state = line.reason or STATES.get(line.state, line.state)
            if line.state == "running":
                state = f"running {line.share:.0%}"
            style = "green" if line is best else STYLES.get(line.state, "")
            seconds = time.monotonic() - line.began if line.state == "running" else line.seconds
            params = " ".join(map(brief, line.params.values())) if keys_in_head else in_short(line.params)
            cells = [str(line.number), params, f"{line.epoch:.3g}" if line.epoch else "",
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
        if (left := self.calm.show(self.left(), time.monotonic())) is not None:
            parts.append(f"about {about(left)} left")
        return "; ".join(parts)

    def left(self) -> float | None:
        """Estimated seconds left, from the trials trained so far and those that run."""
        running = [line for line in self.lines.values() if line.state == "running"]
        rest, whole = [], []  # of each that runs; of each that ran or runs, from its first step to its last
        for line in running:
            before, began = line.first or (0.0, 0.0)
            if line.first is not None and line.share > before:
                pace = (time.monotonic() - began) / (line.share - before)
                rest.append(pace * (1 - line.share))
                whole.append(pace)
        ended = [line for line in self.lines.values() if line.ended]
        whole += [line.seconds for line in ended if line.seconds]
        if not whole:
            return None
        to_come = max(0, self.wanted - len(ended) - len(running)) * sum(whole) / len(whole)
        return max(max(rest, default=0.0), (sum(rest) + to_come) / max(1, len(running)))

    def _shown(self) -> list[Line]:
        """The running trials, the best, and the latest of the others."""
        lines = sorted(self.lines.values(), key=lambda line: line.number)
        lines = [line for line in lines if line.state != "waiting"]
        best = self.best()
        first = [line for line in lines if line.state == "running" or line is best]
        rest = [line for line in lines if line not in first][-max(0, SHOWN - len(first)) :]
        return sorted([*first[:SHOWN], *rest], key=lambda line: line.number)


def _finite(losses: Iterable[float | None]) -> list[float]:
    return [loss for loss in losses if loss is not None and math.isfinite(loss)]


def short(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}" if hours else f"{minutes}m{rest:02d}" if minutes else f"{rest}s"
