import pytest

from byheart.evaluation.choice import Choice
from byheart.records import Probe
from contracts.evaluation_contract import PROBES, EvaluationContract, ToyRecaller


class TestChoice(EvaluationContract):
    def make(self):
        return Choice()

    def test_asks_only_what_has_options(self):
        assert Choice().score(ToyRecaller(), PROBES).answers.keys() == {"term", "odd", "unicode"}

    def test_the_control_is_not_told_the_question(self):
        scored = Choice().score(ToyRecaller(PROBES), PROBES)
        assert scored.metrics["choice_norm"].value == 1
        answer = scored.answers["term"].metrics
        assert answer["choice_norm_blind"] == 0  # the first option is the toy's habit
        assert answer["margin_gain"] > answer["margin"] > 0, "without the question it leans to a wrong one"

    def test_without_the_control_half_the_questions_are_asked(self):
        with_it, without = ToyRecaller(), ToyRecaller()
        Choice().score(with_it, PROBES)
        metrics = Choice(blind=False).score(without, PROBES).metrics
        assert with_it.asked == 2 * without.asked
        assert metrics.keys() == {"choice", "choice_norm", "margin"}


class Lengths:
    """Likes each token of the long option better, and the whole of the short one."""

    def likelihoods(self, asked):
        return [[(-2.0, 1), (-3.0, 6)] for _ in asked]


def test_length_normalisation_and_margin():
    probe = Probe("p", "Which?", (), ("short", "the long and right option here"), 1)
    answer = Choice().score(Lengths(), [probe]).answers["p"]
    assert answer.metrics["choice"] == 0
    assert answer.metrics["choice_norm"] == 1
    assert answer.metrics["margin"] == pytest.approx(-0.5 - -2.0)
    assert answer.chosen == 1
