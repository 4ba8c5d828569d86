"""The stage under way in the terminal: which of how many, how far it is, the time left of the run, and the curve."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from byheart.progress import Advanced, StageBegan
from byheart.records import CurvePoint
from byheart.report.plot import plot
from byheart.report.tables import printable
from byheart.report.time_left import TimeLeft

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

BAR, PER_SECOND = 28, 4


class Stage:
    """What is known of the stage under way. On a terminal it is drawn again and again, and goes when it is closed."""

    def __init__(self, began: StageBegan, console: "Console", alive: bool):
        self.began, self.console, self.alive = began, console, alive
        self.unicode = console.encoding.startswith("utf")
        self.time, self.counted = TimeLeft(), Advanced("", 0, None)
        self.time.begin(began)
        self.curve: Text | None = None
        self.live = self._started() if alive else None

    def _started(self) -> "Live":
        from rich.live import Live

        live = Live(console=self.console, get_renderable=self.drawn, transient=True, refresh_per_second=PER_SECOND)
        live.start()
        return live

    @property
    def heading(self) -> str:
        """ "3 of 7 · Scoring the untuned model"."""
        number, count = self.began.number, self.began.count
        return f"{number} of {count} · {self.began.title}" if number else self.began.title

    def advance(self, counted: Advanced) -> None:
        self.counted = counted
        self.time.advance(counted)

    def draw_curve(self, points: Sequence[CurvePoint]) -> None:
        from rich.text import Text

        lines = plot(points, self.console.width - 2, self.unicode)
        self.curve = Text("\n").join(Text.assemble("  ", *line) for line in lines)
        if self.live is not None:
            self.live.refresh()

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None
            if self.curve:  # the live one goes with the stage; the last one stays
                self.console.print(self.curve)

    def line(self) -> str:
        """How far it is, for a log; "" where nothing is counted yet."""
        counted = self.counted
        if counted.total is None:
            return ""
        label = f"{counted.label}: " if counted.label else ""
        words = [f"{label}{amount(counted)}", counted.detail, self.time.told()]
        return ", ".join(filter(None, words))

    def drawn(self) -> "Group":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        parts: list[Text | Table] = []
        if self.began.title:
            right = self.time.told() or clock(self.time.elapsed)
            room = self.console.width - len(right) - 1
            head = Text(printable(self.heading)[:room], style="bold")
            parts.append(Text.assemble(head, " " * (room + 1 - len(head)), (right, "dim")))
        counted = self.counted
        if counted != Advanced("", 0, None):
            row = Table.grid(padding=(0, 1))
            width = BAR if self.console.width > 2 * BAR + 16 else BAR // 2
            bar = ProgressBar(counted.total, counted.done, width=width, pulse=counted.total is None)
            words = [amount(counted), counted.detail if len(counted.detail) < BAR else ""]
            row.add_row("", Text(counted.label), bar, Text(printable(" · ".join(filter(None, words)))))
            parts.append(row)
            if len(counted.detail) >= BAR:
                # As text, not as markup: a server's own words may hold "[/...]", which rich would choke on.
                parts.append(Text(printable(f"  {counted.detail}")))
        if self.curve:
            parts.append(self.curve)
        return Group(*parts)


def amount(counted: Advanced) -> str:
    """ "183 of 366 steps"."""
    unit = f" {counted.unit}" if counted.unit else ""
    if counted.total is None:
        return f"{counted.done:,}{unit}" if counted.done else ""
    return f"{counted.done:,} of {'at most ' if counted.at_most else ''}{counted.total:,}{unit}"


def clock(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
