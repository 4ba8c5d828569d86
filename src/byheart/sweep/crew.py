"""The processes of one sweep: on a CPU one for each core, since threads of one process wait for each other.

The first process prepares, shows and concludes. The others are given the same command line; each is one more sweeper of
the study, which writes to a file what it says and ends when nothing is left to train.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from byheart.sweep.setup import Setup
from byheart.sweep.study import Study
from byheart.training.cores import cores

ENV = "BYHEART_SWEEP_CREW"  # what the other processes are told, and how they know themselves
SHARE = 0.8  # of the free memory; the rest is for what a step needs for a moment, and for others
LEAST_BYTES = 2**30  # of a process: its libraries, and a step of a small model
AT_A_TIME = 16  # trials, in all processes, where each is proposed by what the earlier ones found


@dataclass(frozen=True)
class Crew:
    """How the work is shared: this process is `number` of `processes`; each holds `trials` at a time, on `threads`."""

    number: int = 1
    processes: int = 1
    threads: int | None = None  # None: as the trainer says
    trials: int | None = None  # None: as many as there are

    @property
    def is_first(self) -> bool:
        return self.number == 1

    def others(self) -> "list[Crew]":
        return [replace(self, number=number) for number in range(2, self.processes + 1)]

    def as_text(self) -> str:
        return json.dumps(asdict(self))


ALONE = Crew()


def told() -> Crew | None:
    """What this process was told by the first one; None where it was started by hand."""
    text = os.environ.pop(ENV, None)  # popped: what this process starts is none of the crew
    return Crew(**json.loads(text)) if text else None


def muster(setup: Setup, options: dict[str, Any], study: Study, weights: int) -> Crew:
    """As many processes as were said, else as cores are free and memory bears; never more than trials are left.

    `weights`: bytes of the base model. The cores are those of `trainer.threads` or $OMP_NUM_THREADS where one is said.
    """
    left = study.wanted - sum(trial.state in ("complete", "failed") for trial in study.known())
    said: int | None = options.get("processes")
    if left < 2 or said == 1 or setup.sweep.halved or setup.sweep.in_memory:
        return ALONE
    ours, device = budget(setup), setup.plan.trainer.place()[0]
    beside = study.owner.beside()
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
    return Crew(1, processes, threads, trials)


def budget(setup: Setup) -> int:
    """The cores that this sweep may use."""
    said = setup.plan.trainer.threads or os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(int(said), cores()) if str(said).isdigit() and int(said) else cores()


def weights_on_disk(setup: Setup) -> int | None:
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
