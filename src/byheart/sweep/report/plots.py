"""A sweep's plots as SVG: curves, history, importance, contours and parallel coordinates; no script, no network.

Colours come from the page's style sheet by class; a value's colour runs from faint (worst) to accent (best).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate, combinations, product

from byheart.sweep.report.labels import LETTER, Box, Labels, Place, around, in_rows, tick
from byheart.sweep.search.space import Params, Value

Point = tuple[Params, float]  # parameters and value of a completed trial


@dataclass(frozen=True)
class Curve:
    number: int
    setting: str
    checks: Sequence[tuple[float, float]]  # (epoch, validation loss)
    best: bool


def curves(lines: Sequence[Curve], width: int = 760) -> str:
    """Validation loss over epochs, one line a trial with its number at the end, where there is room for it."""
    height, right = (340 if width > 400 else 320), width - 34
    points = [point for line in lines for point in line.checks]
    if not points:
        return ""
    x = Scale([0, *(epoch for epoch, _ in points)], 52, right, measured=True)
    y = Scale([loss for _, loss in points], height - 34, 12, measured=True)
    parts = _axes(x, y, width, height, "epoch")
    labels = Labels(Box(52, 0, width, height - 30))
    for line in sorted((line for line in lines if line.checks), key=lambda line: (not line.best, line.checks[-1][1])):
        path = " ".join(f"{x(epoch):.1f},{y(loss):.1f}" for epoch, loss in line.checks)
        kind, title = "best" if line.best else "other", escape(f"trial {line.number}: {line.setting}")
        # The best is drawn last, above the others.
        parts.insert(
            len(parts) if line.best else 0,
            f'<polyline class="curve {kind}" points="{path}"><title>{title}</title></polyline>',
        )
        at, end = x(line.checks[-1][0]), y(line.checks[-1][1]) + 4
        labels.put(f"{line.number}", [(at + 4, end + shift, "start") for shift in (0, -6, 6, -12, 12)], kind)
    return _svg(width, height, "Validation loss of every trial over the epochs", [*parts, *labels.parts])


def history(values: Sequence[tuple[int, float]], maximize: bool, width: int = 760) -> str:
    """The value of each trial by its number, and the best so far as a line, with its values."""
    height = 220
    if not values:
        return ""
    x = Scale([number for number, _ in values], 60, width - 18, measured=True, log=False)
    y = Scale([value for _, value in values], height - 40, 24, measured=True)
    dots = [_dot(x(number), y(value), f"trial {number}: {value:.4f}") for number, value in values]
    best = list(accumulate((value for _, value in values), max if maximize else min))
    path = " ".join(f"{x(number):.1f},{y(value):.1f}" for (number, _), value in zip(values, best, strict=True))
    line = f'<polyline class="curve best" points="{path}"/>'
    places = [(x(number), y(value)) for number, value in values]
    labels = Labels(Box(52, 0, width, height - 36), [_around(*place) for place in places])
    records = [i for i, (_, value) in enumerate(values) if i == 0 or (value != best[i - 1] and value == best[i])]
    rest = sorted({*range(len(values))} - {*records}, key=lambda i: values[i][1], reverse=maximize)
    for i in (*reversed(records), *rest):
        labels.put(f"{values[i][1]:.3f}", around(*places[i]), "best" if i in records else "")
    whole = [mark for mark in x.ticks() if "." not in mark[0]]  # there is no trial 0.5
    axes = _axes(x, y, width, height, "trial", below=in_rows(whole, 30, width, 1))
    return _svg(width, height, "Value of each trial", [*axes, line, *dots, *labels.parts])


def importance(shares: Mapping[str, float], width: int = 760) -> str:
    """A bar for each parameter: its share of the spread of values."""
    if not shares:
        return ""
    begin, parts = min(190, width // 3), list[str]()
    for row, (name, share) in enumerate(shares.items()):
        top, long = 28 * row + 4, (width - begin - 50) * share
        parts.append(tick(0, top + 15, "start", _cut(_short(name), begin)))
        parts.append(f'<rect class="bar" x="{begin}" y="{top}" width="{long:.1f}" height="20"/>')
        parts.append(tick(begin + 6 + long, top + 15, "start", f"{share:.0%}"))
    return _svg(width, 28 * len(shares) + 6, "Importance of the parameters", parts)


def contours(points: Sequence[Point], keys: Sequence[str], maximize: bool, size: int = 340) -> list[str]:
    """For each pair of parameters the plane between them, its colour interpolated between the trials, which are dots
    with their values. Of dots in one place the best value is written."""
    drawings = []
    for across, up in list(combinations(keys, 2))[:6]:
        names = Scale([point[up] for point, _ in points], 0, 0).names  # where it has no numbers
        start = max(62.0, min(140.0, 18 + LETTER * max(map(len, names), default=0)))
        x = Scale([point[across] for point, _ in points], start, size - 12)
        below = in_rows(x.ticks(), 30, size)
        foot = size - 34 - max((row for _, (_, row, _) in below), default=0)
        y = Scale([point[up] for point, _ in points], foot, 28)
        shade = _shade([value for _, value in points], maximize)
        best: dict[tuple[float, float], float] = {}  # of trials that differ in a third parameter
        found: dict[tuple[float, float], float] = {}
        for point, value in points:
            place = x(point[across]), y(point[up])
            best[place] = max(best.get(place, 0.0), shade(value))
            found[place] = (max if maximize else min)(found.get(place, value), value)
        parts = _axes(x, y, size, size, _short(across), _short(up), below, foot)
        cells = 26
        wide, high = (size - 12 - start) / cells, (foot - 28) / cells
        for column, row in product(range(cells), range(cells)):
            left, top = start + wide * column, 28 + high * row
            strength = _between(best, left + wide / 2, top + high / 2)
            frame = f'x="{left:.1f}" y="{top:.1f}" width="{wide + 0.7:.1f}" height="{high + 0.7:.1f}"'
            parts.append(f'<rect class="cell" {frame} style="--strength:{strength:.0%}"/>')
        parts += [_dot(*place, f"{value:.4f}") for place, value in found.items()]
        labels = Labels(Box(start - 12, 14, size, foot + 8), [_around(*place) for place in found])
        for place, value in sorted(found.items(), key=lambda each: each[1], reverse=maximize):
            labels.put(f"{value:.3f}", around(*place), "value")
        drawings.append(_svg(size, size, f"{up} over {across}", [*parts, *labels.parts]))
    return drawings


def parallel(points: Sequence[Point], keys: Sequence[str], objective: str, maximize: bool, width: int = 760) -> str:
    """One line a trial through its parameters to its value."""
    height = 280
    if len(points) < 2:
        return ""
    names = [*keys, objective]
    at = {name: 46 + (width - 106) * place / max(1, len(names) - 1) for place, name in enumerate(names)}
    heads = in_rows([(_short(name), at[name]) for name in names], 0, width)
    foot = height - 22 - max(row for _, (_, row, _) in heads)
    rows: list[Params] = [{**point, objective: value} for point, value in points]
    scales = {name: Scale([row[name] for row in rows], foot, 14, measured=name == objective) for name in names}
    shade = _shade([value for _, value in points], maximize)
    parts = [tick(x, foot + 18 + row, anchor, text) for text, (x, row, anchor) in heads]
    texts, room = list[str](), (width - 106) / max(1, len(names) - 1) - 16
    for name in names:
        parts.append(f'<line class="grid" x1="{at[name]:.1f}" x2="{at[name]:.1f}" y1="14" y2="{foot}"/>')
        shift, anchor = (-6, "end") if name == names[0] and scales[name].numbers else (6, "start")
        texts += [tick(at[name] + shift, y + 4, anchor, _cut(text, room)) for text, y in scales[name].ticks()]
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
            return [(name, self(name)) for name in self.names]
        if self.measured and not self.log:
            marks = _round_numbers(self.low, self.high)
        elif len(self.values) <= 8 and not self.measured:
            marks = self.values
        else:
            marks = _round_decades(self.low, self.high) if self.log else _round_numbers(self.low, self.high)
        kept: list[tuple[str, float]] = []
        for mark in marks:
            text = _brief(mark, 4 if self.measured else 3)
            across = LETTER * (len(text) + len(kept[-1][0])) / 2 + 8 if kept else 0.0
            if not kept or abs(self(mark) - kept[-1][1]) >= (16 if self.start > self.stop else across):
                kept.append((text, self(mark)))
        return kept


def _axes(
    x: "Scale", y: "Scale", width: int, height: int, across: str, up: str = "",
    below: Sequence[tuple[str, Place]] | None = None, foot: float | None = None,
) -> list[str]:  # fmt: skip
    """`below`: the texts under the plane, which ends at `foot`, where they are not those of `x` in one row."""
    below = in_rows(x.ticks(), 30, width, 1) if below is None else below
    foot, edge = height - 34 if foot is None else foot, max(52.0, x.start - 10)
    parts = []
    for text, place in y.ticks():
        parts.append(f'<line class="grid" x1="{edge:.1f}" x2="{width - 12}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(tick(edge - 6, place + 4, "end", _cut(text, edge - 6)))
    parts += [tick(place, foot + 18 + row, anchor, text) for text, (place, row, anchor) in below]
    parts.append(tick(width - 12, height - 2, "end", across, "name"))
    return [*parts, tick(2, 10, "start", up, "name") if up else ""]


def _dot(x: float, y: float, title: str) -> str:
    return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{title}</title></circle>'


def _around(x: float, y: float) -> Box:
    return Box(x - 5, y - 5, x + 5, y + 5)


def _short(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


def _cut(text: str, room: float) -> str:
    """The text in so many pixels."""
    most = max(3, int(room / LETTER))
    return text if len(text) <= most else f"{text[: most - 1]}…"


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


def _round_decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two numbers; of many decades the powers alone."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    marks = [factor * power for power in powers for factor in factors if low <= factor * power <= high * 1.001]
    return marks if len(marks) > 1 else [low, high]


def _brief(number: float, digits: int) -> str:
    """The number in at most seven characters or so: 0.002, 9.3e-5."""
    text = f"{number:.{digits}g}"
    if len(text) > 7 or "e" in text:
        mantissa, _, power = f"{number:.1e}".partition("e")
        text = f"{mantissa.removesuffix('.0')}e{int(power)}"
    return text


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
    return "".join([head, *parts, "</svg>"])
