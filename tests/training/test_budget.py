"""A budget is kept: in steps to the step, in time to the step under way; what it leaves is the best so far."""

import pytest
from test_fit import fit, kept_by

from byheart.training.job import Budget
from byheart.training.stopping import Stopping


@pytest.mark.parametrize("said, steps, seconds", [
    (None, None, None), (2000, 2000, None), ("2000", 2000, None), ("15m", None, 900), ("1h30m", None, 5400),
    ("90s", None, 90), ("0.5h", None, 1800), (" 2 M ", None, 120),
])  # fmt: skip
def test_what_a_budget_may_say(said, steps, seconds):
    assert Budget.read(said) == Budget(steps, seconds)


@pytest.mark.parametrize("said", [0, -3, "0m", "15 minutes", "m", "", "1.5", True, "-5m", "15m3"])
def test_what_a_budget_may_not_say(said):
    with pytest.raises(ValueError, match="must be optimizer steps"):
        Budget.read(said)


def test_time_that_is_up_ends_after_the_step_with_a_last_check(tmp_path):
    steps = []
    result, _ = fit(
        tmp_path, epochs=50, on_step=lambda step, total: steps.append(step), out_of_time=lambda: len(steps) == 8
    )
    assert (result.state, result.steps) == ("budget", 8), "22 rows in fours are 6 steps an epoch"
    assert result.curve[-1].step == 8 and result.epochs_run == pytest.approx(8 / 6)


def test_the_last_weights_are_kept_where_they_are_the_best(tmp_path):
    """A budget that ends in the middle of an epoch loses nothing of it."""
    calls = []
    options = {"epochs": 9, "stopping": Stopping("val_loss", patience=None)}
    result, model = fit(tmp_path, on_step=lambda *_: calls.append(1), out_of_time=lambda: len(calls) == 15, **options)
    losses = {
        point.epoch: point.val_loss for point in result.curve if float(point.epoch).is_integer() or point.step == 15
    }
    assert result.chosen_epoch == min(losses, key=losses.get)
    same = all(model.get_parameter(name).equal(mean) for name, mean in kept_by(tmp_path, model).items())
    assert same == (result.chosen_epoch == 15 / 6)


def test_twice_a_budget_can_be_said():
    assert [Budget.read(said).doubled() for said in ("15m", "1h", 2000, "90s")] == ["30m", "120m", "4000", "3m"]
