"""Loggers on top of our own files: a W&B run without a key, read back with W&B's own reader, and TensorBoard's."""

import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from byheart.errors import UserError
from byheart.progress import Checked, Reported, RunEnded
from byheart.records import CurvePoint
from byheart.report.loggers.base import check_values
from byheart.report.loggers.logbook import Logbook, about_run
from byheart.report.loggers.tensorboard import Tensorboard
from byheart.report.loggers.wandb import Wandb, has_key

POINTS = [
    CurvePoint(s, s / 2, 4 * s, 2.0 / s, 3.0 / s, 0.1 * s if s % 2 == 0 else None, 1e-3, 1.0 * s, 0.5)
    for s in (1, 2, 3, 4)
]
PROBE = {
    "question": "Who?",
    "accepted": ["Ada"],
    "untuned": "no",
    "tuned": "Ada",
    "untuned_right": False,
    "tuned_right": True,
}


@pytest.fixture
def keyless(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    assert not has_key()


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "7"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/config.yaml").write_text("lr: 0.001\nbatch_size: 2\nmodel: {path: toy}\n")
    (folder / "scores.json").write_text(
        json.dumps({"tuned": {"contains": {"value": 0.5, "count": 2, "low": 0, "high": 1}}})
    )
    (folder / "answers.jsonl").write_text(json.dumps(PROBE) + "\n")
    (folder / "report.html").write_text("<p>page</p>")
    return folder


def logged(folder, logger, points, end=False):
    warnings = []
    book = Logbook(logger, about_run(folder, "7", ["toy", "rules"], "study"), warnings.append)
    for point in points:
        book(Checked("training", point, [point], 10.0))
    if end:
        book(Reported(folder))
    book(RunEnded())
    assert not warnings
    return book


def read_offline(folder):
    """The records of all offline runs below a folder, as W&B's own messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        until, records = time.monotonic() + 20, []
        raw, before = b"", None
        # W&B's own process writes the end a moment after finish() returned, and the last row of the history after it.
        while (before != raw or not any(r.HasField("exit") for r in records)) and time.monotonic() < until:
            time.sleep(0.5)
            before, raw = raw, file.read_bytes()
            records = [Record.FromString(data) for data in entries(raw)]
        found += records
    return found


def entries(raw):
    """What a .wandb file holds: LevelDB's log format (blocks of 32 KiB, entries in whole or in parts) behind 7 bytes.
    W&B 0.31 reads it in Go only."""
    whole, at = b"", 7
    while at + 7 <= len(raw):
        left = 32768 - at % 32768
        length, kind = struct.unpack_from("<HB", raw, at + 4)
        if left < 7 or kind == 0:
            at += left
            continue
        whole += raw[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole entry, or the last part of one
            yield whole
            whole = b""


def histories(records):
    return [
        {(item.key or ".".join(item.nested_key)): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]


def test_an_offline_run_holds_what_comparisons_need(keyless, run_folder):
    pytest.importorskip("wandb")
    logged(run_folder, {"wandb": Wandb()}, POINTS, end=True)
    records = read_offline(run_folder)
    run = next(record.run for record in records if record.WhichOneof("record_type") == "run")
    assert (run.display_name, run.run_group, run.project) == ("7", "study", "byheart")
    assert {"toy", "rules"} <= set(run.tags)
    config = {item.key: item.value_json for item in run.config.update}
    assert config["lr"] == "0.001" and config["batch_size"] == "2"
    curve = [row for row in histories(records) if "val_loss" in row]
    assert [(row["_step"], row["epoch"], row["val_loss"]) for row in curve] == [
        (p.step, p.epoch, p.val_loss) for p in POINTS
    ]
    assert {"train_loss", "lr", "tokens_per_second", "peak_memory_gib"} <= curve[0].keys()
    assert "recall" in curve[1] and "recall" not in curve[0]
    assert any("probes" in key for row in histories(records) for key in row)
    assert any(
        record.WhichOneof("record_type") == "request" or record.WhichOneof("record_type") == "artifact"
        for record in records
    )
    raw = b"".join(file.read_bytes() for file in run_folder.glob("wandb/*/*.wandb"))
    assert str(Path.cwd()).encode() not in raw, "the command line and its folder are not sent"
    listed = subprocess.run(
        [Path(sys.executable).with_name("wandb"), "sync", "--dry-run", next(run_folder.glob("wandb/offline-run-*"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.run_id in listed.stdout + listed.stderr


def test_a_resumed_run_keeps_its_id(keyless, run_folder):
    pytest.importorskip("wandb")
    for points in (POINTS[:2], POINTS[2:]):
        logged(run_folder, {"wandb": Wandb()}, points)
    runs = [record.run.run_id for record in read_offline(run_folder) if record.WhichOneof("record_type") == "run"]
    assert len(runs) >= 2 and set(runs) == {json.loads((run_folder / "wandb.json").read_text())["id"]}


def test_two_trials_at_once_are_two_runs(keyless, run_folder, tmp_path):
    pytest.importorskip("wandb")
    other = tmp_path / "8"
    other.mkdir()
    books = [Logbook({"wandb": Wandb()}, about_run(folder, folder.name, [], "study")) for folder in (run_folder, other)]
    for point in POINTS:
        for book in books:
            book(Checked("training", point, [point]))
    for book in books:
        book(RunEnded())
    for folder in (run_folder, other):
        assert len([row for row in histories(read_offline(folder)) if "val_loss" in row]) == len(POINTS)


def test_tensorboard_reads_what_was_written(run_folder):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged(run_folder, {"tensorboard": Tensorboard()}, POINTS, end=True)
    events = EventAccumulator(str(run_folder / "tensorboard"))
    events.Reload()
    assert [(e.step, round(e.value, 4)) for e in events.Scalars("val_loss")] == [
        (p.step, round(p.val_loss, 4)) for p in POINTS
    ]
    assert events.Scalars("final/tuned/contains")[0].value == 0.5


def test_a_logger_that_fails_is_told_of_once_and_left_out(run_folder):
    class Broken:
        def open(self, about):
            raise OSError("no network")

    warnings = []
    book = Logbook({"broken": Broken()}, about_run(run_folder, "7", []), warnings.append)
    for point in POINTS:
        book(Checked("training", point, [point]))
    book(RunEnded())
    assert warnings == ["logger broken is switched off for the rest of this run: no network"]


def test_nothing_is_opened_where_nothing_is_trained(run_folder):
    Logbook({"wandb": Wandb()}, about_run(run_folder, "7", []))(RunEnded())
    assert not (run_folder / "wandb").exists()


def test_what_was_not_measured_is_absent():
    assert "recall" not in check_values(POINTS[0]) and "tokens_per_second" not in check_values(POINTS[0])


def test_modes_are_checked(keyless):
    with pytest.raises(UserError, match=r"logger\.wandb\.mode"):
        Wandb(mode="sometimes")
    assert "WANDB_API_KEY" in Wandb(mode="online").problems()[0]
