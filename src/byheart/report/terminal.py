"""The listener that shows a run in the terminal: stages, progress, the curve as it grows, and the results at the end.

On a terminal it shows a progress bar with the time left, and the curve below it. In a file or a CI log it writes plain
lines, and progress every ten seconds at most.
"""

import io
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from byheart.progress import Advanced, Checked, Event, LedgerWritten, Said, StageBegan, StageEnded, Warned
from byheart.records import CurvePoint, Json, Value
from byheart.report.asking import estimate_line, estimate_lines, ledger_tables
from byheart.report.next_steps import ask_others, from_here, how_to_find_byheart, learn_line
from byheart.report.probes import KNOWN, LEARNED, OUTCOMES, UNASKED, accepted, cut, exam, outcome, result, told
from byheart.report.tables import MODELS, SPECIAL, entry, forgetting, lines, printable
from byheart.results import Estimated, EvaluateResult, ExpandResult, LearnResult, SweepResult

if TYPE_CHECKING:
    from rich.console import Group
    from rich.progress import Progress
    from rich.text import Text

WIDTH = 80
PAUSE = 10.0  # seconds between two progress lines where there is no terminal
BLOCKS = "▁▂▃▄▅▆▇█"


class Bar:
    """How far a long stage is, with the time left; below it the curve as it grows."""

    def __init__(self, terminal: "Terminal", label: str):
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.terminal, self.label = terminal, label
        self.said = time.monotonic()
        self.first: tuple[int, float] | None = None  # the first report of finished work: how much, and when
        self.progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(compact=True),
            console=terminal.console,
        )
        self.task = self.progress.add_task(label, total=None)
        self.curve: Text | None = None
        self.detail = ""
        self.live = Live(console=terminal.console, get_renderable=self._both, transient=True, refresh_per_second=4)
        if terminal.alive:
            self.live.start()

    def close(self) -> None:
        if self.terminal.alive:
            self.live.stop()
            if self.curve:  # the live one goes with the bar; the last one stays
                self.terminal.console.print(self.curve)

    def reach(self, done: int, total: int | None, detail: str = "") -> None:
        self.detail = detail
        self.progress.update(self.task, completed=done, total=total)
        if not done:
            return
        now = time.monotonic()
        if self.first is None:  # of a batch, or in the middle of a resumed run: the pace counts from there
            self.first = done, now
        before, began = self.first
        if not self.terminal.alive and now - self.said >= PAUSE and total and done > before:
            left = (now - began) / (done - before) * (total - done)
            label = f"{self.label}: {detail}" if detail else self.label
            self.terminal.say(f"  {label} {done}/{total}, {clock(left)} left")
            self.said = now

    def _both(self) -> "Group | Progress":
        from rich.console import Group
        from rich.text import Text

        # As text, not as markup: a server's own words may hold "[/...]", which rich would choke on.
        detail = Text(printable(f"  {self.detail}")) if self.detail else None
        return Group(self.progress, *filter(None, (detail, self.curve)))


