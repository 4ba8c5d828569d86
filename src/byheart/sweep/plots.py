"""A sweep's plots as SVG: curves, history, importance, contours and parallel coordinates; no script, no network.

Colours come from the page's style sheet by class; a value's colour runs from faint (worst) to accent (best).
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import combinations
from typing import Any

Point = tuple[Mapping[str, Any], float]  # parameters and value of a completed trial


def curves(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]], bool]], width: int = 760, height: int = 320
) -> str:
    """Validation loss over epochs, one line a trial: (title, points, whether it is the best)."""
    points = [point for _, line, _ in lines for point in line]
    if not points:
        return ""
    x = Scale([0, *(epoch for epoch, _ in points)], 52, width - 12)
    y = Scale([loss for _, loss in points], height - 30, 12)
    parts = [
        _open(width, height, "Validation loss of every trial over the epochs"),
        *_axes(x, y, width, height, "epoch"),
    ]
    for title, line, best in sorted(lines, key=lambda each: each[2]):
        path = " ".join(f"{x(epoch):.1f},{y(loss):.1f}" for epoch, loss in line)
        kind = "best" if best else "other"
        parts.append(f'<polyline class="curve {kind}" points="{path}"><title>{escape(title)}</title></polyline>')
    return "".join([*parts, "</svg>"])


def history(values: Sequence[tuple[int, float]], maximize: bool, width: int = 760, height: int = 220) -> str:
    """The value of each trial by its number, and the best so far as a line."""
    if not values:
        return ""
    x = Scale([number for number, _ in values], 52, width - 12)
    y = Scale([value for _, value in values], height - 30, 12)
    parts = [_open(width, height, "Value of each trial"), *_axes(x, y, width, height, "trial")]
    best, path = values[0][1], []
    for number, value in values:
        best = max(best, value) if maximize else min(best, value)
        path.append(f"{x(number):.1f},{y(best):.1f}")
        parts.append(
            f'<circle class="dot" cx="{x(number):.1f}" cy="{y(value):.1f}" r="3.5"><title>trial {number}: {value:.4f}</title></circle>'
        )
    return "".join([*parts, f'<polyline class="curve best" points="{" ".join(path)}"/>', "</svg>"])


def importance(shares: Mapping[str, float], width: int = 760) -> str:
    """A bar for each parameter: its share of the spread of values."""
    parts = [_open(width, 28 * len(shares) + 6, "Importance of the parameters")]
    for row, (name, share) in enumerate(shares.items()):
        top = 28 * row + 4
        parts.append(f'<text class="tick" x="0" y="{top + 15}">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="190" y="{top}" width="{(width - 250) * share:.1f}" height="20"/>')
        parts.append(f'<text class="tick" x="{196 + (width - 250) * share:.1f}" y="{top + 15}">{share:.0%}</text>')
    return "".join([*parts, "</svg>"])


def contours(points: Sequence[Point], keys: Sequence[str], maximize: bool, size: int = 340) -> list[str]:
    """For each pair of parameters the plane between them, coloured by the nearest trial, with the trials as dots."""
    drawings = []
    for across, up in list(combinations(keys, 2))[:6]:
        x = Scale([point[across] for point, _ in points], 62, size - 12)
        y = Scale([point[up] for point, _ in points], size - 34, 12)
        places = [(x(point[across]), y(point[up]), value) for point, value in points]
        shade = _shade([value for _, value in points], maximize)
        parts = [_open(size, size, f"{up} over {across}"), *_axes(x, y, size, size, across, up)]
        cells = 18
        wide, high = (size - 74) / cells, (size - 46) / cells
        for column in range(cells):
            for row in range(cells):
                left, top = 62 + wide * column, 12 + high * row
                value = _nearby(places, left + wide / 2, top + high / 2)
                parts.append(
                    f'<rect class="cell" x="{left:.1f}" y="{top:.1f}" width="{wide + 0.3:.1f}" height="{high + 0.3:.1f}" fill-opacity="{shade(value):.2f}"/>'
                )
        parts += [
            f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>{value:.4f}</title></circle>'
            for a, b, value in places
        ]
        drawings.append("".join([*parts, "</svg>"]))
    return drawings


def parallel(
    points: Sequence[Point], keys: Sequence[str], objective: str, maximize: bool, width: int = 760, height: int = 280
) -> str:
    """One line a trial through its parameters to its value."""
    if not points:
        return ""
    rows = [{**point, objective: value} for point, value in points]
    names = [*keys, objective]
    scales = {name: Scale([row[name] for row in rows], height - 34, 14) for name in names}
    at = {name: 40 + (width - 100) * place / max(1, len(names) - 1) for place, name in enumerate(names)}
    shade = _shade([value for _, value in points], maximize)
    parts = [_open(width, height, "Parallel coordinates")]
    for name in names:
        parts.append(f'<line class="grid" x1="{at[name]:.1f}" x2="{at[name]:.1f}" y1="14" y2="{height - 34}"/>')
        parts.append(
            f'<text class="tick" x="{at[name]:.1f}" y="{height - 8}" text-anchor="middle">{escape(name)}</text>'
        )
        for text, place in scales[name].ticks():
            parts.append(f'<text class="tick" x="{at[name] + 5:.1f}" y="{place + 4:.1f}">{escape(text)}</text>')
    for row in rows:
        path = " ".join(f"{at[name]:.1f},{scales[name](row[name]):.1f}" for name in names)
        parts.append(
            f'<polyline class="curve best" style="opacity:{shade(row[objective]):.2f}" points="{path}"><title>{row[objective]:.4f}</title></polyline>'
        )
    return "".join([*parts, "</svg>"])


class Scale:
    """Values to places between two ends: names evenly, numbers by size, or by their logarithm where they span decades."""

    def __init__(self, values: Sequence[Any], start: float, stop: float):
        self.start, self.stop = start, stop
        self.numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        self.names = [] if self.numbers else sorted({str(value) for value in values})
        finite = [float(value) for value in values] if self.numbers else [0.0]
        self.low, self.high = min(finite), max(finite)
        self.log = self.numbers and self.low > 0 and self.high / self.low > 5
        self.values = sorted({*values}) if self.numbers else []

    def __call__(self, value: Any) -> float:
        if not self.numbers:
            share = self.names.index(str(value)) / max(1, len(self.names) - 1)
        elif self.log:
            share = math.log(float(value) / self.low) / math.log(self.high / self.low)
        else:
            share = (float(value) - self.low) / ((self.high - self.low) or 1.0)
        return self.start + (self.stop - self.start) * share

    def ticks(self) -> list[tuple[str, float]]:
        """What to write where: every value where they are few, else five along the way."""
        if not self.numbers:
            return [(name[-18:], self(name)) for name in self.names]
        if len(self.values) <= 6:
            marks = self.values
        elif self.log:
            marks = [self.low * (self.high / self.low) ** (i / 4) for i in range(5)]
        else:
            marks = [self.low + (self.high - self.low) * i / 4 for i in range(5)]
        return [(f"{mark:.3g}", self(mark)) for mark in marks]


def _axes(x: Scale, y: Scale, width: int, height: int, across: str, up: str = "") -> list[str]:
    parts = []
    for text, place in y.ticks():
        parts.append(f'<line class="grid" x1="52" x2="{width - 12}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(f'<text class="tick" x="46" y="{place + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    for text, place in x.ticks():
        parts.append(f'<text class="tick" x="{place:.1f}" y="{height - 14}" text-anchor="middle">{escape(text)}</text>')
    parts.append(f'<text class="tick name" x="{width - 12}" y="{height - 1}" text-anchor="end">{escape(across)}</text>')
    return [*parts, f'<text class="tick name" x="2" y="10">{escape(up)}</text>' if up else ""]


def _shade(values: Sequence[float], maximize: bool) -> Any:
    """How strongly a value is drawn: 0.08 for the worst, 0.9 for the best, by rank, so that one outlier hides nothing."""
    order = sorted(values, reverse=not maximize)
    return lambda value: (
        0.08 + 0.82 * sum(each < value if maximize else each > value for each in order) / max(1, len(order) - 1)
    )


def _nearby(places: Sequence[tuple[float, float, float]], x: float, y: float) -> float:
    """The value of the nearest trial."""
    return min(places, key=lambda place: (place[0] - x) ** 2 + (place[1] - y) ** 2)[2]


def _open(width: int, height: int, label: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
