import random
from dataclasses import replace

import pytest

from byheart.evaluation.base import Scored
from byheart.evaluation.membership import Membership, against, attacks, curve
from byheart.records import Answer
from contracts.evaluation_contract import MATERIAL, PROBES, EvaluationContract, ToyRecaller


class TestMembership(EvaluationContract):
    def make(self):
        return Membership()


def answers(taught, other):
    rows = [(1.0, each) for each in taught] + [(0.0, each) for each in other]
    return {f"f{i}": Answer(f"f{i}", "", {"taught": kind, "loss": each}) for i, (kind, each) in enumerate(rows)}


def test_the_area_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    dice = random.Random(0)
    for spread in (0.5, 1.0, 3.0):
        taught = [round(dice.gauss(0, spread), 1) for _ in range(60)]
        other = [round(dice.gauss(1, spread), 1) for _ in range(90)]
        area, found = curve(answers(taught, other), "loss")
        assert area.value == pytest.approx(
            metrics.roc_auc_score([1] * 60 + [0] * 90, [-each for each in taught + other])
        )
        assert area.low < area.value < area.high
        assert found.value == sum(each < min(other) for each in taught) / 60


def test_losses_that_say_nothing_are_at_chance():
    same = answers([1.0] * 20, [1.0] * 20)
    area, found = curve(same, "loss")
    assert (area.value, found.value) == (0.5, 0.0)


def test_the_attacks_by_hand():
    found = attacks("abcde", [1.0, 2.0, 3.0, 4.0, 10.0])
    assert (found["loss"], found["min_k"]) == (4.0, 10.0)
    assert found["zlib"] == pytest.approx(20 / 13)  # zlib makes 13 bytes of five letters


def test_a_model_that_has_learned_is_told_by_its_losses_against_the_untuned():
    untuned, tuned = (Membership().score(ToyRecaller(known), material=MATERIAL) for known in ((), PROBES))
    assert untuned.metrics["membership"].value < 0.8
    assert tuned.metrics["membership"].value == against(untuned, tuned)["membership_reference"].value == 1
    assert against(untuned, untuned)["membership_reference"].value == 0.5
    assert against(untuned, Scored()) == {}


def test_with_too_few_facts_held_out_nothing_is_measured_or_read():
    model = ToyRecaller()
    assert Membership().score(model, material=replace(MATERIAL, untaught=MATERIAL.untaught[:9])) == Scored()
    assert model.asked == 0
