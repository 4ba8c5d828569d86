"""`byheart expand` against a real server on this machine that answers well, badly and randomly; and killed half-way."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

import toys
from byheart import cli
from byheart.expansion.from_teacher.observed import TeacherProgress
from byheart.progress import Advanced, LedgerWritten, StageEnded
from byheart.records import Example
from byheart.report.terminal import Terminal
from byheart.store import read_json, read_jsonl, read_records
from expansion.scripted import badly, randomly, well
from expansion.test_ladder import CLUB
from teacher.batch_server import BatchServer, Fate
from teacher.chat_server import ChatServer, Say, answer, error

KEY = "tk-never-to-be-written-7731"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", KEY)
    Path("club.md").write_text(CLUB)
    return tmp_path


def words(server, folder, document="club.md", *more):
    return [
        "expand", f"documents={document}", "expansion=ladder", "teacher=openai",
        "teacher.model=toy", f"teacher.base_url={server.url}", "teacher.api_key_env=MY_KEY", "teacher.retries=2",
        "teacher.server=toy", f"hydra.run.dir={folder}", *more,
    ]  # fmt: skip


@pytest.fixture
def byheart(capsys):
    """`byheart WORDS` in this process, which has imported everything: only what is killed needs one of its own."""

    def call(words):
        code = cli.main(words)
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=shown.out, stderr=shown.err)

    return call


@pytest.fixture
def run(byheart):
    return lambda *arguments: byheart(words(*arguments))


def served(script, delay_s=0.0):
    def say(call):
        body = call.body
        # The attempt is the client's own matter; what a top-up avoids makes it another request.
        return Say(answer(script(call.said, body["temperature"])), delay_s=delay_s)

    return ChatServer(say)


@pytest.mark.parametrize("script", [well, badly, randomly])
def test_the_ledger_explains_every_chunk(workplace, run, script):
    with served(script) as server:
        done = run(server, "out", "club.md", "expansion.ladder.rungs=4", "expansion.ladder.per_chunk=8")
    assert done.returncode == 0, done.stdout + done.stderr
    account = read_json("out/ledger.json")
    short = " ".join(account["short"])
    for chunk, row in account["by_chunk"].items():
        assert row["received"] == row["kept"] + sum(row["rejected"].values())
        assert row["kept"] >= 8 or chunk in short
    bare = {each["fact"]: each["reason"] for each in account["uncovered"]}
    for fact, ways in account["facts"].items():
        assert all(ways.values()) or bare[fact]
    prose = [line for line in done.stdout.splitlines() if "/" not in line and "byheart learn" not in line]
    assert not [line for line in prose if len(line) > 80]
    assert "The ledger" in done.stdout and "temperature" in done.stdout
    page = Path("out/ledger.html").read_text()
    for example in read_jsonl("out/examples.jsonl", Example)[:5]:
        assert example.question.split(":")[0] in page
    assert Counter(read_record["reason"] for read_record in read_records("out/rejected.jsonl")) == account["rejected"]


def test_no_key_reaches_any_file(workplace, run):
    with served(well) as server:
        assert run(server, "out", "club.md", "expansion.ladder.rungs=2").returncode == 0
        assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    for file in workplace.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_an_estimate_sends_nothing_and_says_the_cost(workplace, run):
    with served(well) as server:
        done = run(server, "out", "club.md", "estimate=true", "teacher.price_in=1", "teacher.price_out=2")
        assert not server.calls
    assert "18 requests" in done.stdout and "cost: at most 0.0" in done.stdout


def test_killed_and_resumed_nothing_is_asked_twice_and_the_output_is_the_same(workplace, byheart, run, monkeypatch):
    with served(well, delay_s=0.05) as server:
        assert run(server, "whole").returncode == 0
        asked = len(server.calls)
    wanted = Path("whole/examples.jsonl").read_bytes(), Path("whole/ledger.json").read_bytes()
    monkeypatch.setenv("BYHEART_CACHE", str(workplace / "other"))
    with served(well, delay_s=0.05) as server:
        command = [sys.executable, "-m", "byheart.cli", *words(server, "killed", "club.md", "teacher.concurrency=2")]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while len(server.calls) < asked // 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not Path("killed/examples.jsonl").exists()
        before = [json.dumps(call.body, sort_keys=True) for call in server.calls]
        resumed = byheart(["expand", "resume=killed"])
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        again = [json.dumps(call.body, sort_keys=True) for call in server.calls[len(before) :]]
    assert (Path("killed/examples.jsonl").read_bytes(), Path("killed/ledger.json").read_bytes()) == wanted
    assert len(set(before) & set(again)) <= 2  # those that were under way


def test_a_server_that_is_away_is_said_and_what_arrived_is_kept(workplace, run):
    def half(call):
        return Say(answer(well(call.said, call.body["temperature"]))) if call.number < 6 else error("gone", 401)

    with ChatServer(half) as server:
        done = run(server, "out", "club.md", "teacher.concurrency=1")
    assert done.returncode == 2
    assert "key" in done.stdout + done.stderr
    with served(well) as server:
        assert run(server, "again").returncode == 0
        assert len(server.calls) == 18 - 6 + sum(1 for call in server.calls if "exist already" in call.said)


@pytest.mark.slow
@pytest.mark.parametrize("script", [well, badly, randomly])
@pytest.mark.parametrize("document", ["squad/documents/black_death.md", "rules/documents/amateur_radio_rules.md"])
def test_real_documents_whole_ladder(workplace, run, script, document):
    path = toys.shared(*document.split("/"))
    with served(script) as server:
        done = run(server, "out", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    account = read_json("out/ledger.json")
    short = " ".join(account["short"])
    for chunk, row in account["by_chunk"].items():
        assert row["kept"] >= row["asked"] or chunk in short


def test_a_batch_is_submitted_left_and_collected_by_the_same_command(workplace, byheart):
    def respond(line):
        return 200, answer(well(line["body"]["messages"][-1]["content"], line["body"]["temperature"]))

    with BatchServer(respond, fate=lambda number: Fate(looks=2)) as server:

        def batch(folder):
            live = words(server, folder, "club.md", "expansion.ladder.rungs=3")
            said = {"teacher=openai": "teacher=batch", "teacher.retries=2": "teacher.wait=false"}
            return byheart([said.get(word, word) for word in live])

        left = [batch(f"out{n}") for n in range(2)]
        server.made[0].looks = 2
        done = batch("out")
        assert [len(made.lines) for made in server.made] == [6]
    for each in left:
        assert each.returncode == 75 and "no error: the batch is not finished yet" in each.stderr
        assert "mend" not in each.stderr and "0 of 6 answered" in each.stderr
    assert done.returncode == 0 and Path("out/examples.jsonl").exists()


def test_what_a_server_says_is_no_markup_for_the_screen(workplace, monkeypatch):
    class Tty(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(Tty())
    standing = TeacherProgress(3, 1, note="500: [/INST] \x1b[2J overloaded; again in 2 s")
    terminal(Advanced("ladder", 1, 3, str(standing)))
    terminal.stage.live.refresh()
    row = {"requested": 2, "asked": 1, "received": 1, "rejected": {}, "kept": 1, "topped_up": 0, "without_teacher": 0}
    account = {
        "by_chunk": {"a": row}, "rejected": {}, "failed": {"400: [/INST] no": 1}, "novelty": {"by_rung": {}},
        "coverage": {"forward": 1.0, "reverse": 1.0},
    }  # fmt: skip
    terminal(LedgerWritten(account, {"a": "Fees [/old]"}))
    terminal(StageEnded("expansion", "Writing examples", 1.0))
    shown = terminal.console.file.getvalue()
    assert "500: [/INST]" in shown and "400: [/INST] no" in shown and "Fees [/old]" in shown and "\x1b[2J" not in shown


def test_what_rules_wrote_was_not_received_from_the_teacher(workplace, byheart):
    with served(well) as server:
        live = words(server, "out", "club.md", "expansion.ladder.rungs=2", "expansion.ladder.max_attempts=0")
        joined = ["expansion=[rules,ladder]" if word == "expansion=ladder" else word for word in live]
        done = byheart(joined)
    assert done.returncode == 0 and "others: those of the kept that no teacher wrote" in done.stdout
    account = read_json("out/ledger.json")
    for row in account["by_chunk"].values():
        assert 0 < row["received"] <= row["requested"]
        assert row["kept"] + sum(row["rejected"].values()) == row["received"] + row["without_teacher"]
    assert sum(row["without_teacher"] for row in account["by_chunk"].values()) == account["by_expansion"]["rules"]
