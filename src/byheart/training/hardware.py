"""What this machine gives a process: CPU cores, the precision of its processor, and the memory that was used at most."""

import os
from contextlib import suppress
from pathlib import Path

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


def forget_peak() -> None:
    """Resets the peak memory, so that a trial does not report the peak of an earlier one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):  # Linux only; elsewhere the peak of the whole process stays
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_gib() -> float:
    """The peak memory of this process since `forget_peak`: GPU memory where a GPU is used, else resident memory."""
    import resource
    import sys

    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return round(torch.cuda.max_memory_allocated() / 2**30, 3)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)
