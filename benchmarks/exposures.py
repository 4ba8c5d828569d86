"""Does recall depend on distinct examples, on exposures, or on steps? A picture of curves with fewer ways of asking.

    python benchmarks/exposures.py CURVE.jsonl ... --out docs/exposures.svg

CURVE.jsonl are files of `recall_curve.py` on one article with `--forms 1`, 2, 4 and 6. One line for each: the exposures of a
fact (its examples times the epochs) along, on a logarithmic axis; the share of people's questions answered up.
"""

import argparse
import json
import math
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 56, 170, 24, 48
COLOURS = ("#b45309", "#0f766e", "#1d4ed8", "#7c3aed", "#be123c")
TICKS = (1, 2, 4, 8, 16, 32, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    curves = {}
    for path in options.curves:
        head, *points = map(json.loads, path.read_text().splitlines())
        each = head["rows"] / head["facts"]  # examples of a fact
        curves[f"{each:.1f} examples a fact"] = [
            (each * p["epoch"], p["AB"]["contains"], p["AB"]["f1"]) for p in points
        ]
    for name, points in curves.items():
        print(name, " ".join(f"{exposures:.0f}: {contains:.2f} (F1 {f1:.2f})" for exposures, contains, f1 in points))
    options.out.write_text(drawn(curves))


def drawn(curves: dict[str, list[tuple[float, float, float]]]) -> str:
    most = max(exposures for points in curves.values() for exposures, _, _ in points)
    high = math.ceil(max(contains for points in curves.values() for _, contains, _ in points) * 10) / 10

    def x(exposures: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log2(max(1.0, exposures)) / math.log2(most)

    def y(contains: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * contains / high

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for share in [i / 10 for i in range(round(high * 10) + 1)]:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="#e5e7eb"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end" fill="#4b5563">{share:.0%}</text>')
    for tick in [tick for tick in TICKS if tick <= most]:
        parts.append(
            f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#4b5563">{tick}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="#111827">exposures of a fact: its examples times the epochs</text>')  # fmt: skip
    parts.append(f'<text x="{LEFT}" y="14" fill="#111827">people\'s questions answered</text>')
    ends: list[float] = []
    for (name, points), colour in zip(curves.items(), COLOURS, strict=False):
        way = " ".join(f"{x(exposures):.1f},{y(contains):.1f}" for exposures, contains, _ in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(e):.1f}" cy="{y(c):.1f}" r="3" fill="{colour}"/>' for e, c, _ in points]
        at = y(points[-1][1])
        while any(abs(at - other) < 15 for other in ends):
            at += 5
        ends.append(at)
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{at + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
