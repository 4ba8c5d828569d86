"""The task of a sweep's jobs: `prepare`, `fit` and `finish` one trial. Calling it does all three; the packed launcher
calls `prepare` and `finish`, and trains many trials together."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from byheart.config.compose import Config, job_folder, stay_where_started
from byheart.errors import Diverged, Problem, UserError
from byheart.evaluation.recall import Sample
from byheart.model.language import LanguageModel
from byheart.pipeline.learn import open_logbook
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.rows import tokens_per_row
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train import account_of, train_job_of
from byheart.progress import Checked, Progress, RunEnded, Said, no_progress
from byheart.records import CurvePoint
from byheart.report.loggers.logbook import Logbook
from byheart.results import SweepResult
from byheart.store import read_object, write_json
from byheart.sweep.run.shared import Shared, detach_adapter
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.results import Outcome, write_outcome
from byheart.training.curve import read_curve
from byheart.training.hardware import forget_peak
from byheart.training.job import Hooks, TrainJob, TrainResult
from byheart.training.multi_lora.job import GO_ON, PRUNE

FORGETTING = "checkpoint/forgetting.json"  # of a trial that may be interrupted: no curve holds it
ConfigOf = Callable[[Config], tuple[RunConfig, list[Problem]]]


@dataclass
class Watch:
    """What the sweep does while a trial trains in this process."""

    on_check: Callable[[int, CurvePoint, Sequence[CurvePoint]], str] = lambda number, point, curve: GO_ON
    on_step: Callable[[int, int, int], None] = lambda number, step, steps: None
    stop_requested: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class PreparedTrial:
    """A trial that is ready to train."""

    number: int
    folder: Path
    run_config: RunConfig
    train_job: TrainJob
    session: ModelSession
    recall: Sample | None  # asked at each epoch's end
    forgets: Callable[[LanguageModel], float] | None  # measured at each epoch's end
    log: Logbook
    forgetting: dict[int, float] = field(default_factory=dict)  # by epoch

    @property
    def measures(self) -> bool:
        """Whether anything is measured at an epoch's end that the validation does not tell."""
        return self.recall is not None or self.forgets is not None

    def measure(self, model: LanguageModel, epoch: int) -> float | None:
        """Recall, and forgetting if it is an objective, of a model that computes with this trial's adapter."""
        self.measure_forgetting(model, epoch)
        return self.recall.measure(model) if self.recall else None

    def measure_forgetting(self, model: LanguageModel, epoch: int) -> None:
        if self.forgets is not None:
            self.forgetting[epoch] = self.forgets(model)
            write_json(self.folder / FORGETTING, self.forgetting)


