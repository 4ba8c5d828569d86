"""The end of a sweep: the best configuration, tables, one page, and the best adapter scored as by `learn`."""

from dataclasses import asdict

from byheart.config.saved import saved_config
from byheart.errors import Problem, UserError
from byheart.pipeline.learn import learn
from byheart.progress import Said, Warned
from byheart.results import LearnResult, SweepResult, is_finished
from byheart.store import write_json
from byheart.sweep.report.events import TrialChosen
from byheart.sweep.report.next_steps import steps
from byheart.sweep.report.page import write_page
from byheart.sweep.report.selection import Chosen, choose
from byheart.sweep.report.tables import write_best, write_trials
from byheart.sweep.run.trial import TrialTask
from byheart.sweep.search.study import Study


def conclude(study: Study, task: TrialTask, number: int | None = None) -> SweepResult:
    """Chooses the best trial (or takes trial `number`), writes tables and page, and scores its adapter."""
    setup, trials = task.setup, study.trials()
    chosen = choose(setup, trials, number)
    if chosen is None:
        what = "no trial was completed, so none can be chosen"
        raise UserError(Problem(what, str(setup.folder), fix="see the reasons above"))
    write_trials(setup, trials)
    write_best(setup, chosen)
    task.progress(TrialChosen(setup, trials, chosen))
    scored = _score(study, task, chosen)
    following = steps(setup, chosen)
    write_page(setup, study, trials, chosen, following)
    overrides, found = tuple(each.text for each in chosen.overrides), tuple(asdict(step) for step in following)
    return SweepResult(setup.folder, overrides, scored, found)


def _score(study: Study, task: TrialTask, chosen: Chosen) -> LearnResult | None:
    """Makes the chosen trial's folder a whole run: scored on the test set, with its report. One worker does it."""
    folder = task.setup.folder / str(chosen.trained)
    if not (folder / "adapter").is_dir() or not (folder / ".hydra").is_dir():
        what = f"trial {chosen.trained} was trained elsewhere: its adapter is not in {folder}, so it is not scored here"
        task.progress(Warned(what))
        return None
    scored = None
    with study.locks.scoring:
        if is_finished(folder):
            task.progress(Said(f"report   {folder / 'report.html'}"))
        else:
            config = task.read(saved_config(folder, "sweep"))
            task.shared.copy_texts(config, folder)
            task.shared.forget_models()  # two copies of the base would need twice the memory
            task.progress(Said(f"\nScoring it like any run, in {folder}"))
            scored = learn(config, folder, task.progress)
    best = {"trial": chosen.trial.number, "folder": str(folder), **chosen.as_dict()}
    write_json(task.setup.folder / "best.json", best)
    return scored
