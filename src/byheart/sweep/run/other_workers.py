"""Shows the trials of other workers in the live table: running ones by their curve file, ended ones by the study."""

import time
from collections.abc import Iterable
from pathlib import Path

from byheart.sweep.report.live_table import LiveTable
from byheart.sweep.search.epochs import Axis
from byheart.sweep.search.space import Params
from byheart.sweep.search.study import Study, TrialRecord
from byheart.training.curve import read_curve

EVERY_S = 1.5
COSTS = 30  # a slow refresh comes less often: it takes at most 1/30 of the time


class OtherWorkers:
    def __init__(self, study: Study, live_table: LiveTable, axis: Axis, folder: Path):
        self.study, self.live_table, self.axis, self.folder = study, live_table, axis, folder
        self.due = 0.0  # time.monotonic() of the next refresh
        self.read: dict[int, int] = {}  # trial -> when the curve that is shown was written

    def refresh(self) -> list[TrialRecord]:
        """The trials that others ended since the last refresh."""
        began = time.monotonic()
        ended, known = [], self.study.known()
        for trial in known:
            line = self.live_table.lines.get(trial.number)
            if trial.number in self.study.mine or (line is not None and not line.elsewhere):
                continue
            if trial.state == "running":
                self._runs(trial, known)
            elif line.unfinished if line else trial.state in ("complete", "failed"):
                self._ended(trial)
                ended.append(trial)
        now = time.monotonic()
        self.due = now + max(EVERY_S, COSTS * (now - began))
        return ended

    # -- within -------------------------------------------------------------------------------------------------------

    def _runs(self, trial: TrialRecord, known: list[TrialRecord]) -> None:
        if trial.number not in self.live_table.lines or not self.live_table.lines[trial.number].unfinished:
            waits = is_covered(trial.number, trial.params, known, self.axis)
            self.live_table.starts(trial.number, trial.params, "waiting" if waits else "running", elsewhere=True)
        file = self.folder / str(trial.number) / "curve.csv"
        try:
            written = file.stat().st_mtime_ns
            if self.read.get(trial.number) != written and (curve := read_curve(file)):
                self.live_table.set_state(trial.number, "running")
                share = curve[-1].epoch / max(1, self.axis.trained(trial.params))
                self.live_table.reaches(trial.number, share, before=share)
                self.live_table.checks(trial.number, curve)
                self.read[trial.number] = written
        except (OSError, ValueError):  # not there yet, or it lies on another machine
            return

    def _ended(self, trial: TrialRecord) -> None:
        if trial.number not in self.live_table.lines:
            self.live_table.starts(trial.number, trial.params, "running", elsewhere=True)
        state = trial.outcome.shown if trial.state == "complete" and trial.outcome else trial.state
        self.live_table.ends(trial.number, state, trial.value, trial.outcome, trial.reason)


def is_covered(number: int, params: Params, others: Iterable[TrialRecord], axis: Axis) -> bool:
    """Whether the curve of another running trial will contain this one. Of the trials of one curve that with the lowest
    number is trained, so that no two wait for each other."""
    return any(
        each.state == "running" and each.number < number and axis.same_curve(each.params, params) for each in others
    )
