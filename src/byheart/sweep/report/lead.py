"""How far the chosen trial is ahead of the next best setting, and whether that is more than noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from byheart.sweep.search.config import SweepConfig
from byheart.sweep.search.results import Outcome
from byheart.sweep.search.space import Params, in_short
from byheart.sweep.search.study import TrialRecord

SEED = "seed"
EQUAL = 0.0005  # a difference that three decimals do not show


@dataclass(frozen=True)
class Lead:
    """In units of the first objective. A setting is all parameters but the seed; its value is the mean over its seeds.

    `seeds`: how far the seeds of one setting lie apart, as the mean over settings of highest minus lowest.
    `jitter`: how far two neighbouring epochs of the chosen trial differ beyond its trend; seeds differ by at least that.
    """

    values: tuple[float, ...]  # of the chosen setting, one for each seed
    next: TrialRecord | None  # the best trial of the next best setting; None where there is no other
    ahead: float  # negative where the next setting is better
    equal: int  # other settings with the same value
    seeds: float | None
    jitter: float | None

    @property
    def noise(self) -> float | None:
        return self.jitter if self.seeds is None else self.seeds

    @property
    def within_noise(self) -> bool:
        return self.noise is not None and abs(self.ahead) <= self.noise

    @property
    def sentences(self) -> list[str]:
        found = []
        if len(self.values) > 1:
            low, high = f"{min(self.values):.3f}", f"{max(self.values):.3f}"
            found.append(f"Its {len(self.values)} seeds reach {low} to {high}, {fmean(self.values):.3f} in the mean")
        if self.next is None:
            return [*found, "a lead that is smaller than their range is noise"] if found else []
        other = f"trial {self.next.number}: {in_short(self.next.params)}"
        if self.equal:
            others = f"{self.equal} other settings reach" if self.equal > 1 else "one other setting reaches"
            return [*found, f"{others} the same value, so this measure does not tell them apart"]
        mean = "in the mean of its seeds " if len(self.values) > 1 else ""
        by = f"{abs(self.ahead):.3f}"
        told = f"{mean}it is ahead by {by} of the next setting ({other})" if self.ahead > 0 else (
            f"{mean}another setting is better by {by} ({other})"
        )  # fmt: skip
        return [*found, f"{told}; {self._noise()}"]

    def _noise(self) -> str:
        verdict = "not more than noise" if self.within_noise else "more than noise"
        if self.seeds is not None:
            return f"seeds of one setting differ by {self.seeds:.3f}, so that is {verdict}"
        if self.jitter is not None and self.within_noise:
            return (
                f"from epoch to epoch its own value moves by {self.jitter:.3f} around its trend, so that is {verdict}"
            )
        moves = f"; its own value moves by {self.jitter:.3f} from epoch to epoch" if self.jitter is not None else ""
        return f"each setting had one seed, so it is not known whether that is noise{moves}"


def lead(setup: SweepConfig, trials: Sequence[TrialRecord], chosen: TrialRecord) -> Lead:
    sign = setup.sweep.signs[0]
    settings: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        # A trial that was read from another one's curve is the same training.
        trained = trial is chosen or (trial.outcome and trial.outcome.source is None)
        if trial.state == "complete" and trial.values and trained:
            settings.setdefault(_setting(trial.params), []).append(trial)
    means = {name: fmean(trial.values[0] for trial in group) for name, group in settings.items()}
    name = _setting(chosen.params)
    own = means.pop(name)
    behind = {other: sign * (value - own) for other, value in means.items()}
    second = min(behind, key=lambda other: behind[other], default=None)
    ranges = [max(t.values[0] for t in g) - min(t.values[0] for t in g) for g in settings.values() if len(g) > 1]
    return Lead(
        tuple(trial.values[0] for trial in settings[name]),
        None if second is None else min(settings[second], key=lambda trial: sign * trial.values[0]),
        0.0 if second is None else behind[second],
        sum(abs(value) < EQUAL for value in behind.values()) if second and abs(behind[second]) < EQUAL else 0,
        fmean(ranges) if ranges else None,
        _jitter(chosen.outcome, setup.sweep.objectives[0]) if chosen.outcome else None,
    )


def _setting(params: Params) -> str:
    return repr(sorted((key, str(value)) for key, value in params.items() if key != SEED))


def _jitter(outcome: Outcome, objective: str) -> float | None:
    """The usual difference of two epochs without the trend, from second differences in the later half of the curve.

    For independent noise, |x[i-1] - 2 x[i] + x[i+1]| is on average the square root of 3 times |x[i] - x[i+1]|.
    """
    values = [value for end in outcome.ends if (value := getattr(end, objective)) is not None]
    late = values[len(values) // 2 - 1 :] if len(values) >= 6 else values
    bends = [abs(a - 2 * b + c) for a, b, c in zip(late, late[1:], late[2:], strict=False)]
    return fmean(bends) / sqrt(3) if len(bends) >= 2 else None
