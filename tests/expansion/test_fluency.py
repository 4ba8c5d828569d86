"""`expansion.rules.rank=true`: the least fluent questions go, by name, and no fact loses its last one."""

from collections import Counter

import pytest

import toys
from byheart.expansion.asking import fluency as module
from byheart.expansion.asking.fluency import HALTING, RANKED, drop_halting, fluency
from byheart.expansion.rules import Rules
from byheart.model.base_model import BaseModel
from byheart.model.embedded import find_embedded
from contracts.expansion_contract import ExpansionContract
from teacher.test_local import make_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return BaseModel(str(make_toy(tmp_path_factory.mktemp("toy"))))


class TestRankedRules(ExpansionContract):
    @pytest.fixture(autouse=True)
    def small(self, toy, monkeypatch):
        monkeypatch.setattr("byheart.expansion.rules.BaseModel", lambda: toy)

    def expansion(self, **options):
        return Rules(rank=True, **options)

    def source(self):
        return toys.ham_radio()

    def test_what_goes_is_named_and_what_stays_covers_the_same_facts(self):
        source = self.source()
        ranked, plain = self.expansion(rank_drop=0.5, usual=99).expand(source), Rules(usual=99).expand(source)
        gone = {rejection.example.id for rejection in ranked.rejected}
        assert gone and {rejection.reason for rejection in ranked.rejected} == {HALTING}
        assert all(rejection.example.angle in RANKED and "nats" in rejection.detail for rejection in ranked.rejected)
        assert {e.id for e in plain.examples} == {e.id for e in ranked.examples} | gone
        assert ranked.uncovered == plain.uncovered
        directions = [Counter((e.facts[0], e.direction) for e in each.examples).keys() for each in (ranked, plain)]
        assert directions[0] == directions[1]


def test_a_score_does_not_depend_on_the_neighbours(toy, monkeypatch):
    texts = ["What is it?", "Which station may transmit messages for a third party?", "Why?", ""]
    together = fluency(texts, toy)
    assert together == pytest.approx([fluency([text], toy)[0] for text in texts], abs=1e-4)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    assert fluency(texts, toy) == pytest.approx(together, abs=1e-4)
    assert fluency([], toy) == [] and all(score < 0 for score in together[:3])


def test_nothing_to_rank_is_no_fault(toy):
    assert drop_halting({}, 0.2, toy) == ({}, [])


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_share_lies_between_none_and_all(share):
    with pytest.raises(ValueError, match="rank_drop"):
        Rules(rank_drop=share)


@pytest.mark.slow
def test_the_embedded_model_prefers_english():
    if not find_embedded():
        pytest.skip("the embedded model is not installed")
    good, bad = fluency(["Who may hold a station license?", "license Who a may? station hold"], BaseModel())
    assert good > bad + 1
