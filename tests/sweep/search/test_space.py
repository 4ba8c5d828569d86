"""The sweep strings of the official plugin, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from byheart.config.compose import Composer
from byheart.sweep.search.override import Override
from byheart.sweep.search.space import Space


def space(*lines):
    found, _, problems = Space.read(lines)
    assert not problems, problems
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lr=choice(1e-4,3e-4)", CategoricalDistribution([1e-4, 3e-4])),
        ("batch_size=1,2,4", CategoricalDistribution([1, 2, 4])),
        ("schedule=choice(constant,cosine)", CategoricalDistribution(["constant", "cosine"])),
        ("expansion=choice([rules],[rules,file])", CategoricalDistribution(["[rules]", "[rules,file]"])),
        ("stopping.patience=null,4", CategoricalDistribution([None, 4])),
        ("batch_size=range(1,8)", IntDistribution(1, 8)),
        ("batch_size=range(2,8,2)", IntDistribution(2, 8, step=2)),
        ("split.share=range(0.1,0.5,step=0.1)", FloatDistribution(0.1, 0.5, step=0.1)),
        ("lr=interval(0.1,0.5)", FloatDistribution(0.1, 0.5)),
        ("lr=tag(log,interval(1e-5,1e-3))", FloatDistribution(1e-5, 1e-3, log=True)),
        ("adapter.rank=int(interval(1,32))", IntDistribution(1, 32)),
        ("adapter.rank=int(tag(log,interval(1,32)))", IntDistribution(1, 32, log=True)),
    ],
)
def test_strings_mean_what_they_mean_to_the_official_plugin(line, expected):
    assert space(line).distributions[line.partition("=")[0]] == expected


def test_a_glob_is_all_options_of_its_group():
    found, _, problems = Space.read(["adapter=glob(lora*)"], Composer().loader)
    assert not problems
    expected = ["lora", "lora_attention", "lora_experts", "lora_mlp"]
    assert found.distributions == {"adapter": CategoricalDistribution(expected)}


@pytest.mark.parametrize(
    "line",
    [
        "lr=interval(1,0.1)",
        "lr=tag(log,interval(0,1))",
        "batch_size=choice(1,1)",
        "lr=choice(",
        "batch_size=range(5,2)",
    ],
)
def test_contradictions_are_refused(line):
    assert Space.read([line])[2][0].where == line.partition("=")[0]


def test_an_empty_space_is_refused_and_a_fixed_word_is_kept():
    found, fixed, problems = Space.read(["lr=1e-3", "documents=a.txt"])
    assert not found.distributions and [each.text for each in fixed] == ["lr=1e-3", "documents=a.txt"]
    assert "nothing varies" in problems[0].what


def test_a_later_word_wins_in_the_place_of_the_first():
    found, fixed, _ = Space.read(["batch_size=1,2", "lr=1,2", "batch_size=4,8", "lr=3"])
    assert list(found.distributions) == ["batch_size"] and [each.text for each in fixed] == ["lr=3"]
    assert found.values("batch_size") == [4, 8]


def test_the_grid_is_every_combination_and_an_interval_has_none():
    assert len(space("batch_size=1,2,4", "lr=choice(1,2)").grid()) == 6
    assert space("lr=interval(0,1)", "batch_size=1,2").grid() is None


@settings(deadline=None)  # torch is imported on the way
@given(seed=st.integers(0, 50), count=st.integers(1, 16))
def test_sobol_points_lie_in_the_space(seed, count):
    found = space("lr=tag(log,interval(1e-5,1e-3))", "batch_size=range(2,8,2)", "schedule=a,b", "x=int(interval(1,9))")
    points = found.sobol(count, seed)
    assert points == found.sobol(count, seed)
    for point in points:
        assert 1e-5 <= point["lr"] <= 1e-3 and point["batch_size"] in (2, 4, 6, 8)
        assert point["schedule"] in ("a", "b") and isinstance(point["x"], int) and 1 <= point["x"] <= 9


def test_a_cohort_covers_the_space():
    rates = sorted(point["lr"] for point in space("lr=tag(log,interval(1e-4,1e-2))").sobol(8, 0))
    assert rates[0] < 3e-4 and rates[-1] > 3e-3


def test_overrides_are_hydras_words():
    found = space("lr=choice(1e-4,1)", "p=null,true").overrides({"lr": 1e-4, "p": None})
    assert [each.text for each in found] == ["lr=0.0001", "p=null"]


def test_a_choice_knows_its_value_in_yaml():
    found = space("expansion=choice([rules],[rules,file])", "model.path='my model',a", "+x=1,2")
    texts = {"expansion": "[rules,file]", "model.path": "'my model'", "+x": 2}
    assert [(each.name, each.value) for each in found.overrides(texts)] == [
        ("expansion", ["rules", "file"]),
        ("model.path", "my model"),
        ("x", 2),
    ]


@pytest.mark.parametrize("value", [None, True, 3, 1e-4, "plain", "my model", "1", [1, "a b"], {"after": [1, 2]}])
def test_an_override_is_read_as_it_was_made(value):
    (found,) = Space.read([Override.of("key", value).text])[1]
    assert found == Override.of("key", value)
