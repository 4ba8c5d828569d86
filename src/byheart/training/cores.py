"""How many cores of this machine are ours."""

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup")


def cores() -> int:
    """Those that the system gives this process; a container's quota of processor time counts like fewer cores."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(found, _quota() or found))


def _quota() -> int | None:
    """Whole cores of a control group's quota, version 2 or 1; None where there is none."""
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
