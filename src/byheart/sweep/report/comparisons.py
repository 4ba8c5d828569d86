"""Comparisons besides the best trial: the best result of each value, at equal epochs and at equal steps."""

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.results import NAMES, Outcome
from byheart.sweep.search.space import Value, row_of
from byheart.sweep.search.study import TrialRecord

Number = TypeVar("Number", int, float)
MARKS = 8  # columns of a table
FEW = 8  # values of a parameter that are listed one by one


def marginals(setup: SweepConfig, trials: Sequence[TrialRecord]) -> list[str]:
    """For each parameter its values, the best first, each with the best result that was reached with it."""
    keys = [key for key in setup.space.distributions if key != "epochs"]
    name = NAMES[setup.sweep.objectives[0]]
    lines = []
    for key in keys if len(setup.space.distributions) > 1 else []:
        values = setup.space.values(key)
        if values is None or not 1 < len(values) <= FEW:
            continue
        reached = [
            (trial.params[key], trial.values[0]) for trial in trials if trial.state == "complete" and trial.values
        ]
        lines.append(f"best {name} by {_last(key)}: {_ranked(setup, reached)}")
        if key == "batch_size" and (steps := equal_steps(setup, trials)):
            last = max(steps)
            sizes = {row_of(trial.params): trial.params[key] for trial in trials}
            found = [(sizes[row], value) for row, value in steps[last].items()]
            lines.append(f"the same at {last} steps each: {_ranked(setup, found)}")
    return lines


def equal_steps(setup: SweepConfig, trials: Sequence[TrialRecord]) -> dict[int, dict[str, float]]:
    """Where batch sizes vary: steps -> the best result of each combination up to then. Equal epochs favour small batches,
    which take more steps. Only steps at which every combination had a result."""
    if "batch_size" not in setup.space.distributions:
        return {}
    reached: dict[str, dict[int, float]] = {}
    for trial in trials:
        if trial.state == "complete" and trial.outcome and trial.outcome.source is None:
            steps = reached.setdefault(row_of(trial.params), {})
            for epoch, value in _measured(trial.outcome, setup.sweep.objectives[0]):
                steps[round(epoch * trial.outcome.steps_per_epoch)] = value
    reached = {name: steps for name, steps in reached.items() if steps}
    longest = min((max(steps) for steps in reached.values()), default=0)
    slowest = max((min(steps) for steps in reached.values()), default=0)
    marks = sorted({step for steps in reached.values() for step in steps if slowest <= step <= longest})
    return {
        mark: {name: steps[max(s for s in steps if s <= mark)] for name, steps in reached.items()}
        for mark in spread(marks, MARKS)
    }


def _measured(outcome: Outcome, objective: str) -> list[tuple[float, float]]:
    """(epoch, best so far) of every measurement: validation loss has several an epoch, since one epoch of the smallest
    batches may be as many steps as all epochs of the largest."""
    if objective == "val_loss":
        return list(zip([e for e, _ in outcome.checks], accumulate((v for _, v in outcome.checks), min), strict=True))
    found = [(float(end.epoch), outcome.value(objective, end.epoch)) for end in outcome.ends]
    return [(epoch, value) for epoch, value in found if value is not None]


def _ranked(setup: SweepConfig, reached: Sequence[tuple[Value, float]]) -> str:
    """Each value with its best, the best value first."""
    sign = setup.sweep.signs[0]
    best: dict[Value, float] = {}
    for value, found in reached:
        best[value] = min(best.get(value, found), found, key=lambda each: sign * each)
    return ", ".join(f"{best[value]:.4f} with {value}" for value in sorted(best, key=lambda value: sign * best[value]))


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def spread(values: Sequence[Number], most: int) -> list[Number]:
    """At most so many of them (two or more), evenly chosen, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
