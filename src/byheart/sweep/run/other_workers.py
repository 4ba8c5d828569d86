"""Reports the trials of other workers: running ones by their curve file, ended ones by the study."""

import time
from collections.abc import Iterable
from pathlib import Path

from byheart.progress import Progress
from byheart.sweep.report.events import TrialAdvanced, TrialBegan, TrialChanged, TrialChecked, TrialEnded
from byheart.sweep.search.epochs import Axis
from byheart.sweep.search.study import Study, TrialRecord
from byheart.training.curve import read_curve

EVERY_S = 1.5
COSTS = 30  # a slow refresh comes less often: it takes at most 1/30 of the time


class OtherWorkers:
    def __init__(self, study: Study, progress: Progress, axis: Axis, folder: Path):
        self.study, self.progress, self.axis, self.folder = study, progress, axis, folder
        self.due = 0.0  # time.monotonic() of the next refresh
        # Trials of this process, and those whose end was reported.
        self.skipped = {trial.number for trial in study.ended_before}
        self.begun: set[int] = set()  # reported as begun, not yet as ended
        self.read: dict[int, int] = {}  # trial -> when the curve that was reported was written

    def refresh(self) -> list[TrialRecord]:
        """The trials that others ended since the last refresh."""
        started = time.monotonic()
        ended, trials = [], self.study.trials()
        for trial in trials:
            if trial.number in self.study.own or trial.number in self.skipped:
                continue
            if trial.state == "running":
                self._report_running(trial, trials)
            elif trial.number in self.begun or trial.state in ("complete", "failed"):
                self._report_ended(trial)
                ended.append(trial)
        now = time.monotonic()
        self.due = now + max(EVERY_S, COSTS * (now - started))
        return ended

    def _report_running(self, trial: TrialRecord, trials: Iterable[TrialRecord]) -> None:
        number = trial.number
        if number not in self.begun:
            waits = is_covered(trial, trials, self.axis)
            self.progress(TrialBegan(number, trial.params, "waiting" if waits else "running"))
            self.begun.add(number)
        file = self.folder / str(number) / "curve.csv"
        try:
            written = file.stat().st_mtime_ns
            if self.read.get(number) != written and (curve := read_curve(file)):
                share = curve[-1].epoch / max(1, self.axis.trained(trial.params))
                self.progress(TrialChanged(number, "running"))
                self.progress(TrialAdvanced(number, share))
                self.progress(TrialChecked(number, curve))
                self.read[number] = written
        except (OSError, ValueError):  # not there yet, or it lies on another machine
            return

    def _report_ended(self, trial: TrialRecord) -> None:
        if trial.number not in self.begun:
            self.progress(TrialBegan(trial.number, trial.params))
        state = trial.outcome.shown if trial.state == "complete" and trial.outcome else trial.state
        self.progress(TrialEnded(trial.number, state, trial.value, trial.outcome, trial.reason))
        self.skipped.add(trial.number)


def is_covered(trial: TrialRecord, others: Iterable[TrialRecord], axis: Axis) -> bool:
    """Whether the curve of another running trial will contain this one. Of the trials of one curve that with the lowest
    number is trained, so that no two wait for each other."""
    earlier = (each for each in others if each.state == "running" and each.number < trial.number)
    return any(axis.same_curve(each.params, trial.params) for each in earlier)