class Terminal:
    """Shows the events of a run, and its results. `file` is standard output by default."""

    def __init__(self, file: TextIO | None = None):
        from rich.console import Console

        output = file or sys.stdout
        if file is None and isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="replace")  # a tick must not end a run where the terminal speaks Latin-1
        probe = Console(file=output)
        self.console = Console(
            file=output, highlight=False, width=min(WIDTH, probe.width) if probe.is_terminal else WIDTH
        )
        self.alive = self.console.is_terminal and not self.console.is_dumb_terminal
        self.bar: Bar | None = None
        self.unannounced = ""  # a stage's title that is not in the log yet
        self.told = False  # how the command is found

    def __call__(self, event: Event) -> None:
        match event:
            case StageBegan(title=title):
                self._begin_stage(title)
            case StageEnded():
                self._end_stage(event)
            case Advanced(label, done, total, detail):
                self._bar(label).reach(done, total, detail)
            case Checked(point=point, curve=curve):
                self.curve(point, curve)
            case LedgerWritten(account, names):
                for part in ledger_tables(account, names):
                    self.console.print(part)
            case Estimated(estimate):
                self._indented(estimate_line(estimate), "bold")
            case Said(text):
                self.say(text)
            case Warned(text):
                self.warn(text)

    # -- events -------------------------------------------------------------------------------------------------------

    def _begin_stage(self, title: str) -> None:
        if self.alive:
            self.console.print(f"[dim]· {title} …[/dim]", end="\r")
        else:
            self.unannounced = title

    def _end_stage(self, stage: StageEnded) -> None:
        """One line, and below it what the stage found."""
        self._close_bar()
        self.unannounced = ""
        mark, seconds = "[red]✗[/red]" if stage.failed else "[green]✓[/green]", clock(stage.seconds)
        gap = " " * max(1, self.console.width - len(stage.title) - len(seconds) - 3)
        self.console.print(f"{mark} {stage.title}{gap}[dim]{seconds}[/dim]")
        for note in () if stage.failed else stage.notes:
            self._indented(note)

    def _bar(self, label: str) -> Bar:
        if self.bar is None or self.bar.label != label:
            self._close_bar()
            self.bar = Bar(self, label)
        return self.bar

    def _close_bar(self) -> None:
        bar, self.bar = self.bar, None
        if bar is not None:
            bar.close()

    def curve(self, point: CurvePoint, curve: Sequence[CurvePoint]) -> None:
        """The curve below the progress bar, if there is one; else one line for each check, the losses as a spark line."""
        if self.alive and self.bar and self.console.encoding.startswith("utf"):
            self.bar.curve = _drawn(curve, self.console.width)
            self.bar.live.refresh()
            return
        self._begin()
        losses = [p.val_loss for p in curve if p.val_loss is not None]
        parts = [f"epoch {point.epoch:5.2f}"]
        if point.train_loss is not None:
            parts.append(f"train {point.train_loss:.3f}")
        if point.val_loss is not None:
            parts.append(f"validation {point.val_loss:.3f}")
        parts.append(f"recall {point.recall:.2f}" if point.recall is not None else " " * 11)
        if point.token_accuracy is not None:
            parts.append(f"tokens {point.token_accuracy:.2f}")
        self.console.print(f"  {'  '.join(parts)}  [cyan]{spark(losses[-8:])}[/cyan]")

    def say(self, text: str) -> None:
        self._begin()
        self.console.print(printable(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self._indented(f"! {text}", "yellow")

    def _begin(self) -> None:
        """In a log, a stage that prints more than its last line is announced by its title."""
        if self.unannounced:
            self.console.print(f"· {self.unannounced}")
            self.unannounced = ""

    def _indented(self, text: str, style: str = "dim") -> None:
        from rich.padding import Padding
        from rich.text import Text

        self.console.print(Padding(Text(printable(text), style=style), (0, 0, 0, 2), expand=False))

    # -- results ------------------------------------------------------------------------------------------------------

    def result(self, result: LearnResult | ExpandResult | EvaluateResult | SweepResult) -> None:
        """What a command ends with."""
        match result:
            case LearnResult(estimate=estimate) | ExpandResult(estimate=estimate) if estimate:
                for line in estimate_lines(estimate):
                    self.say(line)
                self._start("Start it:", result.folder)
            case LearnResult(state="finished"):
                self.scores(result.scores, result.answers)
                for line in result.learning:
                    self._indented(line)
                self.probes(result.answers)
                self.say(f"\nreport   {result.report}\nadapter  {result.adapter}")
                self.next_steps(*((step["why"], step["command"]) for step in result.next_steps))
            case LearnResult():
                self.say(f"Stopped. The adapter so far is in {result.adapter}.")
                resume = shlex.join(["byheart", "learn", f"resume={from_here(result.folder)}"])
                score = shlex.join(["byheart", "evaluate", f"run={from_here(result.folder)}"])
                self.next_steps(("Continue:", resume), ("Score it as it is:", score))
            case ExpandResult():
                self.say(f"\nexamples  {result.folder / 'examples.jsonl'}\nledger    {result.ledger}")
                self._start("Train on such examples (what a teacher wrote is not paid again):", result.folder)
            case EvaluateResult(folder, scores):
                self.scores(scores, result.answers)
                self.probes(result.answers)
                self.say(f"\nscores   {folder / 'scores.json'}\nanswers  {folder / 'answers.jsonl'}")
                self.next_steps(ask_others(folder.parent.parent))
            case SweepResult(folder, overrides, scored):
                if scored is not None:
                    self.result(scored)
                self.say(f"\nbest     {shlex.join(overrides)}\nagain    {folder / 'best.yaml'}")
                self.say(f"sweep    {folder / 'sweep.html'}")
                self.next_steps(("Train with the best settings:", shlex.join(["byheart", "learn", *overrides])))

    def next_steps(self, *steps: tuple[str, str]) -> None:
        """Each reason with its line to copy; and how the command is found, where the shell does not find it."""
        activate = None if self.told else how_to_find_byheart()
        self.told = True
        first = [("Once in each shell, so that it finds byheart:", activate)] if activate else []
        self.say("")
        for why, command in (*first, *steps):
            self._indented(why)
            self.console.print(f"    {printable(command)}", markup=False, soft_wrap=True)

    def _start(self, why: str, folder: Path) -> None:
        """The line that trains with the settings of a folder in which nothing was trained."""
        from byheart.config.saved import overrides_of

        if (overrides := overrides_of(folder)) is not None:
            self.next_steps((why, learn_line([each for each in overrides if not each.startswith("estimate=")])))

    def scores(self, scores: Json, rows: Sequence[Json] = ()) -> None:
        """The result in words, and the small table: each metric for each condition, with its 95 % interval."""
        from rich.table import Table

        shown = [name for name in MODELS if scores.get(name)]
        below = len(shown) > 3 or self.console.width < WIDTH  # each interval below its value: side by side they wrap
        table = Table(box=None, padding=(0, 1), title_justify="left", header_style="bold")
        table.add_column("")
        for name in shown:
            table.add_column(MODELS[name], justify="right", style="bold" if name == "tuned" else "")
        found = [line for line in lines(scores) if line.metric not in SPECIAL]
        for line in found:
            table.add_row(line.label, *(_cell(line.values.get(name), below) for name in shown))
        count = max((line.count for line in found if line.metric != "perplexity_ratio"), default=0)
        what = "of your questions" if scores.get("probes") == "questions" else "held-out questions"
        self.console.print(f"\n[bold]Scores[/bold]  {count} {what}; 95 % intervals")
        if answered := result(rows):
            for sentence in answered.sentences:
                self._indented("".join(sentence), "bold")
        self.console.print(table)
        if gain := entry(scores, "paired", scores.get("headline", "")):
            change = f"{gain.value:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})"
            self.console.print(f"  tuned minus untuned, question by question: {change}")
        if untaught := entry(scores.get("untaught", {}), "tuned", "contains"):
            share = f"{untaught.value:.2f} of {untaught.count} answers are right"
            self.console.print(f"  on facts held out whole (not in any training row): {share}")
        for name in ("tuned", "retrained"):
            if (ratio := entry(scores, name, "perplexity_ratio")) and (verdict := forgetting(scores, name)):
                whom = "" if name == "tuned" else " (retrained)"
                text = f"Forgetting{whom}: {verdict[0]} (general text is {ratio.value:.2f} times as hard to predict); {verdict[1]}."
                self._indented(text, "")

    def probes(self, rows: Sequence[Json], count: int = 10) -> None:
        """`count` probes before and after, each kind of outcome in its true proportion."""
        asked = [row for row in exam(rows) if outcome(row) != UNASKED]
        picked = pick(asked, count)
        if not picked:
            return
        kinds = [outcome(row) for row in asked]
        totals = ", ".join(f"{kinds.count(name)} {name}" for name in OUTCOMES if name in kinds)
        self.console.print(f"\n[bold]{len(picked)} of {len(asked)} probes[/bold], in proportion")
        self._indented(f"all {len(asked)}: {totals}")
        for row in picked:
            kind = outcome(row)
            style = "green" if kind in (LEARNED, KNOWN) else "red"
            self.console.print(f"[{style}]{kind:<12}[/{style}]  ", end="")
            self.say(cut(row["question"], WIDTH - 14))
            answers = {"accepted": cut(accepted(row), WIDTH - 14)}
            answers |= {
                name: told(row, model, WIDTH - 14) for name, model in (("before", "untuned"), ("after", "tuned"))
            }
            for name, text in answers.items():
                self.console.print(f"  [dim]{name:>10}[/dim]  ", end="")
                self.say(text or "–")


def pick(rows: Sequence[Json], count: int) -> list[Json]:
    """Evenly through the probes sorted by outcome, so that each kind keeps its share."""
    order = sorted(rows, key=lambda row: OUTCOMES.index(outcome(row)))
    if len(order) <= count:
        return order
    return [order[round((place + 0.5) * len(order) / count - 0.5)] for place in range(count)]


def _drawn(curve: Sequence[CurvePoint], width: int) -> "Text":
    from rich.text import Text

    from byheart.report.curve import terminal

    lines = [Text.assemble("  ", (left, ""), "  ", (right, "green")) for left, right in terminal(curve, width - 2)]
    return Text("\n").join(lines)


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


def _cell(at: Value | None, below: bool) -> str:
    gap = "\n" if below else " "
    return f"{at.value:.2f}{gap}[dim]{at.low:.2f}–{at.high:.2f}[/dim]" if at else "–"
