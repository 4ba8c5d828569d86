"""What byheart does, in the order in which it does it. The page to read first.

documents -> chunks -> facts -> examples -> split -> rows -> adapter -> scores -> report

Each stage reads the records of the one before and leaves its own in the run's folder, marked done last, so that a
killed run goes on where it stopped (`resume=DIR`). Progress goes to listeners as events; results are returned.
"""

from dataclasses import asdict
from pathlib import Path

from byheart.documents.tokens import count_tokens
from byheart.interrupt import Interrupt
from byheart.pipeline.evaluate import Opened, examine, gather_probes, set_exam, write_scores
from byheart.pipeline.prepare_data import Texts, asks_a_teacher, estimate_asking, read_texts, write_texts
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import Plan
from byheart.pipeline.train import study
from byheart.progress import Progress, Reported, no_progress
from byheart.report.learning import learning
from byheart.report.ledger_page import write_ledger_page
from byheart.report.loggers.logbook import Logbook, about_run
from byheart.report.page import write_page
from byheart.results import (
    ESTIMATED,
    FINISHED,
    INTERRUPTED,
    EvaluateResult,
    ExpandResult,
    LearnResult,
    RunEstimate,
    TrainingEstimate,
)
from byheart.store import read_records
from byheart.training.curve import read_curve


def learn(plan: Plan, folder: Path, progress: Progress = no_progress) -> LearnResult:
    """The whole way, from documents to the report."""
    with (
        Run(folder, progress, name=plan.name, seed=plan.seed, model=plan.model.path) as run,
        Interrupt(progress) as interrupt,
    ):
        if plan.estimate:
            return LearnResult(ESTIMATED, folder, estimate=_estimate(plan, run))
        run.listeners.append(open_logbook(plan, run))

        texts = write_texts(plan, run)  # documents, chunks, facts, examples, split
        probes = gather_probes(plan, texts)
        opened = Opened.load(plan, run)
        exam = set_exam(plan, texts, probes)
        untuned = examine(exam, opened.untrained(), "untuned", run)
        open_book = examine(exam, opened.untrained(), "open_book", run)
        adapters = study(plan, texts, opened, run, interrupt)  # rows, adapter
        if interrupt.requested:
            run.record["state"] = INTERRUPTED
            return LearnResult(INTERRUPTED, folder)
        tuned = {name: examine(exam, opened.trained(adapter), name, run) for name, adapter in adapters.items()}
        scores = write_scores(exam, {"untuned": untuned, "open_book": open_book, **tuned}, run)
        return LearnResult(FINISHED, folder, scores, _report(plan, texts, run))


def expand(plan: Plan, folder: Path, progress: Progress = no_progress) -> ExpandResult:
    """Documents to examples and split, with the ledger as a page. torch is not loaded."""
    with Run(folder, progress, name=plan.name, seed=plan.seed) as run, Interrupt(progress):
        if plan.estimate:
            run.record["state"] = ESTIMATED
            return ExpandResult(ESTIMATED, folder, estimate=RunEstimate(estimate_asking(plan, run)))
        write_texts(plan, run)
    write_ledger_page(folder)
    return ExpandResult(FINISHED, folder)


def evaluate(
    plan: Plan, folder: Path, questions: str | None = None, progress: Progress = no_progress
) -> EvaluateResult:
    """Scores a finished run again, in a folder of its own below the run's: on other questions or once more on its own."""
    texts = read_texts(folder)
    probes = gather_probes(plan, texts, questions)
    below = folder / "evaluations" / (Path(questions).stem if questions else "again")
    with Run(below, progress, name=plan.name, seed=plan.seed, model=plan.model.path) as run, Interrupt(progress):
        opened = Opened.load(plan, run)
        exam = set_exam(plan, texts, probes)
        scored = {name: examine(exam, opened.untrained(), name, run) for name in ("untuned", "open_book")}
        scored["tuned"] = examine(exam, opened.trained(folder / "adapter"), "tuned", run)
        return EvaluateResult(below, write_scores(exam, scored, run))


def open_logbook(plan: Plan, run: Run, group: str | None = None, name: str | None = None) -> Logbook:
    """The loggers that were chosen, as a listener. Tags: what a comparison of runs is coloured by."""
    tags = [
        Path(plan.model.path).name,
        *plan.expansion,
        type(plan.adapter).__name__.lower(),
        type(plan.optimizer).__name__.lower(),
        plan.schedule,
    ]
    return Logbook(plan.logger, about_run(run.folder, name or str(plan.name), tags, group), run.note)


def _report(plan: Plan, texts: Texts, run: Run) -> tuple[str, ...]:
    """Writes the page; returns the sentences on how the training went, which run.json and the page hold too."""
    training, curve = run.record.get("training", {}), read_curve(run.folder / "curve.csv")
    ended = training.get("state") == "budget"
    found = learning(
        curve,
        plan.stopping,
        training,
        texts.examples_named(texts.split.train),
        read_records(run.folder / "answers.jsonl"),
        more=f"budget={plan.limit.doubled()}" if ended else f"epochs={2 * plan.epochs}",
    )
    run.record |= {"learning": {**asdict(found), "lines": found.lines}, "state": FINISHED}
    run.save()  # before the page, which is made of the files; should it fail, the run has failed after all
    write_page(run.folder)
    run.send(Reported(run.folder))
    return tuple(found.lines)


def _estimate(plan: Plan, run: Run) -> RunEstimate:
    """What the run would take. Where a teacher is to be asked, nothing is sent, and only the asking is estimated."""
    if asks_a_teacher(plan):
        run.record["state"] = ESTIMATED
        return RunEstimate(estimate_asking(plan, run))
    texts = write_texts(plan, run)
    gather_probes(plan, texts)  # reads the questions: what is wrong with them is said now
    run.record["state"] = ESTIMATED
    train = texts.examples_named(texts.split.train)
    tokens = sum(count_tokens([f"{example.question} {example.answer}" for example in train]))
    replayed = plan.rows.replayed(len(train))
    steps = -(-(len(train) + replayed) // plan.batch_size) * plan.epochs
    limit = plan.limit
    in_steps = limit.steps is not None and limit.steps < steps
    return RunEstimate(
        training=TrainingEstimate(
            len(train),
            replayed,
            tokens / len(train),
            plan.batch_size,
            plan.epochs,
            min(steps, limit.steps or steps),
            plan.budget if in_steps or limit.seconds is not None else None,
            in_steps,
        )
    )
