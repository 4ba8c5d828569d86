"""What a run reports while it works: small event records. Stages send them; terminals, loggers and tests listen.

learn(documents="handbook.pdf", progress=print)  # a listener is anything that takes an event
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from byheart.records import CurvePoint, Json


class Event:
    """Something that happened. A room may define events of its own."""


@dataclass(frozen=True)
class StageBegan(Event):
    """`expected` and `later` go by what earlier stages took; None: not known yet."""

    name: str  # as in the timings of run.json
    title: str
    number: int = 0  # of `count` stages of the run; 0: not known
    count: int = 0
    expected: float | None = None  # seconds of this stage
    later: float | None = None  # seconds of all stages after it
    budget_left: float | None = None  # seconds until a budget of time ends


@dataclass(frozen=True)
class StageEnded(Event):
    name: str
    title: str
    seconds: float
    notes: tuple[str, ...] = ()  # what the stage found or made
    failed: bool = False


@dataclass(frozen=True)
class Advanced(Event):
    """How far a long stage is. `done=0` announces that it begins."""

    label: str
    done: int
    total: int | None  # None: not known yet
    detail: str = ""  # a line on what else is known, e.g. tokens and cost so far
    unit: str = ""  # what is counted: steps, questions
    at_most: bool = False  # the stage may end before `total`
    seconds_left: float | None = None  # after which the stage ends, however far it is


@dataclass(frozen=True)
class Checked(Event):
    """A validation check. `curve` holds all points so far, the last is `point`."""

    stage: str  # training or retraining
    point: CurvePoint
    curve: Sequence[CurvePoint]
    tokens_per_row: float | None = None


@dataclass(frozen=True)
class LedgerWritten(Event):
    """The content of ledger.json; `names` maps the id of each chunk to its heading."""

    account: Json
    names: Mapping[str, str]


@dataclass(frozen=True)
class Said(Event):
    text: str


@dataclass(frozen=True)
class Warned(Event):
    text: str


@dataclass(frozen=True)
class Reported(Event):
    """Scores, answers and the page of a run are in its folder."""

    folder: Path


@dataclass(frozen=True)
class RunEnded(Event):
    failed: bool = False


class Progress(Protocol):
    """A listener. It decides what to do with each event and must not raise."""

    def __call__(self, event: Event, /) -> None: ...


def no_progress(event: Event) -> None:
    """Listens to nothing."""


def only_warnings(progress: Progress) -> Progress:
    """For work whose progress is shown elsewhere."""
    return lambda event: progress(event) if isinstance(event, Warned) else None
