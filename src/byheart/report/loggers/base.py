"""The contract of a logger: for each run or trial it opens a log, which gets every check and the final scores.

A member is a frozen dataclass in a file of its own, with one YAML of the same stem in `conf/logger/`. curve.csv is
always written and is no member: a comparison must work with no account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from byheart.records import CurvePoint, Json


@dataclass(frozen=True)
class About:
    """What is known of a run when it begins."""

    folder: Path
    name: str  # of a trial its number
    group: str | None = None  # the study
    tags: tuple[str, ...] = ()
    config: Json = field(default_factory=dict)  # as it was first written: no secret is in it


class RunLog(Protocol):
    """The log of one run."""

    def check(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of a validation check, by name."""
        ...

    def scored(self, scores: Mapping[str, float], probes: Sequence[Json], report: Path) -> None:
        """The final scores, every probe before and after (lines of answers.jsonl), and the page."""
        ...

    def close(self, failed: bool = False) -> None: ...


class Logger(Protocol):
    """An option of the group `logger`."""

    def problems(self) -> list[str]:
        """Why it cannot be used here. Called before any work."""
        ...

    def open(self, about: About) -> RunLog:
        """The log of one run. Opened again, it continues."""
        ...


def check_values(point: CurvePoint, tokens_per_row: float | None = None) -> dict[str, float]:
    """A check as every logger names it; what was not measured is absent."""
    values = {name: value for name, value in asdict(point).items() if name not in ("step", "peak_memory")}
    values |= {"rows_seen": float(point.rows_seen), "peak_memory_gib": point.peak_memory}
    if point.seconds:
        values["rows_per_second"] = point.rows_seen / point.seconds
        values["tokens_per_second"] = tokens_per_row and values["rows_per_second"] * tokens_per_row
    return {name: value for name, value in values.items() if value is not None}
