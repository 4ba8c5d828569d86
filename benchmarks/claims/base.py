"""What claims are made of: trials, which are plain `byheart learn` commands, and paired comparisons of what they recall.

A claim is a file with

    TITLE                the claim, in the words of a table
    EARLIER              what other scripts measured of it: Markdown, or ""
    trials(material)     the trainings that it needs on one document, for each seed
    verdict(results)     the sentence and its comparisons

Claims share trials: one that two of them name is run once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from byheart.evaluation.intervals import paired_difference
from byheart.records import Value

METRIC = "f1"  # of an answer in the model's own words; long answers are seldom complete, so "contains" says little
TRAINED, WORDING, REVERSE = "trained", "wording", "reverse"  # kinds of probe
EPOCHS = 6
TAUGHT = 0.75  # of a file's rows; the split holds out the others


@dataclass(frozen=True)
class Trial:
    """One training. `rows` names the file of examples that it is taught."""

    rows: str = "mixed"
    batch_size: int = 8
    lr: float = 1e-3
    epochs: int = EPOCHS
    steps: int | None = None  # the limit, where it is not the epochs
    more: tuple[str, ...] = ()  # further overrides
    spoiled: bool = False  # starts from the spoiled copy of the base

    @property
    def words(self) -> list[str]:
        """The overrides of the command, without paths and seed."""
        limit = [f"budget={self.steps}", "epochs=1000"] if self.steps else [f"epochs={self.epochs}"]
        stop = [] if any(word.startswith("stopping.patience") for word in self.more) else ["stopping.patience=null"]
        return [f"batch_size={self.batch_size}", f"lr={self.lr:g}", *limit, *stop, *self.more]

    @property
    def name(self) -> str:
        parts = [
            self.rows,
            f"b{self.batch_size}",
            f"lr{self.lr:g}",
            f"s{self.steps}" if self.steps else f"e{self.epochs}",
        ]
        parts += [word.rsplit(".", 1)[-1].replace("=", "-") for word in self.more]
        return "_".join([*parts, *(["spoiled"] if self.spoiled else [])])


@dataclass(frozen=True)
class Material:
    """What was prepared of a document: the names of its files of examples, and the rows in each."""

    document: str
    rows: Mapping[str, int]

    def steps(self, trial: Trial) -> int:
        return trial.steps or ceil(TAUGHT * self.rows[trial.rows] / trial.batch_size) * trial.epochs


Score = Mapping[str, Any]  # of one trial: "probes", "curve", "rows"; see `results.py`
Cell = tuple[str, int]  # document, seed
Results = Mapping[tuple[str, int, str], Score]  # by document, seed and Trial.name
Pick = Callable[[Cell], Trial | None]


@dataclass(frozen=True)
class Comparison:
    """Two arms on the same probes: the mean of each, and second minus first with its interval."""

    first: str
    second: str
    means: tuple[float, float]
    difference: Value
    groups: int
    kind: str = WORDING

    @property
    def answer(self) -> str:
        low, high = self.difference.low, self.difference.high
        return "yes" if low > 0 else "no, the other way round" if high < 0 else "not decided"

    def __str__(self) -> str:
        at = self.difference
        return (
            f"{self.second} {self.means[1]:.2f}, {self.first} {self.means[0]:.2f}, "
            f"difference {at.value:+.2f} ({at.low:+.2f} to {at.high:+.2f})"
        )


@dataclass(frozen=True)
class Verdict:
    """One sentence, and the comparisons behind it. Without any, the claim is not measured."""

    sentence: str
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = field(default=())


NOT_MEASURED = Verdict("not measured")


def cells(results: Results) -> list[Cell]:
    return sorted({(document, seed) for document, seed, _ in results})


def always(trial: Trial) -> Pick:
    return lambda cell: trial


def compare(
    results: Results, first: tuple[str, Pick], second: tuple[str, Pick], kind: str = WORDING
) -> Comparison | None:
    """Pairs probe by probe in each document and seed that has both trials; the interval resamples facts.

    A fact's probes of all seeds are one group, since they are right or wrong together. None where no cell has both.
    """
    before, after, groups = [], [], []
    for cell in cells(results):
        pair = [pick(cell) for _, pick in (first, second)]
        scores = [results.get((*cell, trial.name)) if trial else None for trial in pair]
        if scores[0] is None or scores[1] is None:
            continue
        sides = [{each["id"]: each for each in score["probes"] if each["kind"] == kind} for score in scores]
        for one in sorted(sides[0].keys() & sides[1].keys()):
            before.append(sides[0][one][METRIC])
            after.append(sides[1][one][METRIC])
            groups.append(f"{cell[0]}:{sides[0][one]['group']}")
    if not groups:
        return None
    means = (sum(before) / len(before), sum(after) / len(after))
    found = paired_difference(before, after, groups)
    return Comparison(first[0], second[0], means, found, len(set(groups)), kind)


def best_rate(results: Results, document: str, trials: Sequence[Trial]) -> Trial | None:
    """The trial whose rate did best in validation, in the mean of the seeds that have all; probes choose nothing."""
    seeds = [seed for d, seed in cells(results) if d == document]
    whole = [seed for seed in seeds if all((document, seed, trial.name) in results for trial in trials)]
    if not whole:
        return None
    return min(trials, key=lambda trial: sum(_last(results[document, seed, trial.name]) for seed in whole))


def searched(results: Results, trials: Sequence[Trial]) -> Pick:
    """For each document the best of these rates."""
    return lambda cell: best_rate(results, cell[0], trials)


def column(score: Score, name: str) -> list[float]:
    """A column of the curve, where it was measured."""
    return [float(point[name]) for point in score["curve"] if point.get(name) is not None]


def _last(score: Score) -> float:
    return (column(score, "bounded_loss") or [float("inf")])[-1]


def verdict_of(
    comparison: Comparison | None, claim: str, *others: Comparison | None, notes: Sequence[str] = ()
) -> Verdict:
    """The claim, whether it holds, and with what interval. The first comparison decides."""
    if comparison is None:
        return NOT_MEASURED
    told = (comparison, *(each for each in others if each is not None))
    return Verdict(f"{claim}: {comparison.answer}. {comparison}", told, tuple(notes))
