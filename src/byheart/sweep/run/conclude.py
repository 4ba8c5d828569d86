"""The end of a sweep: the best configuration, tables, one page, and the best adapter scored as by `learn`."""

from pathlib import Path

from byheart.config.saved import saved_config
from byheart.errors import Problem, UserError
from byheart.report.terminal import Terminal
from byheart.store import read_json, write_json
from byheart.sweep.report.live_table import in_short
from byheart.sweep.report.page import write_page
from byheart.sweep.report.selection import Chosen, cells, choose
from byheart.sweep.report.tables import answer_table, write_best, write_trials
from byheart.sweep.run.trial import TrialTask
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.study import Study, TrialRecord


def conclude(
    setup: SweepConfig, study: Study, trials: TrialTask, screen: Terminal, number: int | None = None
) -> Chosen:
    """Chooses the best trial (or takes trial `number`), writes tables and page, and scores its adapter."""
    known = study.known()
    chosen = choose(setup, known, number)
    if chosen is None:
        what = "no trial was completed, so none can be chosen"
        raise UserError(Problem(what, str(setup.folder), fix="see the reasons above"))
    write_trials(setup, known)
    best = write_best(setup, chosen)
    _tell(setup, known, chosen, screen)
    report = _score(setup, chosen, trials, screen, study)
    page = write_page(setup, study, known, chosen, report)
    screen.say("")
    screen.say(f"best     {chosen.line}")
    screen.say(f"again    {best}")
    screen.say(f"sweep    {page}")
    return chosen


def _tell(setup: SweepConfig, known: list[TrialRecord], chosen: Chosen, screen: Terminal) -> None:
    answered = cells(setup, known)
    objective = setup.sweep.objectives[0].replace("_", " ")
    screen.console.print()
    screen.console.print(answer_table(answered, objective, chosen.row, screen.console.width))
    if any(cell.after_upturn for cell in answered):
        screen.say("  * after the upturn: the value of the best epoch before it")
    failed = [trial for trial in known if trial.state == "failed"]
    for trial in failed[:5]:
        screen.say(f"  trial {trial.number} failed ({in_short(trial.params)}): {trial.reason}")
    screen.say(f"\n{chosen.sentence[0].upper()}{chosen.sentence[1:]}.")
    for note in chosen.notes:
        screen.say(f"  {note}")


def _score(setup: SweepConfig, chosen: Chosen, trials: TrialTask, screen: Terminal, study: Study) -> Path | None:
    """Makes the chosen trial's folder a whole run: scored on the test set, with its report. One worker does it."""
    folder = setup.folder / str(chosen.trained)
    report = folder / "report.html"
    if not (folder / "adapter").is_dir() or not (folder / ".hydra").is_dir():
        screen.warn(
            f"trial {chosen.trained} was trained elsewhere: its adapter is not in {folder}, so it is not scored here"
        )
        return None
    with study.locks.scoring:
        if report.is_file() and read_json(folder / "run.json").get("state") == "finished":
            screen.say(f"report   {report}")
        else:
            from byheart.pipeline import learn as stages

            config, problems = trials.config_of(saved_config(folder, "sweep"))
            if problems:
                raise UserError(*problems)
            trials.shared.copy_texts(config, folder)
            trials.shared.forget_models()  # two copies of the base would need twice the memory
            screen.say(f"\nScoring it like any run, in {folder}")
            screen.result(stages.learn(config, folder, screen))
    write_json(setup.folder / "best.json", {"trial": chosen.trial.number, "folder": str(folder), **chosen.as_dict()})
    return report if report.is_file() else None
