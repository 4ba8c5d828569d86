"""A finished run is trained on (`resume=RUN epochs=4`): as if it had been longer from the start, and nothing is lost or paid twice."""

import csv
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from byheart import cli, learn
from byheart.errors import UserError
from byheart.report.terminal import Terminal
from byheart.store import read_json, write_json
from sweep.toy import QUICK, furnished
from tiny_folder import change

WORDS = [*QUICK, "questions=exam.jsonl", "lr=1e-2"]
PAID = ("scored/untuned.jsonl", "scored/open_book.jsonl", "rows/train.jsonl", "examples.jsonl")  # never made again
RESULT = ("scores.json", "answers.jsonl", "report.html", "adapter/adapter_model.safetensors", "adapter/byheart.json",
          ".hydra/config.yaml")  # fmt: skip


@pytest.fixture(scope="module")
def room(tmp_path_factory, toy_model):
    """Finished runs of two and of four epochs, which no test changes."""
    here = furnished(tmp_path_factory.mktemp("room"), toy_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        for epochs in (2, 4):
            assert cli.main(["learn", *WORDS, f"epochs={epochs}", f"hydra.run.dir=runs/{epochs}"]) == 0
    return here


@pytest.fixture
def run(room, monkeypatch, capsys):
    """A copy of the run of two epochs, in the folder in which it was started."""
    monkeypatch.chdir(room)
    shutil.rmtree("run", ignore_errors=True)
    shutil.copytree("runs/2", "run")
    capsys.readouterr()
    return Path("run")


def curve(folder):
    with Path(folder, "curve.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in ("seconds", "peak_memory")} for row in csv.DictReader(file)]


def content(folder, names=RESULT):
    return {name: Path(folder, name).read_bytes() for name in names}


def same_result(one, other):
    assert curve(one) == curve(other)
    for name in ("scores.json", "answers.jsonl", "adapter/adapter_model.safetensors"):
        assert Path(one, name).read_bytes() == Path(other, name).read_bytes(), name


def test_the_advised_line_trains_it_on_as_if_it_had_been_longer_from_the_start(run, capsys):
    made = {name: (run / name).stat().st_mtime_ns for name in PAID}
    before, first = curve(run), read_json("run/run.json")["timings"]
    line = next(step["command"] for step in read_json("runs/2/run.json")["next_steps"] if "resume" in step["command"])
    assert line == "byheart learn resume=runs/2 epochs=4"
    assert cli.main(shlex.split(line.replace("runs/2", "run"))[1:]) == 0
    assert curve(run)[: len(before)] == before
    same_result(run, "runs/4")
    assert {name: (run / name).stat().st_mtime_ns for name in PAID} == made
    record = read_json("run/run.json")
    assert record["state"] == "finished" and record["timings"]["score_untuned"] == first["score_untuned"]
    assert (record["training"]["epochs_run"], record["training"]["ended_before"]) == (4, [10])
    assert not (run / "unfinished").exists() and "epochs: 4" in Path("run/.hydra/config.yaml").read_text()
    capsys.readouterr()
    assert cli.main(["learn", "resume=run", "epochs=4"]) == 0  # typed again: nothing is left to do
    assert "this run is finished" in capsys.readouterr().out


def test_twice_and_from_python_and_as_the_latest_and_scored_again(run):
    Path("outputs/toy").mkdir(parents=True)
    latest = Path(shutil.move("run", "outputs/toy/run"))
    words = ["evaluate", "run=outputs/toy/run", "evaluation=[recall]", "questions=exam.jsonl"]
    scored = latest / "evaluations/exam/scored/.tuned.jsonl.done"
    assert learn(resume="latest", epochs=3).state == "finished"
    assert cli.main(words) == 0
    before = scored.read_text()
    result = learn(resume="latest", epochs=4)
    assert result.folder == latest.absolute()
    same_result(latest, "runs/4")
    assert cli.main(words) == 0
    assert scored.read_text() != before, "the answers of the earlier weights are not taken for those of the new"
    shutil.rmtree("outputs")


KILLED = """
import os, signal, sys
from byheart import cli
from byheart.report.terminal import Terminal

def die(self, point, points):
    if point.epoch > 3.5:
        os.kill(os.getpid(), signal.SIGKILL)

Terminal.curve = die
cli.main(sys.argv[1:])
"""


def test_killed_half_way_the_earlier_result_stays_and_it_goes_on(run):
    earlier = content(run)
    words = [sys.executable, "-c", KILLED, "learn", "resume=run", "epochs=4"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert content(run) == earlier and len(curve(run)) > len(curve("runs/2"))
    assert cli.main(["evaluate", "run=run"]) == 0
    again = read_json("run/evaluations/again/scores.json")
    assert again["tuned"] == read_json("run/scores.json")["tuned"]
    assert cli.main(["learn", "resume=run"]) == 0, "it goes on to the four epochs without being told again"
    same_result(run, "runs/4")


@pytest.mark.parametrize("at", [1, pytest.param(0, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_killed_while_the_result_is_replaced_it_is_replaced_by_the_next_resume(run, monkeypatch, at):
    class Killed(BaseException):
        pass

    replace, done = Path.replace, []

    def die(self, target):
        if self.name.endswith(".next"):
            done.append(target)
            if len(done) > at:
                raise Killed
        return replace(self, target)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "replace", die)
        cli.main(["learn", "resume=run", "epochs=4"])
    assert (run / "adapter/adapter_model.safetensors").is_file() and read_json("run/scores.json")
    assert cli.main(["learn", "resume=run"]) == 0
    same_result(run, "runs/4")
    assert not [*run.rglob("*.next")] and not (run / "unfinished").exists()


def test_what_was_finished_for_other_epochs_is_not_taken_for_the_result(run, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("byheart.pipeline.learn.replace_result", lambda folder: 1 / 0)
        learn(resume=run, epochs=3)
    assert Path("run/unfinished/adapter/byheart.json").is_file()
    assert learn(resume=run, epochs=4).state == "finished"
    same_result(run, "runs/4")


def test_ctrl_c_keeps_the_earlier_result_and_the_epochs_so_far_can_be_concluded(run, monkeypatch, capsys):
    earlier, drawn = content(run), Terminal.curve

    def press_ctrl_c(self, point, points):
        drawn(self, point, points)
        if point.epoch == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "curve", press_ctrl_c)
        assert cli.main(["learn", "resume=run", "epochs=9"]) == 130
    shown = capsys.readouterr().out
    assert "run/unfinished/adapter" in shown and "The result of before stays" in shown
    assert content(run) == earlier
    assert cli.main(["check", "resume=run/unfinished"]) == 0
    assert f"continue {run.absolute()}\n" in capsys.readouterr().out
    assert cli.main(["learn", "resume=run", "epochs=2"]) == 2  # it is past them
    assert "trained for 3 epochs (15 steps) already" in capsys.readouterr().err
    assert cli.main(["learn", "resume=run", "epochs=3"]) == 0
    assert [point["epoch"] for point in curve(run)][-1] == "3" and read_json("run/run.json")["state"] == "finished"


def refused(capsys, *words):
    assert cli.main(["learn", "resume=run", *words]) == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lr=1e-4"], ["lr: this run was made with lr=0.01 (got 1e-4)", "byheart learn documents=a.txt", "lr=1e-4"]),
        (["documents=b.txt", "model=smollm2_360m"], ["documents=a.txt (got b.txt)", "model: this run was made with"]),
        (["expansion=[rules,ladder]"], ["expansion: this run was made with expansion=['rules']"]),
        (["lr=1e-4", "epochs=1", "rows.replay=0.1"], ["3 problems", "lr: this run", "epochs: this run is trained"]),
        (["epoch=12", "seed=3"], ["did you mean epochs", "seed: this run was made with seed=0", "2 problems"]),
        (["epochs=none"], ["epochs: must be a whole number"]),
        (["epochs=0", "stopping.patience=0"], ["epochs: must be", "stopping.patience: must be at least 1"]),
        (["epochs=1"], ["trained for 2 epochs (10 steps) already", "epochs above 2", "epochs=1"]),
        (["epochs=9", "budget=10"], ["trained for 2 epochs (10 steps) already", "budget above 10", "budget=null"]),
        (["epochs=9", "budget=1s"], ["this run took", "give the time of the whole run: budget="]),
        (["epochs=3,4"], ["one value at a time"]),
        (["-m", "epochs=3"], ["--multirun: a resumed run takes no such flag"]),
        (["hydra.run.dir=x"], ["hydra.run.dir: a resumed run keeps its folder"]),
    ],
)
def test_what_cannot_be_done_is_told_at_once_with_what_can(words, told, run, capsys):
    said = refused(capsys, *words)
    assert all(each in said for each in told), said
    assert content(run) == content("runs/2") and not (run / "unfinished").exists()


def test_a_password_is_not_repeated(run, capsys):
    said = refused(capsys, "lr=2", "+teacher.api_key=sk-verysecret1234567890abcdef")
    assert "verysecret" not in said and "teacher.api_key" in said


def test_the_advised_budget_of_time_is_enough(run, capsys):
    for timings in ({"model": 60.0, "training": 300.5, "score_tuned": 9.0}, {"model": 1.0, "training": 2.0}):
        change(run / "run.json", timings=timings)
        said = refused(capsys, "epochs=9", "budget=2s")
        enough = re.search(r"budget=(\w+) trains twice", said)
        assert cli.main(["check", "resume=run", "epochs=9", f"budget={enough[1]}"]) == 0


def test_settings_that_are_typed_again_are_no_change(run, capsys):
    assert cli.main(["check", "resume=run", *WORDS, "epochs=4", "logger=wandb", "trainer.rows_at_once=2"]) == 0
    assert "ready to continue" in capsys.readouterr().out
    assert cli.main(["learn", "resume=run", *WORDS, "epochs=2"]) == 0
    assert "this run is finished" in capsys.readouterr().out


def test_without_its_last_state_the_line_of_a_new_run_is_told(run, capsys):
    shutil.rmtree("run/checkpoint")
    said = refused(capsys, "epochs=4")
    line = said.partition("pays for nothing twice: ")[2]
    assert cli.main(["check", *shlex.split(line)[2:]]) == 0
    assert "epochs=4" in capsys.readouterr().out
    (run / ".hydra/hydra.yaml").write_text("hydra: {job: {config_name: mine}}")
    assert "the settings in " in refused(capsys, "epochs=4")
    write_json("best.json", {"folder": str(run.absolute()), "overrides": ["documents=a.txt", "lr=0.5"]})
    assert "byheart learn documents=a.txt lr=0.5 epochs=4" in refused(capsys, "epochs=4")
    Path("best.json").unlink()


def test_a_run_that_stopped_improving_goes_on_with_more_patience_only(run, capsys):
    points = [*read_json(next(run.glob("checkpoint/step-*/state.json")))["curve"]]
    late = [
        points[-1] | {"step": 10 + i, "epoch": 2 + i / 5, "val_loss": 9.0, "train_recall": i / 9} for i in range(1, 6)
    ]
    for file in run.glob("checkpoint/step-*/state.json"):
        change(file, step=15, curve=[*points, *late])
    change(run / "adapter/byheart.json", steps=15, state="upturn")
    said = refused(capsys, "epochs=9")
    assert "ended since validation loss improved no more" in said and "stopping.patience=8" in said
    for enough in ("stopping.patience=8", "stopping.patience=null", "stopping.monitor=train_recall"):
        assert cli.main(["check", "resume=run", "epochs=9", enough]) == 0


def test_a_falling_rate_is_not_continued(run, capsys, monkeypatch):
    for file in ("config", "overrides"):
        text = (run / f".hydra/{file}.yaml").read_text()
        (run / f".hydra/{file}.yaml").write_text(text.replace("schedule: constant", "schedule: cosine"))
    said = refused(capsys, "epochs=4")
    assert "schedule: the learning rate was planned for 10 steps" in said and "start a new run: byheart learn" in said


@pytest.mark.slow
def test_a_retraining_is_done_again_only_if_another_epoch_is_the_best(room, monkeypatch):
    monkeypatch.chdir(room)
    adapter, written = Path("twice/retrained/adapter/adapter_model.safetensors"), []
    words = [
        *QUICK,
        "questions=exam.jsonl",
        "lr=0.1",
        "stopping.patience=null",
        "retrain=cosine",
        "hydra.run.dir=twice",
    ]
    for line in ([*words, "epochs=1"], ["resume=twice", "epochs=2"], ["resume=twice", "epochs=3"]):
        assert cli.main(["learn", *line]) == 0
        record = read_json("twice/run.json")
        assert (
            record["retraining"]["epochs_run"]
            == record["training"]["chosen_epoch"]
            == min(2, record["training"]["epochs_run"])
        )
        written.append((adapter.read_bytes(), adapter.stat().st_mtime_ns))
        assert "retrained" in read_json("twice/scores.json")
    assert written[0] != written[1] == written[2]


def test_a_training_that_was_stopped_takes_other_epochs_too(run, monkeypatch, capsys):
    shutil.rmtree("run")

    def press_ctrl_c(self, point, points):
        if point.epoch > 0.5:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "curve", press_ctrl_c)
        assert cli.main(["learn", *WORDS, "epochs=30", "hydra.run.dir=run"]) == 130
    assert cli.main(["learn", "resume=run", "epochs=4"]) == 0
    same_result("run", "runs/4")
    assert json.dumps(read_json("run/run.json")["notes"]).count("stopped before the end") == 0
    with pytest.raises(UserError, match="trained for 4 epochs"):
        learn(resume="run", epochs=3)
