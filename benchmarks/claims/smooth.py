"""The highest rate with a smooth validation loss against the best rate of all, by validation."""

from collections.abc import Sequence

from byheart.sweep.search.results import Outcome
from claims.base import Cell, Material, Results, Trial, Verdict, column, compare, searched, verdict_of

TITLE = "the highest smooth rate against the best rate"
EARLIER = ""
ROUGHEST, TOLERANCE = 0.2, 0.01  # as in sweeps/lr_ladder.yaml and stopping.tolerance
RATES = (3e-4, 5.5e-4, 1e-3, 1.7e-3, 3e-3)
LADDER = [Trial(lr=rate) for rate in RATES]


def roughness(losses: Sequence[float]) -> float:
    return Outcome("finished", "", 0, (), tuple(enumerate(losses)), 0.0, 0.0).roughness(TOLERANCE)


def trials(material: Material) -> list[Trial]:
    return LADDER


def verdict(results: Results) -> Verdict:
    def smooth(cell: Cell) -> Trial | None:
        """The last one below the first rough rate; the lowest, where even that one is rough."""
        if any((*cell, trial.name) not in results for trial in LADDER):
            return None
        kept = LADDER[0]
        for trial in LADDER:
            if roughness(column(results[*cell, trial.name], "val_loss")) > ROUGHEST:
                break
            kept = trial
        return kept

    arms = (("the best rate", searched(results, LADDER)), ("the highest smooth rate", smooth))
    return verdict_of(compare(results, *arms), "the highest smooth rate answers more than the best rate")
