"""The training half of a run: rows -> adapter, and afresh for the chosen number of epochs where that was asked for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.evaluation.recall import ON_THE_CURVE, Recall, accepted
from byheart.examining import Opened, Probes
from byheart.model.chat import answer_tokens, prompt_tokens
from byheart.model.language import LanguageModel
from byheart.model.replay import DISTINCT, converse, expectations, plain_texts, question_start
from byheart.plan import Plan
from byheart.report.loggers.logbook import Logbook, about_run
from byheart.run import Run
from byheart.store import read_json, write_json, write_jsonl
from byheart.training.job import Hooks, Learned, Lesson
from byheart.training.layout import Row, SoftTargets
from byheart.training.stopping import Stopping
from byheart.types import FORWARD, CurvePoint, Example, Probe
from byheart.writing import Texts

if TYPE_CHECKING:
    from datasets import Dataset


SAVING_S = 10.0  # seconds to save the adapter, load the base again and write the page


def study(plan: Plan, texts: Texts, probes: Probes, opened: Opened, run: Run) -> dict[str, Path]:
    """Trains and saves; gives the adapters' folders by the name of their scores: "tuned", and "retrained" if asked."""
    done = _done(run.folder)
    train, validate = lesson_rows(plan, texts, probes, opened, run, replay=done is None or plan.retrain != "none")
    lesson = lesson_of(plan, train, validate, opened)
    if not validate and plan.stopping.monitor != "train_recall":
        plan = replace(plan, stopping=replace(plan.stopping, monitor="train_recall"))
        run.note(
            "nothing is held out, so stopping.monitor=train_recall ends the training: recall of the trained answers"
        )
    if done is None:
        learned = _fit(plan, lesson, opened, run.folder, run)
        if run.stop_requested:
            return {}
        done = run.record["training"]
        chosen = learned.chosen_epoch
    else:
        chosen = done["chosen_epoch"]
        run.screen.say("training is finished already: the adapter is taken from the run's folder")
    adapters = {"tuned": run.folder / "adapter"}
    if plan.retrain != "none":  # where nothing was held out no epoch could be chosen: all of them, then
        epochs = max(1, round(chosen)) if chosen else plan.epochs
        again = replace(lesson, epochs=epochs, schedule=plan.retrain, most_steps=None)
        folder = run.folder / "retrained"
        if _done(folder) is None:
            _fit(replace(plan, stopping=replace(plan.stopping, patience=None)), again, opened, folder, run)
        if not run.stop_requested:
            adapters["retrained"] = folder / "adapter"
    return adapters


def open_logbook(plan: Plan, run: Run, group: str | None = None, name: str | None = None) -> Logbook:
    """The run in the loggers that were chosen: its folder's config, and what a comparison is coloured by as tags."""
    tags = [
        Path(plan.model.path).name,
        *plan.expansion,
        type(plan.adapter).__name__.lower(),
        type(plan.optimizer).__name__.lower(),
        plan.schedule,
    ]
    return Logbook(plan.logger, about_run(run.folder, name or str(plan.name), tags, group), run.note)


def tokens_per_row(rows: Sequence[Row]) -> float:
    return sum(len(row.tokens) for row in rows) / max(1, len(rows))


def lesson_rows(
    plan: Plan, texts: Texts, probes: Probes, opened: Opened, run: Run, replay: bool = True
) -> tuple[list[Row], list[Row]]:
    """The rows to train on, among them those that replay what the model knows, and those that are validated on."""
    with run.stage("rows", "Making rows") as note:
        train = _rows(plan, texts.examples_named(texts.split.train), opened, run.folder / "rows" / "train")
        theirs = _dev_examples(probes)
        choosing = [*texts.examples_named(texts.split.choose), *theirs]
        validate = _rows(plan, choosing, opened, run.folder / "rows" / "choose")
        told = len(train)
        tokens = sum(len(row.tokens) for row in train)
        note(f"{len(train):,} rows, {tokens:,} tokens, {tokens / max(1, len(train)):.0f} a row")
        if theirs:
            note(f"{len(theirs)} of your questions choose too (dev={plan.dev:g}); they are not scored at the end")
    if skipped := len(texts.split.train) - told:
        run.note(
            f"{skipped} rows were left out: their question alone is longer than rows.max_tokens={plan.rows.max_tokens}"
        )
    if plan.rows.replay and replay:
        train += _replayed(plan, plan.rows.replayed(told), opened, run)
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


def _fit(plan: Plan, lesson: Lesson, opened: Opened, folder: Path, run: Run) -> Learned:
    name = "training" if folder == run.folder else "retraining"
    title = (
        "Learning by heart"
        if name == "training"
        else f"Once more from the base, {lesson.epochs} epochs, {lesson.schedule} rate"
    )
    with run.stage(name, title) as note:
        model = opened.attach(plan.adapter, plan.seed)
        run.record["adapter_parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
        run.record["in_training"] = True

        def on_check(point: CurvePoint, curve: Sequence[CurvePoint]) -> None:
            run.screen.curve(point, curve)
            if name == "training":
                run.log.check(point, tokens_per_row(lesson.train))

        began, until = run.seconds, _until(plan, run) if name == "training" else math.inf
        timed = until < math.inf  # then the bar counts seconds: nobody knows how many steps there is time for
        whole, label = (
            (round(until - began), "training, seconds") if timed else (lesson.steps, "training, steps at most")
        )
        with run.screen.progress(max(1, whole), label) as bar:
            learned = plan.trainer.fit(
                model,
                lesson,
                plan.optimizer,
                plan.stopping,
                folder,
                Hooks(
                    on_step=lambda step, total: bar.reach(round(run.seconds - began) if timed else step),
                    on_check=on_check,
                    stop_requested=lambda: run.stop_requested,
                    out_of_time=lambda: run.seconds >= until,
                ),
                keep_best=name == "training",  # afresh is for exactly so many epochs, whatever its own curve prefers
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
    return learned


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
    with (
        run.stage("replay", "Sampling its own texts to replay, once for each model") as note,
        run.screen.progress(new, "rows") as bar,
    ):
        said = converse(model, folder, new - new // 2, bar.reach)
        texts = plain_texts(model, folder, new - len(said), bar.reach)
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
