"""The training half of a run: rows -> adapter, and afresh for the chosen number of epochs where that was asked for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.evaluation.recall import ON_THE_CURVE, Recall, accepted
from byheart.interrupt import Interrupt
from byheart.model.chat import answer_tokens, prompt_tokens
from byheart.model.language import LanguageModel
from byheart.model.replay import DISTINCT, converse, expectations, plain_texts, question_start
from byheart.pipeline.evaluate import Opened, Probes, gather_probes
from byheart.pipeline.prepare_data import Texts
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import Plan
from byheart.progress import Advanced, Checked, Said
from byheart.records import FORWARD, CurvePoint, Example, Probe
from byheart.store import read_json, write_json, write_jsonl
from byheart.training.job import Hooks, Learned, Lesson
from byheart.training.layout import Row, SoftTargets
from byheart.training.stopping import Stopping

if TYPE_CHECKING:
    from datasets import Dataset


SAVING_S = 10.0  # seconds to save the adapter, load the base again and write the page


def study(plan: Plan, texts: Texts, opened: Opened, run: Run, interrupt: Interrupt) -> dict[str, Path]:
    """Trains and saves; gives the adapters' folders by the name of their scores: "tuned", and "retrained" if asked."""
    done = _done(run.folder)
    train, validate = lesson_rows(plan, texts, opened, run, replay=done is None or plan.retrain != "none")
    lesson = lesson_of(plan, train, validate, opened)
    if not validate and plan.stopping.monitor != "train_recall":
        plan = replace(plan, stopping=replace(plan.stopping, monitor="train_recall"))
        run.note(
            "nothing is held out, so stopping.monitor=train_recall ends the training: recall of the trained answers"
        )
    adapters = {"tuned": run.folder / "adapter"}
    if done is None:
        _fit(plan, lesson, opened, run, interrupt)
        done = run.record["training"]
    else:
        run.send(Said("training is finished already: the adapter is taken from the run's folder"))
    if plan.retrain != "none" and not interrupt.requested:
        adapters["retrained"] = run.folder / "retrained" / "adapter"
        if _done(run.folder / "retrained") is None:
            # Where nothing was held out no epoch could be chosen: then all of them.
            epochs = max(1, round(done["chosen_epoch"])) if done["chosen_epoch"] else plan.epochs
            again = replace(lesson, epochs=epochs, schedule=plan.retrain, most_steps=None)
            patient = replace(plan, stopping=replace(plan.stopping, patience=None))
            _fit(patient, again, opened, run, interrupt, afresh=True)
    return adapters


def tokens_per_row(rows: Sequence[Row]) -> float:
    return sum(len(row.tokens) for row in rows) / max(1, len(rows))


def lesson_rows(plan: Plan, texts: Texts, opened: Opened, run: Run, replay: bool = True) -> tuple[list[Row], list[Row]]:
    """The rows to train on, among them those that replay what the model knows, and those that are validated on."""
    with run.stage("rows", "Making rows") as note:
        train = _rows(plan, texts.examples_named(texts.split.train), opened, run.folder / "rows" / "train")
        theirs = _dev_examples(gather_probes(plan, texts))
        choosing = [*texts.examples_named(texts.split.choose), *theirs]
        validate = _rows(plan, choosing, opened, run.folder / "rows" / "choose")
        made = len(train)
        note(f"{made:,} rows, {sum(len(row.tokens) for row in train):,} tokens, {tokens_per_row(train):.0f} a row")
        if theirs:
            note(f"{len(theirs)} of your questions choose too (dev={plan.dev:g}); they are not scored at the end")
    if skipped := len(texts.split.train) - made:
        run.note(
            f"{skipped} rows were left out: their question alone is longer than rows.max_tokens={plan.rows.max_tokens}"
        )
    if plan.rows.replay and replay:
        train += _replayed(plan, plan.rows.replayed(made), opened, run)
    return train, validate


def lesson_of(plan: Plan, train: Sequence[Row], validate: Sequence[Row], opened: Opened) -> Lesson:
    return Lesson(
        train,
        validate,
        plan.batch_size,
        plan.epochs,
        plan.seed,
        plan.schedule,
        plan.rows.reduction,
        opened.tokenizer.pad_token_id,
        plan.limit.steps,
    )


