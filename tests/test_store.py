"""Files are whole or absent, records come back equal, and a stage whose inputs changed is not mistaken for done."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from byheart.errors import UserError
from byheart.records import Example, Fact, Probe, Rejection, Split, Value
from byheart.store import cache_folder, content_key, is_done, mark_done, read_json, read_jsonl, write_json, write_jsonl

FACT = Fact("f1", "d1", "c1", 0, 3, "a\u2028b\rc", 3, headings=("One", "Two"), label="(a)")
EXAMPLE = Example("e1", 'What "is" §97.1?', "Zwölf\nLinien", ("f1", "f2"), "simple", "forward", "rules", rung=0.5)
PROBE = Probe("p1", "?", ("a", "b"), options=("x", "y"), gold=0, tags={"half": "A", "n": 3})
SPLIT = Split(("a",), ("b",), ("c", "d"), refused={"e": "look-alike"})


@pytest.mark.parametrize(
    "record", [FACT, EXAMPLE, PROBE, SPLIT, Rejection(EXAMPLE, "too short"), Value(1.0, 3, 0.0, 1)]
)
def test_records_come_back_equal(tmp_path, record):
    write_jsonl(tmp_path / "r.jsonl", [record, record])
    assert read_jsonl(tmp_path / "r.jsonl", type(record)) == [record, record]
    assert (tmp_path / "r.jsonl").read_bytes().count(b"\n") == 2


def test_a_lone_surrogate_survives(tmp_path):
    broken = Fact("f", "d", "c", 0, 1, "x\ud800ü", 1)
    write_jsonl(tmp_path / "r.jsonl", [broken])
    assert read_jsonl(tmp_path / "r.jsonl", Fact) == [broken]


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    write_jsonl(path, [FACT])
    path.write_text(path.read_text() + '{"id": 1\n')
    with pytest.raises(UserError, match=r"r\.jsonl:2"):
        read_jsonl(path, Fact)


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "s.json", {"a": Value(float("nan"), 0, 0.0, float("inf")), "ü": [1]})
    assert read_json(tmp_path / "s.json") == {"a": {"value": None, "count": 0, "low": 0.0, "high": None}, "ü": [1]}


def test_keys_follow_content_not_order_or_process():
    @dataclass(frozen=True)
    class Other:
        a: int = 1

    assert content_key({"a": 1, "b": 2}, (1, 2)) == content_key({"b": 2, "a": 1}, [1, 2])
    assert content_key(FACT) == content_key(Fact(**vars(FACT)))
    assert len({content_key(x) for x in (FACT, EXAMPLE, "1", 1, None, Other(), Other(2), {"a": 1}, {1: 1})}) == 9
    code = "from byheart.store import content_key; print(content_key({'x', 'y', 'z'}, 0.1, 'ü'))"
    runs = {
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in "12"
    }
    assert len(runs) == 1


def test_done_means_done_for_these_inputs(tmp_path):
    path = tmp_path / "facts.jsonl"
    assert not is_done(path, "k")
    mark_done(path, "k")
    assert not is_done(path, "k"), "a marker without its file"
    write_jsonl(path, [FACT])
    assert is_done(path, "k") and not is_done(path, "other")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("BYHEART_CACHE")
    assert cache_folder().name == "byheart"


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch, fails):
    (tmp_path / ".hydra").mkdir()
    path = tmp_path / "examples.jsonl"
    write_jsonl(tmp_path / "facts.jsonl", [FACT])
    write_jsonl(path, [FACT])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if fails == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError) as caught:
        write_jsonl(path, [EXAMPLE] * 3)
    assert "disk is full" in str(caught.value) and "facts.jsonl" in str(caught.value)
    assert f"resume={tmp_path}" in str(caught.value)
    assert read_jsonl(path, Fact) == [FACT]
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_kernel_says_full(tmp_path, monkeypatch):
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: real(Path("/dev/full"), *a, **k))
    with pytest.raises(UserError, match="disk is full"):
        write_jsonl(tmp_path / "x.jsonl", [FACT])
    assert not (tmp_path / "x.jsonl").exists()


def test_kill_9_in_mid_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "examples.jsonl"
    write_jsonl(path, [FACT])
    code = f"""
from byheart.store import write_jsonl
def endless():
    while True:
        yield {{"x": "y" * 1000}}
write_jsonl({str(path)!r}, endless())
"""
    writer = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.time() + 10
    while not any(f.stat().st_size > 10_000 for f in tmp_path.glob(".examples.jsonl.*.tmp")) and time.time() < deadline:
        time.sleep(0.01)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert read_jsonl(path, Fact) == [FACT]
    write_jsonl(path, [FACT, FACT])
    assert len(read_jsonl(path, Fact)) == 2
    assert not list(tmp_path.glob(".examples.jsonl.*.tmp")), "the litter of a killed writer is swept by the next"


def test_a_library_that_fills_the_disk_is_understood(tmp_path):
    """safetensors reports the system's error in words of its own; here the limit on a file's size stands for the disk."""
    pytest.importorskip("resource")
    code = """
import resource, sys, torch
from byheart.errors import UserError
from byheart.training.checkpoint import save_weights
model = torch.nn.Linear(400, 400)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_weights(__import__("pathlib").Path(sys.argv[1]) / "kept", model)
except UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert "the file is too big" in done.stdout and str(tmp_path / "kept") in done.stdout
    assert not (tmp_path / "kept").exists()
