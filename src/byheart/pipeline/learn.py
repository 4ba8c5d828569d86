"""What byheart does, in order. The file to read first.

documents -> chunks -> facts -> examples -> split -> rows -> adapter -> scores -> report

Each stage reads the records of the one before and leaves its own in the run's folder, marked as done, so that a
killed run continues where it stopped (`resume=DIR`). A stage's marker is written last, so only a whole stage counts.
Progress goes to listeners as events (`progress.py`); results are returned (`results.py`).

What the stages use without importing it here:
    options, and "did you mean" for a wrong key   config/values.py, config/advice.py
    the cache of a teacher's answers              teacher/cache.py
    questions made from a parsed sentence         expansion/question_generation/reading.py
    when a held-out example looks like a trained  data/contamination.py
    the loss of a batch                           training/loss.py, called by training/module.py
    which epoch's weights are kept                training/stopping.py, called by training/state.py
    many adapters trained together                training/multi_lora/trainer.py
"""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from byheart.config.saved import overrides_of
from byheart.expansion.base import Source
from byheart.interrupt import Interrupt
from byheart.model.adapters.attaching import refuse_damaged_adapter
from byheart.pipeline.budget import TEXTS, expected, plan_of
from byheart.pipeline.estimate import estimate_run
from byheart.pipeline.evaluate import (
    TITLES,
    collect_probes,
    score_adapters,
    score_model,
    with_open_book,
    within_budget,
    write_scores,
)
from byheart.pipeline.library_log import library_log
from byheart.pipeline.model_card import write_cards
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import (
    PreparedData,
    asks_teacher,
    estimate_teacher,
    prepare_data,
    read_prepared_data,
    read_source,
    will_ask_teacher,
)
from byheart.pipeline.rounds.account import exposures_until_kept, in_words
from byheart.pipeline.rounds.train_in_rounds import train_in_rounds
from byheart.pipeline.run import Plan, Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train import train_adapters
from byheart.pipeline.train_on import account, curve_of, forget_unfinished, goes_on, longer, replace_result
from byheart.progress import Progress, Reported, Warned, no_progress
from byheart.records import Json
from byheart.report.learning import learning
from byheart.report.ledger_page import write_ledger_page
from byheart.report.loggers.logbook import Logbook, about_run
from byheart.report.next_steps import Started, Step, ask_it
from byheart.report.page import write_page
from byheart.results import (
    ESTIMATED,
    FINISHED,
    INTERRUPTED,
    Estimated,
    EvaluateResult,
    ExpandResult,
    LearnResult,
    RunEstimate,
)
from byheart.store import read_object, read_records


def learn(config: RunConfig, folder: Path, progress: Progress = no_progress) -> LearnResult:
    """All stages, from documents to the report."""
    with (
        Run(folder, progress, name=config.name, seed=config.seed, model=config.model.path) as run,
        Interrupt(progress) as interrupt,
        library_log(folder, partial(_note_on_a_gpu, run)),
    ):
        if config.estimate:
            return LearnResult(ESTIMATED, folder, estimate=_estimate(config, run))
        run.listeners.append(open_logbook(config, run))
        run.plan = plan_of(config, run)

        source = read_source(config, run)  # documents, chunks, facts
        announce(config, source, run)
        if will_ask_teacher(config, run):  # what cannot be trained is refused before the teacher is paid
            ModelSession.refuse_untrainable(config, run)
        data = prepare_data(config, run, source)  # examples, split
        probes = collect_probes(config, data)
        session = ModelSession.load(config, run)
        probe_set = within_budget(with_open_book(config, data, probes), session.untrained(), run)
        untuned = score_model(probe_set, session.untrained(), "untuned", run)
        open_book = score_model(probe_set, session.untrained(), "open_book", run)
        train = train_in_rounds if config.rounds > 1 else train_adapters
        adapters = train(config, data, probes, session, run, interrupt)  # rows, adapter
        if interrupt.requested:
            run.record["state"] = INTERRUPTED
            return LearnResult(INTERRUPTED, folder)
        tuned = score_adapters(probe_set, session, adapters, run)  # and with open book
        replace_result(folder)  # of a run that was trained on: its earlier result stood until here
        scores = write_scores(probe_set, {"untuned": untuned, "open_book": open_book, **tuned}, run)
        write_cards(config, session, run, adapters)
        return LearnResult(FINISHED, folder, scores, _report(config, data, scores, run))


