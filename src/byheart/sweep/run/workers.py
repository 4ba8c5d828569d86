"""The worker processes of one sweep: on a CPU one for each core, since threads of one process wait for each other.

The first process prepares, shows the table and concludes. The others get the same command line. Each works on the same
study, writes its messages to a log file and ends when no trial is left.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from byheart.model.memory import free_bytes
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.study import Study
from byheart.training.hardware import cores

ENV = "BYHEART_SWEEP_CREW"  # the settings of the other processes; the first one has none
SHARE = 0.8  # of the free memory; the rest is for what a step needs for a moment, and for others
LEAST_BYTES = 2**30  # of a process: its libraries, and a step of a small model
AT_A_TIME = 16  # trials, in all processes, where each is proposed by what the earlier ones found
GRACE_S = 60.0  # for the step that is under way, and for saving
WAITING_AFTER_S = 3.0  # before the screen says what is waited for
LINES = 5  # of the log of a process that died are shown


@dataclass(frozen=True)
class WorkerSettings:
    """This process is `number` of `processes`; each trains `trials` at a time, on `threads`."""

    number: int = 1
    processes: int = 1
    threads: int | None = None  # None: as the trainer says
    trials: int | None = None  # None: as many as there are


ALONE = WorkerSettings()


def worker_settings() -> WorkerSettings | None:
    """What the first process gave this one; None where the user started it."""
    text = os.environ.pop(ENV, None)  # popped: programs that this process starts are no workers
    return WorkerSettings(**json.loads(text)) if text else None


def plan_workers(setup: SweepConfig, options: Mapping[str, int | None], study: Study, weights: int) -> WorkerSettings:
    """As many processes as the user asks for, else as free cores and memory allow; never more than trials are left.

    `weights`: bytes of the base model. The cores are those of `trainer.threads` or $OMP_NUM_THREADS where one is set.
    """
    left = study.wanted - sum(trial.state in ("complete", "failed") for trial in study.trials())
    processes = options.get("processes")
    if left < 2 or processes == 1 or setup.sweep.halving:
        return ALONE
    ours, device = budget(setup), setup.run_config.trainer.place()[0]
    others = study.locks.other_sweepers()
    if processes is None:
        fit = int(SHARE * free_bytes("cpu") / max(LEAST_BYTES, 2 * weights))
        processes = min(ours - others, fit) if device == "cpu" else 1
    processes = max(1, min(processes, left))
    if processes == 1 and not others:
        return ALONE
    trials = -(-left // (processes + others))
    if options.get("slots") is None and study.samples:
        trials = min(trials, max(1, AT_A_TIME // processes))
    threads = max(1, ours // (processes + others)) if device == "cpu" else None
    return WorkerSettings(1, processes, threads, trials)


def budget(setup: SweepConfig) -> int:
    """The cores that this sweep may use."""
    threads = str(setup.run_config.trainer.threads or os.environ.get("OMP_NUM_THREADS", "").partition(",")[0])
    return min(int(threads), cores()) if threads.isdigit() and int(threads) else cores()


def weights_on_disk(setup: SweepConfig) -> int | None:
    """Bytes of the base model's files; None where it must be fetched or converted first, which one process does."""
    model = setup.run_config.model
    folder = None if model.unconverted else Path(model.find())
    if folder is None or not folder.is_dir():
        return None
    files: Sequence[Path] = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]
    return sum(file.stat().st_size for file in files)


class Processes:
    """The other processes. Each reads a pipe of the first one, which the system closes however the first one ends."""

    def __init__(self, words: Sequence[str], folder: Path, say: Callable[[str], None]):
        self.words, self.folder, self.say = words, folder, say
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, worker: WorkerSettings) -> None:
        """Starts the others with our command line; where one cannot be started, the sweep goes on without it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = {"OMP_NUM_THREADS": str(worker.threads)} if worker.threads else {}
        for number in range(2, worker.processes + 1):
            settings = json.dumps(asdict(replace(worker, number=number)))
            try:
                with self._log(number).open("wb") as log:
                    self.running[number] = subprocess.Popen(
                        # -P: a file of the user's in this folder is no module of ours
                        [sys.executable, "-P", "-m", "byheart.cli", "learn", *self.words],
                        stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                        env={**os.environ, **threads, ENV: settings, "PYTHONUNBUFFERED": "1"},
                    )  # fmt: skip
            except OSError as error:
                self.say(f"process {number} of this sweep cannot be started, so the sweep goes on without it: {error}")

    def report_dead(self) -> bool:
        """Whether one died since the last call; shows the end of its log."""
        dead = [number for number, process in self.running.items() if process.poll() not in (None, 0)]
        for number in dead:
            code, log = self.running.pop(number).returncode, self._log(number)
            why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            end = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES:]
            text = f"process {number} of this sweep {why}; the sweep goes on without it. The end of {log}:"
            self.say("\n".join([text, *(f"    {line}" for line in end or ["(nothing)"])]))
        return bool(dead)

    def release(self) -> None:
        """Tells them to save what they train and to end."""
        for process in self.running.values():
            if process.stdin is not None:
                process.stdin.close()

    def wait(self) -> None:
        """Until all have ended. Those that take longer than GRACE_S are killed; the next command continues their trials."""
        began, reported = time.monotonic(), False
        while any(process.poll() is None for process in self.running.values()):
            waited = time.monotonic() - began
            if waited > GRACE_S:
                self.kill()
            elif not reported and waited > WAITING_AFTER_S:
                self.say("waiting for the other processes of this sweep to save")
                reported = True
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
        self.release()
        self.wait()


def end_with_first_process(stop: Callable[[], None]) -> None:
    """In one of the other processes: calls `stop` once the first one has ended or released it; exits after GRACE_S."""

    def wait() -> None:
        while os.read(0, 1):  # nothing is ever written. Not sys.stdin: its lock would be held when Python ends
            pass
        stop()
        time.sleep(GRACE_S)
        os._exit(1)  # as by kill -9: its trials are taken over

    threading.Thread(target=wait, daemon=True).start()
