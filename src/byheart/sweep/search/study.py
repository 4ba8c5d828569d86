"""The study: Optuna's ask and tell, such that a killed sweep continues and several workers share its trials."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.errors import Problem, UserError
from byheart.sweep.search.locks import StudyLocks
from byheart.sweep.search.options import DEFAULT_TRIALS, SweepOptions
from byheart.sweep.search.results import Outcome
from byheart.sweep.search.samplers import built, quiet
from byheart.sweep.search.space import Params, Space
from byheart.sweep.search.storage import open_storage

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

BEAT_S = 10.0


@dataclass(frozen=True)
class TrialRecord:
    """What the study knows of a trial. `state` is waiting, running, complete, failed or interrupted."""

    number: int
    params: Params
    state: str
    values: tuple[float, ...]
    outcome: Outcome | None
    reason: str
    continues: int | None = None  # the interrupted trial whose checkpoint it may resume

    @property
    def value(self) -> float | None:
        """Of the first objective."""
        return self.values[0] if self.values else None


class Study:
    """One study under its name, in the sweep's folder or wherever its storage lies."""

    def __init__(
        self, name: str, sweep: SweepOptions, space: Space, folder: Path, say: Callable[[str], None] = lambda text: None
    ):
        """`say`: what the user should know while the storage is used."""
        import optuna

        self.sweep, self.space = sweep, space
        self.storage = open_storage(sweep, folder, say)
        self.optuna = optuna.create_study(
            storage=self.storage, study_name=name, load_if_exists=True, directions=sweep.directions
        )
        self.name = name
        self.locks = StudyLocks(folder)
        self.own: dict[int, Trial] = {}  # trials that this process trains
        self.heart = threading.Thread(target=self._beat, daemon=True)
        self.over = threading.Event()
        self.ended_before = [trial for trial in self.trials() if trial.state in ("complete", "failed")]

    def __enter__(self) -> "Study":
        self.optuna.sampler = self._sampler()  # raises here where it cannot be built
        self.optuna.pruner = built(self.sweep.pruner, "hydra.sweeper.pruner")
        self.locks.acquire()
        self.heart.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.heart.join()
        for number in list(self.own):  # whatever ended this process, others may take these at once
            self.hand_back(number)
        self.locks.release()

    def agree(self, fingerprint: dict[str, object]) -> None:
        """Raises UserError where the study was begun with other settings. The first command's are kept."""
        before = self.optuna.user_attrs.get("fingerprint")
        if before is None:
            self.optuna.set_user_attr("fingerprint", fingerprint)
            with quiet():
                self.optuna.set_metric_names(list(self.sweep.objectives))
            return
        _refuse_others(self.name, before, fingerprint)

    @property
    def wanted(self) -> int:
        """How many finished trials end the sweep: no more than there are combinations."""
        grid, limit = self.space.grid(), self.sweep.n_trials
        return limit or DEFAULT_TRIALS if grid is None else min(limit or len(grid), len(grid))

    @property
    def samples(self) -> bool:
        """Whether a sampler proposes trials from earlier results; else all are queued at the start."""
        grid = self.space.grid()
        return grid is None or len(grid) > self.wanted

    def begin(self) -> None:
        """Queues the trials that depend on no result: the whole grid, or the first cohort. Queues nothing twice."""
        points = [self.space.kept(point) for point in self.sweep.given]
        if not points and not self.samples:
            points = self.space.grid() or []
        elif not points:
            points = self.space.sobol(min(self.sweep.first, self.wanted), self.sweep.seed)
        with self.locks.asking:
            queued = [_params(trial) for trial in self._trials() if not _interrupted(trial)]
            for point in points:
                if point not in queued:
                    self.optuna.enqueue_trial(point)
                    queued.append(point)
            self._remove_duplicates()

    def ask(self) -> TrialRecord | None:
        """The next trial; None where the finished and the running ones are all that were asked for."""
        with self.locks.asking:
            self._recover()
            trials = self._trials()
            if sum(_finished(t) or t.state.name == "RUNNING" for t in trials) >= self.wanted:
                return None
            self.optuna.sampler = self._sampler()
            trial = self.optuna.ask(self.space.distributions)
            self.storage.set_trial_user_attr(trial._trial_id, "owner", self.locks.name)
            self.storage.set_trial_user_attr(trial._trial_id, "beat", time.time())
            self.own[trial.number] = trial
            return _record(self.storage.get_trial(trial._trial_id))

    def tell(self, number: int, values: Sequence[float], outcome: Outcome) -> None:
        """A trial that was trained or pruned: complete with its best values, since GPSampler ignores pruned trials."""
        trial = self.own.pop(number)
        trial.set_user_attr("outcome", outcome.as_dict())
        self.optuna.tell(number, list(values))

    def fail(self, number: int, reason: str, outcome: Outcome | None = None) -> None:
        from optuna.trial import TrialState

        trial = self.own.pop(number)
        trial.set_user_attr("reason", reason)
        if outcome is not None:
            trial.set_user_attr("outcome", outcome.as_dict())
        self.optuna.tell(number, state=TrialState.FAIL)

    def hand_back(self, number: int) -> None:
        """Queues the parameters of an interrupted trial of this process again."""
        self._requeue(self.own.pop(number)._trial_id)

    def should_stop(self, number: int, epoch: int, value: float) -> bool:
        """Reports the value at an epoch's end; whether the pruner has seen enough."""
        trial = self.own[number]
        trial.report(value, epoch)
        return bool(trial.should_prune())

    def trials(self) -> list[TrialRecord]:
        """All trials, in the order of their numbers."""
        return [_record(trial) for trial in self._trials()]

    def complete(self) -> bool:
        """Whether as many trials are finished as were asked for."""
        return sum(map(_finished, self._trials())) >= self.wanted

    def others_running(self) -> list[int]:
        with self.locks.asking:
            self._recover()
        return [t.number for t in self._trials() if t.state.name == "RUNNING" and t.number not in self.own]

    def others_at_work(self) -> int | None:
        """How many other workers train the last trials; None while there are trials to ask for."""
        trials = self._trials()
        running = [t for t in trials if t.state.name == "RUNNING"]
        if sum(map(_finished, trials)) + len(running) < self.wanted:
            return None
        return len({t.user_attrs.get("owner") for t in running if t.number not in self.own})

    def failures_in_a_row(self) -> list[str]:
        """The reasons of the failures since the last trial that completed, in the order in which they ended."""
        ended = sorted(
            (t for t in self._trials() if _finished(t)), key=lambda t: t.datetime_complete or 0, reverse=True
        )
        failed = list(takewhile(lambda t: t.state.name == "FAIL", ended))
        return [t.user_attrs.get("reason", "") for t in reversed(failed)]

    def _trials(self) -> "list[FrozenTrial]":
        return self.optuna.get_trials(deepcopy=False)

    def _sampler(self) -> "BaseSampler":
        """Seeded with the number of trials too: with the same seed a restarted sampler would repeat its trials."""
        target = str(self.sweep.sampler.get("_target_"))
        seed = {} if "Grid" in target else {"seed": self.sweep.seed + len(self._trials())}
        return built({**self.sweep.sampler, **seed}, "hydra.sweeper.sampler")

    def _recover(self) -> None:
        """Queues the trials of dead workers again."""
        for trial in self._trials():
            if trial.state.name == "RUNNING" and trial.number not in self.own and self._expired(trial):
                self._requeue(trial._trial_id)

    def _expired(self, trial: "FrozenTrial") -> bool:
        owner, beat = trial.user_attrs.get("owner"), trial.user_attrs.get("beat")
        if owner is None:  # killed between `ask` and its attributes: under the folder's lock, so no one else trains it
            begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
            return not (self.sweep.storage or self.sweep.storage_env) or time.time() - begun > self.sweep.expire_s
        dead = self.locks.is_dead(owner)
        return dead if dead is not None else time.time() - (beat or 0.0) > self.sweep.expire_s

    def _remove_duplicates(self) -> None:
        """Two machines that begin at once have no lock in common and queue everything twice: the first of each stays."""
        seen: list[Params] = []
        for trial in (trial for trial in self._trials() if not _interrupted(trial)):
            if trial.state.name == "WAITING" and _params(trial) in seen:
                self._interrupt(trial._trial_id)
            seen.append(_params(trial))

    def _interrupt(self, trial_id: int) -> bool:
        """Takes a trial out of the count; False where another worker did so first."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.storage.set_trial_user_attr(trial_id, "interrupted", True)
            self.storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        return True

    def _requeue(self, trial_id: int) -> None:
        trial = self.storage.get_trial(trial_id)
        params = _params(trial)
        if self._interrupt(trial_id) and set(params) == set(self.space.distributions):
            self.optuna.enqueue_trial(params, user_attrs={"continues": trial.number})

    def _beat(self) -> None:
        while not self.over.wait(BEAT_S):
            for trial in list(self.own.values()):
                with suppress(Exception):  # it ended a moment ago, or the storage is away: the next beat tries again
                    self.storage.set_trial_user_attr(trial._trial_id, "beat", time.time())


def look_ahead(
    name: str, sweep: SweepOptions, folder: Path, fingerprint: dict[str, object], say: Callable[[str], None]
) -> None:
    """Raises UserError for what opening the study would raise, before a teacher is paid. Writes nothing."""
    import optuna

    built(sweep.sampler, "hydra.sweeper.sampler")
    built(sweep.pruner, "hydra.sweeper.pruner")
    if not (sweep.storage or sweep.storage_env) and not (folder / "study.db").is_file():
        return
    storage = open_storage(sweep, folder, say)
    if name in optuna.get_all_study_names(storage):
        before = optuna.load_study(study_name=name, storage=storage).user_attrs.get("fingerprint")
        _refuse_others(name, before or fingerprint, fingerprint)


def _refuse_others(name: str, before: dict[str, object], now: dict[str, object]) -> None:
    fix = f"set it as it was, or begin another study: hydra.sweeper.study_name={name}-2"
    problems = [
        Problem(f"the study {name} was begun with {_shown(before.get(key))}", key, _shown(now.get(key)), fix)
        for key in sorted({**before, **now})
        if before.get(key) != now.get(key)
    ]
    if problems:
        raise UserError(*problems)


@contextmanager
def open_study(
    name: str,
    sweep: SweepOptions,
    space: Space,
    folder: Path,
    fingerprint: dict[str, object],
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Study]:
    """The study with its settings checked and its first trials queued."""
    with Study(name, sweep, space, folder, say) as study:
        study.agree(fingerprint)
        study.begin()
        yield study


def _params(trial: "FrozenTrial") -> Params:
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _interrupted(trial: "FrozenTrial") -> bool:
    return bool(trial.user_attrs.get("interrupted"))


def _finished(trial: "FrozenTrial") -> bool:
    return trial.state.is_finished() and not (trial.state.name == "FAIL" and _interrupted(trial))


def _record(trial: "FrozenTrial") -> TrialRecord:
    states = {"COMPLETE": "complete", "PRUNED": "complete", "RUNNING": "running", "WAITING": "waiting"}
    state = states.get(trial.state.name, "interrupted" if _interrupted(trial) else "failed")
    values = tuple(value for value in trial.values or () if math.isfinite(value)) if state == "complete" else ()
    outcome = Outcome.read(raw) if (raw := trial.user_attrs.get("outcome")) else None
    more = trial.user_attrs.get("reason", ""), trial.user_attrs.get("continues")
    return TrialRecord(trial.number, _params(trial), state, values, outcome, *more)


def _shown(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
