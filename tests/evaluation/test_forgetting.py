from math import exp

import pytest

from byheart.evaluation.forgetting import Forgetting, general_paragraphs, ratio
from contracts.evaluation_contract import PROBES, EvaluationContract, ToyRecaller


class TestForgetting(EvaluationContract):
    def make(self):
        return Forgetting()


class Flat:
    """The same loss for every token."""

    def __init__(self, nats):
        self.nats = nats

    def token_losses(self, texts):
        return [(self.nats * len(text.split()), len(text.split())) for text in texts]


def test_perplexity_weighs_tokens():
    value = Forgetting().score(Flat(2.0)).metrics["perplexity"]
    assert value.value == pytest.approx(exp(2.0))
    assert value.low == pytest.approx(value.high)


def test_a_model_against_itself_has_forgotten_nothing():
    scored = Forgetting().score(ToyRecaller(PROBES))
    value = ratio(scored, scored)
    assert (value.low, value.value, value.high) == (1, 1, 1)


def test_the_ratio_pairs_paragraphs():
    before, after = Forgetting().score(ToyRecaller(PROBES)), Forgetting().score(ToyRecaller())
    value = ratio(before, after)
    plain = after.metrics["perplexity"].value / before.metrics["perplexity"].value
    assert value.value == pytest.approx(plain)
    assert 1 < value.low <= value.value <= value.high


def test_a_diverged_model_still_gives_a_number_that_json_knows():
    assert ratio(Forgetting().score(Flat(1.0)), Forgetting().score(Flat(5000.0))).high < float("inf")


def test_the_bundled_text_is_prose_of_the_promised_length():
    texts = general_paragraphs()
    assert 600 <= sum(len(text.split()) for text in texts) <= 900
    assert all(len(text.split()) > 30 for text in texts)
