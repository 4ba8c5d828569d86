"""The whole way with a toy model: what is asked for is done and reported, and a stopped or killed run goes on."""

import csv
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from byheart import cli
from byheart.report.terminal import Terminal
from byheart.store import read_json, read_records
from sweep.toy import QUICK, TEXT

NAMES = {"Ada": "Bern", "Otto": "Graz", "Mia": "Lyon", "Karl": "Bonn", "Nora": "Oslo", "Emil": "Rome"}
WORDS = ["learn", *QUICK, "questions=exam.jsonl", "epochs=2"]


def furnish(folder, toy_model):
    (folder / "a.txt").write_text(TEXT + "\n")
    (folder / "model").symlink_to(toy_model)
    lines = [{"question": f"Where was {name} born?", "answers": [town]} for name, town in NAMES.items()]
    (folder / "exam.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, toy_model):
    monkeypatch.chdir(furnish(tmp_path, toy_model))
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory, toy_model):
    """The undisturbed run that each disturbed one must equal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(furnish(tmp_path_factory.mktemp("whole"), toy_model))
        assert learn("run") == 0
        return Path("run").resolve()


def learn(folder, *more):
    return cli.main([*WORDS, f"hydra.run.dir={folder}", *more])


def curve(folder):
    with Path(folder, "curve.csv").open() as file:
        return [
            {key: row[key] for key in ("step", "epoch", "train_loss", "val_loss", "recall", "lr")}
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_run_does_all_that_it_was_asked_to(adapter, capsys):
    words = [
        word.replace("[recall]", "[recall,profile]") for word in WORDS if adapter == "lora" or "adapter" not in word
    ]
    extra = [f"adapter={adapter}", "retrain=cosine", "split.heldout_facts=0.2", "dev=0.5", "hydra.run.dir=run"]
    assert cli.main([*words, *extra]) == 0
    shown = capsys.readouterr().out
    split, scores, run = (read_json(f"run/{name}.json") for name in ("split", "scores", "run"))

    assert scores["retrained"].keys() == scores["tuned"].keys() and "retrained" in shown
    again = curve("run/retrained")
    assert float(again[-1]["epoch"]) == run["training"]["chosen_epoch"] and float(again[-1]["lr"]) < float(
        again[0]["lr"]
    )
    assert run["retraining"]["chosen_epoch"] is None  # exactly so many epochs, not the best of them

    examples = {row["id"]: row for row in read_records("run/examples.jsonl")}
    untaught = set(split["heldout_facts"])
    assert len(untaught) == round(0.2 * len(read_records("run/facts.jsonl")))
    assert not any(untaught & set(examples[i]["facts"]) for key in ("train", "validation", "test") for i in split[key])
    with Path("run/kinds.csv").open() as file:
        kinds = [(float(row["epoch"]), row["kind"]) for row in csv.DictReader(file)]
    assert {"trained_wording", "heldout_fact", "general_text"} <= {kind for _, kind in kinds}
    assert {0.0, float(run["training"]["epochs_run"])} <= {epoch for epoch, _ in kinds}
    assert not Path("run/retrained/kinds.csv").exists() and 'id="course"' in Path("run/report.html").read_text()
    measured = read_records("run/profile.jsonl")
    assert measured and not untaught & {row["fact"] for row in measured}
    assert all({"before", "after", "untuned", "tuned", "retrained"} <= row.keys() for row in measured)
    assert scores["tuned"]["fact_none"]["count"] == len(measured)
    assert 'id="facts"' in Path("run/ledger.html").read_text()
    assert scores["untaught"]["tuned"]["contains"]["count"] == len(split["untaught"]) > 0
    assert "held out whole" in shown

    kinds = scores["kinds"]
    assert {"questions", "trained_wording", "heldout_fact"} <= kinds.keys() and "tuned+book" in shown
    assert kinds["trained_wording"]["tuned_open_book"]["right"]["count"] == kinds["trained_wording"]["probes"] > 0
    rows = {row["id"]: row["kind"] for row in read_records("run/answers.jsonl")}
    assert {i for i, kind in rows.items() if kind == "trained_wording"} <= set(split["train"])
    assert (
        run["recall"]["unknown"] == scores["unknown"] and run["recall"]["all"]["tuned"] == scores["tuned"]["contains"]
    )

    asked = {row["question"] for row in read_records("run/answers.jsonl") if row["source"] == "questions"}
    theirs = {f"Where was {name} born?" for name in NAMES}
    assert 0 < len(asked) < len(theirs)
    assert f"{len(theirs - asked)} of your questions are used for validation (dev=0.5)" in shown
    assert "Training again from the base model" in shown and Path("run/report.html").is_file()
    assert run["training"]["held_out"] == len(split["validation"]) + len(theirs - asked)
    told = " ".join(shown.split())
    assert f"of {run['training']['held_out']} held-out answers word for word" in told and "Each fact was seen" in told


def test_questions_that_choose_are_validated_on(capsys):
    """In a small text a few real questions judge better than a few held-out forms."""
    assert learn("without") == learn("with", "dev=0.5") == 0
    assert curve("without")[0]["train_loss"] == curve("with")[0]["train_loss"]
    assert curve("without")[0]["val_loss"] != curve("with")[0]["val_loss"]


def test_an_estimate_counts_what_the_run_would_take(capsys):
    assert learn("estimated", "estimate=true", "batch_size=4", "rows.replay=0.2") == 0
    shown = capsys.readouterr().out
    told = len(read_json("estimated/split.json")["train"])
    assert f"{told} rows of about" in shown and f"{round(told / 4)} that replay" in shown
    assert f"{-(-(told + round(told / 4)) // 4) * 2} steps of batch size 4" in shown
    assert not Path("estimated/adapter").exists()


def test_with_hydras_chdir_paths_mean_what_they_mean_without_it():
    here = Path.cwd()
    assert learn("run", "hydra.job.chdir=true", "budget=2") == 0
    assert (here / "run/scores.json").is_file() and Path.cwd() == here


def test_a_budget_of_steps_ends_to_the_step_and_is_scored(capsys):
    assert learn("run", "budget=7", "epochs=30") == 0
    run = read_json("run/run.json")
    assert (run["training"]["state"], run["training"]["steps"]) == ("budget", 7)
    assert "its budget was used up" in capsys.readouterr().out
    assert read_json("run/scores.json")["tuned"]["contains"]["count"] == len(NAMES)


def test_a_budget_of_time_ends_with_the_best_so_far_scored(capsys, monkeypatch):
    with monkeypatch.context() as patch:  # on a loaded machine the time would be over before the first check
        patch.setattr("byheart.pipeline.run.time", SimpleNamespace(monotonic=time.process_time))
        assert learn("run", "budget=12s", "epochs=100000", "stopping.patience=null") == 0
    run = read_json("run/run.json")
    assert (run["state"], run["training"]["state"]) == ("finished", "budget")
    assert run["training"]["chosen_epoch"] and Path("run/report.html").is_file()
    assert cli.main([*WORDS, "budget=15m", "schedule=cosine", "hydra.run.dir=other"]) == 2
    assert cli.main([*WORDS, "budget=soon", "hydra.run.dir=other"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "a schedule that lowers the learning rate needs the number of steps" in told
        and "must be optimizer steps (2000) or a time" in told
    )


def test_with_nothing_held_out_recall_of_the_trained_answers_ends_the_training(capsys):
    words = ["split.share=0", "split.at_least=0", "stopping.monitor=token_accuracy", "stopping.patience=2", "lr=3e-2"]
    usual = [word for word in WORDS if "adapter" not in word]
    assert cli.main([*usual, *words, "adapter=full", "epochs=40", "hydra.run.dir=run"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    run = read_json("run/run.json")
    assert (
        "training is stopped by stopping.monitor=train_recall" in shown
        and "held-out answers word for word" not in shown
    )
    assert (run["training"]["held_out"], run["training"]["state"]) == (0, "upturn") and run["training"]["chosen_epoch"]
    assert "recall of trained answers improved no more" in shown


def test_replayed_rows_ask_for_what_the_untuned_model_expects_and_a_resumed_run_has_the_same(capsys):
    words = ["rows.replay=0.3", "budget=9"]
    assert learn("whole", *words) == learn("again", *words) == 0
    assert (
        curve("whole") == curve("again")
        and Path("whole/replay.jsonl").read_text() == Path("again/replay.jsonl").read_text()
    )
    assert "texts of the base model" in capsys.readouterr().out
    assert learn("without", "budget=9") == 0 and curve("without") != curve("whole")


def test_few_rows_are_sampled_and_replayed_several_times(capsys, monkeypatch):
    words = ["rows.replay=0.4", "budget=9"]
    assert learn("many", *words) == 0
    sampled = Path("many/replay.jsonl").read_text().splitlines()
    monkeypatch.setattr("byheart.pipeline.rows.DISTINCT", 2)
    capsys.readouterr()
    assert learn("few", *words) == 0
    assert len(Path("few/replay.jsonl").read_text().splitlines()) == 2 < len(sampled)
    assert [point["epoch"] for point in curve("few")] == [point["epoch"] for point in curve("many")]
    assert f"{len(sampled) / 2:.2g} times an epoch" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_saves_what_was_learned_and_the_run_goes_on(number, code, whole, capsys, monkeypatch):
    drawn, seen = Terminal.curve, []

    def press_ctrl_c(self, point, points):
        seen.append(point)
        drawn(self, point, points)
        if len(seen) == 3:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "curve", press_ctrl_c)
        assert learn("run") == code
    shown = capsys.readouterr().out
    assert "\n    byheart learn resume=run\n" in shown and "\n    byheart evaluate run=run\n" in shown
    assert read_json("run/run.json")["state"] == "interrupted"
    if number != signal.SIGINT:
        return

    assert cli.main(["evaluate", "run=run", "evaluation=[recall]"]) == 0  # scored, if the user wishes
    assert read_json("run/evaluations/again/scores.json")["tuned"]["contains"]["count"] == len(NAMES)

    assert cli.main(["learn", "resume=run"]) == 0
    assert read_json("run/run.json")["state"] == "finished"
    assert "examples exist already" in capsys.readouterr().out
    assert curve("run") == curve(whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_training_says_how_to_go_on(number, code, capsys, monkeypatch):
    def press_ctrl_c(*words):
        signal.raise_signal(number)

    before = signal.getsignal(number)
    monkeypatch.setattr("byheart.pipeline.learn.collect_probes", press_ctrl_c)
    assert learn("run") == code and signal.getsignal(number) == before
    assert read_json("run/run.json")["state"] == "interrupted"
    assert shlex.join(["byheart", "learn", f"resume={Path('run').absolute()}"]) in capsys.readouterr().err


KILLED = """
import os, signal, sys
from byheart import cli
from byheart.report.terminal import Terminal

