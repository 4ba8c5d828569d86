"""A sweep's plots as SVG: curves, history, importance, contours and parallel coordinates; no script, no network.

Colours come from the page's style sheet by class; a value's colour runs from faint (worst) to accent (best).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import accumulate, combinations, product

from byheart.sweep.search.space import Params, Value

Point = tuple[Params, float]  # parameters and value of a completed trial


def curves(lines: Sequence[tuple[str, Sequence[tuple[float, float]], bool]], width: int = 760) -> str:
    """Validation loss over epochs, one line a trial: (title, points, whether it is the best)."""
    height = 320 if width > 400 else 300
    points = [point for _, line, _ in lines for point in line]
    if not points:
        return ""
    x = Scale([0, *(epoch for epoch, _ in points)], 52, width - 12, measured=True)
    y = Scale([loss for _, loss in points], height - 34, 12, measured=True)
    parts = _axes(x, y, width, height, "epoch")
    for title, line, best in sorted(lines, key=lambda each: each[2]):
        path = " ".join(f"{x(epoch):.1f},{y(loss):.1f}" for epoch, loss in line)
        kind = "best" if best else "other"
        parts.append(f'<polyline class="curve {kind}" points="{path}"><title>{escape(title)}</title></polyline>')
    return _svg(width, height, "Validation loss of every trial over the epochs", parts)


def history(values: Sequence[tuple[int, float]], maximize: bool, width: int = 760) -> str:
    """The value of each trial by its number, and the best so far as a line."""
    height = 220
    if not values:
        return ""
    x = Scale([number for number, _ in values], 60, width - 18, measured=True, log=False)
    y = Scale([value for _, value in values], height - 40, 14, measured=True)
    dots = [_dot(x(number), y(value), f"trial {number}: {value:.4f}") for number, value in values]
    best = accumulate((value for _, value in values), max if maximize else min)
    path = " ".join(f"{x(number):.1f},{y(value):.1f}" for (number, _), value in zip(values, best, strict=True))
    line = f'<polyline class="curve best" points="{path}"/>'
    return _svg(width, height, "Value of each trial", [*_axes(x, y, width, height, "trial"), *dots, line])


def importance(shares: Mapping[str, float], width: int = 760) -> str:
    """A bar for each parameter: its share of the spread of values."""
    if not shares:
        return ""
    begin, parts = min(190, width // 3), list[str]()
    for row, (name, share) in enumerate(shares.items()):
        top, long = 28 * row + 4, (width - begin - 50) * share
        parts.append(f'<text class="tick" x="0" y="{top + 15}">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="{begin}" y="{top}" width="{long:.1f}" height="20"/>')
        parts.append(f'<text class="tick" x="{begin + 6 + long:.1f}" y="{top + 15}">{share:.0%}</text>')
    return _svg(width, 28 * len(shares) + 6, "Importance of the parameters", parts)


def contours(points: Sequence[Point], keys: Sequence[str], maximize: bool, size: int = 340) -> list[str]:
    """For each pair of parameters the plane between them, its colour interpolated between the trials, which are dots."""
    drawings = []
    for across, up in list(combinations(keys, 2))[:6]:
        x = Scale([point[across] for point, _ in points], 62, size - 12)
        y = Scale([point[up] for point, _ in points], size - 34, 12)
        shade = _shade([value for _, value in points], maximize)
        best: dict[tuple[float, float], float] = {}  # of trials that differ in a third parameter
        for point, value in points:
            place = x(point[across]), y(point[up])
            best[place] = max(best.get(place, 0.0), shade(value))
        parts = _axes(x, y, size, size, _short(across), _short(up))
        cells = 26
        wide, high = (size - 74) / cells, (size - 46) / cells
        for column, row in product(range(cells), range(cells)):
            left, top = 62 + wide * column, 12 + high * row
            strength = _between(best, left + wide / 2, top + high / 2)
            frame = f'x="{left:.1f}" y="{top:.1f}" width="{wide + 0.7:.1f}" height="{high + 0.7:.1f}"'
            parts.append(f'<rect class="cell" {frame} style="--strength:{strength:.0%}"/>')
        parts += [_dot(x(point[across]), y(point[up]), f"{value:.4f}") for point, value in points]
        drawings.append(_svg(size, size, f"{up} over {across}", parts))
    return drawings


def parallel(points: Sequence[Point], keys: Sequence[str], objective: str, maximize: bool, width: int = 760) -> str:
    """One line a trial through its parameters to its value."""
    height = 280
    if len(points) < 2:
        return ""
    rows: list[Params] = [{**point, objective: value} for point, value in points]
    names = [*keys, objective]
    scales = {name: Scale([row[name] for row in rows], height - 34, 14, measured=name == objective) for name in names}
    at = {name: 40 + (width - 100) * place / max(1, len(names) - 1) for place, name in enumerate(names)}
    shade = _shade([value for _, value in points], maximize)
    parts, texts = list[str](), list[str]()
    for name in names:
        parts.append(f'<line class="grid" x1="{at[name]:.1f}" x2="{at[name]:.1f}" y1="14" y2="{height - 34}"/>')
        parts.append(_tick(at[name], height - 8, "middle", _short(name)))
        shift, anchor = (-6, "end") if name == names[0] else (6, "start")
        texts += [_tick(at[name] + shift, place + 4, anchor, text) for text, place in scales[name].ticks()]
    for row, (_, value) in zip(rows, points, strict=True):
        path = " ".join(f"{at[name]:.1f},{scales[name](row[name]):.1f}" for name in names)
        style, title = f"opacity:{shade(value):.2f}", f"<title>{value:.4f}</title>"
        parts.append(f'<polyline class="curve best" style="{style}" points="{path}">{title}</polyline>')
    return _svg(width, height, "Parallel coordinates", [*parts, *texts])


class Scale:
    """Values to places between two ends: names evenly, numbers by size, or by their logarithm where they span decades.
    Measured ones are ticked at round numbers, settings at their values."""

    def __init__(self, values: Sequence[Value], start: float, stop: float, measured: bool = False, log: bool = True):
        self.start, self.stop, self.measured = start, stop, measured
        numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        self.numbers = len(numbers) == len(values)
        self.names = [] if self.numbers else sorted({str(value) for value in values})
        self.low, self.high = min(numbers, default=0.0), max(numbers, default=0.0)
        self.log = log and self.numbers and self.low > 0 and self.high / self.low > 5
        self.values = sorted({*numbers})

    def __call__(self, value: Value) -> float:
        if not self.numbers or not isinstance(value, int | float):
            share = self.names.index(str(value)) / max(1, len(self.names) - 1)
        elif self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + (self.stop - self.start) * share

    def ticks(self) -> list[tuple[str, float]]:
        """What to write where: every setting where they are few, else some along the way; none upon another."""
        if not self.numbers:
            return [(name[-18:], self(name)) for name in self.names]
        if self.measured and not self.log:
            marks = _round_numbers(self.low, self.high)
        elif len(self.values) <= 8 and not self.measured:
            marks = self.values
        else:
            span, ratio = self.high - self.low, self.high / self.low if self.log else 1.0
            marks = [self.low * ratio ** (i / 4) if self.log else self.low + span * i / 4 for i in range(5)]
        apart = 16 if self.start > self.stop else 38  # up the page, or across it
        kept: list[tuple[str, float]] = []
        for mark in marks:
            if not kept or abs(self(mark) - kept[-1][1]) >= apart:
                kept.append((f"{mark:.4g}" if self.measured else f"{mark:.3g}", self(mark)))
        return kept


def _axes(x: Scale, y: Scale, width: int, height: int, across: str, up: str = "") -> list[str]:
    parts = []
    for text, place in y.ticks():
        parts.append(f'<line class="grid" x1="52" x2="{width - 12}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(_tick(46, place + 4, "end", text))
    parts += [_tick(place, height - 14, "middle", text) for text, place in x.ticks()]
    parts.append(f'<text class="tick name" x="{width - 12}" y="{height - 1}" text-anchor="end">{escape(across)}</text>')
    return [*parts, f'<text class="tick name" x="2" y="10">{escape(up)}</text>' if up else ""]


def _tick(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _dot(x: float, y: float, title: str) -> str:
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{title}</title></circle>'


def _short(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


def _shade(values: Sequence[float], maximize: bool) -> Callable[[float], float]:
    """How strongly a value is drawn: 0.08 for the worst, 0.9 for the best, by rank, so that one outlier hides nothing."""
    last = max(1, len(values) - 1)
    return lambda value: 0.08 + 0.82 * sum(each < value if maximize else each > value for each in values) / last


def _between(places: Mapping[tuple[float, float], float], x: float, y: float) -> float:
    """The strength at a point: a mean over the trials, by the inverse cube of their distance."""
    weights = {place: (1.0 + math.hypot(place[0] - x, place[1] - y)) ** -3 for place in places}
    return sum(weight * places[place] for place, weight in weights.items()) / sum(weights.values())


def _round_numbers(low: float, high: float) -> list[float]:
    """Four or so multiples of 1, 2 or 5 between two numbers."""
    if high <= low:
        return [low]
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= raw * 0.8)
    return [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
    return "".join([head, *parts, "</svg>"])
