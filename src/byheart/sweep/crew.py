"""The processes of one sweep: on a CPU one for each core, since threads of one process wait for each other.

The first process prepares, shows and concludes. The others are given the same command line; each is one more sweeper of
the study, which writes to a file what it says and ends when nothing is left to train.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from byheart.sweep.setup import SweepConfig
from byheart.sweep.study import Study
from byheart.training.cores import cores

ENV = "BYHEART_SWEEP_CREW"  # what the other processes are told, and how they know themselves
SHARE = 0.8  # of the free memory; the rest is for what a step needs for a moment, and for others
LEAST_BYTES = 2**30  # of a process: its libraries, and a step of a small model
AT_A_TIME = 16  # trials, in all processes, where each is proposed by what the earlier ones found
GRACE_S = 60.0  # for the step that is under way, and for saving
TOLD_AFTER_S = 3.0
LINES = 5  # of its log are told where one died


@dataclass(frozen=True)
class WorkerSettings:
    """How the work is shared: this process is `number` of `processes`; each holds `trials` at a time, on `threads`."""

    number: int = 1
    processes: int = 1
    threads: int | None = None  # None: as the trainer says
    trials: int | None = None  # None: as many as there are

    @property
    def is_first(self) -> bool:
        return self.number == 1

    def others(self) -> "list[WorkerSettings]":
        return [replace(self, number=number) for number in range(2, self.processes + 1)]

    def as_text(self) -> str:
        return json.dumps(asdict(self))


ALONE = WorkerSettings()


def worker_settings() -> WorkerSettings | None:
    """What this process was told by the first one; None where it was started by hand."""
    text = os.environ.pop(ENV, None)  # popped: what this process starts is none of the crew
    return WorkerSettings(**json.loads(text)) if text else None


def plan_workers(setup: SweepConfig, options: dict[str, Any], study: Study, weights: int) -> WorkerSettings:
    """As many processes as were said, else as cores are free and memory bears; never more than trials are left.

    `weights`: bytes of the base model. The cores are those of `trainer.threads` or $OMP_NUM_THREADS where one is said.
    """
    left = study.wanted - sum(trial.state in ("complete", "failed") for trial in study.known())
    said: int | None = options.get("processes")
    if left < 2 or said == 1 or setup.sweep.halved or setup.sweep.in_memory:
        return ALONE
    ours, device = budget(setup), setup.plan.trainer.place()[0]
    beside = study.locks.others_here()
    if said is None:
        bears = int(SHARE * free_bytes("cpu") / max(LEAST_BYTES, 2 * weights))
        said = min(ours - beside, bears) if device == "cpu" else 1
    processes = max(1, min(said, left))
    if processes == 1 and not beside:
        return ALONE
    trials = -(-left // (processes + beside))
    if options.get("slots") is None and study.samples:
        trials = min(trials, max(1, AT_A_TIME // processes))
    threads = max(1, ours // (processes + beside)) if device == "cpu" else None
    return WorkerSettings(1, processes, threads, trials)


def budget(setup: SweepConfig) -> int:
    """The cores that this sweep may use."""
    said = setup.plan.trainer.threads or os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(int(said), cores()) if str(said).isdigit() and int(said) else cores()


def weights_on_disk(setup: SweepConfig) -> int | None:
    """Bytes of the base model's files; None where it must be fetched or converted first, which one process does."""
    model = setup.plan.model
    folder = None if model.unconverted else Path(model.find())
    if folder is None or not folder.is_dir():
        return None
    files: Sequence[Path] = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]
    return sum(file.stat().st_size for file in files)


def free_bytes(device: str) -> int:
    """Memory that can be had now: what the page cache holds is given up on demand, what a container forbids is not."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")))
        most, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        if most.strip().isdigit():
            found.append(int(most) - int(used))
    except (OSError, StopIteration, ValueError):  # not Linux, or no limit
        pass
    if found:
        return max(0, min(found))
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not told by this system
        return 4 * 2**30


class Processes:
    """Each holds the reading end of a pipe as its standard input; however we die, the system closes our end."""

    def __init__(self, words: Sequence[str], folder: Path, say: Callable[[str], None]):
        self.words, self.folder, self.say = words, folder, say
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, worker: WorkerSettings) -> None:
        """The others of the crew, with our command line; where one cannot be started, the sweep goes on without it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in worker.others():
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

    def report_dead(self) -> bool:
        """Whether one died since the last look; it is told, with the end of its log."""
        dead = [number for number, process in self.running.items() if process.poll() not in (None, 0)]
        for number in dead:
            code, log = self.running.pop(number).returncode, self._log(number)
            why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            end = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES:]
            text = f"process {number} of this sweep {why}; the sweep goes on without it. The end of {log}:"
            self.say("\n".join([text, *(f"    {line}" for line in end or ["(nothing)"])]))
        return bool(dead)

    def release(self) -> None:
        """They save what they train and end."""
        for process in self.running.values():
            if process.stdin is not None:
                process.stdin.close()

    def wait(self) -> None:
        """Until all have ended; those that take too long are killed, and their trials taken over another time."""
        until, worker_settings = time.monotonic() + GRACE_S, False
        while any(process.poll() is None for process in self.running.values()):
            if time.monotonic() > until:
                self.kill()
            elif not worker_settings and time.monotonic() > until - GRACE_S + TOLD_AFTER_S:
                self.say("waiting for the other processes of this sweep to save")
                worker_settings = True
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


def end_with_the_first(stop: Callable[[], None]) -> None:
    """In another process: calls `stop` once the first is gone or lets go; who does not end then, is ended."""

    def wait() -> None:
        while os.read(0, 1):  # nothing is ever written. Not sys.stdin: its lock would be held when Python ends
            pass
        stop()
        time.sleep(GRACE_S)
        os._exit(1)  # as by kill -9: its trials are taken over

    threading.Thread(target=wait, daemon=True).start()
