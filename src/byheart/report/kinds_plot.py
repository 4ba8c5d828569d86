"""Memorization against generalization over the epochs, as SVG for the page: recall by kind of question, and general text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from byheart.evaluation.intervals import wilson
from byheart.evaluation.kinds import HELDOUT_ANGLE, HELDOUT_FACT, HELDOUT_WORDING, TRAINED_WORDING
from byheart.training.kinds import GENERAL, KindPoint

LABELS = {
    TRAINED_WORDING: "trained wording",
    HELDOUT_WORDING: "held-out wording",
    HELDOUT_ANGLE: "held-out angle",
    HELDOUT_FACT: "held-out fact",
    GENERAL: "general text",
}
ASKED = tuple(kind for kind in LABELS if kind != GENERAL)
WHY_ABSENT = {
    TRAINED_WORDING: "no trained question could be paired with a held-out one",
    HELDOUT_WORDING: "nothing held out asks for a trained answer in other words",
    HELDOUT_ANGLE: "nothing held out asks for what no trained row asks for",
    HELDOUT_FACT: "every fact is taught (split.heldout_facts=0.1 leaves some out)",
}
_LINE = 15  # between two labels


@dataclass(frozen=True)
class Course:
    """The points of a run by kind. `ratios`: (epoch, perplexity of general text over that before training)."""

    points: Sequence[KindPoint]

    def of(self, kind: str) -> list[KindPoint]:
        return [point for point in self.points if point.kind == kind and point.recall is not None]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind in ASKED if self.of(kind)]

    @property
    def ratios(self) -> list[tuple[float, float]]:
        found = [point for point in self.points if point.kind == GENERAL and math.isfinite(point.loss)]
        if not found or found[0].step:
            return []  # nothing to compare with
        return [(point.epoch, math.exp(min(20.0, point.loss - found[0].loss))) for point in found]

    @property
    def absent(self) -> list[str]:
        """What is not drawn, and why."""
        return [f"{LABELS[kind]}: {WHY_ABSENT[kind]}" for kind in ASKED if not self.of(kind)]

    @property
    def table(self) -> list[tuple[float, list[str]]]:
        """(epoch, a cell for each kind that is drawn and for general text)."""
        ratios = dict(self.ratios)
        rows = []
        for epoch in sorted({point.epoch for point in self.points}):
            cells = []
            for kind in self.kinds:
                at = next((p for p in self.of(kind) if p.epoch == epoch), None)
                cells.append("–" if at is None else f"{_right(at)} of {at.count}")
            rows.append((epoch, [*cells, f"× {ratios[epoch]:.2f}" if epoch in ratios else "–"]))
        return rows


def svg(course: Course, width: int = 760, chosen: float | None = None) -> str:
    """The drawing; empty where fewer than two epochs were measured. Colours come from the page's style sheet by class."""
    end = max((point.epoch for point in course.points), default=0.0)
    if not course.kinds or not end:
        return ""
    left, right, top, bottom = 46, width - 128, 14, 254
    ratios = course.ratios
    height = bottom + (102 if ratios else 30)

    def x(epoch: float) -> float:
        return left + (right - left) * epoch / end

    def y(share: float) -> float:
        return bottom - (bottom - top) * share

    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Recall by kind of question over the epochs">']
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>')
        parts.append(
            f'<text class="tick" x="{left - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f}\u202f%</text>'
        )
    if chosen:
        parts.append(f'<line class="mark" x1="{x(chosen):.1f}" x2="{x(chosen):.1f}" y1="{top}" y2="{bottom}"/>')
        side = "end" if x(chosen) > (left + right) / 2 else "start"
        parts.append(
            f'<text class="mark" x="{x(chosen) + (-6 if side == "end" else 6):.1f}" y="{top + 10}" text-anchor="{side}">kept</text>'
        )
    lines = []
    for kind in course.kinds:
        points = course.of(kind)
        limits = [(point.epoch, wilson(_right(point), point.count)) for point in points]
        band = [f"{x(e):.1f},{y(at.low):.1f}" for e, at in limits]
        band += [f"{x(e):.1f},{y(at.high):.1f}" for e, at in reversed(limits)]
        parts.append(f'<polygon class="band {kind}" points="{" ".join(band)}"/>')
        lines.append((kind, [(point.epoch, y(point.recall or 0.0)) for point in points]))
    for kind, line in lines:
        parts.append(_line(kind, [(x(epoch), at) for epoch, at in line]))
    for (kind, _), at in zip(lines, _apart([line[-1][1] for _, line in lines], top, bottom), strict=True):
        parts.append(f'<text class="{kind}" x="{right + 10}" y="{at + 4:.1f}">{LABELS[kind]}</text>')
    if ratios:
        parts += _general(ratios, [x(epoch) for epoch, _ in ratios], left, right, bottom + 26)
    step = max(1, math.ceil(end / ((right - left) / 40)))
    for epoch in range(0, int(end) + 1, step):
        parts.append(
            f'<text class="tick" x="{x(epoch):.1f}" y="{height - 6}" text-anchor="middle">{epoch if epoch else "before"}</text>'
        )
    parts.append(f'<text class="tick" x="{right + 10}" y="{height - 6}">epoch</text>')
    return "".join([*parts, "</svg>"])


def _general(
    ratios: Sequence[tuple[float, float]], places: Sequence[float], left: int, right: int, top: int
) -> list[str]:
    """The lower panel: 48 high, from no change up to the largest ratio, at least 1.5."""
    bottom, most, least = top + 48, max(1.5, *(ratio for _, ratio in ratios)), min(1.0, *(r for _, r in ratios))

    def y(ratio: float) -> float:
        return bottom - (bottom - top) * (ratio - least) / (most - least)

    parts = []
    for ratio in (1.0, most):
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y(ratio):.1f}" y2="{y(ratio):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 8}" y="{y(ratio) + 4:.1f}" text-anchor="end">× {ratio:.2g}</text>')
    line = [(place, y(ratio)) for place, (_, ratio) in zip(places, ratios, strict=True)]
    parts.append(_line(GENERAL, line))
    parts.append(f'<text class="{GENERAL}" x="{right + 10}" y="{line[-1][1] + 4:.1f}">{LABELS[GENERAL]}</text>')
    return parts


def _line(kind: str, places: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
    return f'<polyline class="{kind}" points="{path}"/>{dots}'


def _apart(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """The same heights, moved so that no two labels lie on each other."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    found = [0.0] * len(places)
    last = top - _LINE
    for i in order:
        last = found[i] = max(places[i], last + _LINE)
    limit = bottom
    for i in reversed(order):
        limit = found[i] = min(found[i], limit)
        limit -= _LINE
    return found


def _right(point: KindPoint) -> int:
    return round((point.recall or 0.0) * point.count)
