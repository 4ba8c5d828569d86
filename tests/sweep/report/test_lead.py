"""How far the best trial is ahead, and whether that is noise."""

from types import SimpleNamespace

import pytest

from byheart.sweep.report.lead import lead
from byheart.sweep.search.results import End, Outcome
from byheart.sweep.search.study import TrialRecord

SETUP = SimpleNamespace(sweep=SimpleNamespace(objectives=("val_loss",), signs=[1]))


def trial(number, params, *losses, source=None):
    """With these losses at the ends of its epochs."""
    ends = tuple(End(epoch, loss, None, None, 1.0) for epoch, loss in enumerate(losses, 1))
    outcome = Outcome("finished", "", len(ends), ends, (), 1.0, 0.1, 4, source)
    return TrialRecord(number, params, "complete", (min(losses),), outcome, "")


def test_a_lead_is_compared_with_how_far_seeds_differ():
    params = [{"lr": lr, "seed": seed} for lr in (1e-3, 1e-2) for seed in (0, 1)]
    trials = [trial(n, *each) for n, each in enumerate(zip(params, (5.03, 5.19, 5.30, 5.14), strict=True))]
    found = lead(SETUP, trials, trials[0])
    assert found.seeds == pytest.approx(0.16) and found.ahead == pytest.approx(0.11) and found.next is trials[3]
    assert found.sentences == [
        "Its 2 seeds reach 5.030 to 5.190, 5.110 in the mean",
        "in the mean of its seeds it is ahead by 0.110 of the next setting (trial 3: lr=0.01 seed=1); "
        "seeds of one setting differ by 0.160, so that is not more than noise",
    ]
    clear = [*trials[:2], trial(2, params[2], 6.30), trial(3, params[3], 6.14)]
    assert lead(SETUP, clear, clear[0]).sentences[1].endswith("so that is more than noise")


def test_with_one_seed_each_the_noise_of_the_curve_is_the_least_that_is_known():
    smooth = trial(0, {"lr": 1}, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0)
    rough = trial(0, {"lr": 1}, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0)
    other = trial(1, {"lr": 2}, 1.5)
    known = lead(SETUP, [smooth, other], smooth)
    assert known.jitter == pytest.approx(0) and "it is not known whether that is noise" in known.sentences[0]
    within = lead(SETUP, [rough, other], rough)
    assert within.within_noise and within.sentences[0].endswith("around its trend, so that is not more than noise")
    assert lead(SETUP, [other, smooth], other).jitter is None, "one epoch tells nothing"


def test_settings_that_the_measure_does_not_tell_apart_are_said_to_be_equal():
    trials = [trial(n, {"lr": n}, 3.0) for n in range(4)]
    assert lead(SETUP, trials, trials[0]).sentences == [
        "3 other settings reach the same value, so this measure does not tell them apart"
    ]


def test_a_trial_chosen_by_hand_is_told_which_one_is_better():
    trials = [trial(0, {"lr": 1}, 3.0), trial(1, {"lr": 2}, 2.5), trial(2, {"lr": 3, "epochs": 1}, 2.4, source=1)]
    assert lead(SETUP, trials, trials[0]).sentences[0].startswith("another setting is better by 0.500 (trial 1: lr=2)")
    assert lead(SETUP, trials[:1], trials[0]).sentences == []
