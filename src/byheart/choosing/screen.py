"""What the terminal shows when a comparison of bases ends, and of its estimate."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.choosing.records import FILE, BasesResult
from byheart.choosing.words import asked, cells
from byheart.errors import Problem
from byheart.records import counted
from byheart.report.asking import estimate_line, rough
from byheart.report.next_steps import from_here
from byheart.report.tables import printable
from byheart.report.terminal import Terminal
from byheart.results import RunEstimate

if TYPE_CHECKING:
    from rich.table import Table

NAME = 22  # columns of a base's name
HEADS = {
    "closed_book": "closed\nbook", "open_book": "open\nbook", "after": "after {steps}\nsteps", "probability": "answer\nper tok",
    "tokens": "text\ntokens", "writing": "writes\ntok/s", "training": "trains\ntok/s",
}  # fmt: skip


def show(result: BasesResult, terminal: Terminal) -> None:
    """The table, those that cannot be used with the reason, the recommendation, and the line to copy."""
    from rich.text import Text

    console = terminal.console
    console.print(f"\n[bold]Bases[/bold]  {asked(result)}; 95 % intervals")
    console.print(_table(result))
    for base in result.bases:
        if base.reason:
            told = f"✗ {base.name}: {base.reason}{f'; {base.fix}' if base.fix else ''}"
            for line in Text(printable(told), style="red").wrap(console, console.width - 2):
                console.print(Text.assemble("  ", line), soft_wrap=True)
    terminal.say("")
    for line in Text(printable(result.sentence), style="bold").wrap(console, console.width - 2):
        console.print(Text.assemble("  ", line), soft_wrap=True)
    terminal.say(f"\nreport   {from_here(result.report)}\nrecords  {from_here(result.folder / FILE)}")
    terminal.next_steps(("Train it:", result.command))


def show_estimate(result: BasesResult, words: list[str], terminal: Terminal) -> None:
    """What each base would take, and all of them."""
    total, known = 0.0, True
    asking = next((each for each in result.estimates.values() if not isinstance(each, Problem) and each.asking), None)
    for name, about in result.estimates.items():
        terminal.say(f"{name}")
        if isinstance(about, Problem):
            terminal.warn(f"cannot be used: {about.what}{f'; {about.fix}' if about.fix else ''}")
            continue
        terminal.say(f"  {estimate_line(replace(about, asking={}))}")
        seconds = about.needs.seconds if about.needs else None
        total, known = total + (seconds or 0.0), known and seconds is not None
    count = sum(not isinstance(each, Problem) for each in result.estimates.values())
    terminal.say(f"in all {f'about {rough(total)}' if known else 'time not known'} for {counted(count, 'base')}")
    if asking:
        terminal.say(f"and once for all of them: {estimate_line(RunEstimate(asking.asking))}; no request was sent")
    kept = [word for word in words if not word.startswith("estimate=")]
    terminal.next_steps(("Start it:", shlex.join(["byheart", "bases", *kept])))


def _table(result: BasesResult) -> "Table":
    from rich.table import Table
    from rich.text import Text

    used = [base for base in result.bases if not base.reason]
    keys = [key for key in HEADS if any(key in cells(result, base) for base in used)]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("", overflow="fold", max_width=NAME)
    for key in keys:
        table.add_column(HEADS[key].format(steps=result.facts["steps"]), justify="right", no_wrap=True)
    for base in used:
        style = "bold" if base.name == result.recommended else ""
        found = cells(result, base)
        row = [
            Text("\n".join(filter(None, each)).replace(" to ", "–"))
            for each in (found.get(key, ("–", "")) for key in keys)
        ]
        table.add_row(Text(printable(base.name)), *row, style=style)
    return table
