"""Gives the trials of a study to a launcher and tells the study their results."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from byheart.errors import Problem, UserError
from byheart.interrupt import Stopped, on_signals
from byheart.model.memory import is_out_of_memory
from byheart.progress import Progress, Said
from byheart.records import CurvePoint
from byheart.sweep.report.events import TrialAdvanced, TrialBegan, TrialChanged, TrialChecked, TrialEnded
from byheart.sweep.run.other_workers import OtherWorkers, is_covered
from byheart.sweep.run.trial import Watch
from byheart.sweep.run.workers import ALONE, WorkerSettings
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.halving import Rungs
from byheart.sweep.search.override import last_of_each_key
from byheart.sweep.search.results import Outcome, read_outcome
from byheart.sweep.search.study import Study, TrialRecord
from byheart.training.multi_lora.job import GO_ON, PRUNE
from byheart.training.stopping import MONITORS, watched


class Scheduler:
    """A launcher calls `next` for a trial to train, then `ended` or `failed` with its result. A trial that is a part of
    another trial's curve is never handed out: its result is read from that curve."""

    def __init__(self, setup: SweepConfig, study: Study, progress: Progress, worker: WorkerSettings = ALONE):
        self.setup, self.study, self.progress, self.axis, self.worker = setup, study, progress, setup.axis, worker
        self.other_workers = OtherWorkers(study, progress, setup.axis, setup.folder)
        self.handed_out: dict[int, TrialRecord] = {}  # to a launcher
        self.waiting: list[TrialRecord] = []  # for the curve of a trial that is being trained
        self.stop = False
        self.on_stop: Callable[[], None] = lambda: None
        self.on_refresh: Callable[[], None] = lambda: None
        self.failure: UserError | None = None
        self.rungs = Rungs(setup.sweep.halving, setup.sweep.objectives[0])
        for trial in study.ended_before:
            if trial.state == "complete" and trial.outcome is not None and trial.outcome.source is None:
                self.rungs.ended(trial.number, trial.outcome)

    def next(self) -> TrialRecord | None:
        """A trial to train; None where there is none at present."""
        while not self.stop and self.failure is None:
            if self.worker.trials is not None and len(self.handed_out) >= self.worker.trials:
                return None  # the rest is for the other workers
            if (trial := self.study.ask()) is None:
                return None
            self.other_workers.skipped.add(trial.number)
            self.progress(TrialBegan(trial.number, trial.params, "waiting"))
            if self._read_from_curves(trial):
                continue
            if self._is_covered(trial):
                self.waiting.append(trial)
                continue
            self._take_checkpoint(trial)
            self.handed_out[trial.number] = trial
            self.progress(TrialBegan(trial.number, trial.params))
            return trial
        return None

    def overrides(self, trial: TrialRecord) -> list[str]:
        """The trial as Hydra's overrides; its folder is its number."""
        varied = self.setup.space.overrides(trial.params)
        overrides = last_of_each_key([*self.setup.fixed, *varied, *self.axis.overrides(trial.params)])
        return [*(each.text for each in overrides), f"hydra.sweep.subdir={trial.number}"]

    def ended(self, number: int, outcome: Outcome) -> None:
        trial = self.handed_out.pop(number)
        if outcome.state in ("finished", "upturn", "budget"):
            self.rungs.ended(number, outcome)
        if outcome.state in ("stopped", "paused"):
            self._hand_back(number, outcome)
        else:
            self._tell(trial, outcome)
        self._resolve_waiting()

    def failed(self, number: int, error: BaseException) -> None:
        """One failure does not end the sweep; `max_failures` in a row do."""
        del self.handed_out[number]
        self.rungs.failed(number)
        self._fail(number, reason_of(error), read_outcome(self._folder(number)))
        self._resolve_waiting()

    def refresh(self, now: bool = False) -> None:
        """Shows the trials of other workers, and reads results from their curves. May be called often: it limits its own rate."""
        if not now and time.monotonic() < self.other_workers.due:
            return
        if ended := self.other_workers.refresh():
            self._resolve_waiting()
            if any(trial.state == "failed" for trial in ended):
                self._count_failures()
        self.on_refresh()

    def watch(self) -> Watch:
        """A sweep that has failed ends its trials as Ctrl-C does: they are saved for the next command."""
        return Watch(self._on_check, self._on_step, lambda: self.stop or self.failure is not None)

    def promoted(self, paused: Iterable[int]) -> int | None:
        """A paused trial that may go on, since enough worse ones came to its rung."""
        number = None if self.stop else self.rungs.next(paused)
        if number is not None:
            self.progress(TrialChanged(number, "running"))
        return number

    def resumes(self, number: int, curve: Sequence[CurvePoint]) -> bool:
        """Whether a trial that an earlier command began goes on at once, or stays paused."""
        if curve:
            self.progress(TrialChecked(number, curve))
        goes_on = self.rungs.resumes(number, curve)
        if not goes_on:
            self.progress(TrialChanged(number, "paused"))
        return goes_on

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM end the trials after their step; a second one ends the process at once."""

        def on_signal(name: str) -> None:
            if self.worker.number > 1:  # a terminal sends it to all workers: the first one ends the others
                return
            if self.stop:
                raise Stopped
            self.stop = True
            self.on_stop()
            again = " (press it again to end at once)" if name == "Ctrl-C" else ""
            self.progress(Said(f"{name}: saving after this step, then ending{again}"))

        with on_signals(on_signal):
            yield

    def _on_step(self, number: int, step: int, steps: int) -> None:
        self.progress(TrialAdvanced(number, step / max(1, steps)))
        self.refresh()

    def _on_check(self, number: int, point: CurvePoint, curve: Sequence[CurvePoint]) -> str:
        self.progress(TrialChecked(number, curve))
        objective = self.setup.sweep.objectives[0]
        if self.setup.sweep.prunes and objective in MONITORS and float(point.epoch).is_integer():
            measured = watched(objective, curve)
            if measured and measured[-1][0].step == point.step:
                stops = self.study.should_stop(number, round(point.epoch), measured[-1][1])
                return PRUNE if stops else GO_ON
        return self.rungs.at_check(number, curve)

    def _tell(self, trial: TrialRecord, outcome: Outcome) -> None:
        if outcome.state == "diverged":
            self._fail(trial.number, outcome.reason, outcome)
            return
        epochs = self.axis.epochs_of(trial.params)
        found = [outcome.value(name, epochs) for name in self.setup.sweep.objectives]
        values = [value for value in found if value is not None]
        if len(values) < len(found):
            self._fail(trial.number, "nothing was measured at an epoch's end", outcome)
            return
        self.study.tell(trial.number, values, outcome)
        self.progress(TrialEnded(trial.number, outcome.shown, values[0], outcome))

    def _hand_back(self, number: int, outcome: Outcome | None = None) -> None:
        self.study.hand_back(number)
        self.progress(TrialEnded(number, "interrupted", outcome=outcome))

    def _fail(self, number: int, reason: str, outcome: Outcome | None) -> None:
        self.study.fail(number, reason, outcome)
        self.progress(TrialEnded(number, "failed", None, outcome, reason))
        self._count_failures()

    def _count_failures(self) -> None:
        failures, most = self.study.failures_in_a_row(), self.setup.sweep.max_failures
        if most is not None and len(failures) >= most:
            what = f"{len(failures)} trials in a row failed, the last: {failures[-1]}"
            fix = "correct what they say, or allow more: hydra.sweeper.max_failures=null"
            self.failure = UserError(Problem(what, "hydra.sweeper.max_failures", str(most), fix))

    def _read_from_curves(self, trial: TrialRecord) -> bool:
        """Reads a trial's result from a finished curve that contains it, or from the outcome file of the trial that it
        continues, where that one was trained to its end before its process was killed."""
        epochs = self.axis.epochs_of(trial.params)
        if trial.continues is not None:
            outcome = read_outcome(self._folder(trial.continues))  # not written for a stopped or paused trial
            if outcome is not None:
                self._tell(trial, outcome.part(epochs, trial.continues))
                return True
        for other in self.study.trials():
            outcome = other.outcome if other.state == "complete" else None
            if outcome and self.axis.same_curve(other.params, trial.params) and outcome.covers(epochs):
                self._tell(trial, outcome.part(epochs, other.number))
                return True
        return False

    def _resolve_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for trial in waiting:
            if self._read_from_curves(trial):
                continue
            if self._is_covered(trial):
                self.waiting.append(trial)
            else:  # the trial that it waited for failed or was interrupted
                self._hand_back(trial.number)

    def _is_covered(self, trial: TrialRecord) -> bool:
        """Whether a trial that is being trained, here or by another worker, has a curve that contains this one."""
        if any(self.axis.same_curve(trial.params, other.params) for other in self.handed_out.values()):
            return True
        others = (other for other in self.study.trials() if other.number not in self.study.own)
        return is_covered(trial, others, self.axis)

    def _take_checkpoint(self, trial: TrialRecord) -> None:
        """Moves the checkpoint of an interrupted trial to the trial that continues it."""
        if trial.continues is None:
            return
        before, mine = self._folder(trial.continues), self._folder(trial.number)
        if (before / "checkpoint").is_dir() and not mine.exists():
            mine.mkdir(parents=True)
            for name in ("checkpoint", "curve.csv", "wandb.json"):
                if (before / name).exists():
                    shutil.move(before / name, mine / name)

    def _folder(self, number: int) -> Path:
        return self.setup.folder / str(number)


def reason_of(error: BaseException) -> str:
    """Why a trial failed, in one line. CUDA's own message of full memory is long and names no setting."""
    if isinstance(error, UserError):
        return "; ".join(line.strip() for problem in error.problems for line in str(problem).splitlines())
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if is_out_of_memory(error):
        return f"out of memory (lower batch_size, or set trainer.rows_at_once): {text[:120]}"
    return text[:300]
