"""Starts the other processes of a sweep, sees whether they live, and lets none outlive the first."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from byheart.sweep.crew import ENV, Crew

GRACE_S = 60.0  # for the step that is under way, and for saving
TOLD_AFTER_S = 3.0
LINES = 5  # of its log are told where one died


class Processes:
    """Each holds the reading end of a pipe as its standard input; however we die, the system closes our end."""

    def __init__(self, words: Sequence[str], folder: Path, say: Callable[[str], None]):
        self.words, self.folder, self.say = words, folder, say
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, crew: Crew) -> None:
        """The others of the crew, with our command line; where one cannot be started, the sweep goes on without it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in crew.others():
            threads = {"OMP_NUM_THREADS": str(each.threads)} if each.threads else {}
            try:
                with self._log(each.number).open("wb") as log:
                    self.running[each.number] = subprocess.Popen(
                        # -P: a file of the user's in this folder is no module of ours
                        [sys.executable, "-P", "-m", "byheart.cli", "learn", *self.words],
                        stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                        env={**os.environ, **threads, ENV: each.as_text(), "PYTHONUNBUFFERED": "1"},
                    )  # fmt: skip
            except OSError as error:
                self.say(f"process {each.number} of this sweep cannot be started, so it goes on without: {error}")

    def lost(self) -> bool:
        """Whether one died since the last look; it is told, with the end of its log."""
        dead = [number for number, process in self.running.items() if process.poll() not in (None, 0)]
        for number in dead:
            code, log = self.running.pop(number).returncode, self._log(number)
            why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            end = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES:]
            text = f"process {number} of this sweep {why}; the sweep goes on without it. The end of {log}:"
            self.say("\n".join([text, *(f"    {line}" for line in end or ["(nothing)"])]))
        return bool(dead)

    def let_go(self) -> None:
        """They save what they train and end."""
        for process in self.running.values():
            if process.stdin is not None:
                process.stdin.close()

    def wait(self) -> None:
        """Until all have ended; those that take too long are killed, and their trials taken over another time."""
        until, told = time.monotonic() + GRACE_S, False
        while any(process.poll() is None for process in self.running.values()):
            if time.monotonic() > until:
                self.kill()
            elif not told and time.monotonic() > until - GRACE_S + TOLD_AFTER_S:
                self.say("waiting for the other processes of this sweep to save")
                told = True
            time.sleep(0.05)

    def kill(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    def _log(self, number: int) -> Path:
        return self.folder / f"process-{number}.log"

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.kill()  # those that were to save have done so before
            return
        self.let_go()
        self.wait()


def end_with_the_first(stop: Callable[[], None]) -> None:
    """In another process: calls `stop` once the first is gone or lets go; who does not end then, is ended."""

    def wait() -> None:
        while os.read(0, 1):  # nothing is ever written. Not sys.stdin: its lock would be held when Python ends
            pass
        stop()
        time.sleep(GRACE_S)
        os._exit(1)  # as by kill -9: its trials are taken over

    threading.Thread(target=wait, daemon=True).start()
