"""What this machine gives a process: CPU cores, the precision of its processor, and the memory that was used at most."""

import os
import re
import sys
from contextlib import suppress
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
