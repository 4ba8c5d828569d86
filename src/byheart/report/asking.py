"""What the terminal shows of an estimate, and of the ledger once a teacher was asked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

from byheart.evaluation.judge_audit import NAME as JUDGE
from byheart.expansion.from_teacher.observed import amount
from byheart.records import Json, counted
from byheart.report.tables import printable
from byheart.results import Needs, RunEstimate, TrainingEstimate
from byheart.teacher.base import Estimate

if TYPE_CHECKING:
    from rich.table import Table

ROWS = 24  # chunks in the table; all of them are in ledger.json and on the page


def estimate_line(estimate: RunEstimate) -> str:
    """What a run will take, in one line: "up to 30 epochs, about 20 s each: 12 min in all · 1.4 of 23.5 GiB"."""
    needs = estimate.needs
    parts = [_time(needs), _memory(needs), _download(needs) if needs.download != 0 else ""] if needs else []
    teacher = [about for name, about in estimate.asking.items() if name != JUDGE]
    parts += [_bill("teacher", teacher), _bill(JUDGE, [estimate.asking[JUDGE]] if JUDGE in estimate.asking else [])]
    return " · ".join(filter(None, parts))


def _bill(whom: str, asking: Sequence[Estimate]) -> str:
    """ "teacher at most 1.20 USD"; nothing where nobody is asked."""
    known = [about.cost for about in asking]
    if known and None not in known:
        currency = next((f" {about.currency}" for about in asking if about.currency), "")
        return f"{whom} at most {_money(sum(cost or 0.0 for cost in known))}{currency}"
    tokens = sum(about.input_tokens + about.output_tokens for about in asking)
    return f"{whom} at most {amount(tokens)} tokens, price not known" if known else ""


def estimate_lines(estimate: RunEstimate) -> list[str]:
    """What a run would take."""
    lines = _training_lines(estimate.training) if estimate.training else []
    if needs := estimate.needs:
        download = _download(needs).removeprefix("downloads ")
        lines += [f"time      {_time(needs)}", f"memory    {_memory(needs)}", f"download  {download}"]
        lines += [f"  {line}" for line in _basis(needs)]
    for name, about in estimate.asking.items():
        cached = f", {about.cached:,} of them cached" if about.cached else ""
        lines.append(f"{name}: {about.requests:,} requests{cached}")
        lines.append(
            f"  about {amount(about.input_tokens)} tokens in, at most {amount(about.output_tokens)} tokens out"
        )
        keys = "teacher" if name != JUDGE else f"evaluation.{JUDGE}"
        if about.cost is not None:
            lines.append(f"  cost: at most {_money(about.cost)}{f' {about.currency}' if about.currency else ''}")
            if about.as_of:
                lines.append(f"  (prices of {about.as_of}; {keys}.price_in and {keys}.price_out come before them)")
        else:
            lines.append(f"  cost: price not known; set {keys}.price_in and {keys}.price_out, of a million tokens")
    if estimate.asking.keys() - {JUDGE}:
        return [*lines, "Pairs that the filters refuse are requested again, which costs more. No request was sent."]
    return [*lines, "teacher: no requests, no cost" + ("; no request was sent" if estimate.asking else "")]


def _time(needs: Needs) -> str:
    if needs.seconds is None or needs.epoch_s is None or needs.once_s is None:
        return "time not known"
    whole = rough(needs.seconds)
    if needs.limit_s is not None and needs.seconds >= needs.limit_s:
        epochs = max(0.0, needs.limit_s - needs.once_s) / needs.epoch_s
        return f"{whole} by the budget, enough for about {epochs:.2g} of {_epochs(needs.epochs)}"
    if needs.share < 1:
        return f"about {whole} with the budget's steps"
    if needs.epochs == 1:
        return f"about {whole}"
    return f"up to {_epochs(needs.epochs)}, about {rough(needs.epoch_s)} each: {whole} in all"


def _epochs(count: int) -> str:
    return counted(count, "epoch")


def _memory(needs: Needs) -> str:
    of = f" of {needs.total / 2**30:.3g} GiB" if needs.total else " GiB"
    if needs.memory is None:
        return f"memory not known{f' ({needs.total / 2**30:.3g} GiB here)' if needs.total else ''}"
    said = f"about {needs.memory / 2**30:.2g}{of}"
    if needs.free is not None and needs.memory > needs.free:
        said += f", of which {needs.free / 2**30:.2g} are free: it may not fit"
    return said + (" (with gradient checkpointing)" if needs.recompute else "")


def _download(needs: Needs) -> str:
    if needs.download == 0:
        return "nothing"
    if needs.download is None:
        return "download size not known"
    about = "about " if needs.read_from == "name" else ""
    return f"downloads {about}{needs.download / 1e9:.2g} GB"


def _basis(needs: Needs) -> list[str]:
    """What the numbers rest on: none of them is more than that."""
    lines = [f"(the time rests on {needs.basis})"] if needs.basis else []
    if needs.read_from == "name":
        lines.append("(the model is not here: its size is taken from its name)")
    elif needs.read_from == "config":
        lines.append("(the model is not here: its size is what the hub says)")
    return lines


def _money(cost: float) -> str:
    return f"{ceil(cost * 100) / 100:.2f}"


def rough(seconds: float) -> str:
    """A time as precise as an estimate is: "40 s", "12 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds)) if seconds < 10 else 5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.2g} h" if seconds < 48 * 3600 else f"{seconds / 86400:.2g} days"


def _training_lines(training: TrainingEstimate) -> list[str]:
    replayed = f", and {training.replayed:,} that replay what it knows" if training.replayed else ""
    steps = f"{training.steps:,} steps of batch size {training.batch_size}"
    if training.in_steps:
        most = f"at most {steps} (budget={training.budget})"
    else:
        in_time = f", within budget={training.budget}" if training.budget is not None else ""
        most = f"at most {training.epochs} epochs: {steps}{in_time}"
    if training.rounds > 1:
        most += f", in the first of up to {training.rounds} rounds; later ones have more rows"
    return [f"{training.rows:,} rows of about {training.tokens_per_row:.0f} tokens{replayed}", most]


def short_chunks(account: Json) -> list[str]:
    """Chunk.id of each chunk that has fewer examples than its quota."""
    return [chunk for chunk, row in account["by_chunk"].items() if row["kept"] < row["asked"]]


def ledger_lines(account: Json) -> list[str]:
    """What an expansion came to: what it wrote, and what is short."""
    facts, chunks = len(account["facts"]), len(account["by_chunk"])
    refused, short = sum(account["rejected"].values()), len(short_chunks(account))
    whole = f"{account['kept']:,} examples on {counted(facts, 'fact')} in {counted(chunks, 'chunk')}"
    lacks = f"{short:,} of them short of their quota" if short else "each with its quota"
    lacking = Counter(way for each in account["uncovered"] for way in each["missing"])
    said = {"forward": "forward", "reverse": "in reverse"}
    lists = [f"{counted(lacking[way], 'fact')} not asked {words}" for way, words in said.items() if lacking[way]]
    ways = " and ".join(lists) or "all facts asked in both directions"
    why, most = next(iter(account["rejected"].items()), ("", 0))
    often = f", most often ({most:,}) because {why}" if most < refused else f" because {why}"
    return [f"{whole}, {lacks}; {ways}.", f"{refused:,} refused{often}." if refused else "None refused."]


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
