"""curve.csv: one line for each validation check."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from byheart.damage import refused
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
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [{name: _number(name, value) for name, value in line.items()} for line in csv.DictReader(file)]
        return [CurvePoint(**line) for line in lines]  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise refused(path, f"this curve cannot be read: {error}") from None


def _number(name: str, value: str) -> float | int | None:
    if value == "":
        return None
    return int(value) if name in ("step", "rows_seen") else float(value)