def die(self, point, points):
    if point.epoch >= 1.5:
        os.kill(os.getpid(), signal.SIGKILL)

Terminal.curve = die
cli.main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_without_writing_its_examples_again(whole, capsys):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *WORDS, "hydra.run.dir=run"], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    written = Path("run/examples.jsonl").stat().st_mtime_ns
    assert cli.main(["learn", "resume=run"]) == 0
    assert Path("run/examples.jsonl").stat().st_mtime_ns == written
    assert curve("run") == curve(whole)


def test_a_folder_where_a_process_was_killed_before_its_config_was_whole_is_used(capsys):
    Path("run/.hydra").mkdir(parents=True)
    Path("run/.hydra/config.yaml").write_text("documents: a.t")
    assert cli.main(["expand", "documents=a.txt", "hydra.run.dir=run"]) == 0
    Path("run/run.json").unlink()
    assert cli.main(["expand", "documents=a.txt", "hydra.run.dir=run"]) == 2, "its config is whole: it can be continued"
    assert "resume=run" in capsys.readouterr().err


def test_other_questions_are_scored_on_a_finished_run(whole, capsys):
    shutil.copytree(whole, "run")
    Path("other.jsonl").write_text('{"question": "Who built the bridge of Bern?", "answers": ["Ada"]}\n')
    assert cli.main(["evaluate", "run=run", "questions=other.jsonl"]) == 0
    asked = [
        row["question"] for row in read_records("run/evaluations/other/answers.jsonl") if row["source"] == "questions"
    ]
    assert asked == ["Who built the bridge of Bern?"]
    assert cli.main(["evaluate", "run=run", "trainer.device=tpu"]) == 2
    assert "trainer.device" in capsys.readouterr().err
