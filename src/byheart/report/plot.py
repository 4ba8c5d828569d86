"""The curve of a run as text: losses on the left, shares of right answers on the right, in braille or in ASCII."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from byheart.records import CurvePoint
from byheart.report.curve import Series, series

HEIGHT = 5  # lines of a plot
AXIS = 6  # characters of its numbers
BESIDE = 74  # characters, from which the two plots stand side by side
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character: 4 rows by 2 columns
Line = list[tuple[str, str]]  # (text, style) from left to right


class Drawn(NamedTuple):
    name: str
    values: Series
    style: str
    dotted: bool = False  # so that two lines can be told apart without colours


def plot(points: Sequence[CurvePoint], width: int = 78, unicode: bool = True) -> list[Line]:
    """Both plots, side by side where there is room; empty without points."""
    if not points:
        return []
    left = [
        Drawn("validation", series(points, "val_loss"), "cyan"),
        Drawn("training", series(points, "train_loss"), "dim", True),
    ]
    right = [
        Drawn("recall", series(points, "recall"), "green"),
        Drawn("tokens right", series(points, "token_accuracy"), "dim green", True),
    ]
    heading = "held-out answers, share"
    if not any(each.values for each in right):  # nothing is held out
        right, heading = [Drawn("recall", series(points, "train_recall"), "green")], "trained answers, share"
    ends = [value for each in left for _, value in each.values] or [0.0, 1.0]
    end, beside = points[-1].epoch, width >= BESIDE
    room = (width - 2) // 2 if beside else width
    panels = [
        _panel("loss, nats", left, (min(ends), max(ends)), end, room, unicode),
        _panel(heading, right, (0.0, 1.0), end, room, unicode),
    ]
    if beside:
        return [[*a, ("  ", ""), *b] for a, b in zip(*panels, strict=True)]
    return [*panels[0], *panels[1]]


def _panel(
    heading: str, lines: Sequence[Drawn], ends: tuple[float, float], end: float, width: int, unicode: bool
) -> list[Line]:
    marks = ("──", "··") if unicode else ("**", "..")
    legend: Line = []
    for line in lines:
        if line.values:
            legend.append((f"{marks[line.dotted]} {line.name} {line.values[-1][1]:.2f}  ", line.style))
    legend = legend or [("not measured yet", "dim")]
    low, high = ends
    high = high if high > low else low + 1.0
    rows = draw(lines, width - AXIS, (low, high), end, unicode)
    numbers = [f"{high:5.2f} ", *[" " * AXIS] * (HEIGHT - 2), f"{low:5.2f} "]
    last = f"{end:.3g}"
    foot = f"{'':{AXIS}}0{'epochs':^{width - AXIS - 1 - len(last)}}{last}"
    return [
        _filled([(heading, "bold")], width),
        _filled(legend, width),
        *(_filled([(number, "dim"), *row], width) for number, row in zip(numbers, rows, strict=True)),
        _filled([(foot, "dim")], width),
    ]


def draw(lines: Sequence[Drawn], width: int, ends: tuple[float, float], end: float, unicode: bool) -> list[Line]:
    """HEIGHT lines of `width` characters, from epoch 0 to `end`; of two lines in one place the first is seen."""
    across, down = (2, 4) if unicode else (1, 1)
    low, high = ends
    cells = [[0] * width for _ in range(HEIGHT)]
    styles = [[""] * width for _ in range(HEIGHT)]
    for line in lines:
        spots = [
            (
                _place(epoch / (end or 1), across * width - 1),
                _place((high - value) / (high - low), down * HEIGHT - 1),
            )
            for epoch, value in line.values
        ]
        for column, row in _between(spots, 3 if line.dotted else 1):
            here = row // down, column // across
            if unicode:
                cells[here[0]][here[1]] |= BITS[row % 4][column % 2]
            else:
                cells[here[0]][here[1]] = cells[here[0]][here[1]] or ord(".*"[not line.dotted])
            styles[here[0]][here[1]] = styles[here[0]][here[1]] or line.style
    first = 0x2800 if unicode else 0
    return [
        [(chr(first + cell) if cell else " ", style) for cell, style in zip(*row, strict=True)]
        for row in zip(cells, styles, strict=True)
    ]


def _between(spots: Sequence[tuple[int, int]], every: int) -> list[tuple[int, int]]:
    """The points of straight lines through the spots, or each third of them."""
    found = []
    for (x0, y0), (x1, y1) in itertools.pairwise(spots if len(spots) != 1 else [*spots, *spots]):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        found += [
            (round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps)) for i in range(0, steps + 1, every)
        ]
    return found


def _place(share: float, last: int) -> int:
    return min(last, max(0, round(share * last))) if math.isfinite(share) else 0


def _filled(line: Line, width: int) -> Line:
    """Exactly `width` characters, cut or filled."""
    found, room = [], width
    for text, style in line:
        found.append((text[:room], style))
        room -= len(found[-1][0])
    return [*found, (" " * room, "")]
