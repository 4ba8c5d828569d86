import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byheart.evaluation.intervals import bootstrap_mean, estimate, paired_difference, wilson

VALUES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcdefgh")), min_size=1, max_size=40)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_share(case):
    value = wilson(*case)
    assert 0 <= value.low <= value.value <= value.high <= 1
    assert value.high > value.low


def test_wilson_is_the_published_interval():
    value = wilson(15, 37)
    assert (value.low, value.high) == pytest.approx((0.2635, 0.5650), abs=5e-4)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_a_mean_lies_within_its_interval_and_within_bounds(pairs):
    values, groups = zip(*pairs, strict=True)
    value = estimate(values, groups)
    assert value.value == pytest.approx(sum(values) / len(values))
    assert value.low <= value.value <= value.high
    assert value.low >= -1e-9
    assert value.high <= 1 + 1e-9
    assert value.count == len(values)
    assert value == estimate(values, groups)


def test_repeating_each_probe_in_its_group_adds_no_certainty():
    values, groups = [0, 1, 1, 0, 1, 1, 0, 1], list("abcdefgh")
    once = bootstrap_mean(values, groups)
    often = bootstrap_mean(values * 20, groups * 20)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    alone = estimate(values * 20, [str(i) for i in range(160)])
    assert alone.high - alone.low < (often.high - often.low) / 2


def test_all_alike_is_not_certain():
    assert estimate([1, 1, 1, 1], ["a", "a", "b", "b"]).low < 0.5
    assert estimate([0] * 4, list("aabb")).high > 0.5
    none = paired_difference([1, 0, 1], [1, 0, 1], list("abc"))
    assert none.low < 0 == none.value < none.high


def test_a_paired_difference_sees_what_two_intervals_hide():
    dice = random.Random(0)
    before = [dice.random() for _ in range(100)]
    after = [value + 0.05 for value in before]
    value = paired_difference(before, [new + dice.uniform(-0.01, 0.01) for new in after], [str(i) for i in range(100)])
    assert value.low > 0.04
    assert value.high < 0.06


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    dice = random.Random(1)
    single = clustered = 0
    for _ in range(200):
        draws = [float(dice.random() < 0.6) for _ in range(40)]
        value = estimate(draws, [str(i) for i in range(40)])
        single += value.low <= 0.6 <= value.high
        groups = [[float(dice.random() < share)] * 3 for share in [0.6] * 40]
        value = estimate([each for group in groups for each in group], [str(i // 3) for i in range(120)])
        clustered += value.low <= 0.6 <= value.high
    assert single / 200 > 0.9
    assert clustered / 200 > 0.88


def test_nothing_has_no_mean():
    with pytest.raises(ValueError):
        wilson(0, 0)
    with pytest.raises(ValueError):
        bootstrap_mean([], [])
