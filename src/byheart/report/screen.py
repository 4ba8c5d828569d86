"""What the terminal shows while a run goes on: stages, progress, the curve as it grows, and the scores at the end.

On a terminal it is alive; into a file or a CI log it writes plain lines, and progress every ten seconds at most.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from byheart.errors import Problem
from byheart.types import CurvePoint

WIDTH = 80
PAUSE = 10.0  # seconds between two progress lines where there is no terminal
BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = {"untuned": "untuned", "open_book": "open book", "tuned": "tuned", "retrained": "retrained"}
METRICS = {
    "choice_norm": "right option, per token",
    "choice": "right option, in sum",
    "margin": "its margin",
    "choice_norm_blind": "the same, no question",
    "exact_match": "exact match",
    "f1": "F1",
    "contains": "contains answer",
    "perplexity_ratio": "general text, × worse",
}


class Bar:
    """Where a long stage stands. Knows its end late: `reach` may name it."""

    def __init__(self, screen: "Screen", total: int | None, label: str):
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.screen, self.total, self.label = screen, total, label
        self.began = self.said = time.monotonic()
        self.first: int | None = None
        self.live = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(compact=True),
            console=screen.console,
            transient=True,
            disable=not screen.console.is_terminal,
        )
        self.task = self.live.add_task(label, total=total)

    def reach(self, done: int, total: int | None = None) -> None:
        self.total = total or self.total
        if self.first is None:  # a resumed run begins in the middle: the pace counts from there
            self.first = done - 1
        self.live.update(self.task, completed=done, total=self.total)
        now = time.monotonic()
        if not self.screen.console.is_terminal and now - self.said >= PAUSE and self.total:
            left = (now - self.began) / max(1, done - self.first) * (self.total - done)
            self.screen.say(f"  {self.label} {done}/{self.total}, {clock(left)} left")
            self.said = now


class Screen:
    """The screen of a run. `file` is standard output unless a test says otherwise."""

    def __init__(self, file: Any = None):
        from rich.console import Console

        output = file or sys.stdout
        probe = Console(file=output)
        self.console = Console(
            file=output, highlight=False, width=min(WIDTH, probe.width) if probe.is_terminal else WIDTH
        )

    @contextmanager
    def stage(self, title: str) -> Iterator[Any]:
        """Yields the function that notes what came of the stage; prints one line when it is over."""
        began = time.monotonic()
        notes: list[str] = []
        if self.console.is_terminal:
            self.console.print(f"[dim]· {title} …[/dim]", end="\r")
        yield notes.append
        seconds = clock(time.monotonic() - began)
        head = f"✓ {title}"
        self.console.print(
            f"[green]✓[/green] {title}{' ' * max(1, WIDTH - len(head) - len(seconds))}[dim]{seconds}[/dim]"
        )
        for note in notes:
            if note:
                self._indented(note)

    @contextmanager
    def progress(self, total: int | None, label: str) -> Iterator[Bar]:
        bar = Bar(self, total, label)
        with bar.live:
            yield bar

    def curve(self, point: CurvePoint, curve: Sequence[CurvePoint]) -> None:
        """One line a check; the losses so far as a spark line."""
        losses = [p.val_loss for p in curve if p.val_loss is not None]
        parts = [f"epoch {point.epoch:5.2f}"]
        if point.train_loss is not None:
            parts.append(f"train {point.train_loss:.3f}")
        if point.val_loss is not None:
            parts.append(f"validation {point.val_loss:.3f}")
        parts.append(f"recall {point.recall:.2f}" if point.recall is not None else " " * 11)
        self.console.print(f"  {'  '.join(parts)}  [cyan]{spark(losses[-20:])}[/cyan]")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        from rich.padding import Padding
        from rich.text import Text

        self.console.print(Padding(Text(f"! {text}", style="yellow"), (0, 0, 0, 2)))

    def scores(self, scores: Mapping[str, Any]) -> None:
        """The small table: each metric for each condition, with its 95 % interval and count."""
        from rich.table import Table

        shown = [name for name in COLUMNS if scores.get(name)]
        table = Table(box=None, padding=(0, 1), title_justify="left", header_style="bold")
        table.add_column("")
        for name in shown:
            table.add_column(COLUMNS[name], justify="right", style="bold" if name == "tuned" else "")
        count = 0
        for metric, words in METRICS.items():
            cells = [scores[name].get(metric) for name in shown]
            if any(cells):
                table.add_row(words, *(_cell(cell) for cell in cells))
                count = max([count, *(cell["count"] for cell in cells if cell and metric != "perplexity_ratio")])
        what = "your questions" if scores.get("probes") == "questions" else "held-out phrasings"
        self.console.print(f"\n[bold]What it knows[/bold]  {count} {what}; 95 % intervals")
        self.console.print(table)
        paired = scores.get("paired", {}).get(scores.get("headline", ""))
        if paired:
            low, high = paired["low"], paired["high"]
            self.console.print(
                f"  tuned minus untuned, question by question: {paired['value']:+.2f} ({low:+.2f} to {high:+.2f})"
            )

    def probes(self, rows: Sequence[Mapping[str, Any]], count: int = 10) -> None:
        """`count` probes before and after: learned, still wrong and forgotten in their true proportion."""
        picked = pick(rows, count)
        if picked:
            self.console.print(f"\n[bold]{len(picked)} of {len(rows)} probes[/bold], before and after")
        for row in picked:
            mark = "[green]✓[/green]" if row.get("tuned_right") else "[red]✗[/red]"
            self.console.print(f"{mark} ", end="")
            self.say(_cut(row["question"], WIDTH - 3))
            wanted = row["accepted"][0] if row["accepted"] else ""
            for name, text in (("accepted", wanted), ("before", _said(row, "untuned")), ("after", _said(row, "tuned"))):
                self.console.print(f"  [dim]{name:>8}[/dim]  ", end="")
                self.say(_cut(text, WIDTH - 13))

    def closing(self, page: Path, adapter: Path) -> None:
        self.console.print()
        self.say(f"report   {page}")
        self.say(f"adapter  {adapter}")

    def problems(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            self.say(str(problem))

    def _indented(self, text: str) -> None:
        from rich.padding import Padding
        from rich.text import Text

        self.console.print(Padding(Text(text, style="dim"), (0, 0, 0, 2)))


def pick(rows: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Evenly through the probes sorted by how they changed, so that no kind is over- or understated."""
    judged = [row for row in rows if row.get("tuned_right") is not None]
    order = sorted(judged, key=lambda row: (not row["tuned_right"], bool(row.get("untuned_right"))))
    if len(order) <= count:
        return order
    return [order[round((place + 0.5) * len(order) / count - 0.5)] for place in range(count)]


def spark(values: Sequence[float]) -> str:
    """The values as a line of blocks, lowest to highest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(BLOCKS[round((value - low) * scale)] for value in values)


def clock(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _cell(value: Mapping[str, Any] | None) -> str:
    if not value:
        return "–"
    return f"{value['value']:.2f} [dim]{value['low']:.2f}–{value['high']:.2f}[/dim]"


def _said(row: Mapping[str, Any], name: str) -> str:
    option = row.get(f"{name}_option")
    return str(option if option is not None else row.get(name) or "")


def _cut(text: str, width: int) -> str:
    flat = " ".join(str(text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
