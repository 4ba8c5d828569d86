"""What commit bc0a307 left behind (see `fixtures/make.py`) is read and gone on with."""

import csv
import shutil
from pathlib import Path

import pytest

from byheart import cli
from byheart.pipeline.prepare_data import read_prepared_data
from byheart.store import read_json, read_records
from expansion.scripted import well
from sweep.toy import QUICK
from teacher.chat_server import ChatServer, Say, answer

SWEEP = (
    "sweep", "batch_lr_epochs", *QUICK, "epochs=2,6", "batch_size=1,16", "lr=3e-3", "hydra.launcher.processes=1",
    "hydra.sweeper.study_name=toy",
)  # fmt: skip
BEFORE = Path(__file__).parent / "fixtures/before_the_move"


@pytest.fixture
def here(tmp_path, monkeypatch, toy_model):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", "none")
    Path("model").symlink_to(toy_model)
    return tmp_path


def restore(here, name):
    """The fixture, with this folder in place of the one in which it was made."""
    shutil.copytree(BEFORE / name, here, dirs_exist_ok=True)
    for file in here.rglob("*"):
        if file.is_file() and b"@" in (content := file.read_bytes()):
            for place in (b"@HERE@", b"@BYHEART@"):
                content = content.replace(place, str(here).encode())
            file.write_bytes(content)


def losses(file):
    with Path(file).open() as lines:
        return [
            (line["step"], *(float(line[key]) for key in ("epoch", "train_loss", "val_loss", "recall")))
            for line in csv.DictReader(lines)
        ]


def test_a_stopped_run_is_resumed_from_its_checkpoint(here, capsys):
    restore(here, "run")
    data = {name: Path("run", name).stat().st_mtime_ns for name in ("facts.jsonl", "examples.jsonl", "split.json")}
    scored = Path("run/scored/untuned.jsonl").stat().st_mtime_ns
    before = losses("run/curve.csv")
    assert cli.main(["learn", "resume=run"]) == 0
    assert "examples exist already" in capsys.readouterr().out
    assert {name: Path("run", name).stat().st_mtime_ns for name in data} == data
    assert Path("run/scored/untuned.jsonl").stat().st_mtime_ns == scored
    found = losses("run/curve.csv")
    assert found[: len(before)] == before and len(found) > len(before)
    for one, other in zip(found, losses("whole.csv"), strict=True):
        assert one[0] == other[0] and one[1:] == pytest.approx(other[1:], rel=1e-3)
    assert read_json("run/run.json")["state"] == "finished"

    assert cli.main(["evaluate", "run=run"]) == 0
    assert read_json("run/evaluations/again/scores.json")["tuned"]["contains"]["count"] == 2

    assert cli.main(["learn", "resume=run", "epochs=5"]) == 0
    assert losses("run/curve.csv")[: len(found)] == found and read_json("run/run.json")["training"]["epochs_run"] == 5


def test_an_old_split_is_read(here):
    restore(here, "run")
    saved = read_json("run/split.json")
    assert {"train", "choose", "judge"} <= saved.keys()
    data = read_prepared_data(Path("run"))
    assert data.split.train == tuple(saved["train"]) and len(data.examples) == len(read_records("run/examples.jsonl"))


def test_no_cached_answer_is_asked_for_again(here):
    restore(here, "teacher")
    words = [
        "expand", "documents=club.md", "expansion=[ladder,rewrites]", "expansion.ladder.rungs=2", "teacher=openai",
        "teacher.model=toy", "teacher.server=toy", "teacher.api_key_env=MY_KEY", "hydra.run.dir=out",
    ]  # fmt: skip
    with ChatServer(lambda call: Say(answer(well(call.said, call.body["temperature"])))) as server:
        assert cli.main([*words, f"teacher.base_url={server.url}"]) == 0
        assert not server.calls
    assert read_json("out/run.json")["teacher"]["cached"] > 0 and read_records("out/examples.jsonl")


def test_a_stopped_sweep_goes_on(here):
    restore(here, "sweep")
    folder = Path("outputs/sweeps/toy")
    finished = (folder / "1/outcome.json").read_bytes()
    made = {file: file.stat().st_mtime_ns for file in folder.glob("shared/*-*/*.jsonl")}
    before = losses(folder / "0/curve.csv")
    assert made and before
    assert cli.main([*SWEEP]) == 0
    assert (folder / "1/outcome.json").read_bytes() == finished
    assert {file: file.stat().st_mtime_ns for file in folder.glob("shared/*-*/*.jsonl")} == made
    # its process is gone, so the stopped trial gets another number; it goes on from its checkpoint
    assert losses(folder / "2/curve.csv")[: len(before)] == before

    with (folder / "trials.csv").open() as one, Path("whole.csv").open() as other:
        found, whole = list(csv.DictReader(one)), list(csv.DictReader(other))
    assert len(found) == len(whole) and found[0].keys() == whole[0].keys()
    for mine, theirs in zip(found, whole, strict=True):
        assert mine["batch_size"] == theirs["batch_size"] and mine["state"] == theirs["state"]
        assert float(mine["val_loss"]) == pytest.approx(float(theirs["val_loss"]), rel=1e-3)
