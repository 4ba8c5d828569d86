"""What a sweep leaves behind: the best configuration, tables, one page, and the best adapter scored like any `learn`."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from byheart.config.compose import Composer
from byheart.config.saved import saved_config
from byheart.errors import Problem, UserError
from byheart.report.screen import Screen
from byheart.store import read_json, write_json, write_text
from byheart.sweep.board import said, spread
from byheart.sweep.choice import Cell, Chosen, cells, choose, grid
from byheart.sweep.page import write_page
from byheart.sweep.setup import Setup
from byheart.sweep.study import Known, Study
from byheart.sweep.trial import Trials

if TYPE_CHECKING:
    from rich.table import Table


def conclude(setup: Setup, study: Study, trials: Trials, screen: Screen, number: int | None = None) -> Chosen:
    """Chooses (or takes trial `number`), writes everything down, and scores the chosen adapter."""
    known = study.known()
    chosen = choose(setup, known, number)
    if chosen is None:
        raise UserError(
            Problem("no trial was completed, so none can be chosen", str(setup.folder), fix="see the reasons above")
        )
    _write_table(setup, known)
    best = _write_best(setup, chosen)
    _tell(setup, known, chosen, screen)
    report = _score(setup, chosen, trials, screen, study)
    page = write_page(setup, study, known, chosen, report)
    screen.say("")
    screen.say(f"best     {chosen.line}")
    screen.say(f"again    {best}")
    screen.say(f"sweep    {page}")
    return chosen


def _write_table(setup: Setup, known: list[Known]) -> None:
    """trials.csv: one line for every combination that the sweep answers, each number of epochs among them."""
    text = io.StringIO()
    keys = [*setup.space.distributions]
    heads = ["trial", *(key for key in keys if key != "epochs"), "epochs", *setup.sweep.objectives, "best_epoch",
             "after_upturn", "seconds", "peak_memory_gib", "state", "source", "reason"]  # fmt: skip
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for cell in cells(setup, known):
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


def _write_best(setup: Setup, chosen: Chosen) -> Path:
    """best.yaml, in the form of `sweeps/`: `byheart learn -cd DIR -cn best` trains it again."""
    plain = {override.name: override.value for override in chosen.overrides}
    known = Composer().groups()
    groups = {key: value for key, value in plain.items() if key in known}
    tree: dict[str, Any] = {}
    for key, value in plain.items():
        if key not in groups:
            *above, last = key.split(".")
            node = tree
            for part in above:
                node = node.setdefault(part, {})
            node[last] = value
    defaults: list[Any] = ["learn", *({f"override {key}": value} for key, value in groups.items()), "_self_"]
    head = (
        f"# Lab note: the best of the sweep {setup.name}: {chosen.sentence}.\n"
        f"#   byheart learn -cd {setup.folder} -cn best\n"
    )
    path = setup.folder / "best.yaml"
    write_text(path, head + yaml.safe_dump({"defaults": defaults, **tree}, sort_keys=False, allow_unicode=True))
    return path


def _tell(setup: Setup, known: list[Known], chosen: Chosen, screen: Screen) -> None:
    answered = cells(setup, known)
    objective = setup.sweep.objectives[0].replace("_", " ")
    screen.console.print()
    screen.console.print(answer_table(answered, objective, chosen.row, screen.console.width))
    if any(cell.after_upturn for cell in answered):
        screen.say("  * after the upturn: the value of the best epoch before it")
    failed = [trial for trial in known if trial.state == "failed"]
    for trial in failed[:5]:
        screen.say(f"  trial {trial.number} failed ({said(trial.params)}): {trial.reason}")
    screen.say(f"\n{chosen.sentence[0].upper()}{chosen.sentence[1:]}.")
    for note in chosen.notes:
        screen.say(f"  {note}")


def answer_table(answered: list[Cell], objective: str, best: str, width: int) -> "Table":
    """Combinations by numbers of epochs; of many epochs as many as fit, so that no name and no number is cut."""
    from rich.table import Table
    from rich.text import Text

    rows = {name: {epochs: _in_short(cell) for epochs, cell in row.items()} for name, row in grid(answered).items()}
    header = f"{objective} after epochs"
    left = width - max(len(header), *map(len, rows)) - 2
    each = max(len(value) for row in rows.values() for value in row.values()) + 2
    shown = spread(sorted({cell.epochs for cell in answered}), max(2, left // each))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", title_justify="left")
    table.add_column(header, no_wrap=True, overflow="ellipsis")
    for epochs in shown:
        table.add_column(str(epochs), justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(Text(name), *(row.get(epochs, "–") for epochs in shown), style="green" if name == best else "")
    return table


def _in_short(cell: Cell) -> str:
    value = cell.values[0]
    return "–" if value is None else f"{value:.3f}{'*' if cell.after_upturn else ' '}"


def _score(setup: Setup, chosen: Chosen, trials: Trials, screen: Screen, study: Study) -> Path | None:
    """The chosen trial's folder becomes a run's: scored on what judges, with its report. One sweeper does it."""
    folder = setup.folder / str(chosen.trained)
    report = folder / "report.html"
    if not (folder / "adapter").is_dir() or not (folder / ".hydra").is_dir():
        screen.warn(
            f"trial {chosen.trained} was trained elsewhere: its adapter is not in {folder}, so it is not scored here"
        )
        return None
    with study.owner.scoring():
        if report.is_file() and read_json(folder / "run.json").get("state") == "finished":
            screen.say(f"report   {report}")
        else:
            from byheart import stages

            plan, problems = trials.plan_of(saved_config(folder, "sweep"))
            if problems:
                raise UserError(*problems)
            trials.shared.copy_texts(plan, folder)
            trials.shared.forget_models()  # two copies of the base would need twice the memory
            screen.say(f"\nScoring it like any run, in {folder}")
            stages.learn(plan, folder, screen)
    write_json(setup.folder / "best.json", {"trial": chosen.trial.number, "folder": str(folder), **chosen.as_dict()})
    return report if report.is_file() else None
