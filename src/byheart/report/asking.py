"""What the terminal shows of a teacher's work: while it is asked, before it is asked, and the ledger afterwards."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Any

from byheart.report.tables import printable
from byheart.teacher.base import Estimate

ROWS = 24  # chunks in the table; all of them are in ledger.json and on the page


@contextmanager
def shown(screen: Any, name: str) -> Iterator[Callable[[Any], None]]:
    """A bar with what matters beside it; yields the function that takes each `TeacherProgress`."""
    with screen.progress(None, name) as bar:

        def show(standing: Any) -> None:
            bar.label = f"{name}: {told(standing)}"
            bar.below = f"  {told(standing)}"
            bar.reach(standing.done, standing.total)

        yield show


def told(standing: Any) -> str:
    """ "412 examples/min, 32 in flight, 18 cached, 91k tokens, cost 0.02"."""
    parts = [f"{standing.examples_per_minute:,.0f} examples/min", f"{standing.in_flight} in flight"]
    if standing.cached:
        parts.append(f"{standing.cached:,} cached")
    parts.append(f"{amount(standing.input_tokens + standing.output_tokens)} tokens")
    if standing.cost is not None:
        parts.append(f"cost {standing.cost:.2f}")
    if standing.failed:
        parts.append(f"{standing.failed:,} failed")
    return ", ".join(parts) + (f"; {standing.note}" if standing.note else "")


def estimated(estimates: Mapping[str, Estimate]) -> list[str]:
    """What asking would take, in lines."""
    lines = []
    for name, about in estimates.items():
        cached = f", {about.cached:,} of them cached" if about.cached else ""
        lines.append(f"{name}: {about.requests:,} requests{cached}")
        lines.append(
            f"  about {amount(about.input_tokens)} tokens in, at most {amount(about.output_tokens)} tokens out"
        )
        if about.cost is not None:
            lines.append(f"  cost: at most {ceil(about.cost * 100) / 100:.2f}")
        else:
            lines.append("  cost: unknown; say teacher.price_in and price_out, of a million tokens")
    if estimates:
        lines.append("What the gates refuse is asked again, and that comes on top. Nothing was sent.")
    return lines


def ledger_tables(account: Mapping[str, Any], names_of: Mapping[str, str]) -> Iterator[Any]:
    """The ledger as rich tables: chunks, reasons, rungs. Nothing where no teacher was asked. `names_of` maps Chunk.id."""
    from rich.table import Table
    from rich.text import Text

    rows = {chunk: row for chunk, row in account["by_chunk"].items() if "requested" in row}
    if not rows:
        return
    columns = {
        "asked": "floor", "requested": "asked", "received": "received", "rejected": "rejected", "kept": "kept",
        "topped_up": "topped up",
    }  # fmt: skip
    if any(row["without_teacher"] for row in rows.values()):
        columns["without_teacher"] = "of rules, files"
    names = tuple(columns)
    table = _table("The ledger", "chunk", *columns.values())

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [f"{sum(row[n].values()) if n == 'rejected' else row[n]:,}" for n in names]

    # The poorest first: they are what one looks for.
    for chunk in sorted(rows, key=lambda each: rows[each]["kept"] - rows[each]["asked"])[:ROWS]:
        table.add_row(Text(printable(names_of.get(chunk, chunk))), *cells(rows[chunk]))
    if len(rows) > ROWS:
        table.add_row(f"{len(rows) - ROWS} more", *[""] * len(names))
    total = {n: sum(row[n] for row in rows.values()) for n in names if n != "rejected"}
    total["rejected"] = {"": sum(sum(row["rejected"].values()) for row in rows.values())}
    table.add_section()
    table.add_row("all", *cells(total), style="bold")
    yield table
    if account["rejected"] or account["failed"]:
        reasons = Table(box=None, padding=(0, 1), header_style="bold")
        reasons.add_column("why", overflow="fold")
        reasons.add_column("times", justify="right")
        for reason, times in account["rejected"].items():
            reasons.add_row(reason, f"{times:,}")
        for reason, times in account["failed"].items():
            # as text, not as markup: it holds the server's own words
            reasons.add_row(Text(f"no answer: {printable(reason)}"), f"{times:,}")
        yield reasons
    rungs = _table("", "temperature", "received", "kept", "copies", "unsupported", "new")
    for rung, row in account["novelty"]["by_rung"].items():
        counts = [f"{row[name]:,}" for name in ("received", "kept", "copies", "unsupported")]
        rungs.add_row(rung, *counts, f"{100 * row['new']:.0f} %")
    yield rungs
    covered = account["coverage"]
    yield f"  facts covered: {100 * covered['forward']:.0f} % forward, {100 * covered['reverse']:.0f} % in reverse"


def amount(number: float) -> str:
    return f"{number:,.0f}" if number < 10_000 else f"{number / 1e3:,.0f}k" if number < 1e6 else f"{number / 1e6:.1f}M"


def _table(title: str, first: str, *others: str) -> Any:
    from rich.table import Table

    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=None, padding=(0, 1), header_style="bold"
    )
    table.add_column(first, no_wrap=True, max_width=28)
    for name in others:
        table.add_column(name, justify="right")
    return table
