"""Recall by kind of question over the epochs (`kinds.csv`): what tells memorization from generalization while it happens.

The rows of `TrainJob.kinds` are only looked at: nothing is chosen or stopped by them. Recall is that of `validation.py`: the
share of answers whose every token is the model's first choice. It takes a forward pass and generates nothing.
"""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from byheart.store import write_text
from byheart.training.job import TrainJob
from byheart.training.layout import Row

FILE = "kinds.csv"
GENERAL = "general_text"  # plain text: it has a loss and no recall
SHARE = 0.05  # of the time of a training, at most
FORWARD = 1 / 3  # of a training step: the forward pass alone
SPARSER = 0.2  # of the epochs so far lie between two points: thirty epochs have about twelve
Measure = Callable[[Sequence[Row], str], tuple[float, float]]  # (rows, reduction) -> (loss in nats, recall)


@dataclass(frozen=True)
class KindPoint:
    """A line of kinds.csv. `loss`: mean nats of an answer's tokens; of general text, nats a token."""

    step: int
    epoch: float
    kind: str
    recall: float | None
    count: int  # rows
    loss: float


class KindCurve:
    """Which checks measure the kinds, and what they found. A resumed training goes on with the file that it left."""

    def __init__(self, train_job: TrainJob, folder: Path, step: int):
        self.rows = {kind: rows for kind, rows in train_job.kinds.items() if rows}
        self.file = folder / FILE
        self.points = [point for point in read_kinds(self.file) if point.step <= step] if step else []
        read, trained = (
            sum(len(row.tokens) for rows in each for row in rows) for each in (self.rows.values(), [train_job.train])
        )
        self.every = max(1, math.ceil(FORWARD * read / (SHARE * max(1, trained))))  # epochs, so that SHARE holds

    def due(self, epoch: float, ends: bool) -> bool:
        """Whether to measure after so many epochs; `ends`: training does not go on."""
        if not self.rows or not (ends or float(epoch).is_integer()):
            return False
        last = self.points[-1].epoch if self.points else -math.inf
        return epoch > last if ends else epoch - last >= max(self.every, SPARSER * epoch)

    def record(self, step: int, epoch: float, measure: Measure) -> None:
        for kind, rows in self.rows.items():
            loss, recall = measure(rows, "token_mean" if kind == GENERAL else "row_mean")
            self.points.append(
                KindPoint(step, float(epoch), kind, None if kind == GENERAL else recall, len(rows), loss)
            )
        write_kinds(self.file, self.points)


def write_kinds(path: Path, points: Sequence[KindPoint]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(KindPoint)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: "" if value is None else value for name, value in asdict(point).items()} for point in points
    )
    write_text(path, text.getvalue())


def read_kinds(path: Path) -> list[KindPoint]:
    """The points; none where there is no such file, or it is damaged: nothing else depends on it."""
    try:
        with path.open(newline="") as file:
            return [
                KindPoint(
                    int(line["step"]),
                    float(line["epoch"]),
                    line["kind"],
                    float(line["recall"]) if line["recall"] else None,
                    int(line["count"]),
                    float(line["loss"]),
                )
                for line in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        return []
