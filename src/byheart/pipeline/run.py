"""The record of a run in its folder: which stages are done, how long each took, and how it ended."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

from byheart.errors import UserError
from byheart.outside import outside_text
from byheart.progress import Event, Progress, RunEnded, StageBegan, StageEnded, Warned, no_progress
from byheart.store import read_object, write_json

NAMED = ("byheart", "torch", "transformers", "peft", "lightning", "hydra-core")


@dataclass(frozen=True)
class Plan:
    """The stages of a run in their order. `expected`: a stage's seconds by the record of earlier ones, None if unknown."""

    stages: tuple[str, ...]
    expected: Callable[[str, Mapping[str, Any]], float | None] = lambda stage, record: None
    budget_s: float | None = None


class Run:
    """`with Run(folder) as run`: run.json is written at once, after each stage and at the end, however it ends.

    What is recorded is also sent to the listeners.
    """

    def __init__(self, folder: Path, *listeners: Progress, **facts: Any):
        """`facts` are written to run.json: name, seed, model."""
        self.folder = folder
        self.listeners: list[Progress] = list(listeners) or [no_progress]
        self._opened = time.monotonic()
        before = read_object(folder / "run.json") if (folder / "run.json").is_file() else {}
        self.record: dict[str, Any] = {
            "started": datetime.now().isoformat(timespec="seconds"),
            "timings": {},
            "teacher": {"requests": 0, "tokens": 0, "cost": 0.0},
            "notes": [],
            **before,
            "state": "running",
            "versions": {name: v for name in NAMED if (v := _version(name))},
            **facts,
        }
        self._before = sum(self.record["timings"].values())  # by commands that were interrupted
        self.plan: Plan | None = None
        self._number = 0  # of the stage

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return self._before + time.monotonic() - self._opened

    def __enter__(self) -> "Run":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.record["state"] == "running" or error is not None:
            stopped = isinstance(error, KeyboardInterrupt)
            self.record["state"] = "finished" if kind is None else "interrupted" if stopped else "failed"
            if error is not None and not stopped:
                said = outside_text(str(error))
                self.record["error"] = said.splitlines()[0] if said else type(error).__name__
        self.send(RunEnded(failed=error is not None))
        self.record["finished"] = datetime.now().isoformat(timespec="seconds")
        try:
            self.save()
        except UserError:
            if error is None:  # else the first error is the important one
                raise

    def send(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[Callable[[str], None]]:
        """Times a stage; yields the function that takes a note of what the stage found or made."""
        began, notes, failed = time.monotonic(), list[str](), True
        self.send(self._beginning(name, title))
        try:
            yield notes.append
            failed = False
        finally:
            seconds = time.monotonic() - began
            self.send(StageEnded(name, title, seconds, tuple(filter(None, notes)), failed))
        self.record["timings"][name] = round(self.record["timings"].get(name, 0.0) + seconds, 2)
        self.save()

    def _beginning(self, name: str, title: str) -> StageBegan:
        plan, stages = self.plan, self.plan.stages if self.plan else ()
        if plan is None or name not in stages[self._number :]:
            return StageBegan(name, title)
        self._number = stages.index(name, self._number) + 1  # stages that are done already are passed over
        own, *later = (plan.expected(stage, self.record) for stage in stages[self._number - 1 :])
        known = [seconds for seconds in later if seconds is not None]
        return StageBegan(
            name,
            title,
            self._number,
            len(stages),
            own,
            sum(known) if len(known) == len(later) else None,
            None if plan.budget_s is None else plan.budget_s - self.seconds,
        )

    def note(self, text: str) -> None:
        """Something that the user should know: a warning, which the report shows too."""
        if text and text not in self.record["notes"]:
            self.record["notes"].append(text)
            self.send(Warned(text))

    def save(self) -> None:
        write_json(self.folder / "run.json", self.record)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
