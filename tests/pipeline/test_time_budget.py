"""A budget of time holds on a slow machine: replay and scoring are cut to what it leaves, and most of it trains."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from byheart import cli
from byheart.config.compose import read_request
from byheart.evaluation.profile import Profile
from byheart.interface import check
from byheart.model.base_model import BaseModel
from byheart.pipeline.budget import StepTimer, open_book_that_fits
from byheart.pipeline.evaluate import collect_probes, with_open_book, within_budget
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import prepare_data
from byheart.pipeline.rows import make_rows
from byheart.pipeline.run import Run
from byheart.store import read_json, read_records
from sweep.toy import QUICK, TEXT

WORDS = [
    *(word for word in QUICK if "max_new_tokens" not in word),
    "rows.replay=0.3", "epochs=100000", "stopping.patience=null", "questions=exam.jsonl",
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, toy_model):
    """The toy model on a machine where each forward pass takes a fiftieth of a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    Path("a.txt").write_text(TEXT + "\n")
    shutil.copytree(toy_model, "model")
    people = [line.split(" was ")[0] for line in TEXT.splitlines()]
    asked = [{"question": f"Where was {name} born in {i}?", "answers": ["Bern"]} for name in people for i in range(12)]
    Path("exam.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
    loaded, machine = BaseModel.load, SimpleNamespace(wait=time.sleep)

    def load(self, dtype, device):
        model, tokenizer = loaded(self, dtype, device)
        model.register_forward_pre_hook(lambda module, given: machine.wait(0.02))
        return model, tokenizer

    monkeypatch.setattr(BaseModel, "load", load)
    return machine


@pytest.fixture
def parts(here, monkeypatch):
    """A run, by a clock that only forward passes move: however loaded the machine is, its numbers are the same."""
    clock = SimpleNamespace(now=0.0)
    here.wait = lambda seconds: setattr(clock, "now", clock.now + seconds)
    told = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    for module in ("budget", "evaluate", "run"):
        monkeypatch.setattr(f"byheart.pipeline.{module}.time", told)
    monkeypatch.setattr("transformers.generation.stopping_criteria.time", told)
    config = check(read_request([*WORDS, "budget=1h"])).run_configs[0]
    with Run(Path("run")) as run:
        data = prepare_data(config, run)
        yield config, data, collect_probes(config, data), ModelSession.load(config, run), run


def test_replay_is_sampled_as_long_as_the_budget_allows(parts):
    def made(name, *sampling_s):
        with Run(Path(name)) as run:
            shutil.copy("run/ledger.json", name)
            train, _ = make_rows(*parts[:4], run, True, *sampling_s)
            return [row for row in train if row.soft is not None], run.record

    some, record = made("some", 1.0)  # a batch of texts takes 1.4 s, of conversations 1.9 s
    sampled = record["replay"]["sampled"]
    assert 0 < sampled == len({str(row.tokens) for row in some}) < record["replay"]["wanted"] == 15
    told = f"replay: {sampled} of 15 conversations and texts were sampled in the time that budget=1h leaves for it"
    assert told in record["notes"] and max(len(row.tokens) for row in some) > 5
    assert made("some", 1.0)[0] == made("some")[0] == some, "a resumed run trains on the rows that it began with"
    whole, record = made("whole")
    assert len({str(row.tokens) for row in whole}) == 15 and "replay" not in record
    assert whole == made("again", 60.0)[0], "what was cut short has left nothing in the cache"
    assert made("none", 0.0)[0] == []


def test_as_many_questions_are_asked_as_the_budget_allows(parts):
    config, data, probes, session, run = parts
    model, open_book = session.untrained(), with_open_book(config, data, probes)
    ours, again, theirs = 2, 2, 96
    assert len(open_book.probes) == ours + again + theirs and within_budget(open_book, model, run) is open_book, (
        "in an hour"
    )

    short = replace(open_book, run_config=replace(config, budget="20s"))
    cut = within_budget(short, model, Run(Path("other")))
    # 32 tokens of 16 questions take 0.64 s; 40 % of 20 s, for one model and 2 and 2.2 times as long
    assert 16 < len(cut.probes) < 60 and {probe.source for probe in cut.probes} == {"questions"}, "theirs come first"
    assert [probe.id for probe in cut.open_book] == [probe.id for probe in cut.probes]
    with Run(Path("third")) as resumed:
        resumed.record["probes_asked"] = len(cut.probes)
        assert within_budget(short, None, resumed).probes == cut.probes, "a resumed run asks the same"
        assert f"{len(cut.probes)} of {ours + again + theirs} questions are asked" in resumed.record["notes"][0]
        resumed.record |= {"probes_asked": theirs + 1, "trained_asked": 1}
        told = [probe.source for probe in within_budget(short, None, resumed).probes]
        assert (told.count("questions"), told.count("generated"), told.count("trained")) == (theirs, 1, 1)
    profiling = replace(
        open_book, run_config=replace(config, budget="10s", evaluation={**config.evaluation, "profile": Profile()})
    )
    with Run(Path("fifth")) as run:
        both = within_budget(profiling, model, run)
        facts, few = both.run_config.evaluation["profile"].facts, len(both.probes)
        assert 0 < facts < len(both.material.taught) == 16 and "facts are profiled" in run.record["notes"][0]
    with Run(Path("fifth")) as later:
        same = within_budget(profiling, None, later)
        assert (same.run_config, len(same.probes)) == (both.run_config, few), "the same after a resume"
    steps = replace(open_book, run_config=replace(config, budget=20))
    assert within_budget(steps, None, Run(Path("fourth"))) is steps, "a budget of steps depends on no clock"


def test_the_tuned_model_reads_in_the_time_that_scoring_has_left(parts):
    config = replace(parts[0], budget="100s")
    timings = {"score_untuned": 10.0, "score_open_book": 20.0, "score_tuned": 15.0}

    def fit(seconds, config=config):
        return open_book_that_fits(config, SimpleNamespace(seconds=seconds, record={"timings": timings}), 40)

    # 0.75 s a probe: half a second of the untuned model, and the tuned one is half as slow again; 10 s are for the page
    assert [fit(seconds) for seconds in (60, 75, 82, 84.5, 99)] == [32, 20, 10, 0, 0], "below eight it tells nothing"
    assert fit(1e6, replace(config, budget=None)) == 40


def test_no_step_begins_that_would_end_too_late():
    run, job = SimpleNamespace(seconds=100.0), SimpleNamespace(validate=[0] * 24, batch_size=8)
    timer = StepTimer(run, job, until=120.0)
    for seconds, over in ((101, False), (103, False), (107, False), (111, False), (115, False), (117, True)):
        run.seconds = float(seconds)  # two seconds a step, and as long a check, but for a slower one of four
        timer.on_step()
        assert timer.out_of_time() == over
    assert not StepTimer(run, job, float("inf")).out_of_time()


@pytest.mark.slow
def test_a_budget_of_time_holds_on_a_slow_machine_and_most_of_it_trains(capsys):
    assert cli.main(["learn", *WORDS, "budget=50s", "hydra.run.dir=run"]) == 0
    run, shown = read_json("run/run.json"), " ".join(capsys.readouterr().out.split())
    assert 30 < sum(run["timings"].values()) < 50 and run["timings"]["training"] > 15
    assert run["training"]["state"] == "budget" and run["training"]["steps"] > 20
    asked = run["probes_asked"] + run["trained_asked"]
    assert len(read_records("run/answers.jsonl")) == asked and "of budget" in shown
