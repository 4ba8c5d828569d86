"""Several commands at once: a request that one of them has under way is waited for by the others, not paid again."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from byheart.teacher.base import Request
from byheart.teacher.cache import AnswerCache
from byheart.teacher.openai import OpenAI
from byheart.teacher.session import Claims
from contracts.teacher_contract import only_replies
from teacher.chat_server import Call, ChatServer, Say, echo, error

ASKER = """
import sys
from byheart.teacher.openai import OpenAI
from byheart.teacher.base import Request, Reply
first, last = map(int, sys.argv[2:])
requests = [Request("s", f"Text {n}: x", 0.5, 12) for n in range(first, last)]
notes = set()
told = lambda progress: notes.add(progress.note.partition(" (")[0])
outcomes = OpenAI("toy", sys.argv[1], concurrency=4, retries=0).ask(requests, on_progress=told)
print([outcome.text if isinstance(outcome, Reply) else "" for outcome in outcomes])
print("waiting for another command" in notes)
"""


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def start(server: ChatServer, first: int, last: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASKER, server.url, str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read(process: subprocess.Popen[str]) -> tuple[list[str], bool]:
    texts, waited = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 0
    return eval(texts), waited == "True"


def expected(first: int, last: int) -> list[str]:
    return [f"Text {n}: x at 0.5" for n in range(first, last)]


def slowly(call: Call) -> Say:
    return replace(echo(call), delay_s=0.1)


def until(ready) -> None:
    end = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


def nothing_is_left(store: Path) -> bool:
    with AnswerCache() as cache:
        claims = cache.connection.execute("SELECT count(*) FROM claims").fetchone()[0]
    return not claims and not list((store / "asking").iterdir())


def test_the_same_command_three_times_at_once_pays_once(store):
    with ChatServer(slowly) as server:
        outcomes = [read(each) for each in [start(server, 0, 60) for _ in range(3)]]
        assert len(server.calls) == 60
    assert all(texts == expected(0, 60) for texts, _ in outcomes)
    assert any(waited for _, waited in outcomes) and nothing_is_left(store)


@pytest.mark.alone
def test_what_only_one_of_them_asks_waits_for_nobody():
    both = threading.Event()

    def script(call: Call) -> Say:  # the first command is slow until the second has begun, on a busy machine too
        number = int(re.findall(r"Text (\d+):", call.said)[-1])
        if number >= 60:
            both.set()
        return replace(echo(call), delay_s=0.1 if both.is_set() or number < 20 else 1.0)

    with ChatServer(script) as server:
        first = start(server, 0, 60)
        until(lambda: server.calls)
        second = start(server, 40, 80)
        until(lambda: any("Text 60:" in call.said for call in server.calls))
        assert not any("Text 59:" in call.said for call in server.calls)
        assert read(first)[0] == expected(0, 60) and read(second)[0] == expected(40, 80)
        assert len(server.calls) == len({call.said for call in server.calls}) == 80


def test_the_work_of_one_that_was_killed_is_taken_over(store):
    with ChatServer(slowly) as server:
        first = start(server, 0, 60)
        until(lambda: len(server.calls) > 8)
        second = start(server, 0, 60)
        time.sleep(0.6)
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        texts, waited = read(second)
        # those in flight at its death may be asked again, no others
        assert 60 <= len(server.calls) <= 64
    assert texts == expected(0, 60) and waited and nothing_is_left(store)


def test_what_one_of_them_gives_up_another_tries():
    seen: Counter[str] = Counter()

    def script(call: Call) -> Say:
        seen[call.said] += 1
        trouble = "Text 7:" in call.said and seen[call.said] == 1
        return replace(error("broken", 500) if trouble else echo(call), delay_s=0.1)

    with ChatServer(script) as server:
        outcomes = [read(each)[0] for each in [start(server, 0, 20) for _ in range(2)]]
    assert len(server.calls) == 21
    assert sorted(texts[7] for texts in outcomes) == ["", "Text 7: x at 0.5"]


def test_claims_of_the_dead_hold_nobody_up(store):
    with AnswerCache() as cache:
        cache.connection.execute("INSERT INTO claims VALUES ('a', 'some-host-1-00')")
        mine, other = Claims(cache), Claims(cache)
        assert mine.take(["a", "b"]) == {"a", "b"}
        assert other.take(["b", "c"]) == {"c"} and other.others == [str(os.getpid())]
        mine.release("b")
        assert other.take(["a", "b"]) == {"b"}
        mine.close()
        assert other.take(["a", "b"]) == {"a", "b"}
        other.close()
    assert nothing_is_left(store)


def test_where_no_file_can_be_locked_each_asks_for_itself(store):
    store.mkdir()
    (store / "asking").write_text("no folder")
    with ChatServer() as server:
        only_replies(OpenAI("toy", server.url).ask([Request("s", "Text 1: x", 0.5, 12)]))
        assert len(server.calls) == 1
