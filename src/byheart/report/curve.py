"""The curve of a run, drawn as SVG for the page (`plot.py` draws it for the terminal).

The page's plot is plain SVG, not plotly: the plotly wheel carries only its full bundle (4.8 MB), and a sweep writes
a page for every trial. SVG also follows the reader's light or dark mode, prints, and needs no script.
"""

import itertools
import math
from collections.abc import Callable, Sequence

from byheart.records import CurvePoint

Series = list[tuple[float, float]]


def series(points: Sequence[CurvePoint], name: str) -> Series:
    """(epoch, value) of every check at which `name` was measured and finite."""
    measured = ((point.epoch, getattr(point, name)) for point in points)
    return [(epoch, value) for epoch, value in measured if value is not None and math.isfinite(value)]


def svg(
    points: Sequence[CurvePoint],
    chosen: float | None = None,
    loss_would_choose: float | None = None,
    width: int = 760,
    height: int = 340,
) -> str:
    """The curve as an SVG element: both losses on the left axis, recall and token accuracy on the right one; empty without points.

    Colours come from the page's style sheet by class, so that light, dark and print need one drawing.
    """
    train, val, recall, tokens = (
        series(points, name) for name in ("train_loss", "val_loss", "recall", "token_accuracy")
    )
    recall = recall if recall or tokens else series(points, "train_recall")  # all there is where nothing is held out
    losses = [value for _, value in train + val]
    if not losses and not recall:
        return ""
    left, right, top, bottom = 46, width - 48, 44, height - 34
    end = max(point.epoch for point in points) or 1.0
    ticks = _ticks(min(losses, default=0.0), max(losses, default=1.0))
    low, high = ticks[0], ticks[-1]

    def x(epoch: float) -> float:
        return left + (right - left) * epoch / end

    def y(loss: float) -> float:
        return bottom - (bottom - top) * (loss - low) / (high - low)

    def y_recall(share: float) -> float:
        return bottom - (bottom - top) * share

    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Losses and recall over the epochs">']
    for tick in ticks if losses else []:
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 10}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.3g}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1) if recall or tokens else ():
        place = f'x="{right + 10}" y="{y_recall(share) + 4:.1f}"'
        parts.append(f'<text class="tick accent" {place}>{share:.0%}</text>'.replace("%<", "\u202f%<"))
    step = max(1, math.ceil(end / (width / 60)))
    for epoch in range(0, int(end) + 1, step):
        parts.append(f'<text class="tick" x="{x(epoch):.1f}" y="{bottom + 22}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text class="tick" x="{left - 10}" y="{bottom + 22}" text-anchor="end">epoch</text>')

    parts += _marks(x, top, bottom, right, chosen, loss_would_choose)
    lines = (("train", train, y), ("val", val, y), ("tokens", tokens, y_recall), ("recall", recall, y_recall))
    for name, pairs, scale in lines:
        if pairs:
            path = " ".join(f"{x(epoch):.1f},{scale(value):.1f}" for epoch, value in pairs)
            parts.append(f'<polyline class="{name}" points="{path}"/>')
        if len(pairs) == 1:  # one check is no line
            parts.append(f'<circle class="{name}" cx="{x(pairs[0][0]):.1f}" cy="{scale(pairs[0][1]):.1f}" r="3"/>')
    ended = [(e, v) for e, v in recall if float(e).is_integer()]
    parts += [f'<circle class="recall" cx="{x(e):.1f}" cy="{y_recall(v):.1f}" r="3"/>' for e, v in ended]
    parts += _checks(points, x, left, right, top, bottom)
    return "".join([*parts, "</svg>"])


def _marks(
    x: Callable[[float], float], top: int, bottom: int, right: int, chosen: float | None, would: float | None
) -> list[str]:
    """The epoch that was kept, and the one that validation loss would have kept where it is another."""
    parts = []
    named = [("chosen", chosen, "kept")] if chosen is not None else []
    if chosen is not None and would == chosen:
        named = [("chosen", chosen, "kept; validation loss agrees")]
    elif would is not None:
        named.append(("would", would, "lowest validation loss"))
    for row, (kind, epoch, text) in enumerate(named):
        at, height = x(epoch), top - 24 + 15 * row
        side, shift = ("end", -6) if at > right - 110 else ("start", 6)
        parts.append(f'<line class="mark {kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{height - 8}" y2="{bottom}"/>')
        place = f'x="{at + shift:.1f}" y="{height}" text-anchor="{side}"'
        parts.append(f'<text class="mark {kind}" {place}>{text}: epoch {epoch:.3g}</text>')
    return parts


def _checks(
    points: Sequence[CurvePoint], x: Callable[[float], float], left: int, right: int, top: int, bottom: int
) -> list[str]:
    """A band for every check that shows its numbers under the pointer, by style sheet alone."""
    parts = []
    edges: list[float] = [
        left,
        *((x(a.epoch) + x(b.epoch)) / 2 for a, b in itertools.pairwise(points)),
        right,
    ]
    for point, start, stop in zip(points, edges, edges[1:], strict=False):
        words = [f"epoch {point.epoch:.3g}"]
        words += [f"training {point.train_loss:.3f}"] if point.train_loss is not None else []
        words += [f"validation {point.val_loss:.3f}"] if point.val_loss is not None else []
        words += [f"recall {100 * point.recall:.0f}\u202f%"] if point.recall is not None else []
        words += [f"tokens {100 * point.token_accuracy:.0f}\u202f%"] if point.token_accuracy is not None else []
        trained = point.train_recall if point.recall is None else None
        words += [f"recall of trained answers {100 * trained:.0f}\u202f%"] if trained is not None else []
        text, at = " · ".join(words), x(point.epoch)
        parts.append(
            f'<g class="check"><rect x="{start:.1f}" y="{top}" width="{max(0, stop - start):.1f}" '
            f'height="{bottom - top}"><title>{text}</title></rect>'
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"/>'
            f'<text x="{right}" y="{bottom - 10}" text-anchor="end">{text}</text></g>'
        )
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Four to seven round numbers that enclose both ends."""
    span = max(high - low, 1e-3)
    power = 10 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * index for index in range(first, max(last, first + 1) + 1)]
