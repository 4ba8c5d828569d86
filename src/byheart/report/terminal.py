"""The listener that shows a run in the terminal: stages, progress, the curve as it grows, and the results at the end.

On a terminal the stage under way is drawn live (`live.py`). In a file or a CI log there are plain lines, and progress
every ten seconds at most.
"""

import codecs
import io
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from byheart.progress import Advanced, Checked, Event, LedgerWritten, Said, StageBegan, StageEnded, Warned
from byheart.records import CurvePoint, Json, Value
from byheart.report.asking import estimate_line, estimate_lines, ledger_tables
from byheart.report.kinds import HEADLINE, findings, kinds_table
from byheart.report.live import Stage, clock
from byheart.report.next_steps import ask_it, ask_others, from_here, how_to_find_byheart, resume_line
from byheart.report.probes import KNOWN, LEARNED, OUTCOMES, UNASKED, accepted, cut, exam, outcome, result, told
from byheart.report.tables import MODELS, SPECIAL, entry, forgetting, lines, printable
from byheart.results import UNFINISHED, Estimated, EvaluateResult, ExpandResult, LearnResult, SweepResult

WIDTH = 80
PAUSE = 10.0  # seconds between two progress lines where there is no terminal
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "byheart.plain"  # the name of an error handler: what stands for our signs where a terminal has no UTF-8
SIGNS = {"✓": "+", "✗": "x", "…": "...", "–": "-", "·": "-", "×": "x"} | dict(zip(BLOCKS, "___---==", strict=True))


