"""Which signal on held-out rows ends a training where people's questions are answered best?

    python benchmarks/signals.py CURVE.jsonl ... [--patience 3]

CURVE.jsonl are files of `recall_curve.py`. For each signal, in the mean over curves: regret, the share of people's
questions (contains) that is lost against the best epoch of the curve when training ends after `--patience` epochs
without a better value and keeps the best epoch by the signal; the same in F1; the rank correlation (Spearman) of the
signal with F1 over epochs; and how many epochs were run. Half A of the questions chose nothing here and is printed
beside half B.
"""

import argparse
import json
from pathlib import Path
from statistics import mean

LOSSES = ("loss", "loss_by_token", "loss_short", "bounded", "bounded_short", "smoothed", "first_rank")
SHARES = ("first_accuracy", "token_accuracy", "exact")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="+", type=Path)
    parser.add_argument("--patience", type=int, default=3, help="epochs")
    parser.add_argument("--half", default="AB", choices=("A", "B", "AB"))
    options = parser.parse_args()
    read = [[json.loads(line) for line in path.read_text().splitlines()] for path in options.curves]
    # Without held-out rows a curve has no signals to compare.
    curves = [curve for head, *curve in read if len(curve) > 1 and head.get("validated", 1)]
    rows = []
    for name in (*LOSSES, *SHARES, "trained_exact", "last_epoch"):
        picks = [_pick(_values(curve, name), options.patience) for curve in curves]
        regret = {
            metric: mean(
                max(r[options.half][metric] for r in curve) - curve[kept][options.half][metric]
                for curve, (kept, _) in zip(curves, picks, strict=True)
            )
            for metric in ("contains", "f1")
        }
        ranks = mean(_spearman(_values(curve, name), [r[options.half]["f1"] for r in curve]) for curve in curves)
        ran = mean(curve[last]["epoch"] for curve, (_, last) in zip(curves, picks, strict=True))
        forgot = mean(curve[kept]["forgetting"] for curve, (kept, _) in zip(curves, picks, strict=True))
        rows.append((regret["contains"], name, regret["f1"], ranks, ran, forgot))
    print(f"{len(curves)} curves, half {options.half}, patience {options.patience} epochs")
    print(f"{'signal':<16} regret  in F1   rank correlation  epochs run  general text x")
    for contains, name, f1, ranks, ran, forgot in sorted(rows):
        print(f"{name:<16} {contains:.3f}   {f1:.3f}  {ranks:+.2f}{'':13} {ran:.1f}{'':8} {forgot:.2f}")
    best = mean(max(r[options.half]["contains"] for r in curve) for curve in curves)
    print(f"best epoch of each curve: contains {best:.3f}")


def _values(curve: list[dict], name: str) -> list[float]:
    """Higher is better."""
    if name == "last_epoch":
        return [float(r["epoch"]) for r in curve]
    if name == "trained_exact":
        return [r["trained"]["exact"] for r in curve]
    return [(-1 if name in LOSSES else 1) * r["signals"][name] for r in curve]


def _pick(values: list[float], patience: int) -> tuple[int, int]:
    """Indices of the kept epoch and of the last one that was run."""
    best = 0
    for i, value in enumerate(values):
        if value > values[best]:
            best = i
        if i - best >= patience:
            return best, i
    return best, len(values) - 1


def _spearman(one: list[float], other: list[float]) -> float:
    a, b = _ranks(one), _ranks(other)
    spread = (sum((x - mean(a)) ** 2 for x in a) * sum((y - mean(b)) ** 2 for y in b)) ** 0.5
    return sum((x - mean(a)) * (y - mean(b)) for x, y in zip(a, b, strict=True)) / spread if spread else 0.0


def _ranks(values: list[float]) -> list[float]:
    """Equal values share the mean of their ranks."""
    order = sorted(values)
    return [mean(i for i, v in enumerate(order) if v == value) for value in values]


if __name__ == "__main__":
    main()
