"""What the terminal shows of an estimate, and of the ledger once a teacher was asked."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import TYPE_CHECKING

from byheart.expansion.from_teacher.observed import amount
from byheart.records import Json
from byheart.report.tables import printable
from byheart.results import RunEstimate, TrainingEstimate

if TYPE_CHECKING:
    from rich.table import Table

ROWS = 24  # chunks in the table; all of them are in ledger.json and on the page


def estimate_lines(estimate: RunEstimate) -> list[str]:
    """What a run would take."""
    lines = _training_lines(estimate.training) if estimate.training else []
    for name, about in estimate.asking.items():
        cached = f", {about.cached:,} of them cached" if about.cached else ""
        lines.append(f"{name}: {about.requests:,} requests{cached}")
        lines.append(
            f"  about {amount(about.input_tokens)} tokens in, at most {amount(about.output_tokens)} tokens out"
        )
        if about.cost is not None:
            lines.append(f"  cost: at most {ceil(about.cost * 100) / 100:.2f}")
        else:
            lines.append("  cost: unknown; set teacher.price_in and teacher.price_out, the prices of a million tokens")
    if estimate.asking:
        return [*lines, "Pairs that the filters refuse are requested again, which costs more. No request was sent."]
    return [*lines, "teacher: no requests, no cost"]


def _training_lines(training: TrainingEstimate) -> list[str]:
    replayed = f", and {training.replayed:,} that replay what it knows" if training.replayed else ""
    steps = f"{training.steps:,} steps of batch size {training.batch_size}"
    if training.in_steps:
        most = f"at most {steps} (budget={training.budget})"
    else:
        in_time = f", within budget={training.budget}" if training.budget is not None else ""
        most = f"at most {training.epochs} epochs: {steps}{in_time}"
    return [f"{training.rows:,} rows of about {training.tokens_per_row:.0f} tokens{replayed}", most]


def short_chunks(account: Json) -> list[str]:
    """Chunk.id of each chunk that has fewer examples than its quota."""
    return [chunk for chunk, row in account["by_chunk"].items() if row["kept"] < row["asked"]]


def ledger_lines(account: Json) -> list[str]:
    """What an expansion came to: what it wrote, and what is short."""
    facts, chunks = len(account["facts"]), len(account["by_chunk"])
    refused, short, bare = sum(account["rejected"].values()), len(short_chunks(account)), len(account["uncovered"])
    whole = f"{account['kept']:,} examples on {_counted(facts, 'fact')} in {_counted(chunks, 'chunk')}"
    lacks = f"{short:,} of them short of their quota" if short else "each with its quota"
    ways = f"{_counted(bare, 'fact')} not asked in both directions" if bare else "all facts asked in both directions"
    why, most = next(iter(account["rejected"].items()), ("", 0))
    often = f", most often ({most:,}) because {why}" if most < refused else f" because {why}"
    return [f"{whole}, {lacks}; {ways}.", f"{refused:,} refused{often}." if refused else "None refused."]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def ledger_tables(account: Json, names_of: Mapping[str, str]) -> "Iterator[Table | str]":
    """The ledger as rich tables: chunks, reasons, rungs. Nothing where no teacher was asked. `names_of` maps Chunk.id."""
    from rich.table import Table
    from rich.text import Text

    rows = {chunk: row for chunk, row in account["by_chunk"].items() if "requested" in row}
    if not rows:
        return
    columns = {"asked": "quota", "requested": "asked", "rejected": "refused", "kept": "kept", "topped_up": "topped up"}
    mixed = any(row["without_teacher"] for row in rows.values())
    if mixed:
        columns["without_teacher"] = "others"
    table = _table("The ledger", "chunk", *columns.values())

    def cells(row: Json) -> list[str]:
        return [f"{sum(row[n].values()) if n == 'rejected' else row[n]:,}" for n in columns]

    # The poorest first: they are what one looks for.
    for chunk in sorted(rows, key=lambda each: rows[each]["kept"] - rows[each]["asked"])[:ROWS]:
        table.add_row(Text(printable(names_of.get(chunk, chunk))), *cells(rows[chunk]))
    if len(rows) > ROWS:
        table.add_row(f"{len(rows) - ROWS} more", *[""] * len(columns))
    total = {n: sum(row[n] for row in rows.values()) for n in columns if n != "rejected"}
    total["rejected"] = {"": sum(sum(row["rejected"].values()) for row in rows.values())}
    table.add_section()
    table.add_row("all", *cells(total), style="bold")
    yield table
    yield "  asked: of the teacher" + ("; others: those of the kept that no teacher wrote" if mixed else "")
    if account["rejected"] or account["failed"]:
        reasons = Table(box=None, padding=(0, 1), header_style="bold")
        reasons.add_column("why", overflow="fold")
        reasons.add_column("times", justify="right")
        failed = {f"no answer: {reason}": times for reason, times in account["failed"].items()}
        for reason, times in {**account["rejected"], **failed}.items():
            reasons.add_row(Text(printable(reason)), f"{times:,}")  # as text, not as markup: a server's own words
        yield reasons
    rungs = _table("", "temperature", "received", "kept", "copies", "unsupported", "new")
    for rung, row in account["novelty"]["by_rung"].items():
        counts = [f"{row[name]:,}" for name in ("received", "kept", "copies", "unsupported")]
        rungs.add_row(rung, *counts, f"{100 * row['new']:.0f} %")
    yield rungs
    covered = account["coverage"]
    yield f"  facts covered: {100 * covered['forward']:.0f} % forward, {100 * covered['reverse']:.0f} % in reverse"


def _table(title: str, first: str, *others: str) -> "Table":
    from rich.table import Table

    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=None, padding=(0, 1), header_style="bold"
    )
    table.add_column(first, no_wrap=True, max_width=27)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
