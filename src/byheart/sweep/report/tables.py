"""What a sweep found as tables: trials.csv, best.yaml and the table of the terminal."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml
from omegaconf import OmegaConf

from byheart.config.compose import Composer
from byheart.store import write_text
from byheart.sweep.report.comparisons import spread
from byheart.sweep.report.selection import Cell, Chosen, cells, grid
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.study import TrialRecord

if TYPE_CHECKING:
    from rich.table import Table


def write_trials(setup: SweepConfig, trials: list[TrialRecord]) -> None:
    """trials.csv: one line for each combination and number of epochs."""
    text = io.StringIO()
    keys = [*setup.space.distributions]
    heads = ["trial", *(key for key in keys if key != "epochs"), "epochs", *setup.sweep.objectives, "best_epoch",
             "after_upturn", "seconds", "peak_memory_gib", "state", "source", "reason"]  # fmt: skip
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for cell in cells(setup, trials):
        params = [cell.trial.params.get(key, "") for key in keys if key != "epochs"]
        outcome = cell.trial.outcome
        values = ["" if value is None else value for value in cell.values]
        writer.writerow([
            cell.trial.number, *params, cell.epochs, *values, cell.best_epoch or "", int(cell.after_upturn),
            round(cell.seconds, 2), outcome.peak_memory if outcome else "",
            outcome.state if outcome else cell.trial.state,
            "" if outcome is None or outcome.source is None else outcome.source, cell.trial.reason,
        ])  # fmt: skip
    write_text(setup.folder / "trials.csv", text.getvalue())


def write_best(setup: SweepConfig, chosen: Chosen) -> Path:
    """best.yaml, in the form of `sweeps/`: `byheart learn -cd DIR -cn best` trains it again."""
    plain = {override.name: override.value for override in chosen.overrides}
    known = Composer().groups
    groups = {key: plain.pop(key) for key in list(plain) if key in known}
    tree = OmegaConf.create({})
    for key, value in plain.items():
        OmegaConf.update(tree, key, value)
    content = cast(dict[str, object], OmegaConf.to_container(tree))
    defaults: list[object] = ["learn", *({f"override {key}": value} for key, value in groups.items()), "_self_"]
    head = (
        f"# Lab note: the best of the sweep {setup.name}: {chosen.sentence}.\n"
        f"#   byheart learn -cd {setup.folder} -cn best\n"
    )
    path = setup.folder / "best.yaml"
    write_text(path, head + yaml.safe_dump({"defaults": defaults, **content}, sort_keys=False, allow_unicode=True))
    return path


def result_table(results: list[Cell], best: str, width: int) -> "Table":
    """Combinations by numbers of epochs; of many epochs as many as fit, so that no name and no number is cut."""
    from rich.table import Table
    from rich.text import Text

    rows = {name: {epochs: _in_short(cell) for epochs, cell in row.items()} for name, row in grid(results).items()}
    header = "after epochs"
    left = width - max(len(header), *map(len, rows)) - 2
    each = max(len(value) for row in rows.values() for value in row.values()) + 2
    shown = spread(sorted({cell.epochs for cell in results}), max(2, left // each))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(header, no_wrap=True, overflow="ellipsis")
    for epochs in shown:
        table.add_column(str(epochs), justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(Text(name), *(row.get(epochs, "–") for epochs in shown), style="green" if name == best else "")
    return table


def _in_short(cell: Cell) -> str:
    value = cell.values[0]
    return "–" if value is None else f"{value:.3f}{'*' if cell.after_upturn else ' '}"
