"""What a run will take is told before it starts, and is near what it then takes."""

import re
from pathlib import Path

import pytest

import byheart
from byheart import cli
from byheart.progress import StageBegan
from byheart.report.asking import estimate_line, estimate_lines, rough
from byheart.results import Estimated, Needs, RunEstimate
from byheart.store import read_json
from byheart.teacher.base import Estimate
from byheart.training.hardware import expected_place
from byheart.training.trainer import Trainer
from sweep.toy import QUICK, furnished


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, toy_model):
    monkeypatch.chdir(furnished(tmp_path, toy_model))
    return tmp_path


def test_time_and_memory_are_told_before_the_model_is_loaded_or_an_example_made():
    events = []
    byheart.learn(*QUICK, "epochs=1", "hydra.run.dir=run", progress=events.append)
    names = [
        each.name if isinstance(each, StageBegan) else "told"
        for each in events
        if isinstance(each, StageBegan | Estimated)
    ]
    assert names[:3] == ["documents", "told", "expansion"]
    (told,) = (each.estimate for each in events if isinstance(each, Estimated))
    needs = told.needs
    assert 0 < needs.epoch_s < 60 and 0 < needs.once_s < 120 and needs.download == 0
    assert 0 < needs.memory < needs.total and needs.device == "cpu" and not needs.recompute
    line = estimate_line(told)
    assert re.fullmatch(r"about \d+ s · about [\d.]+ of [\d.]+ GiB", line), line
    events.clear()
    assert cli.main(["learn", "resume=run"]) == 0, "a finished run is not estimated again"


def test_examples_that_are_expected_are_about_as_many_as_are_made():
    """The first line counts rows before they are made; estimate=true counts them."""
    events, words = [], [word for word in QUICK if "max_examples" not in word and "at_least" not in word]
    byheart.learn(*words, "epochs=1", "budget=1", "hydra.run.dir=run", progress=events.append)
    (told,) = (each.estimate.needs for each in events if isinstance(each, Estimated))
    exact = byheart.learn(*words, "epochs=1", "hydra.run.dir=other", estimate=True).estimate.needs
    assert 0.4 < told.memory / exact.memory < 2.5
    assert told.epochs == exact.epochs and told.share < 1 == exact.share


def test_check_estimates_where_it_is_asked_to_and_leaves_nothing(capsys):
    assert cli.main(["check", *QUICK, "estimate=true"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^time +up to 30 epochs, about \d+ (s|min) each: \d+ (s|min) in all$", shown, re.M)
    assert re.search(r"^memory +about [\d.]+ of [\d.]+ GiB$", shown, re.M) and "download  nothing" in shown
    assert "estimate=true" not in shown, "the line to copy starts the run"
    assert not Path("outputs").exists()


def test_the_budget_and_the_second_training_are_in_the_time(capsys):
    def needs(*more):
        return byheart.learn(*QUICK, *more, estimate=True, name="x" + str(len(more))).estimate.needs

    whole, half = needs("epochs=8"), needs("epochs=8", "budget=6")
    assert half.share < 1 and half.seconds < whole.seconds
    again = byheart.learn(*QUICK, "epochs=8", "retrain=cosine", estimate=True, name="again").estimate.needs
    assert again.epoch_s > 1.5 * whole.epoch_s
    limited = byheart.learn(*QUICK, "epochs=100000", "budget=15m", estimate=True, name="limited").estimate
    assert limited.needs.seconds == 900 and "15 min by the budget, enough for about" in estimate_line(limited)


def test_what_is_not_known_is_said():
    line = estimate_line(RunEstimate(needs=Needs(epochs=3, download=None, total=24 * 2**30)))
    assert line == "time not known · memory not known (24 GiB here) · download size not known"
    full = Needs(3, 60.0, 600.0, memory=30 * 2**30, total=24 * 2**30, free=20 * 2**30, download=8_100_000_000)
    assert estimate_line(RunEstimate(needs=full)) == (
        "up to 3 epochs, about 10 min each: 31 min in all · "
        "about 30 of 24 GiB, of which 20 are free: it may not fit · downloads 8.1 GB"
    )
    asked = {"ladder": Estimate(9, 0, 1000, 2000, None)}
    assert "price not known" in estimate_line(RunEstimate(asked))
    assert any("set teacher.price_in and teacher.price_out" in line for line in estimate_lines(RunEstimate(asked)))
    priced = {"ladder": Estimate(9, 0, 1000, 2000, 0.123, "USD", "2026-11-28")}
    assert "teacher at most 0.13 USD" in estimate_line(RunEstimate(priced))
    assert any("prices of 2026-11-28" in line for line in estimate_lines(RunEstimate(priced)))


def test_no_key_is_needed_to_estimate_and_common_teachers_have_a_price(monkeypatch, capsys):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    words = [*QUICK[:2], "expansion=[rules,ladder]", "teacher=openai", "teacher.model=gpt-5-mini"]
    assert cli.main(["learn", *words, "estimate=true", "hydra.run.dir=out"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"cost: at most 0\.\d\d USD", shown) and "prices of 2026" in shown and "time " in shown
    assert cli.main(["check", *words, "estimate=true"]) == 0
    assert "! the key's environment variable is not set, and a run needs it" in capsys.readouterr().out
    assert cli.main(["learn", *words]) == 2
    assert "environment variable is not set" in capsys.readouterr().err


def test_the_place_is_known_without_torch():
    place = expected_place("auto", "auto", 1)
    assert (place.device, place.dtype) == Trainer(threads=1).place() and place.cores == 1


def test_a_time_is_as_precise_as_an_estimate():
    assert [rough(s) for s in (3, 42, 89, 400, 9000, 4e5)] == ["3 s", "40 s", "90 s", "7 min", "2.5 h", "4.6 days"]


def test_a_training_leaves_its_pace_for_later_estimates(monkeypatch, cache):
    monkeypatch.setattr("byheart.pipeline.estimate.LEAST_S", 0.0)
    monkeypatch.setenv("BYHEART_CACHE", str(Path.cwd() / "cache"))
    byheart.learn(*QUICK, "epochs=3", "hydra.run.dir=run")
    (key,) = (own := read_json("cache/speed.json"))
    (training,) = own[key]["trainings"]
    later = byheart.learn(*QUICK, "epochs=3", estimate=True, name="later").estimate.needs
    assert "earlier trainings" in later.basis
    real = read_json("run/run.json")["training"]["seconds"]
    assert later.epoch_s * 3 == pytest.approx(real, rel=1.0), "within twice"
    assert training["parameters"] == read_json("run/run.json")["model_parameters"]