def _fit(plan: Plan, lesson: Lesson, opened: Opened, run: Run, interrupt: Interrupt, afresh: bool = False) -> None:
    """Trains a new adapter and saves it. `afresh`: a second one, for exactly so many epochs, whatever its curve prefers."""
    name, folder = ("retraining", run.folder / "retrained") if afresh else ("training", run.folder)
    again = f"Once more from the base, {lesson.epochs} epochs, {lesson.schedule} rate"
    with run.stage(name, again if afresh else "Learning by heart") as note:
        model = opened.attach(plan.adapter, plan.seed)
        run.record["adapter_parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
        run.record["in_training"] = True
        clock = _Clock(run, lesson, math.inf if afresh else _until(plan, run))
        tokens = tokens_per_row(lesson.train)
        with interrupt.deferred():
            learned = plan.trainer.fit(
                model,
                lesson,
                plan.optimizer,
                plan.stopping,
                folder,
                Hooks(
                    on_step=clock.on_step,
                    on_check=lambda point, curve: run.send(Checked(name, point, curve, tokens)),
                    stop_requested=lambda: interrupt.requested,
                    out_of_time=clock.out_of_time,
                ),
                keep_best=not afresh,
            )
        run.record["in_training"] = False
        opened.save(folder / "adapter")
        account = account_of(learned, plan.stopping) | {"held_out": len(lesson.validate)}
        run.record[name] = account
        run.record["peak_memory_gib"] = max((point.peak_memory for point in learned.curve), default=None)
        if learned.state != "stopped":
            write_json(folder / "adapter" / "byheart.json", account)  # marks the training as finished
        note(account["why_stopped"])
    for line in learned.notes:
        run.note(line)


class _Clock:
    """Reports each step. Within a budget of time it counts seconds: nobody knows how many steps there is time for."""

    def __init__(self, run: Run, lesson: Lesson, until: float):
        """`until`: the second of the run at which training must end."""
        self.run, self.until, self.began = run, until, run.seconds
        self.timed = until < math.inf
        self.label = "training, seconds" if self.timed else "training, steps at most"
        self.total = max(1, round(until - self.began) if self.timed else lesson.steps)
        self._report(0)

    def on_step(self, step: int, steps: int) -> None:
        self._report(round(self.run.seconds - self.began) if self.timed else step)

    def out_of_time(self) -> bool:
        return self.run.seconds >= self.until

    def _report(self, done: int) -> None:
        self.run.send(Advanced(self.label, done, self.total))


def _until(plan: Plan, run: Run) -> float:
    """The second of the run at which training must end, so that the report is there within a budget of time.

    What follows takes about twice as long as scoring the untuned model did (an adapter's own products make answering
    slower), and a training afresh as long as this one.
    """
    seconds = plan.limit.seconds
    if seconds is None:
        return math.inf
    left = seconds - 2.2 * run.record["timings"].get("score_untuned", 0.0) - SAVING_S - run.seconds
    return run.seconds + left / (1 if plan.retrain == "none" else 2)


def _dev_examples(probes: Probes) -> list[Example]:
    """Those of the user's questions that may choose, as rows that validation loss is taken on and none is trained on."""
    return [
        Example(probe.id, probe.question, accepted(probe)[0], probe.facts, "simple", FORWARD, "questions")
        for probe in probes.dev
    ]


def _rows(plan: Plan, examples: Sequence[Example], opened: Opened, folder: Path) -> list[Row]:
    if not examples:
        return []
    dataset: Dataset = plan.rows.build(examples, opened.tokenizer, folder)
    return [Row(row["tokens"], row["loss_from"]) for row in dataset]


def _replayed(plan: Plan, count: int, opened: Opened, run: Run) -> list[Row]:
    """The base model's own conversations and texts as rows, with what it expects at each of their tokens.

    Each row stands there as often as it takes to make `count` of them.
    """
    model, folder = opened.untrained(), plan.model.find()
    new = min(count, DISTINCT)
    with run.stage("replay", "Sampling its own texts to replay, once for each model") as note:

        def on_progress(done: int, total: int) -> None:
            run.send(Advanced("rows", done, total))

        on_progress(0, new)
        said = converse(model, folder, new - new // 2, on_progress)
        texts = plain_texts(model, folder, new - len(said), on_progress)
        rows = [_replayed_row(plan, model, tokens, 1) for tokens in texts]
        for each in said:
            prompt = prompt_tokens(opened.tokenizer, each.question)
            answer = answer_tokens(opened.tokenizer, each.answer, end=each.finished)
            rows.append(_replayed_row(plan, model, [*prompt, *answer], question_start(opened.tokenizer, prompt)))
        times = f", {count / new:.2g} times an epoch" if count > new else ""
        note(f"{len(said)} conversations and {len(texts)} texts of its own{times}, among the others")
    shown = [{"text": opened.tokenizer.decode(tokens)} for tokens in texts]
    write_jsonl(run.folder / "replay.jsonl", [*map(asdict, said), *shown])
    return list(islice(cycle(rows), count))


def _replayed_row(plan: Plan, model: LanguageModel, tokens: Sequence[int], start: int) -> Row:
    kept = list(tokens[: plan.rows.max_tokens])
    return Row(kept, start, SoftTargets(*expectations(model, kept, start)))


def recall_on(plan: Plan, asked: Sequence[Probe]) -> Callable[[LanguageModel], float] | None:
    """What measures recall (token F1) on these probes while a model learns; None where nobody is to be asked."""
    member = plan.evaluation.get("recall", Recall())
    if not asked or not isinstance(member, Recall):
        return None
    return lambda model: member.score(model, asked).metrics[ON_THE_CURVE].value


def _done(folder: Path) -> dict[str, Any] | None:
    file = folder / "adapter" / "byheart.json"
    return read_json(file) if file.is_file() else None


def account_of(learned: Learned, stopping: Stopping) -> dict[str, Any]:
    """What run.json says of a training, and adapter/byheart.json, which marks it as finished."""
    last: CurvePoint | None = learned.curve[-1] if learned.curve else None
    epochs = f"{learned.epochs_run:.3g} epoch{'' if learned.epochs_run == 1 else 's'}"
    why = {
        "finished": f"it had run for {epochs}, the most that were allowed",
        "upturn": f"after {epochs}, since {stopping.why}",
        "budget": f"its budget was used up after {epochs}",
        "stopped": f"stopped by Ctrl-C after {epochs}",
    }[learned.state]
    chosen = f"; epoch {learned.chosen_epoch:.3g} was the best" if learned.chosen_epoch else ""
    return {
        "state": learned.state,
        "why_stopped": f"{why}{chosen}",
        "chosen_epoch": learned.chosen_epoch,
        "monitor": stopping.monitor,
        "loss_would_choose": learned.loss_would_choose,
        "epochs_run": learned.epochs_run,
        "steps": learned.steps,
        "rows": learned.rows,
        "seconds": round(learned.seconds, 1),
        "last": asdict(last) if last else None,
    }
