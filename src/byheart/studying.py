"""The training half of a run: rows -> adapter, and afresh for the chosen number of epochs where that was asked for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.evaluation.recall import ON_THE_CURVE, Recall, accepted
from byheart.examining import Opened, Probes, probes_of
from byheart.model.chat import answer_tokens, prompt_tokens
from byheart.model.language import LanguageModel
from byheart.model.replay import converse
from byheart.plan import Plan
from byheart.report.loggers.logbook import Logbook, about_run
from byheart.run import Run
from byheart.store import read_json, write_json, write_jsonl
from byheart.training.layout import Row
from byheart.training.trainer import Learned, Lesson
from byheart.types import FORWARD, CurvePoint, Example, Probe
from byheart.writing import Texts

if TYPE_CHECKING:
    from datasets import Dataset

SAMPLE = 32  # probes asked at each epoch's end


def study(plan: Plan, texts: Texts, probes: Probes, opened: Opened, run: Run) -> dict[str, Path]:
    """Trains and saves; gives the adapters' folders by the name of their scores: "tuned", and "retrained" if asked."""
    done = _done(run.folder)
    train, validate = lesson_rows(plan, texts, probes, opened, run, rehearse=done is None or plan.retrain != "none")
    lesson = lesson_of(plan, train, validate, opened)
    if done is None:
        learned = _fit(plan, lesson, opened, run.folder, _recall(plan, texts, probes, opened), run)
        if run.stop_requested:
            return {}
        done = run.record["training"]
        chosen = learned.chosen_epoch
    else:
        chosen = done["chosen_epoch"]
        run.screen.say("training is finished already: the adapter is taken from the run's folder")
    adapters = {"tuned": run.folder / "adapter"}
    if plan.retrain != "none":  # where nothing was held out no epoch could be chosen: all of them, then
        again = replace(lesson, epochs=chosen or plan.epochs, schedule=plan.retrain)
        folder = run.folder / "retrained"
        if _done(folder) is None:
            _fit(replace(plan, stopping=replace(plan.stopping, patience=None)), again, opened, folder, None, run)
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
    plan: Plan, texts: Texts, probes: Probes, opened: Opened, run: Run, rehearse: bool = True
) -> tuple[list[Row], list[Row]]:
    """The rows to train on, among them those in which the model rehearses what it knows, and those that choose."""
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
    if plan.rows.replay and rehearse:
        train += _replayed(plan, plan.rows.rehearsed(told), opened, run)
    return train, validate


def lesson_of(plan: Plan, train: Sequence[Row], validate: Sequence[Row], opened: Opened) -> Lesson:
    filler = opened.tokenizer.pad_token_id
    return Lesson(train, validate, plan.batch_size, plan.epochs, plan.seed, plan.schedule, plan.rows.reduction, filler)


def _fit(
    plan: Plan, lesson: Lesson, opened: Opened, folder: Path, recall: Callable[[], float] | None, run: Run
) -> Learned:
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

        steps = -(-len(lesson.train) // lesson.batch_size) * lesson.epochs
        with run.screen.progress(steps, "training") as bar:
            learned = plan.trainer.fit(
                model,
                lesson,
                plan.optimizer,
                plan.stopping,
                folder,
                recall,
                on_step=lambda step, total: bar.reach(step),
                on_check=on_check,
                stop_requested=lambda: run.stop_requested,
                keep_best=name == "training",  # afresh is for exactly so many epochs, whatever its own loss prefers
            )
        run.record["in_training"] = False
        opened.save(folder / "adapter")
        account = account_of(learned)
        run.record[name] = account
        run.record["peak_memory_gib"] = max((point.peak_memory for point in learned.curve), default=None)
        if learned.state != "stopped":
            write_json(folder / "adapter" / "byheart.json", account)  # marks the training as finished
        note(account["why_stopped"])
    for line in learned.notes:
        run.note(line)
    by_loss, by_recall = learned.chosen_epoch, learned.recall_would_choose
    if by_loss is not None and by_recall is not None and by_loss != by_recall:
        run.note(
            f"validation loss chose epoch {by_loss}; recall on the choosing half would have chosen epoch {by_recall}"
        )
    if name == "training" and learned.state == "finished" and plan.stopping.still_falling(learned.curve):
        upturn = "" if plan.stopping.patience is None else ", and ends by itself where the loss turns upward"
        run.note(
            f"validation loss was still falling when the last epoch ended: epochs={2 * plan.epochs} may teach more{upturn}"
        )
    return learned


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
    """The base model's own conversations as rows."""
    with run.stage("replay", "Rehearsing what it knows already") as note, run.screen.progress(count, "rows") as bar:
        found = converse(opened.untrained(), plan.model.find(), count, bar.reach)
        note(f"{len(found)} conversations of its own, to be trained among the others")
    write_jsonl(run.folder / "replay.jsonl", found)
    if len(found) < count:
        run.note(
            f"{len(found)} of {count} rows to rehearse: this model makes up no more (rows.replay={plan.rows.replay})"
        )
    rows = []
    for said in found:
        prompt = prompt_tokens(opened.tokenizer, said.question)
        answer = answer_tokens(opened.tokenizer, said.answer, end=said.finished)
        rows.append(Row([*prompt, *answer][: plan.rows.max_tokens], len(prompt)))
    return rows


def recall_on(plan: Plan, asked: Sequence[Probe]) -> Callable[[LanguageModel], float] | None:
    """What measures recall (token F1) on these probes while a model learns; None where nobody is to be asked."""
    member = plan.evaluation.get("recall", Recall())
    if not asked or not isinstance(member, Recall):
        return None
    return lambda model: member.score(model, asked).metrics[ON_THE_CURVE].value


def _recall(plan: Plan, texts: Texts, probes: Probes, opened: Opened) -> Callable[[], float] | None:
    """Of the model in training, on a sample of the choosing half: what judges is never asked here."""
    measure = recall_on(plan, [*probes.dev, *probes_of(texts, texts.split.choose)][:SAMPLE])
    return None if measure is None else lambda: measure(opened.language_model())


def _done(folder: Path) -> dict[str, Any] | None:
    file = folder / "adapter" / "byheart.json"
    return read_json(file) if file.is_file() else None


def account_of(learned: Learned) -> dict[str, Any]:
    """What run.json says of a training, and adapter/byheart.json, which marks it as finished."""
    last: CurvePoint | None = learned.curve[-1] if learned.curve else None
    epochs = f"{learned.epochs_run:.2g} epoch{'' if learned.epochs_run == 1 else 's'}"
    why = {
        "finished": f"it had run for {epochs}, as asked",
        "upturn": f"validation loss turned upward after {epochs}",
        "stopped": f"stopped by Ctrl-C after {epochs}",
    }[learned.state]
    chosen = f"; epoch {learned.chosen_epoch} was the best" if learned.chosen_epoch else ""
    return {
        "state": learned.state,
        "why_stopped": f"{why}{chosen}",
        "chosen_epoch": learned.chosen_epoch,
        "recall_would_choose": learned.recall_would_choose,
        "epochs_run": learned.epochs_run,
        "steps": learned.steps,
        "rows": learned.rows,
        "seconds": round(learned.seconds, 1),
        "last": asdict(last) if last else None,
    }
