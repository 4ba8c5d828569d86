"""Training: rows -> adapter, and a second adapter for the chosen number of epochs if `retrain` asks for it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from byheart.evaluation.recall import ON_THE_CURVE, Recall
from byheart.interrupt import Interrupt
from byheart.model.language import LanguageModel
from byheart.pipeline.estimate import remember_pace
from byheart.pipeline.evaluate import Probes
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.rows import make_rows, tokens_per_row
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Advanced, Checked, Said
from byheart.records import CurvePoint, Probe
from byheart.store import read_json, write_json
from byheart.training.job import Hooks, TrainJob, TrainResult
from byheart.training.layout import Row
from byheart.training.stopping import Stopping

SAVING_S = 10.0  # seconds to save the adapter, load the base again and write the page


def train_adapters(
    config: RunConfig, data: PreparedData, probes: Probes, session: ModelSession, run: Run, interrupt: Interrupt
) -> dict[str, Path]:
    """Trains and saves; gives the adapters' folders by the name of their scores: "tuned", and "retrained" if asked."""
    done = _done(run.folder)
    train, validate = make_rows(config, data, probes, session, run, replay=done is None or config.retrain != "none")
    train_job = train_job_of(config, train, validate, session)
    if not validate and config.stopping.monitor != "train_recall":
        config = replace(config, stopping=replace(config.stopping, monitor="train_recall"))
        run.note(
            "nothing is held out, so training is stopped by stopping.monitor=train_recall, the recall of trained answers"
        )
    adapters = {"tuned": run.folder / "adapter"}
    if done is None:
        _fit(config, train_job, session, run, interrupt)
        done = run.record["training"]
    else:
        run.send(Said("training is finished already: the adapter in the run's folder is used"))
    if config.retrain != "none" and not interrupt.requested:
        adapters["retrained"] = run.folder / "retrained" / "adapter"
        if _done(run.folder / "retrained") is None:
            # Where nothing was held out no epoch could be chosen: then all of them.
            epochs = max(1, round(done["chosen_epoch"])) if done["chosen_epoch"] else config.epochs
            again = replace(train_job, epochs=epochs, schedule=config.retrain, most_steps=None)
            patient = replace(config, stopping=replace(config.stopping, patience=None))
            _fit(patient, again, session, run, interrupt, afresh=True)
    return adapters


def train_job_of(config: RunConfig, train: Sequence[Row], validate: Sequence[Row], session: ModelSession) -> TrainJob:
    return TrainJob(
        train,
        validate,
        config.batch_size,
        config.epochs,
        config.seed,
        config.schedule,
        config.rows.reduction,
        session.chat.filler,
        config.limit.steps,
    )


def _fit(
    config: RunConfig, train_job: TrainJob, session: ModelSession, run: Run, interrupt: Interrupt, afresh: bool = False
) -> None:
    """Trains a new adapter and saves it. `afresh`: a second one, for exactly `train_job.epochs` epochs."""
    name, folder = ("retraining", run.folder / "retrained") if afresh else ("training", run.folder)
    again = f"Training again from the base model, {train_job.epochs} epochs, {train_job.schedule} learning rate"
    with run.stage(name, again if afresh else "Training") as note:
        model = session.attach(config.adapter, config.seed)
        run.record["adapter_parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
        run.record["in_training"] = True
        clock = _Clock(run, train_job, math.inf if afresh else _until(config, run))
        tokens = tokens_per_row(train_job.train)
        with interrupt.deferred():
            result = config.trainer.fit(
                model,
                train_job,
                config.optimizer,
                config.stopping,
                folder,
                Hooks(
                    on_step=clock.on_step,
                    on_check=lambda point, curve: run.send(Checked(name, point, curve, tokens)),
                    stop_requested=lambda: interrupt.requested,
                    out_of_time=clock.out_of_time,
                    on_note=run.note,
                ),
                keep_best=not afresh,
            )
        run.record["in_training"] = False
        session.save(folder / "adapter")
        account = account_of(result, config.stopping) | {"held_out": len(train_job.validate)}
        run.record[name] = account
        run.record["peak_memory_gib"] = max((point.peak_memory for point in result.curve), default=None)
        remember_pace(model, train_job, result, session.dtype)
        if result.state != "stopped":
            write_json(folder / "adapter" / "byheart.json", account)  # marks the training as finished
        note(account["why_stopped"])
    for line in result.notes:
        run.note(line)


class _Clock:
    """Reports each step. With a budget of time it counts seconds, because the number of steps is not known."""

    def __init__(self, run: Run, train_job: TrainJob, until: float):
        """`until`: the second of the run at which training must end."""
        self.run, self.until, self.began = run, until, run.seconds
        self.timed = until < math.inf
        self.label = "training, seconds" if self.timed else "training, steps at most"
        self.total = max(1, round(until - self.began) if self.timed else train_job.steps)
        self._report(0)

    def on_step(self, step: int, steps: int) -> None:
        self._report(round(self.run.seconds - self.began) if self.timed else step)

    def out_of_time(self) -> bool:
        return self.run.seconds >= self.until

    def _report(self, done: int) -> None:
        self.run.send(Advanced(self.label, done, self.total))


def _until(config: RunConfig, run: Run) -> float:
    """The second of the run at which training must end, so that the report is there within a budget of time.

    What follows takes about twice as long as scoring the untuned model did (an adapter's own products make answering
    slower), and a training afresh as long as this one.
    """
    seconds = config.limit.seconds
    if seconds is None:
        return math.inf
    left = seconds - 2.2 * run.record["timings"].get("score_untuned", 0.0) - SAVING_S - run.seconds
    return run.seconds + left / (1 if config.retrain == "none" else 2)


def recall_on(config: RunConfig, asked: Sequence[Probe]) -> Callable[[LanguageModel], float] | None:
    """The function that measures recall (token F1) on these probes during training; None without probes."""
    member = config.evaluation.get("recall", Recall())
    if not asked or not isinstance(member, Recall):
        return None
    return lambda model: member.score(model, asked).metrics[ON_THE_CURVE].value


def _done(folder: Path) -> dict[str, Any] | None:
    file = folder / "adapter" / "byheart.json"
    return read_json(file) if file.is_file() else None


def account_of(result: TrainResult, stopping: Stopping) -> dict[str, Any]:
    """The record of a training in run.json and in adapter/byheart.json, which marks it as finished."""
    last: CurvePoint | None = result.curve[-1] if result.curve else None
    epochs = f"{result.epochs_run:.3g} epoch{'' if result.epochs_run == 1 else 's'}"
    why = {
        "finished": f"it reached the maximum of {epochs}",
        "upturn": f"after {epochs}, since {stopping.why}",
        "budget": f"its budget was used up after {epochs}",
        "stopped": f"stopped by Ctrl-C after {epochs}",
    }[result.state]
    chosen = f"; epoch {result.chosen_epoch:.3g} was the best" if result.chosen_epoch else ""
    return {
        "state": result.state,
        "why_stopped": f"{why}{chosen}",
        "chosen_epoch": result.chosen_epoch,
        "monitor": stopping.monitor,
        "loss_would_choose": result.loss_would_choose,
        "epochs_run": result.epochs_run,
        "steps": result.steps,
        "rows": result.rows,
        "seconds": round(result.seconds, 1),
        "last": asdict(last) if last else None,
    }
