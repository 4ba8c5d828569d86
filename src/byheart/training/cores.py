"""How many CPU cores this process may use."""

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores of the process's affinity, or fewer where a container's CPU quota allows fewer."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(found, _quota() or found))


def _quota() -> int | None:
    """The CPU quota of the control group (version 2 or 1) in whole cores; None without a quota."""
    try:
        most, period = (QUOTA / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            most, period = (
                (QUOTA / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip()
                for name in ("quota", "period")
            )
        except (OSError, ValueError):
            return None
    return max(1, int(most) // int(period)) if most.isdigit() else None