def expand(config: RunConfig, folder: Path, progress: Progress = no_progress) -> ExpandResult:
    """Documents to examples and split, with the ledger as a page. torch is not loaded."""
    with Run(folder, progress, name=config.name, seed=config.seed) as run, Interrupt(progress), library_log(folder):
        if config.estimate:
            run.record["state"] = ESTIMATED
            source = read_source(config, run)
            return ExpandResult(
                ESTIMATED, folder, estimate=RunEstimate(estimate_teacher(config, source) if source else {})
            )
        run.plan = Plan(TEXTS)
        prepare_data(config, run)
        write_ledger_page(folder)
    return ExpandResult(FINISHED, folder)


def evaluate(
    config: RunConfig, folder: Path, questions: str | None = None, progress: Progress = no_progress
) -> EvaluateResult:
    """Scores a finished run again, in a folder of its own below the run's: on other questions or once more on its own."""
    data = read_prepared_data(folder)
    refuse_damaged_adapter(folder / "adapter")
    probes = collect_probes(config, data, questions)
    below = folder / "evaluations" / (Path(questions).stem if questions else "again")
    with (
        Run(below, progress, name=config.name, seed=config.seed, model=config.model.path) as run,
        Interrupt(progress),
        library_log(below, partial(_note_on_a_gpu, run)),
    ):
        run.plan = Plan(("model", *(f"score_{name}" for name in TITLES)), expected)
        session = ModelSession.load(config, run)
        probe_set = with_open_book(replace(config, budget=None), data, probes)  # the budget was the training's
        scored = {name: score_model(probe_set, session.untrained(), name, run) for name in ("untuned", "open_book")}
        scored |= score_adapters(probe_set, session, {"tuned": folder / "adapter"}, run)
        return EvaluateResult(below, write_scores(probe_set, scored, run))


def open_logbook(config: RunConfig, run: Run, group: str | None = None, name: str | None = None) -> Logbook:
    """The loggers that were chosen, as a listener. Tags: by which runs are compared."""
    tags = [
        Path(config.model.path).name,
        *config.expansion,
        type(config.adapter).__name__.lower(),
        type(config.optimizer).__name__.lower(),
        config.schedule,
    ]
    return Logbook(config.logger, about_run(run.folder, name or str(config.name), tags, group), run.note)


def _note_on_a_gpu(run: Run, text: str) -> None:
    """On a CPU there are no faster kernels."""
    if run.record.get("device", "cpu") != "cpu":
        run.note(text)


def _report(config: RunConfig, data: PreparedData, scores: Json, run: Run) -> tuple[str, ...]:
    """Writes the page. Returns the sentences on the training, which are in run.json and on the page too."""
    if "training" not in run.record:  # run.json was damaged and removed
        run.record["training"] = account(run.folder) or {}
    training, curve = run.record["training"], curve_of(run.folder)
    left_out = set(read_object(run.folder / "ledger.json").get("too_long", {}).get("train", ()))
    taught = [example for example in data.examples_of(data.split.train) if example.id not in left_out]
    answers = read_records(run.folder / "answers.jsonl")
    found = learning(
        curve,
        config.stopping,
        training,
        taught,
        answers,
        more=longer(config, run) if training else "",
        seen=exposures_until_kept(run.folder),
        by_round=in_words(rounds) if (rounds := run.record.get("rounds")) else "",
    )
    started = Started(
        run.folder,
        overrides_of(run.folder),
        config.lr,
        config.rows.replay,
        config.split.share,
        config.questions is not None,
        asks_teacher(config),
        goes_on(run.folder, config),
    )
    steps = [*started.steps(found, scores, answers), Step(*ask_it(run.folder, answers))]
    run.record |= {"learning": {**asdict(found), "lines": found.lines}, "next_steps": [*map(asdict, steps)]}
    run.save()
    write_ledger_page(run.folder)
    write_page(run.folder, FINISHED)
    forget_unfinished(run.folder)
    run.record["state"] = FINISHED
    run.save()  # last: a run that is killed before is not finished, and makes its page when it is resumed
    run.send(Reported(run.folder))
    return tuple(found.lines)


def announce(config: RunConfig, source: Source | None, run: Run) -> None:
    """Says what the run will take, and what of it nobody could verify, before anything is loaded or paid."""
    if source is not None:
        run.send(Estimated(estimate_run(config, source, None, quickly=True)))
        for line in config.unverified:
            run.send(Warned(line))


def _estimate(config: RunConfig, run: Run) -> RunEstimate:
    """What the run would take. Where a teacher would be asked, none is, and its examples are counted as asked for."""
    run.record["state"] = ESTIMATED
    if asks_teacher(config):
        source = read_source(config, run)
        return estimate_run(config, source, None if source else read_prepared_data(run.folder), quickly=False)
    data = prepare_data(config, run)
    collect_probes(config, data)  # reads the questions, so that their problems are reported now
    return estimate_run(config, None, data, quickly=False)
