"""Which trial is the best, and the result of every combination after every number of epochs."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from byheart.errors import Problem, UserError
from byheart.sweep.report.comparisons import marginals
from byheart.sweep.report.lead import Lead, lead
from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.override import Override, last_of_each_key
from byheart.sweep.search.results import NAMES, Outcome
from byheart.sweep.search.space import Value, row_of
from byheart.sweep.search.study import TrialRecord


@dataclass(frozen=True)
class Cell:
    """One trial after so many epochs; `after_upturn`: the best came before, and its value is kept."""

    trial: TrialRecord
    epochs: int
    values: tuple[float | None, ...]  # one for each objective
    best_epoch: float | None
    after_upturn: bool
    seconds: float  # of training until then


@dataclass(frozen=True)
class Chosen:
    trial: TrialRecord
    trained: int  # the trial whose folder holds the adapter
    overrides: tuple[Override, ...]  # for `byheart learn`
    sentence: str
    notes: tuple[str, ...] = ()
    lead: Lead | None = None  # None where the best value does not choose (pick: smooth)

    @property
    def line(self) -> str:
        """The overrides quoted for a shell."""
        return shlex.join(each.text for each in self.overrides)

    @property
    def row(self) -> str:
        """Its row in the table, whose columns are numbers of epochs."""
        return row_of(self.trial.params)

    def as_dict(self) -> dict[str, object]:
        overrides = [each.text for each in self.overrides]
        return {"overrides": overrides, "params": self.trial.params, "values": list(self.trial.values)}


def cells(setup: SweepConfig, trials: Sequence[TrialRecord]) -> list[Cell]:
    """Each completed trial at each number of epochs of the sweep."""
    found = []
    for trial in trials:
        last = setup.axis.epochs_of(trial.params)
        if trial.state == "failed":
            found.append(Cell(trial, last, (None,) * len(setup.sweep.objectives), None, False, 0.0))
        if trial.state != "complete" or trial.outcome is None:
            continue
        counts = (last,) if "epochs" in trial.params else [e for e in setup.axis.table_epochs if e <= last]
        if trial.outcome.state == "pruned":  # what it would have reached later is unknown
            counts = [epochs for epochs in counts if epochs <= len(trial.outcome.ends)]
        found += [_cell(setup, trial, trial.outcome, epochs) for epochs in counts]
    # In the order of their parameters, not of training: a sweep that was killed and continued has the same table.
    return sorted(found, key=lambda cell: (*_order(setup, cell.trial), cell.epochs))


def grid(results: Sequence[Cell]) -> dict[str, dict[int, Cell]]:
    """The table: combinations by numbers of epochs, in the order of the cells."""
    rows: dict[str, dict[int, Cell]] = {}
    for cell in results:
        rows.setdefault(row_of(cell.trial.params), {})[cell.epochs] = cell
    return rows


def _order(setup: SweepConfig, trial: TrialRecord) -> tuple[Value, ...]:
    choices = {key: setup.space.values(key) or [] for key in setup.space.distributions}
    params = ((values, trial.params.get(key)) for key, values in choices.items())
    return tuple(values.index(value) if value in values else value for values, value in params)


def choose(setup: SweepConfig, trials: Sequence[TrialRecord], number: int | None = None) -> Chosen | None:
    """The trial with the best value, the highest smooth rate, or the trial that the user names. Of equal values one that was
    not pruned, then one that was trained rather than read from a curve, then the first."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.values and trial.outcome]
    if number is not None:
        found = [trial for trial in complete if trial.number == number]
        if not found:
            fix = f"completed are: {', '.join(str(trial.number) for trial in complete)}"
            raise UserError(Problem("there is no such completed trial", "trial", str(number), fix))
        return _chosen(setup, found[0], (), lead(setup, trials, found[0]), by_hand=True)
    if not complete:
        return None
    if setup.sweep.pick == "smooth":
        return _smooth(setup, [trial for trial in trials if trial.state in ("complete", "failed")])
    sign, ranked = setup.sweep.signs[0], []
    for trial in complete:
        assert trial.outcome is not None
        worse = trial.outcome.state == "pruned", trial.outcome.source is not None
        ranked.append((sign * trial.values[0], *worse, trial.number, trial))
    notes = []
    if len(setup.sweep.objectives) > 1:
        front = [trial for trial in complete if not any(_dominates(setup, other, trial) for other in complete)]
        each = (f"trial {trial.number} ({_measures(setup, trial)})" for trial in front)
        notes.append(f"no trial is better in every objective than {'; '.join(each)}")
    best = min(ranked)[-1]
    return _chosen(setup, best, (*notes, *marginals(setup, trials)), lead(setup, trials, best))


