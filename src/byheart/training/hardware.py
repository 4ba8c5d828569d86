"""What this machine gives a process: CPU cores, the precision of its processor, and the memory that was used at most."""

import os
import platform
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from byheart.errors import Problem

QUOTA = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores of the process's affinity, or fewer where a container's CPU quota allows fewer."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(found, _quota() or found))


def _quota() -> int | None:
    """The CPU quota of the control group (version 2 or 1) in whole cores; None without a quota."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):
            most, period = " ".join((QUOTA / name).read_text(encoding="ascii") for name in names).split()
            return max(1, int(most) // int(period)) if most.isdigit() else None
    return None


def cpu_has_bfloat16() -> bool:
    """In hardware (AVX512-BF16 or AMX): emulated, bfloat16 is slower than float32."""
    import torch

    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.cpu._is_avx512_bf16_supported() or any(
        capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile")
    )


def built_for_cuda() -> bool:
    """Whether the installed torch can use a CUDA (or ROCm) device at all. Its version file is read, torch not imported."""
    spec = find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if file is None or not file.is_file():
        return True
    return bool(re.search(r"^(cuda|hip)\b[^=\n]*= *['\"]", file.read_text(encoding="utf-8"), re.M))


@dataclass(frozen=True)
class Gpu:
    """What nvidia-smi says of the first GPU that this process sees."""

    name: str
    total: int  # bytes
    free: int
    capability: float  # of CUDA, 8.0 and above has bfloat16


@cache
def gpu() -> Gpu | None:
    """None without a GPU, or where the installed torch cannot use it. torch is not imported."""
    import subprocess

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0].strip()
    if not visible or visible == "-1" or not built_for_cuda():
        return None
    asked = ["nvidia-smi", "-i", visible, "--format=csv,noheader,nounits", "--query-gpu"]
    try:
        asked[-1] += "=name,memory.total,memory.free,compute_cap"
        said = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout
        name, total, free, capability = (part.strip() for part in said.splitlines()[0].split(","))
        return Gpu(name, int(total) * 2**20, int(free) * 2**20, float(capability))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


@dataclass(frozen=True)
class Place:
    """Where training will run, as far as it can be known without torch."""

    device: str  # cpu, cuda or mps
    dtype: str
    name: str
    cores: int
    total: int | None  # bytes of memory; None where it is not known
    free: int | None

    @property
    def itemsize(self) -> int:
        return {"bfloat16": 2, "float64": 8}.get(self.dtype, 4)


def expected_place(device: str, precision: str, threads: int | None) -> Place:
    """What `Trainer.place` will find."""
    if device == "auto":
        on_mac = sys.platform == "darwin" and platform.machine() == "arm64"
        device = "cuda" if gpu() else "mps" if on_mac else "cpu"
    set_by_user = os.environ.get("OMP_NUM_THREADS", "")
    many = threads or (int(set_by_user) if set_by_user.isdigit() else cores())
    if device == "cuda":
        found = gpu()
        half = found is None or found.capability >= 8
        memory = (found.total, found.free) if found else (None, None)
        name = found.name if found else "GPU"
        return Place(device, _precision(precision, half), name, many, *memory)
    from byheart.model.memory import free_bytes, total_bytes

    half = device == "cpu" and _processor_has_bfloat16()
    return Place(device, _precision(precision, half), device.upper(), many, total_bytes("cpu"), free_bytes("cpu"))


def _precision(asked: str, half: bool) -> str:
    return asked if asked != "auto" else "bfloat16" if half else "float32"


def _processor_has_bfloat16() -> bool:
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").partition("\nflags")[2]
        return bool({"avx512_bf16", "amx_bf16", "amx_tile"} & set(flags.partition("\n")[0].split()))
    return False


def device_problems(device: str, precision: str) -> list[Problem]:
    """What of `trainer.device` and `trainer.precision` cannot work here, without torch."""
    found = []
    if device == "cuda" and not built_for_cuda():
        fix = "trainer.device=auto, or install a torch with CUDA: https://pytorch.org/get-started/locally/"
        found.append(Problem("the installed torch is built without CUDA", "trainer.device", device, fix))
    if device == "mps" and sys.platform != "darwin":
        found.append(Problem("only a Mac has mps", "trainer.device", device, "trainer.device=auto"))
    elif device == "mps" and precision == "float64":
        found.append(Problem("mps has no float64", "trainer.precision", precision, "trainer.precision=float32"))
    return found


def forget_peak() -> None:
    """Resets the peak memory, so that a trial does not report the peak of an earlier one."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):  # Linux only; elsewhere the peak of the whole process stays
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_gib() -> float:
    """The peak memory of this process since `forget_peak`: GPU memory where a GPU is used, else resident memory."""
    import resource
    import sys

    import torch

    if torch.cuda.is_initialized() and torch.cuda.max_memory_allocated():
        return round(torch.cuda.max_memory_allocated() / 2**30, 3)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)
