"""sweep.html: the trials and results of a sweep on one page that loads nothing from a network."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from byheart.report import probes
from byheart.report.next_steps import Step, ask_others
from byheart.report.page import duration
from byheart.report.tables import finalize, forgetting
from byheart.store import read_object, read_records, write_text
from byheart.sweep.report import plots
from byheart.sweep.report.comparisons import equal_steps, spread
from byheart.sweep.report.selection import Chosen, cells, grid, sentence
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.results import NAMES, OBJECTIVES, STATES
from byheart.sweep.search.samplers import quiet
from byheart.sweep.search.space import in_short
from byheart.sweep.search.study import Study, TrialRecord

NARROW = 3  # columns of epochs or steps on a small screen


def write_page(
    setup: SweepConfig, study: Study, trials: Sequence[TrialRecord], chosen: Chosen, steps: Sequence[Step]
) -> None:
    """`steps`: what to do next. The chosen trial's own report, where it has one, is read from its folder."""
    from jinja2 import Environment
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=finalize)
    environment.filters |= {"duration": duration, "in_short": in_short, "sentence": sentence}
    objective = setup.sweep.objectives[0]
    maximize = OBJECTIVES[objective] == "maximize"
    complete = [trial for trial in trials if trial.state == "complete" and trial.values]
    points = [(trial.params, trial.values[0]) for trial in complete]
    keys = list(setup.space.distributions)
    curves = [
        plots.Curve(trial.number, in_short(trial.params), trial.outcome.checks, trial.number == chosen.trained)
        for trial in trials
        if trial.outcome and trial.outcome.source is None
    ]
    results = cells(setup, trials)
    counts, at_steps = sorted({cell.epochs for cell in results}), equal_steps(setup, trials)
    values, shares = [(trial.number, trial.values[0]) for trial in complete], _importance(study)
    drawn = {
        "curves": _twice(plots.curves, curves),
        "history": _twice(plots.history, values, maximize),
        "importance": _twice(plots.importance, shares),
        "parallel": _twice(plots.parallel, points, keys, NAMES[objective], maximize),
    }
    run = setup.folder / str(chosen.trained)
    scored = (run / "report.html").is_file()
    text = environment.from_string(_source("page.html.j2")).render(
        setup=setup,
        trials=trials,
        ranked=_ranked(setup, trials),
        recall={trial.number: _recall(trial, objective) for trial in complete},
        chosen=chosen,
        words=STATES,
        objective=NAMES[objective],
        counts=counts,
        few={*spread(counts, NARROW)},
        grid=grid(results),
        steps=at_steps,
        few_steps={*spread(list(at_steps), NARROW)},
        turned=any(cell.after_upturn for cell in results),
        plots={name: Markup(drawing) for name, drawing in drawn.items()},
        contours=[Markup(each) for each in plots.contours(points, keys, maximize)] if len(points) > 2 else [],
        report=f"{chosen.trained}/report.html" if scored else None,
        scores=probes.result(read_records(run / "answers.jsonl")) if scored else None,
        forgot=forgetting(read_object(run / "scores.json")) if scored else None,
        next_steps=[*([Step(*ask_others(run))] if scored else []), *steps],
        style=Markup(files("byheart.report").joinpath("page.css").read_text("utf-8") + _source("page.css")),
    )
    write_text(setup.folder / "sweep.html", text)


def _ranked(setup: SweepConfig, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The best first; those that failed last."""
    sign = setup.sweep.signs[0]
    ended = [trial for trial in trials if trial.state in ("complete", "failed")]
    return sorted(ended, key=lambda trial: (not trial.values, sign * (trial.value or 0.0), trial.number))


def _recall(trial: TrialRecord, objective: str) -> float | None:
    """Of held-out answers, at the epoch that has the trial's value."""
    ends = trial.outcome.ends if trial.outcome else ()
    return next((end.recall for end in ends if getattr(end, objective) == trial.value), None)


def _twice(draw: Callable[..., str], *data: object) -> str:
    """A plot for a wide and for a narrow screen, where the text of the wide one would be too small to read."""
    wide, narrow = draw(*data), draw(*data, width=360)
    return f'<div class="broad">{wide}</div><div class="slim">{narrow}</div>' if wide else ""


def _importance(study: Study) -> dict[str, float]:
    """PED-ANOVA (arXiv 2304.10255), the one of Optuna's that needs no scikit-learn; empty with too few trials."""
    import optuna

    if len(study.sweep.objectives) > 1:
        return {}
    try:
        with quiet():
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return optuna.importance.get_param_importances(study.optuna, evaluator=evaluator)
    except (ValueError, RuntimeError, ZeroDivisionError):
        return {}


def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")
