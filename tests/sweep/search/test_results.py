"""The epoch axis: one curve answers every number of epochs, and what is chosen from the answers."""

import pytest

from byheart.sweep.search.epochs import Axis
from byheart.sweep.search.results import End, Outcome
from byheart.sweep.search.space import Space


def outcome(*losses, state="finished", epochs=None, checks=None):
    ends = tuple(End(i, loss, None, None, float(i)) for i, loss in enumerate(losses, start=1))
    checks = checks or tuple((float(i), loss) for i, loss in enumerate(losses, start=1))
    return Outcome(state, "", epochs or len(losses), ends, checks, 1.0, 0.1, 10)


class Fixed:
    """What the axis reads of a plan."""

    def __init__(self, schedule="constant", warmup=0.0, epochs=4):
        self.schedule, self.epochs = schedule, epochs
        self.optimizer = type("Rate", (), {"warmup": warmup})()


def axis(*lines, **fixed):
    found, problems = Axis.of(Space.read(lines)[0], Fixed(**fixed))
    return found, problems


def test_a_value_is_the_lowest_at_any_epochs_end_so_far():
    curve = outcome(2.0, 1.5, 1.8, 1.4)
    assert [curve.value("val_loss", e) for e in (1, 2, 3, 4)] == [2.0, 1.5, 1.5, 1.4]
    assert [curve.best_epoch("val_loss", e) for e in (1, 3, 4)] == [1, 2, 4]
    assert curve.value("recall", 4) is None


def test_a_curve_that_turned_answers_every_longer_training():
    assert outcome(2.0, 1.5, state="upturn", epochs=8).covers(100)
    assert outcome(2.0, 1.5).covers(2) and not outcome(2.0, 1.5).covers(3)
    assert not outcome(2.0, state="pruned", epochs=8).covers(2)


def test_a_part_of_a_curve_does_not_pass_for_the_whole():
    part = outcome(2.0, 1.5, 1.8, state="upturn", epochs=8).part(2, 7)
    assert part.source == 7 and [end.epoch for end in part.ends] == [1, 2]
    assert part.covers(2) and not part.covers(3)


def test_swept_epochs_leave_the_space_and_every_trial_trains_for_the_most():
    found, problems = axis("lr=1,2", "epochs=1,2,8")
    assert not problems and list(found.space.distributions) == ["lr"]
    assert found.table_epochs == (1, 2, 8) and [each.text for each in found.overrides({"lr": 1})] == [
        "stopping.patience=null",
        "epochs=8",
    ]


@pytest.mark.parametrize("fixed", [{"schedule": "cosine"}, {"warmup": 0.1}])
def test_where_the_rate_depends_on_the_end_each_number_of_epochs_is_trained(fixed):
    found, _ = axis("lr=1,2", "epochs=1,2,8", **fixed)
    assert list(found.space.distributions) == ["lr", "epochs"]
    assert found.trained({"lr": 1, "epochs": 2}) == 2
    assert not found.same_curve({"lr": 1, "epochs": 2}, {"lr": 1, "epochs": 8})


def test_of_swept_schedules_only_the_constant_one_is_read_off_a_curve():
    found, _ = axis("schedule=constant,cosine", "epochs=1,4")
    constant, cosine = ({"schedule": name, "epochs": 1} for name in ("constant", "cosine"))
    assert (found.trained(constant), found.trained(cosine)) == (4, 1)
    assert found.same_curve(constant, {**constant, "epochs": 4})
    assert not found.same_curve(cosine, {**cosine, "epochs": 4})


def test_epochs_alone_are_no_sweep():
    assert "nothing varies" in axis("epochs=1,2")[1][0].what
    assert axis("lr=1,2", "epochs=0,2")[1][0].where == "epochs"


def test_roughness_is_the_share_of_checks_that_rise():
    losses = (3.0, 2.0, 2.01, 2.5, 1.0)
    rough = outcome(1.0, checks=tuple(enumerate(losses)))
    assert rough.roughness(0.01) == 0.25 and rough.roughness(0.001) == 0.5


def test_an_outcome_survives_its_file():
    curve = outcome(2.0, 1.5)
    assert Outcome.read(curve.as_dict()) == curve