def _measures(setup: SweepConfig, trial: TrialRecord) -> str:
    """Its value by each objective."""
    pairs = zip(setup.sweep.objectives, trial.values, strict=True)
    return ", ".join(f"{NAMES[name]} {value:.3f}" for name, value in pairs)


def _smooth(setup: SweepConfig, trials: Sequence[TrialRecord]) -> Chosen:
    """The highest rate below the first whose validation loss oscillates, or that failed."""
    ladder = sorted(trials, key=_rate)
    smooth: TrialRecord | None = None
    tolerance, notes = setup.run_config.stopping.tolerance, []
    for trial in ladder:
        rate = f"lr={_rate(trial):.3g}"
        if trial.state == "failed" or trial.outcome is None:
            notes.append(f"{rate} failed: {trial.reason}")
            break
        rough = trial.outcome.roughness(tolerance)
        notes.append(f"{rate}: {rough:.0%} of the checks rose by more than {tolerance:.0%}")
        if rough > setup.sweep.roughest:
            break
        smooth = trial
    if smooth is None:
        notes.append("even the lowest rate oscillates: try lower rates")
        smooth = next(trial for trial in ladder if trial.state == "complete")
    return _chosen(setup, smooth, tuple(notes))


def _rate(trial: TrialRecord) -> float:
    return float(trial.params["lr"] or 0.0)


def _chosen(
    setup: SweepConfig, trial: TrialRecord, notes: tuple[str, ...], ahead: Lead | None = None, by_hand: bool = False
) -> Chosen:
    outcome, objective = trial.outcome, setup.sweep.objectives[0]
    assert outcome is not None
    epochs = setup.axis.epochs_of(trial.params)
    best = outcome.best_epoch(objective, epochs) or epochs
    # A budget may end a training within an epoch: the same budget does so again.
    exact = setup.axis.is_free(trial.params) and float(best).is_integer()
    overrides = last_of_each_key([
        *setup.from_yaml,
        *(each for each in setup.fixed if not each.key.startswith(("hydra.", "+", "~"))),
        *setup.axis.extra,  # else a run of the same epochs could end at an upturn that the trial went past
        *(each for each in setup.space.overrides(trial.params) if each.key != "epochs"),
        Override.of("epochs", best if exact else epochs),
    ])  # fmt: skip
    value = f"{_measures(setup, trial)} at the end of epoch {best}"
    if setup.sweep.pick == "smooth" and not by_hand:
        sentence = f"the highest smooth rate is lr={_rate(trial):.3g}: trial {trial.number}, {value}"
    else:
        sentence = f"trial {trial.number} is {'the one you chose' if by_hand else 'the best'}: {value}"
    source = trial.number if outcome.source is None else outcome.source
    return Chosen(trial, source, overrides, sentence, notes, ahead)


def _cell(setup: SweepConfig, trial: TrialRecord, outcome: Outcome, epochs: int) -> Cell:
    values = tuple(outcome.value(name, epochs) for name in setup.sweep.objectives)
    best = outcome.best_epoch(setup.sweep.objectives[0], epochs)
    reached = outcome.up_to(epochs)
    seconds = reached[-1].seconds if reached else 0.0
    return Cell(trial, epochs, values, best, best is not None and best < epochs, seconds)


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _dominates(setup: SweepConfig, one: TrialRecord, other: TrialRecord) -> bool:
    pairs = [(sign * a, sign * b) for sign, a, b in zip(setup.sweep.signs, one.values, other.values, strict=True)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
