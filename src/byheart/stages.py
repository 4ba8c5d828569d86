"""What byheart does, in the order in which it does it. The page to read first.

documents -> chunks -> facts -> examples -> split -> rows -> adapter -> scores -> report

Each stage reads the records of the one before and leaves its own in the run's folder, marked done last, so that a
killed run goes on where it stopped (`resume=DIR`).
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from byheart.examining import Opened, examine, gather_probes, set_exam, write_scores
from byheart.plan import Plan
from byheart.run import Run
from byheart.store import read_json, read_records
from byheart.studying import open_logbook, study
from byheart.training.curve import read_curve
from byheart.writing import Texts, asks_a_teacher, estimate_asking, read_texts, write_texts


def learn(plan: Plan, folder: Path, screen: Any) -> Path | None:
    """The whole way; gives the report's path, or None where the run was stopped or only an estimate was asked for."""
    with Run(folder, screen, name=plan.name, seed=plan.seed, model=plan.model.path) as run:
        run.log = open_logbook(plan, run)
        if plan.estimate and asks_a_teacher(plan):
            _estimate_teacher(plan, run)
            return None
        texts = write_texts(plan, run)
        probes = gather_probes(plan, texts)
        if plan.estimate:
            _estimate(plan, texts, run)
            return None
        opened = Opened.load(plan, run)
        exam = set_exam(plan, texts, probes)
        untuned = examine(exam, opened.untrained(), "untuned", run)
        open_book = examine(exam, opened.untrained(), "open_book", run)
        learned = study(plan, texts, probes, opened, run)
        if run.stop_requested:
            _stopped(run)
            return None
        scored = {"untuned": untuned, "open_book": open_book}
        for name, tuned in learned.items():
            scored[name] = examine(exam, opened.trained(tuned), name, run)
        write_scores(exam, scored, run)
        run.record["learning"] = learning_of(plan, texts, run)
        run.record["state"] = "finished"  # the page tells it; should it fail, the run is not finished after all
        run.save()
        page = report(run)
        run.log.scored(folder)
        return page


def expand(plan: Plan, folder: Path, screen: Any) -> Texts | None:
    """The text half alone: documents to examples and split, with the ledger as a page. torch is not loaded."""
    with Run(folder, screen, name=plan.name, seed=plan.seed) as run:
        if plan.estimate:
            _estimate_teacher(plan, run)
            return None
        texts = write_texts(plan, run)
    from byheart.report.ledger_page import write_ledger_page

    page = write_ledger_page(folder)
    screen.say(f"\nexamples  {folder / 'examples.jsonl'}\nledger    {page}")
    return texts


def evaluate(plan: Plan, folder: Path, questions: str | None, screen: Any) -> Path:
    """Scores a finished run again, into a folder of its own below the run's: on other questions or once more on its own."""
    texts = read_texts(folder)
    probes = gather_probes(plan, texts, questions)
    below = folder / "evaluations" / (Path(questions).stem if questions else "again")
    with Run(below, screen, name=plan.name, seed=plan.seed, model=plan.model.path) as run:
        opened = Opened.load(plan, run)
        exam = set_exam(plan, texts, probes)
        scored = {name: examine(exam, opened.untrained(), name, run) for name in ("untuned", "open_book")}
        scored["tuned"] = examine(exam, opened.trained(folder / "adapter"), "tuned", run)
        write_scores(exam, scored, run)
    screen.scores(read_json(below / "scores.json"))
    screen.probes(read_records(below / "answers.jsonl"))
    screen.say(f"\nscores   {below / 'scores.json'}\nanswers  {below / 'answers.jsonl'}")
    return below / "scores.json"


def learning_of(plan: Plan, texts: Texts, run: Run) -> dict[str, Any]:
    """How the training went, for run.json: what is held out and said, exposures, what more would buy."""
    from byheart.report.learning import learning

    training, curve = run.record.get("training", {}), read_curve(run.folder / "curve.csv")
    answers = read_records(run.folder / "answers.jsonl")
    ended = training.get("state") == "budget"
    more = f"budget={plan.limit.doubled()}" if ended else f"epochs={2 * plan.epochs}"
    taught = texts.examples_named(texts.split.train)
    found = learning(curve, plan.stopping, training, taught, training.get("held_out", 0), answers, more)
    return {**asdict(found), "lines": found.lines}


def report(run: Run) -> Path:
    """The page, and what the terminal shows of it."""
    folder, screen = run.folder, run.screen
    from byheart.report.page import write_page

    page = write_page(folder)
    screen.scores(read_json(folder / "scores.json"))
    screen.learning(run.record.get("learning", {}).get("lines", ()))
    screen.probes(read_records(folder / "answers.jsonl"))
    screen.closing(page, folder / "adapter")
    return page


def _stopped(run: Run) -> None:
    run.record["state"] = "interrupted"
    folder = run.folder
    run.screen.say(f"Stopped. The adapter so far is in {folder / 'adapter'}.")
    run.screen.say(f'  go on:     byheart learn "resume={folder}"')
    run.screen.say(f'  score it:  byheart evaluate "run={folder}"')


def _estimate_teacher(plan: Plan, run: Run) -> None:
    """What asking the teacher would take, before a cent is spent."""
    from byheart.report.asking import estimated

    run.record["state"] = "estimated"
    for line in estimated(estimate_asking(plan, run)) or ["teacher: no requests, no cost"]:
        run.screen.say(line)


def _estimate(plan: Plan, texts: Texts, run: Run) -> None:
    """What the run would do. Exact but for the tokens, which the packaged tokenizer counts."""
    from byheart.documents.tokens import count_tokens

    run.record["state"] = "estimated"
    train = texts.examples_named(texts.split.train)
    tokens = sum(count_tokens([f"{example.question} {example.answer}" for example in train]))
    again = plan.rows.replayed(len(train))
    steps = -(-(len(train) + again) // plan.batch_size) * plan.epochs
    replayed = f", and {again:,} that replay what it knows" if again else ""
    run.screen.say(f"{len(train):,} rows of about {tokens / len(train):.0f} tokens{replayed}")
    limit = plan.limit
    if limit.steps is not None and limit.steps < steps:
        run.screen.say(f"at most {limit.steps:,} steps of batch size {plan.batch_size} (budget={plan.budget})")
    else:
        within = f", within budget={plan.budget}" if limit.seconds is not None else ""
        run.screen.say(f"at most {plan.epochs} epochs: {steps:,} steps of batch size {plan.batch_size}{within}")
    run.screen.say("teacher: no requests, no cost")
