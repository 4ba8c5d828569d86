"""Training: rows -> adapter, and a second adapter for the chosen number of epochs if `retrain` asks for it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from byheart.evaluation.recall import Recall, Sample
from byheart.interrupt import Interrupt
from byheart.pipeline.budget import StepTimer, adapters_scored, sampling_seconds, training_ends
from byheart.pipeline.estimate import remember_pace
from byheart.pipeline.evaluate import Probes
from byheart.pipeline.kinds import kind_rows
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData
from byheart.pipeline.rows import make_rows, tokens_per_row
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train_on import account, result_of
from byheart.progress import Advanced, Checked, Said
from byheart.records import CurvePoint, Probe
from byheart.store import write_json
from byheart.training.curve import write_curve
from byheart.training.job import UNCHOSEN, Hooks, TrainJob, TrainResult
from byheart.training.layout import Row
from byheart.training.stopping import Stopping


def train_adapters(
    config: RunConfig, data: PreparedData, probes: Probes, session: ModelSession, run: Run, interrupt: Interrupt
) -> dict[str, Path]:
    """Trains and saves; gives the adapters' folders by the name of their scores: "tuned", and "retrained" if asked."""
    place = result_of(run.folder)
    done = account(place)
    replay = done is None or config.retrain != "none"
    train, validate = make_rows(config, data, probes, session, run, replay, sampling_seconds(config, run))
    train_job = train_job_of(config, train, validate, session)
    if not validate and config.stopping.monitor != "train_recall":
        config = replace(config, stopping=replace(config.stopping, monitor="train_recall"))
        run.note(
            "nothing is held out, so training is stopped by stopping.monitor=train_recall, the recall of trained answers"
        )
    adapters = {"tuned": place / "adapter"}
    if done is None:
        if place != run.folder:
            run.send(Said("training goes on; the result of before stays until the new one is whole"))
        trainings = adapters_scored(config)
        job = replace(train_job, kinds=kind_rows(config, data, session))
        done = fit_adapter(
            config, job, session, run, interrupt, Fitting("training", "Training", run.folder, place, trainings)
        )
    else:
        run.send(Said("training is finished already: the adapter in the run's folder is used"))
    if config.retrain != "none" and not interrupt.requested:
        # Where nothing was held out no epoch could be chosen: then all of them.
        epochs = max(1, round(done["chosen_epoch"])) if done["chosen_epoch"] else config.epochs
        earlier = account(run.folder / "retrained")
        if earlier and round(earlier["epochs_run"]) == epochs:
            place = run.folder  # also of a run that was trained on, if the same epoch is the best
        adapters["retrained"] = place / "retrained" / "adapter"
        if account(place / "retrained") is None:
            again = replace(train_job, epochs=epochs, schedule=config.retrain, most_steps=None)
            patient = replace(config, stopping=replace(config.stopping, patience=None))
            title = f"Training again from the base model, {epochs} epochs, {again.schedule} learning rate"
            afresh = place / "retrained"
            fitting = Fitting("retraining", title, afresh, afresh, None, keep_best=False)
            fit_adapter(patient, again, session, run, interrupt, fitting)
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


@dataclass(frozen=True)
class Fitting:
    """One training of an adapter: its stage, and where its state and its result are written."""

    name: str  # of the stage
    title: str
    state: Path  # receives checkpoint/ and curve.csv
    result: Path  # receives adapter/
    trainings: int | None  # how many share what is left of a budget of time; None: it has as long as it takes
    keep_best: bool = True
    before: tuple[CurvePoint, ...] | None = None  # the curve of the rounds before; None: this is the only training


def fit_adapter(
    config: RunConfig, train_job: TrainJob, session: ModelSession, run: Run, interrupt: Interrupt, fitting: Fitting
) -> dict[str, Any]:
    """Trains a new adapter and saves it; gives its account."""
    with run.stage(fitting.name, fitting.title) as note:
        model = session.attach(config.adapter, config.seed)
        run.record["adapter_parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
        run.record["in_training"] = True
        run.record["notes"] = [line for line in run.record["notes"] if not line.startswith(UNCHOSEN)]
        until = math.inf if fitting.trainings is None else training_ends(config, run, fitting.trainings)
        clock = _Clock(run, train_job, until, config.stopping.patience is not None)
        tokens = tokens_per_row(train_job.train)

        def show(point: CurvePoint, curve: Sequence[CurvePoint]) -> None:
            if fitting.before is not None:
                curve = joined(fitting.before, curve)
                write_curve(run.folder / "curve.csv", curve)
            run.send(Checked(fitting.name, curve[-1], curve, tokens))

        with interrupt.deferred():
            result = config.trainer.fit(
                model,
                train_job,
                config.optimizer,
                config.stopping,
                fitting.state,
                Hooks(
                    on_step=clock.on_step,
                    on_check=show,
                    stop_requested=lambda: interrupt.requested,
                    out_of_time=clock.timer.out_of_time,
                    on_note=run.note,
                ),
                keep_best=fitting.keep_best,
            )
        run.record["in_training"] = False
        session.save(fitting.result / "adapter")
        told = account_of(result, config.stopping) | {"held_out": len(train_job.validate)}
        below = run.folder / fitting.result.relative_to(result_of(run.folder))
        if fitting.result != below and (before := account(below)):
            told["ended_before"] = [*before.get("ended_before", ()), before["steps"]]
        run.record[fitting.name] = told
        run.record["peak_memory_gib"] = max((point.peak_memory for point in result.curve), default=None)
        remember_pace(model, train_job, result, session.dtype)
        if result.state != "stopped":
            write_json(fitting.result / "adapter" / "byheart.json", told)  # marks the training as finished
        note(told["why_stopped"])
    for line in result.notes:
        run.note(line)
    return told


def joined(before: Sequence[CurvePoint], after: Sequence[CurvePoint]) -> list[CurvePoint]:
    """A curve that goes on with another set of rows: counts add up, and the epochs begin at a whole number."""
    if not before:
        return list(after)
    last = before[-1]
    return [
        *before,
        *(
            replace(
                point,
                step=last.step + point.step,
                epoch=math.ceil(last.epoch) + point.epoch,
                rows_seen=last.rows_seen + point.rows_seen,
                seconds=round(last.seconds + point.seconds, 3),
            )
            for point in after
        ),
    ]


class _Clock:
    """Reports each step. With a budget of time it ends the training before `until`, a second of the run."""

    def __init__(self, run: Run, train_job: TrainJob, until: float, may_stop: bool):
        self.run, self.train_job, self.until = run, train_job, until
        self.timer = StepTimer(run, train_job, until)
        self.at_most = may_stop or until < math.inf
        self._report(0)

    def on_step(self, step: int, steps: int) -> None:
        self.timer.on_step()
        self._report(step)

    def _report(self, done: int) -> None:
        job, left = self.train_job, self.until - self.run.seconds
        epoch = f"epoch {done / job.steps_per_epoch:.1f} of {job.epochs}"
        left_s = max(0.0, left) if left < math.inf else None
        self.run.send(Advanced("", done, job.steps, epoch, "steps", self.at_most, left_s))


def recall_on(config: RunConfig, probes: Sequence[Probe]) -> Sample | None:
    """What measures recall (token F1) on these probes during training; None where none can be asked."""
    member = config.evaluation.get("recall", Recall())
    asked = member.asked(probes) if isinstance(member, Recall) else []
    return Sample(member, tuple(asked)) if asked and isinstance(member, Recall) else None


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
