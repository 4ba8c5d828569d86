"""A run's folder while it is worked on: which stages are done, how long each took, and how it ended."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from byheart.errors import UserError
from byheart.report.loggers.base import About
from byheart.report.loggers.logbook import Logbook
from byheart.store import read_json, write_json

NAMED = ("byheart", "torch", "transformers", "peft", "lightning", "datasets", "hydra-core")


class Run:
    """`with Run(folder) as run`: run.json is written at once, after each stage and at the end, however it ends.

    Ctrl-C sets `stop_requested`, so that training ends after its step; a second one interrupts at once.
    """

    def __init__(self, folder: Path, screen: Any, **facts: Any):
        self.folder = folder
        self.screen = screen
        self.stop_requested = False
        self._opened = time.monotonic()
        self.log = Logbook({}, About(folder, ""))  # of nobody, unless a stage opens another
        before = read_json(folder / "run.json") if (folder / "run.json").is_file() else {}
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

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return self._before + time.monotonic() - self._opened

    def __enter__(self) -> "Run":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save()
        try:
            self._old = signal.signal(signal.SIGINT, self._on_interrupt)
        except ValueError:  # not in the main thread: then nobody can press Ctrl-C here
            self._old = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._old is not None:
            signal.signal(signal.SIGINT, self._old)
        if self.record["state"] == "running" or error is not None:
            self.record["state"] = (
                "finished" if kind is None else "interrupted" if kind is KeyboardInterrupt else "failed"
            )
            if error is not None and kind is not KeyboardInterrupt:
                self.record["error"] = str(error).splitlines()[0] if str(error) else type(error).__name__
        self.log.close(failed=error is not None)
        self.record["finished"] = datetime.now().isoformat(timespec="seconds")
        try:
            self.save()
        except UserError:
            if error is None:  # else the first error says what matters
                raise

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[Any]:
        """Times a stage and shows it; yields the function that notes what came of it."""
        started = time.monotonic()
        with self.screen.stage(title) as note:
            yield note
        self.record["timings"][name] = round(self.record["timings"].get(name, 0.0) + time.monotonic() - started, 2)
        self.save()

    def note(self, text: str) -> None:
        """Something that the user should know: on the screen and in the report."""
        if text and text not in self.record["notes"]:
            self.record["notes"].append(text)
            self.screen.warn(text)

    def save(self) -> None:
        write_json(self.folder / "run.json", self.record)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.stop_requested:
            raise KeyboardInterrupt
        self.stop_requested = True
        if not self.record.get("in_training"):
            raise KeyboardInterrupt
        self.screen.warn("Ctrl-C: ending after this step and saving (press it again to leave at once)")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
