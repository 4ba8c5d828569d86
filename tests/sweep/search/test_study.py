"""A study that is killed, shared and begun again: nothing is lost or done twice, no other worker disturbed."""

import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from byheart.errors import UserError
from byheart.sweep.search import storage as storage
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.results import End, Outcome
from byheart.sweep.search.space import Space
from byheart.sweep.search.study import Study, open_study

GRID = Space.read(["lr=choice(1,2)", "batch_size=choice(1,2)"])[0]
LINE = Space.read(["lr=interval(0.0,1.0)"])[0]
SAME = {"seed": 0}


def begun(folder, sweep=None, space=GRID, same=SAME):
    return open_study("study", sweep or SweepOptions(), space, folder, same)


def tell(study, suggestion, value):
    study.tell(
        suggestion.number,
        [value],
        Outcome("finished", "", 1, (End(1, value, None, None, 1.0),), ((1.0, value),), 1.0, 0.1),
    )


def states(folder, sweep=None, space=GRID):
    return [trial.state for trial in Study("study", sweep or SweepOptions(), space, folder).trials()]


def test_a_grid_is_asked_once_each_and_then_no_more(tmp_path):
    with begun(tmp_path) as study:
        seen = []
        while (suggestion := study.ask()) is not None:
            seen.append(tuple(suggestion.params.values()))
            tell(study, suggestion, 1.0)
        assert seen == [(1, 1), (1, 2), (2, 1), (2, 2)] and study.complete()


def test_finished_trials_count_and_the_same_command_does_what_is_left(tmp_path):
    sweep = SweepOptions(n_trials=5, first=2)
    values = []
    for most in (2, 9):
        with begun(tmp_path, sweep, LINE) as study:
            while most and (suggestion := study.ask()) is not None:
                values.append(suggestion.params["lr"])
                tell(study, suggestion, suggestion.params["lr"])
                most -= 1
    assert len(values) == 5 == len(set(values)), "a sampler that restarts its stream would propose the same again"


def test_what_a_sweeper_leaves_in_the_middle_is_queued_again(tmp_path):
    with pytest.raises(KeyboardInterrupt), begun(tmp_path) as study:
        tell(study, study.ask(), 1.0)
        study.ask()
        raise KeyboardInterrupt
    assert states(tmp_path).count("waiting") == 3
    with begun(tmp_path) as study:
        first = [study.ask() for _ in range(3)]
        assert study.ask() is None
        assert [each.continues for each in first].count(1) == 1