class TrialTask:
    """One for a sweep. `config_of` gives the plan of a job's config and what is wrong with it."""

    def __init__(self, config_of: ConfigOf, setup: SweepConfig, progress: Progress, words: Sequence[str] = ()):
        """`words`: the command line, with which the other workers are started."""
        self.config_of, self.setup, self.progress, self.words = config_of, setup, progress, words
        self.watch = Watch()
        self.result: SweepResult | None = None
        self.failure: Exception | None = None  # what ended the sweep; Hydra would print it in its own way
        self._shared: Shared | None = None

    def __getstate__(self) -> dict[str, object]:  # for launchers that run their jobs in other processes
        return {**vars(self), "watch": Watch(), "progress": no_progress, "_shared": None, "failure": None}

    @property
    def shared(self) -> Shared:
        if self._shared is None:
            self._shared = Shared(self.setup.folder / "shared", self.progress)
        return self._shared

    def __call__(self, config: Config) -> Outcome:
        stay_where_started()
        prepared = self.prepare(self.read(config), job_folder())
        return self.finish(prepared, self.fit(prepared))

    def read(self, config: Config) -> RunConfig:
        """Raises UserError where something is wrong with it."""
        run_config, problems = self.config_of(config)
        if problems:
            raise UserError(*problems)
        return run_config

    def is_ready(self, run_config: RunConfig) -> bool:
        """Whether a trial can be prepared without the base model."""
        forgets = "forgetting" in self.setup.sweep.objectives
        return self.shared.has(run_config, general=forgets)

    def prepare(self, run_config: RunConfig, folder: Path) -> PreparedTrial:
        shared, probes = self.shared, self.setup.probes_asked
        train, validate = shared.rows(run_config)
        session = shared.session(run_config)
        recall = shared.recall(run_config, probes, self.setup.only_user_questions) if probes else None
        forgets = shared.forgetting(run_config) if "forgetting" in self.setup.sweep.objectives else None
        kept = folder / FORGETTING
        forgetting = {int(epoch): value for epoch, value in read_object(kept).items()} if kept.is_file() else {}
        train_job = train_job_of(run_config, train, validate, session)
        log = open_logbook(run_config, Run(folder, shared.progress), self.setup.name, folder.name)
        number = int(folder.name)
        return PreparedTrial(number, folder, run_config, train_job, session, recall, forgets, log, forgetting)

    def checked(self, prepared: PreparedTrial, point: CurvePoint, curve: Sequence[CurvePoint]) -> str:
        """Called at every validation check; gives GO_ON, PAUSE or PRUNE."""
        prepared.log(Checked("training", point, curve, tokens_per_row(prepared.train_job.train)))
        return self.watch.on_check(prepared.number, point, curve)

    def fit(self, prepared: PreparedTrial) -> TrainResult:
        """Trains this trial alone, from its checkpoint where there is one."""
        run_config, number, watch = prepared.run_config, prepared.number, self.watch
        session = prepared.session
        detach_adapter(session)
        model = session.attach(run_config.adapter, run_config.seed)
        pruned = False
        begun = any((prepared.folder / "checkpoint").glob("step-*"))  # not by a pack, whose checkpoints are its own
        epoch = len([1 for p in _curve(prepared.folder) if float(p.epoch).is_integer()]) if begun else 0
        forget_peak()

        def on_check(point: CurvePoint, curve: Sequence[CurvePoint]) -> None:
            nonlocal pruned
            pruned = self.checked(prepared, point, curve) == PRUNE or pruned

        def recall() -> float | None:
            nonlocal epoch
            epoch += 1
            return prepared.measure(session.language_model(), epoch)

        hooks = Hooks(
            on_step=lambda step, steps: watch.on_step(number, step, steps),
            on_check=on_check,
            stop_requested=lambda: pruned or watch.stop_requested(),
            on_note=lambda text: self.progress(Said(f"trial {number}: {text}")),
            recall=recall if prepared.measures else None,
        )
        options = run_config.optimizer, run_config.stopping
        try:
            result = run_config.trainer.fit(model, prepared.train_job, *options, prepared.folder, hooks)
        except Diverged as error:
            curve = tuple(_curve(prepared.folder))
            return TrainResult("diverged", curve, 0, 0, 0.0, None, None, 0.0, (str(error),))
        session.save(prepared.folder / "adapter")
        return result

    def finish(self, prepared: PreparedTrial, result: TrainResult, halved: str = "") -> Outcome:
        """Writes the trial's records, its outcome last. `halved`: why halving ended it."""
        config, folder = prepared.run_config, prepared.folder
        if result.state == "diverged":  # its time is that of its curve: what came after is lost
            result = replace(result, seconds=result.curve[-1].seconds if result.curve else 0.0)
        pruned = result.state == "pruned" or (result.state == "stopped" and not self.watch.stop_requested())
        outcome = Outcome.of(result, config.epochs, prepared.forgetting, "pruned" if pruned else None)
        if halved:
            outcome = replace(outcome, reason=halved)
        prepared.log(RunEnded(failed=outcome.state == "diverged"))
        if outcome.state in ("stopped", "paused"):
            return outcome  # its checkpoint stays, to be resumed
        run = Run(folder, name=config.name, seed=config.seed, model=config.model.path)
        if outcome.state == "diverged":
            run.record |= {"state": "failed", "error": outcome.reason}
        else:
            account = account_of(replace(result, state="stopped") if pruned else result, config.stopping)
            account |= {"held_out": len(prepared.train_job.validate)}
            account |= {"state": "pruned", "why_stopped": outcome.reason} if pruned else {}
            run.record |= {"state": "trained", "training": account, "peak_memory_gib": outcome.peak_memory}
            run.record["timings"]["training"] = outcome.seconds
            write_json(folder / "adapter" / "byheart.json", account)
        run.save()
        write_outcome(folder, outcome)
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)
        return outcome


def _curve(folder: Path) -> list[CurvePoint]:
    file = folder / "curve.csv"
    return read_curve(file) if file.is_file() else []
