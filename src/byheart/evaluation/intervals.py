"""Every number with its 95 % interval, the same each time.

Two probes of one fact are right or wrong together, so intervals count groups (facts, sections), not probes:
whole groups are drawn with replacement (the cluster bootstrap), and the limits are percentiles of the draws.
A share whose probes are all of different groups takes Wilson's interval, which holds for small counts too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import comb, sqrt
from typing import TYPE_CHECKING

from byheart.records import Answer, Probe, Value

if TYPE_CHECKING:
    import numpy as np

Z = 1.959963984540054  # 95 %, two-sided
DRAWS = 2000
SEED = 0
UNBOUNDED = ("margin", "margin_gain")  # every other metric of a probe lies between 0 and 1


def wilson(successes: float, n: int) -> Value:
    """The share of successes with Wilson's score interval."""
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"a share needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    share = successes / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Value(share, n, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def bootstrap_mean(values: Sequence[float], groups: Sequence[str], bounds: tuple[float, float] | None = None) -> Value:
    """The mean of all values; its interval resamples whole groups.

    Where every group has the same mean, resampling sees no spread at all and would claim certainty from two groups.
    With `bounds` given, the interval then allows that a share of unseen groups, as large as Wilson's limit
    for 0 of that many, lies at either bound. For a share of 0 or 1 that is Wilson's interval.
    """
    import numpy as np

    if not values or len(values) != len(groups):
        raise ValueError(f"a mean needs values, each with its group: got {len(values)} and {len(groups)}")
    index = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    rows = np.array([index[group] for group in groups])
    counts = np.bincount(rows, minlength=len(index)).astype(float)
    sums = np.bincount(rows, weights=np.asarray(values, dtype=float), minlength=len(index))
    mean = float(sums.sum() / counts.sum())
    if np.ptp(sums / counts) < 1e-12:
        unseen = wilson(0, len(index)).high
        least, most = bounds or (mean, mean)
        return Value(mean, len(values), mean - unseen * (mean - least), mean + unseen * (most - mean))
    low, high = bootstrap(lambda drawn: sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), len(index))
    return Value(mean, len(values), min(low, mean), max(high, mean))


def bootstrap(statistic: "Callable[[np.ndarray], np.ndarray]", groups: int) -> tuple[float, float]:
    """The 95 % limits of a statistic, which is given groups' indices, one draw a row, and returns one number a row."""
    import numpy as np

    random = np.random.default_rng(SEED)
    rows = max(1, min(DRAWS, 2_000_000 // groups))  # a block of rows at a time: thousands of groups stay in memory
    blocks = []
    for start in range(0, DRAWS, rows):
        blocks.append(statistic(random.integers(groups, size=(min(rows, DRAWS - start), groups))))
    low, high = np.percentile(np.concatenate(blocks), (2.5, 97.5))
    return float(low), float(high)


def estimate(values: Sequence[float], groups: Sequence[str], bounds: tuple[float, float] | None = (0.0, 1.0)) -> Value:
    """The mean with the interval that suits it: Wilson for right or wrong on unrelated probes, else by group."""
    if set(values) <= {0, 1} and len(set(groups)) == len(values):
        return wilson(sum(values), len(values))
    return bootstrap_mean(values, groups, bounds)


def paired_difference(
    before: Sequence[float],
    after: Sequence[float],
    groups: Sequence[str],
    bounds: tuple[float, float] | None = (-1.0, 1.0),
) -> Value:
    """The mean of after minus before, probe by probe: what is hard for both models cancels out."""
    return bootstrap_mean([new - old for old, new in zip(before, after, strict=True)], groups, bounds)


def exact_test(better: int, worse: int) -> float:
    """McNemar's exact test, two-sided: how likely so uneven a split is where both outcomes are equally likely."""
    changed, fewer = better + worse, min(better, worse)
    return min(1.0, 2 * sum(comb(changed, k) for k in range(fewer + 1)) / 2**changed)


def means(probes: Iterable[Probe], answers: Mapping[str, Answer]) -> dict[str, Value]:
    """Each metric of the answers, averaged over those probes that have it."""
    values, groups = _columns(probes, answers)
    return {
        metric: estimate(column, groups[metric], None if metric in UNBOUNDED else (0.0, 1.0))
        for metric, column in values.items()
    }


def differences(probes: Iterable[Probe], before: Mapping[str, Answer], after: Mapping[str, Answer]) -> dict[str, Value]:
    """Each metric's paired difference over the probes for which both models have it."""
    probes = sorted(probes, key=lambda probe: probe.id)
    metrics = {
        probe.id: before[probe.id].metrics.keys() & after[probe.id].metrics.keys()
        for probe in probes
        if probe.id in before and probe.id in after
    }
    result = {}
    for metric in _columns(probes, before)[0]:
        both = [probe for probe in probes if metric in metrics.get(probe.id, ())]
        if both:
            old = [before[probe.id].metrics[metric] for probe in both]
            new = [after[probe.id].metrics[metric] for probe in both]
            bounds = None if metric in UNBOUNDED else (-1.0, 1.0)
            result[metric] = paired_difference(old, new, [probe.group or probe.id for probe in both], bounds)
    return result


def _columns(
    probes: Iterable[Probe], answers: Mapping[str, Answer]
) -> tuple[dict[str, list[float]], dict[str, list[str]]]:
    values: dict[str, list[float]] = {}
    groups: dict[str, list[str]] = {}
    for probe in sorted(probes, key=lambda probe: probe.id):  # the draws must not depend on the order of the probes
        if probe.id in answers:
            for metric, value in answers[probe.id].metrics.items():
                values.setdefault(metric, []).append(value)
                groups.setdefault(metric, []).append(probe.group or probe.id)
    return values, groups