def test_a_killed_sweepers_trial_is_taken_over_and_a_live_ones_is_not(tmp_path):
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {tests!r})
        from sweep.search.test_study import begun
        with begun(Path({folder!r})) as study:
            study.ask()
            print("asked", flush=True)
            time.sleep(60)
    """).format(tests=str(Path(__file__).parents[2]), folder=str(tmp_path))
    other_worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other_worker.stdout.readline() == "asked\n"
        with begun(tmp_path) as study:
            mine = [study.ask() for _ in range(3)]
            assert study.ask() is None and 0 not in {suggestion.number for suggestion in mine}
            assert study.others_running() == [0]
            other_worker.kill()
            other_worker.wait()
            assert study.others_running() == []
            taken = study.ask()
            assert taken.params == {"lr": 1, "batch_size": 1} and taken.continues == 0
            for number, suggestion in enumerate([*mine, taken]):
                tell(study, suggestion, float(number))
            assert study.complete()
    finally:
        other_worker.kill()


def test_on_another_machine_only_a_silent_sweeper_is_taken_for_dead(tmp_path):
    with begun(tmp_path) as study:
        suggestion = study.ask()
        trial = study.own.pop(suggestion.number)  # as if a sweeper elsewhere had asked
        study.storage.set_trial_user_attr(trial._trial_id, "owner", "elsewhere-1-abc")
        assert study.others_running() == [suggestion.number]
        study.storage.set_trial_user_attr(trial._trial_id, "beat", 0.0)
        assert study.others_running() == []


def test_two_machines_that_begin_at_once_queue_nothing_twice(tmp_path, monkeypatch):
    journal = SweepOptions(storage=f"journal:{tmp_path / 'log'}", n_trials=4, first=2)
    with begun(tmp_path / "here", journal, LINE) as one, Study("study", journal, LINE, tmp_path / "there") as other:
        looked, answers = Study._trials, [[]]  # the other looked before the first had queued
        with monkeypatch.context() as patch:
            patch.setattr(Study, "_trials", lambda self: answers.pop() if answers else looked(self))
            other.begin()
        both = [other.ask(), one.ask(), other.ask(), one.ask()]
        assert one.ask() is None and other.ask() is None
        assert len({tuple(suggestion.params.values()) for suggestion in both}) == 4


def test_other_settings_under_the_same_name_are_refused_by_name(tmp_path):
    with begun(tmp_path):
        pass
    with (
        pytest.raises(UserError, match=r"seed: the study study was begun with 0 \(got 1\)"),
        begun(tmp_path, same={"seed": 1}),
    ):
        pass


def test_failures_keep_their_reason_and_counted_in_a_row(tmp_path):
    with begun(tmp_path) as study:
        for reason in ("one", "two"):
            study.fail(study.ask().number, reason)
        assert study.failures_in_a_row() == ["one", "two"]
        tell(study, study.ask(), 1.0)
        assert study.failures_in_a_row() == []
        study.fail(study.ask().number, "three")
        assert study.complete() and [trial.reason for trial in study.trials()] == ["one", "two", "", "three"]


@pytest.mark.parametrize("target", ["TPESampler", "RandomSampler", "QMCSampler"])
def test_samplers_by_target_propose_anew_after_a_restart(tmp_path, target):
    if target == "QMCSampler":
        pytest.importorskip("scipy")
    sweep = SweepOptions(n_trials=4, first=1, sampler={"_target_": f"optuna.samplers.{target}"})
    values = set()
    for _ in range(4):
        with begun(tmp_path, sweep, LINE) as study:
            suggestion = study.ask()
            values.add(suggestion.params["lr"])
            tell(study, suggestion, 1.0)
    assert len(values) == 4


def test_a_journal_and_an_address_in_the_environment(tmp_path, monkeypatch):
    journal = SweepOptions(storage=f"journal:{tmp_path / 'j' / 'log'}")
    with begun(tmp_path, journal) as study:
        tell(study, study.ask(), 1.0)
    assert states(tmp_path, journal)[0] == "complete" and not (tmp_path / "study.db").exists()
    hidden = SweepOptions(storage_env="SWEEP_STORAGE")
    with pytest.raises(UserError, match="not set"):
        Study("study", hidden, GRID, tmp_path)
    monkeypatch.setenv("SWEEP_STORAGE", "postgresql+psycopg://me:hunter2@localhost:1/none")
    with pytest.raises(UserError) as caught:
        Study("study", hidden, GRID, tmp_path)
    assert "hunter2" not in str(caught.value) and "cannot be reached" in str(caught.value)


@pytest.mark.parametrize("said", ["postgresql://me:p%40ss@h/d is away", "me:p%40ss", "p@ss was wrong"])
def test_what_a_driver_says_is_shown_without_the_password(said):
    shown = storage._without_password(said, "postgresql://me:p%40ss@h/d")
    assert "****" in shown and "p@ss" not in shown and "p%40ss" not in shown


def test_two_that_begin_at_once_in_an_empty_database_both_begin(tmp_path, monkeypatch):
    begun_by_another = [RuntimeError('duplicate key value violates unique constraint "pg_type_typname_nsp_index"')]
    really = storage._open
    monkeypatch.setattr(storage, "WAIT_S", 0.0)

    def racing(*given):
        if begun_by_another:
            raise begun_by_another.pop()
        return really(*given)

    monkeypatch.setattr(storage, "_open", racing)
    assert states(tmp_path) == []


def test_a_database_that_another_process_has_locked_is_waited_for_and_no_result_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BUSY_S", 0.1)
    said = []
    with open_study("study", SweepOptions(), GRID, tmp_path, SAME, said.append) as study:
        trial = study.ask()
        code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); print(1, flush=True); input()"
        command = [sys.executable, "-c", code, str(tmp_path / "study.db")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            other.stdout.readline()
            threading.Timer(1.0, lambda: other.stdin.write("\n") and other.stdin.flush()).start()
            tell(study, trial, 0.5)
        assert study.trials()[trial.number].value == 0.5
    assert [line.rpartition(" ")[2] for line in said] == ["free", "again"] and "locked by another process" in said[0]


def test_other_errors_of_the_database_are_raised_at_once(tmp_path):
    with begun(tmp_path) as study, pytest.raises(KeyError):
        study.storage.get_trial(99)


@pytest.mark.parametrize("address", ["ftp://x", "sqlite:////proc/nowhere/x.db"])
def test_a_storage_that_cannot_be_reached_is_said(tmp_path, address):
    with pytest.raises(UserError):
        Study("study", SweepOptions(storage=address), GRID, tmp_path)


def test_options_are_checked_at_once():
    wrong = SweepOptions(n_trials=0, objective="loss", pick="any", max_failures=0)
    assert {problem.where.rpartition(".")[2] for problem in wrong.problems()} == {
        "n_trials",
        "objective",
        "pick",
        "max_failures",
    }
    assert SweepOptions.read({"trials": 3})[1][0].where == "hydra.sweeper.trials"
    pruned = replace(
        SweepOptions(), objective=("val_loss", "recall"), pruner={"_target_": "optuna.pruners.MedianPruner"}
    )
    assert pruned.problems()


def test_another_sampler_is_one_word_away_and_a_wrong_one_is_said(tmp_path, monkeypatch):
    shipped = {"_target_": "optuna.samplers.TPESampler", "multivariate": True, "constant_liar": True}
    with begun(tmp_path, SweepOptions(sampler={**shipped, "_target_": "optuna.samplers.RandomSampler"}), LINE) as study:
        assert study.ask() is not None
    for sampler, said in (({**shipped, "n_startup": 3}, "n_startup"), ({"_target_": "optuna.samplers.Nope"}, "Nope")):
        with pytest.raises(UserError, match=said), begun(tmp_path, SweepOptions(sampler=sampler), LINE):
            pass
    monkeypatch.setattr("byheart.sweep.search.samplers.find_spec", lambda name: None)
    gaussian = SweepOptions(sampler={**shipped, "_target_": "optuna.samplers.GPSampler"})
    with pytest.raises(UserError, match="needs scipy"), begun(tmp_path, gaussian, LINE):
        pass


def test_no_more_trials_are_asked_than_there_are_combinations(tmp_path):
    with begun(tmp_path, SweepOptions(n_trials=40)) as study:
        assert study.wanted == 4
