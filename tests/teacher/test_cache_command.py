"""`byheart cache` as a user meets it: the real command, on a cache that real answers filled."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from byheart.teacher.base import Reply, Request
from byheart.teacher.cache import AnswerCache

OLD, NEW = "llama at http://localhost:8000/v1", "gpt at https://api.openai.com/v1"
MAIN = "import sys; sys.argv[0] = 'byheart'; from byheart.cli import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache [1]"))
    return tmp_path


@pytest.fixture
def filled():
    """Three answers of forty days ago, two of today."""
    with AnswerCache() as cache:
        for teacher, count in ((OLD, 3), (NEW, 2)):
            for number in range(count):
                request = Request("system", f"Text {number}: 東京\u2028", 0.6, 12, prompt_version="ladder-3")
                reply = Reply(f"[bold]answer {number}", 5, 7, False, "stop")
                cache.keep(request.key(teacher), teacher, request, reply)
        ago = time.time() - 40 * 86400
        cache.connection.execute("UPDATE answers SET asked_at = ? WHERE teacher = ?", (ago, OLD))
        return cache.path


def byheart(*words):
    command = [sys.executable, "-c", MAIN, "cache", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def kept():
    with AnswerCache() as cache:
        return {shelf.teacher: shelf.answers for shelf in cache.shelves()}


def test_the_list_names_teacher_prompt_counts_dates_and_file(filled):
    done = byheart()
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.lstrip().startswith("gpt at")]
    today = time.strftime("%Y-%m-%d")
    assert row.split() == [*NEW.split(), "ladder-3", "2", "14", today, today]
    assert [line.split() for line in done.stdout.splitlines() if "all" in line.split()] == [["all", "5", "35"]]
    assert str(filled) in done.stdout and " kB  " in done.stdout
    assert "gpt" not in byheart("teacher=llama").stdout


def test_before_any_answer_it_says_so_and_makes_nothing(folder):
    for words in ((), ("export=a.jsonl",), ("prune=all",)):
        done = byheart(*words)
        assert done.returncode == 0 and "no teacher has answered yet" in done.stdout
    assert not any(folder.iterdir())


def test_an_export_holds_each_answer_with_its_request(filled):
    done = byheart("export=my answers.jsonl")
    assert done.returncode == 0 and "5 answers" in done.stdout
    with Path("my answers.jsonl").open(newline="\n") as file:
        records = [json.loads(line) for line in file]
    assert len(records) == 5
    last = records[-1]
    asked = Request(*(last[name] for name in ("system", "user", "temperature", "max_tokens", "attempt")))
    assert replace(asked, prompt_version="ladder-3").key(NEW) == last["key"]
    assert last["text"].startswith("[bold]answer") and last["teacher"] == NEW
    before = Path("my answers.jsonl").read_bytes()
    assert byheart("export=my answers.jsonl").returncode == 2
    assert Path("my answers.jsonl").read_bytes() == before
    assert byheart("export=some.jsonl", "teacher=gpt").returncode == 0
    assert Path("some.jsonl").read_text().count("\n") == 2


def test_pruning_forgets_what_was_meant_and_nothing_else(filled):
    assert "0 answers deleted, 5 left" in byheart("prune=41d").stdout
    assert "0 answers deleted" in byheart("prune=30d", "teacher=gpt").stdout
    assert "3 answers deleted, 2 left" in byheart("prune=30d").stdout
    assert kept() == {NEW: 2}
    assert "2 answers deleted, 0 left" in byheart("prune=all", "teacher=gpt").stdout
    assert kept() == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list"], ["list", "byheart cache [export=FILE"]),
        (["prune"], ["prune", "prune=30d"]),
        (["prune=soon"], ["prune: this is not an age (got soon)", "prune=30d"]),
        (["prune=-1d"], ["prune: this is not an age (got -1d)"]),
        (["prune=30"], ["not an age"]),
        (["prune="], ["prune: this option needs a value"]),
        (["export="], ["export: this option needs a value"]),
        (["prune=1d", "prune=2d"], ["prune: this is given twice"]),
        (["export=a.jsonl", "prune=all"], ["these cannot be combined", "export first"]),
        (["teacher=claude"], ["teacher: no teacher in the cache has this name (got claude)", NEW, OLD]),
        (["prune=all", "teacher=claude"], ["no teacher in the cache"]),
        (["lr=1", "prune=x"], ["2 problems to fix", "lr=1", "not an age"]),
        (["export=/dev/null/a.jsonl"], ["/dev/null"]),
    ],
)
def test_wrong_words_say_what_where_and_how_and_change_nothing(words, said, filled):
    done = byheart(*words)
    assert done.returncode == 2, done.stderr
    assert all(part in done.stderr for part in said), done.stderr
    assert "Traceback" not in done.stderr and kept() == {OLD: 3, NEW: 2}


def test_a_file_that_is_no_cache_is_named(filled):
    for file in filled.parent.iterdir():
        file.unlink()
    filled.write_text("not a database " * 100)
    done = byheart()
    assert done.returncode == 2 and str(filled) in done.stderr and "BYHEART_CACHE" in done.stderr


@pytest.mark.alone
def test_it_answers_fast_without_torch_or_hydra(filled):
    code = f"{MAIN[: MAIN.index('sys.exit')]} main(); print('|', *sys.modules)"
    took = []
    for _ in range(5):
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code, "cache"], capture_output=True, text=True, check=True)
        took.append(time.monotonic() - started)
    loaded = set(done.stdout.rpartition("|")[2].split())
    assert not {"torch", "hydra", "omegaconf", "openai", "transformers", "tokenizers", "numpy"} & loaded
    assert min(took) < 0.3 or os.getloadavg()[0] > (os.cpu_count() or 1), took
