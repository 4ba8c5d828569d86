"""What a sweep reports besides the events of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

from byheart.progress import Event
from byheart.records import CurvePoint
from byheart.sweep.report.selection import Chosen
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.results import Outcome
from byheart.sweep.search.space import Params
from byheart.sweep.search.study import TrialRecord


@dataclass(frozen=True)
class SweepBegan(Event):
    setup: SweepConfig
    wanted: int  # finished trials that end the sweep
    ended: Sequence[TrialRecord]  # by earlier commands


@dataclass(frozen=True)
class TrialBegan(Event):
    number: int
    params: Params
    state: str = "running"  # or waiting, for the curve of another trial


@dataclass(frozen=True)
class TrialAdvanced(Event):
    number: int
    share: float  # of its steps that are done


@dataclass(frozen=True)
class TrialChecked(Event):
    number: int
    curve: Sequence[CurvePoint]


@dataclass(frozen=True)
class TrialChanged(Event):
    number: int
    state: str  # paused or running


@dataclass(frozen=True)
class TrialEnded(Event):
    number: int
    state: str  # of its outcome; or from curve (of another trial), failed or interrupted
    value: float | None = None
    outcome: Outcome | None = None
    reason: str = ""


@dataclass(frozen=True)
class TrialsEnded(Event):
    """No trial is trained any more, whatever the reason."""


@dataclass(frozen=True)
class TrialChosen(Event):
    setup: SweepConfig
    trials: Sequence[TrialRecord]
    chosen: Chosen
