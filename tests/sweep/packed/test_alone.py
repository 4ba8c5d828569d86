"""Trials that cannot share a pass with others train alone, with the reason; the sweep and the other trials go on."""

import csv
import json
from pathlib import Path

import pytest
import yaml

import zoo
from byheart import cli
from byheart.training.multi_lora.trainer import PackedTrainer
from sweep.toy import furnished

WORDS = (
    "documents=a.txt", "rows.replay=0", "evaluation=[recall]", "evaluation.recall.max_new_tokens=4", "adapter.rank=2",
    "trainer.precision=float32", "trainer.threads=1", "split.at_least=6", "expansion.rules.max_examples=40", "lr=3e-3",
    "stopping.monitor=val_loss", "batch_size=8", "epochs=1",
)  # fmt: skip
KINDS = [  # adapter.targets, model.path, and what is said of a trial that cannot pack
    ("all-linear", "model", ""),
    ("lm_head", "model", "other losses or gradients than alone"),
    (".*(q|v)_proj", "model", ""),
    (".*(q_proj|self_attn)", "model", "is not supported"),
    ("all-linear", "gpt2", "is a Conv1D"),
    ("all-linear", "opt", "random numbers"),
    ("all-linear", "gemma3", ""),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("gpt2", "opt", "gemma3"):
        zoo.make(folder / name, name)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, toy_model, models):
    monkeypatch.chdir(tmp_path)
    for folder in models.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    return furnished(tmp_path, toy_model)


def curve(folder):
    with (Path(folder) / "curve.csv").open() as file:
        return [(int(p["step"]), float(p["train_loss"]), float(p["val_loss"])) for p in csv.DictReader(file)]


def study(name, *words):
    return cli.main(
        ["learn", "-m", "hydra/sweeper=byheart_optuna", "hydra/launcher=packed", *WORDS, f"name={name}", *words]
    )


def test_one_of_each_kind_is_trained_as_learn_trains_it(here, capsys):
    keys = ("adapter.targets", "model.path")
    params = {key: dict.fromkeys(kind[i] for kind in KINDS) for i, key in enumerate(keys)}
    given = [dict(zip(keys, kind[:2], strict=True)) for kind in KINDS]
    text = {
        "defaults": ["learn", {"override hydra/sweeper": "byheart_optuna"}, {"override hydra/launcher": "packed"}, "_self_"],
        "hydra": {"mode": "MULTIRUN", "sweeper": {
            "objective": "recall", "given": given, "n_trials": len(KINDS),
            "params": {key: f"choice({','.join(map(repr, values))})" for key, values in params.items()},
        }},
    }  # fmt: skip
    Path("kinds.yaml").write_text(yaml.safe_dump(text))
    assert cli.main(["sweep", "kinds.yaml", *WORDS]) == 0
    shown, folder = capsys.readouterr().out, here / "outputs/sweeps/kinds-a"
    assert shown.count("train alone") == sum(bool(reason) for *_, reason in KINDS)
    for number, (targets, model, reason) in enumerate(KINDS):
        assert reason in shown, f"{reason} not in {shown}"
        if "self_attn" in targets:
            assert f"trial {number} failed" in shown and not (folder / f"{number}/adapter").exists()
            continue
        assert (folder / f"{number}/adapter/adapter_model.safetensors").is_file()
        if targets.startswith("."):
            continue  # packed like the first one
        place = f"hydra.run.dir=alone/{number}"
        assert cli.main(["learn", *WORDS, f"adapter.targets={targets}", f"model.path={model}", place]) == 0
        one, other = curve(folder / str(number)), curve(f"alone/{number}")
        assert (one == other) if reason else one == [pytest.approx(line, rel=1e-4) for line in other]


def test_an_adapter_begins_at_the_untuned_model_whatever_was_trained_before(here):
    words = [word for word in WORDS if not word.startswith("adapter")]
    place = ["hydra/sweeper=byheart_optuna", "hydra/launcher=packed"]
    assert cli.main(["learn", "-m", *place, *words, "model.path=model", "adapter=full,lora"]) == 0
    assert cli.main(["learn", *words, "model.path=model", "hydra.run.dir=lora"]) == 0
    assert curve(here / "outputs/sweeps/a/1") == [pytest.approx(line, rel=1e-4) for line in curve("lora")]


def test_a_pack_that_fails_leaves_its_trials_to_train_alone(here, monkeypatch, capsys):
    def broken(self, rows):
        raise RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED")

    monkeypatch.setattr("byheart.training.multi_lora.packable.why_alone", lambda model, adapter: None)
    monkeypatch.setattr("byheart.sweep.packed.launcher.choose_slots", lambda *arguments: 2)
    monkeypatch.setattr(PackedTrainer, "_losses", broken)
    assert study("broken", "model.path=model", "lr=1e-3,3e-3") == 0
    assert "their pack ended in RuntimeError: CUBLAS_STATUS_EXECUTION_FAILED" in capsys.readouterr().out
    folder = here / "outputs/sweeps/broken"
    states = [json.loads((folder / number / "outcome.json").read_text())["state"] for number in "01"]
    assert states == ["finished"] * 2 and "in broken" in (folder / "error.txt").read_text()


def test_an_error_while_slots_are_measured_ends_no_sweep(here, monkeypatch, capsys):
    def full(*arguments, **options):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("byheart.sweep.packed.memory.measure_step", full)
    assert study("measured", "model.path=model", "lr=1e-3,3e-3") == 0
    assert "could not be measured (out of memory" in capsys.readouterr().out
