"""`from byheart import learn`: the same options, files and errors as on the command line, and nothing loaded before."""

import subprocess
import sys
from pathlib import Path

import pytest

import byheart
from byheart import cli
from byheart.errors import UserError
from byheart.progress import Advanced, Checked, StageEnded
from byheart.store import read_json
from byheart.sweep.report.events import TrialEnded
from sweep.toy import furnished

OPTIONS = {
    "documents": "a.txt", "questions": Path("exam.jsonl"), "evaluation": ["recall"], "epochs": 2, "budget": None,
    "overrides": {"model.path": Path("model"), "rows.replay": 0, "adapter.rank": 2, "trainer.precision": "float32",
                  "evaluation.recall.max_new_tokens": 4, "split.at_least": 6},
}  # fmt: skip
WORDS = [
    "documents=a.txt", "questions=exam.jsonl", "evaluation=[recall]", "epochs=2", "model.path=model", "rows.replay=0",
    "adapter.rank=2", "trainer.precision=float32", "evaluation.recall.max_new_tokens=4", "split.at_least=6",
]  # fmt: skip
SAME = ("examples.jsonl", "split.json", "scores.json", "answers.jsonl", "adapter/adapter_model.safetensors")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, toy_model):
    monkeypatch.chdir(tmp_path)
    return furnished(tmp_path, toy_model)


def test_importing_byheart_loads_nothing_heavy():
    code = "import sys, byheart; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not {"torch", "hydra", "omegaconf", "transformers", "peft", "lightning", "rich"} & loaded
    assert {name for name in loaded if name.startswith("byheart")} == {"byheart"}
    assert {"learn", "expand", "evaluate", "sweep", "bases", "ask"} == set(byheart.__all__)
    with pytest.raises(AttributeError):
        byheart.lern  # noqa: B018


def test_a_run_from_python_has_the_files_of_one_from_the_command_line(capsys):
    events = []
    result = byheart.learn("hydra.run.dir=python", progress=events.append, **OPTIONS)
    assert capsys.readouterr().out == "" and Path.cwd().joinpath("python") == result.folder.absolute()
    assert cli.main(["learn", *WORDS, "hydra.run.dir=shell"]) == 0
    for name in SAME:
        assert Path("python", name).read_bytes() == Path("shell", name).read_bytes(), name

    assert (result.state, result.report.is_file(), result.adapter.is_dir()) == ("finished", True, True)
    assert result.scores == read_json("python/scores.json") and len(result.answers) >= 2 and result.learning
    assert [event.point for event in events if isinstance(event, Checked)][-1].epoch == 2
    assert {event.name for event in events if isinstance(event, StageEnded)} >= {"documents", "training", "score_tuned"}
    assert any(isinstance(event, Advanced) for event in events)

    again = byheart.evaluate("python", questions="exam.jsonl")
    assert again.folder == result.folder.absolute() / "evaluations" / "exam"
    assert again.scores["tuned"] == result.scores["tuned"]
    assert byheart.learn(resume="python").scores == result.scores, "a finished run is read, not trained again"


def test_texts_and_estimates_are_results_too(capsys):
    estimated = byheart.learn(estimate=True, **OPTIONS)
    training = estimated.estimate.training
    assert (estimated.state, training.rows, training.replayed) == ("estimated", len(read_split(estimated)), 0)
    assert training.steps == -(-training.rows // 8) * 2 and not estimated.adapter.exists()
    written = byheart.expand(documents=["a.txt"], name="texts")
    assert written.folder.parent.name == "texts" and written.examples and written.ledger.is_file()
    assert capsys.readouterr().out == ""


def read_split(result):
    return read_json(result.folder / "split.json")["train"]


def test_every_fault_is_in_one_error():
    with pytest.raises(UserError) as caught:
        byheart.learn(documents="gone.txt", lr=-1, overrides={"bach_size": 2})
    assert {"documents", "lr", "bach_size"} == {problem.where for problem in caught.value.problems}
    with pytest.raises(UserError, match="several runs"):
        byheart.learn("-m", "seed=1,2", documents="a.txt")
    with pytest.raises(UserError, match="no such sweep"):
        byheart.sweep("batch_lr_epoch", documents="a.txt")


def test_a_sweep_is_silent_and_its_trials_are_events(capsys):
    events, options = [], {**OPTIONS, "evaluation": "recall", "epochs": 1, "questions": None}
    overrides = {**OPTIONS["overrides"], "stopping.monitor": "val_loss"}
    words = ("lr=1e-3,3e-3", "batch_size=8", "hydra.launcher.processes=1")
    result = byheart.sweep("batch_lr_epochs", *words, progress=events.append, **{**options, "overrides": overrides})
    assert capsys.readouterr().out == ""
    assert [type(event).__name__ for event in events if "Trial" in type(event).__name__][-2:] == [
        "TrialsEnded",
        "TrialChosen",
    ]
    assert {event.number for event in events if isinstance(event, TrialEnded)} == {0, 1}
    assert result.adapter.is_dir() and result.scored.scores and "epochs=1" in result.overrides


def test_values_arrive_as_they_were_given():
    from byheart.config.compose import read_request
    from byheart.dispatch import check
    from byheart.interface import _words

    name = "my file [v2], it's=${x} ünd.txt"
    Path(name).write_text("The ball is round.\n")
    options = {"documents": [name, "a.txt"], "name": None, "lr": 3e-4, "estimate": False, "expansion": ["rules"]}
    (config,) = check(read_request(_words([], options))).run_configs
    assert (config.documents, config.lr, list(config.expansion)) == ((name, "a.txt"), 3e-4, ["rules"])
