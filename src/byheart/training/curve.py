"""curve.csv: one line for each validation check."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

from byheart.records import CurvePoint
from byheart.store import write_text


def write_curve(path: Path, curve: Sequence[CurvePoint]) -> None:
    """Writes the whole curve atomically: a reader never sees half a line. Values that were not measured are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(CurvePoint)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in asdict(point).items()} for point in curve)
    write_text(path, text.getvalue())


def read_curve(path: Path) -> list[CurvePoint]:
    with path.open(newline="") as file:
        lines = [{name: _number(name, value) for name, value in line.items()} for line in csv.DictReader(file)]
    return [CurvePoint(**line) for line in lines]  # type: ignore[arg-type]


def _number(name: str, value: str) -> float | int | None:
    if value == "":
        return None
    return int(value) if name in ("step", "rows_seen") else float(value)


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