def _signs(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(SIGNS.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN, _signs)


class Terminal:
    """Shows the events of a run, and its results. `file` is standard output by default."""

    def __init__(self, file: TextIO | None = None):
        from rich.console import Console

        output = file or sys.stdout
        if file is None and isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors=PLAIN)  # a tick must not end a run where the terminal speaks Latin-1
        probe = Console(file=output)
        self.console = Console(
            file=output, highlight=False, width=min(WIDTH, probe.width) if probe.is_terminal else WIDTH
        )
        self.alive = self.console.is_terminal and not self.console.is_dumb_terminal
        self.stage: Stage | None = None  # the one under way
        self.unannounced = False  # that it is not in the log yet
        self.logged, self.logged_at = "", time.monotonic()  # the last line on its progress
        self.told = False  # how the command is found

    def __call__(self, event: Event) -> None:
        match event:
            case StageBegan():
                self._begin_stage(event)
            case StageEnded():
                self._end_stage(event)
            case Advanced():
                self._advance(event)
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

    def _begin_stage(self, began: StageBegan) -> None:
        self._close_stage()
        self.stage, self.unannounced = Stage(began, self.console, self.alive), not self.alive
        self.logged_at = time.monotonic()

    def _end_stage(self, stage: StageEnded) -> None:
        """One line, and below it what the stage found."""
        self._close_stage()
        self.unannounced = False
        mark, seconds = "[red]✗[/red]" if stage.failed else "[green]✓[/green]", clock(stage.seconds)
        gap = " " * max(1, self.console.width - len(stage.title) - len(seconds) - 3)
        self.console.print(f"{mark} {stage.title}{gap}[dim]{seconds}[/dim]")
        for note in () if stage.failed else stage.notes:
            self._indented(note)

    def _advance(self, counted: Advanced) -> None:
        if self.stage is None:
            self.stage = Stage(StageBegan("", ""), self.console, self.alive)
        self.stage.advance(counted)
        if self.alive or time.monotonic() - self.logged_at < PAUSE or counted.done in (0, counted.total):
            return
        if (line := self.stage.line()) != self.logged:
            self.say(f"  {line}")
            self.logged, self.logged_at = line, time.monotonic()

    def _close_stage(self) -> None:
        stage, self.stage = self.stage, None
        if stage is not None:
            stage.close()

    def curve(self, point: CurvePoint, curve: Sequence[CurvePoint]) -> None:
        """The curve below the stage under way; in a log one line for each check, the losses as a spark line."""
        if self.alive and self.stage:
            self.stage.draw_curve(curve)
            return
        if self.unannounced:
            self._begin()
            self.console.print("  loss in nats; recall and right tokens as shares of held-out answers", style="dim")
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
        if self.unannounced and self.stage:
            self.unannounced = False
            self.console.print(f"· {self.stage.heading}", markup=False)

    def _indented(self, text: str, style: str = "dim") -> None:
        from rich.text import Text

        for line in Text(printable(text), style=style).wrap(self.console, self.console.width - 2):
            line.rstrip()
            self.console.print(Text.assemble("  ", line), soft_wrap=True)

    # -- results ------------------------------------------------------------------------------------------------------

    def result(self, result: LearnResult | ExpandResult | EvaluateResult | SweepResult) -> None:
        """What a command ends with."""
        match result:
            case LearnResult(estimate=estimate) | ExpandResult(estimate=estimate) if estimate:
                for line in estimate_lines(estimate):
                    self.say(line)
                self._start("Start it:", result.folder, "expand" if isinstance(result, ExpandResult) else "learn")
            case LearnResult(state="finished"):
                self.scores(result.scores, result.answers)
                for line in result.learning:
                    self._indented(line)
                self.probes(result.answers)
                self.say(f"\nreport   {result.report}\nadapter  {result.adapter}")
                self.say("         its README.md has the lines for peft, transformers' server and vLLM")
                self.next_steps(*((step["why"], step["command"]) for step in result.next_steps))
            case LearnResult():
                self.say(f"Stopped. The adapter so far is in {result.adapter}.")
                score = shlex.join(["byheart", "evaluate", f"run={from_here(result.folder)}"])
                later = "Score it as it is:"
                if (result.folder / UNFINISHED).is_dir():
                    later = "The result of before stays until the new one is whole. To score it again:"
                self.next_steps(("Continue:", resume_line(result.folder)), (later, score))
            case ExpandResult():
                from byheart.report.ledger_page import after_expand

                lines, steps = after_expand(result.folder)
                self.say("")
                for line in lines:
                    self._indented(line, "")
                self.say(f"\nexamples  {result.folder / 'examples.jsonl'}\nledger    {result.ledger}")
                self.next_steps(*steps)
            case EvaluateResult(folder, scores):
                self.scores(scores, result.answers)
                self.probes(result.answers)
                self.say(f"\nscores   {folder / 'scores.json'}\nanswers  {folder / 'answers.jsonl'}")
                self.next_steps(ask_others(folder.parent.parent), ask_it(folder.parent.parent, result.answers))
            case SweepResult(folder, overrides, scored, following):
                if scored is not None:
                    self.result(scored)
                self.say(f"\nbest     {shlex.join(overrides)}\nagain    {folder / 'best.yaml'}")
                self.say(f"sweep    {folder / 'sweep.html'}")
                steps = [(step["why"], step["command"]) for step in following]
                self.next_steps(*steps, ask_it(folder, scored.answers if scored else ()))

    def next_steps(self, *steps: tuple[str, str]) -> None:
        """Each reason with its line to copy; and how the command is found, where the shell does not find it."""
        activate = None if self.told else how_to_find_byheart()
        self.told = True
        first = [("Once in each shell, so that it finds byheart:", activate)] if activate else []
        self.say("")
        for why, command in (*first, *steps):
            self._indented(why)
            self.console.print(f"    {printable(command)}", markup=False, soft_wrap=True)

    def _start(self, why: str, folder: Path, command: str = "learn") -> None:
        """The line that goes on with the settings of a folder in which nothing was trained."""
        from byheart.config.saved import words_of

        if (words := words_of(folder)) is not None:
            kept = [each for each in words if not each.startswith("estimate=")]
            self.next_steps((why, shlex.join(["byheart", command, *kept])))

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
        self.kinds(scores)
        if not scores.get("kinds") and (untaught := entry(scores.get("untaught", {}), "tuned", "contains")):
            share = f"{untaught.value:.2f} of {untaught.count} answers are right"
            self.console.print(f"  on facts held out whole (not in any training row): {share}")
        for name in ("tuned", "retrained"):
            if (ratio := entry(scores, name, "perplexity_ratio")) and (verdict := forgetting(scores, name)):
                whom = "" if name == "tuned" else " (retrained)"
                text = f"Forgetting{whom}: {verdict[0]} (general text is {ratio.value:.2f} times as hard to predict); {verdict[1]}."
                self._indented(text, "")

    def kinds(self, scores: Json) -> None:
        """Each kind of probe under each condition, and what follows from it."""
        if table := kinds_table(scores):
            self.console.print("\n[bold]Right, in %, by kind of probe[/bold]; 95 % intervals over facts")
            self.console.print(table)
        for found in findings(scores):
            why = found.why.replace("\u202f%", "%")  # lines are wrapped at that blank too
            self._indented(f"{found.name}: {found.figure} {why}.", "bold" if found.name == HEADLINE else "")

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


def spark(values: Sequence[float]) -> str:
    """The values as a line of blocks, lowest to highest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(BLOCKS[round((value - low) * scale)] for value in values)


def _cell(at: Value | None, below: bool) -> str:
    gap = "\n" if below else " "
    return f"{at.value:.2f}{gap}[dim]{at.low:.2f}–{at.high:.2f}[/dim]" if at else "–"
