"""The batch teacher against a real server that keeps files and works through batches: leave, be killed, come back."""

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from byheart.errors import UserError
from byheart.teacher import batch, sender
from byheart.teacher.base import Failure, Progress, Request, TeacherError
from byheart.teacher.batch import Batch
from byheart.teacher.cache import AnswerCache
from byheart.teacher.openai import OpenAI
from contracts.teacher_contract import KEY, TeacherContract, only_replies, requests
from teacher.batch_server import BatchServer, Fate, well
from teacher.chat_server import Call, ChatServer, Say, answer, error


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEACHER_KEY", KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sender, "_refused", {})
    for name in ("FIRST_LOOK_S", "LONGEST_LOOK_S", "AGAIN_S", "LISTED_LATE_S"):
        monkeypatch.setattr(batch, name, 0.02)


def teacher(server: ChatServer, **options) -> Batch:
    return Batch("toy", **{"base_url": server.url, "api_key_env": "TEACHER_KEY", "timeout_s": 5.0, **options})


def expected(count: int) -> list[str]:
    return [f"{request.user} at 0.6" for request in requests(count)]


def said(outcomes) -> list[str]:
    return [reply.text for reply in only_replies(outcomes)]


def remembered(server: ChatServer) -> dict[str, list[str]]:
    with AnswerCache() as cache:
        return cache.batches(teacher(server).fingerprint)


class TestBatch(TeacherContract):
    @pytest.fixture(autouse=True)
    def server(self):
        with BatchServer() as self.running:
            yield self.running

    def make(self) -> Batch:
        return teacher(self.running)

    def sent(self) -> int:
        return self.running.computed


def test_submit_leave_come_back_collect():
    with BatchServer(fate=lambda number: Fate(looks=2)) as server:
        with pytest.raises(TeacherError) as caught:
            teacher(server, wait=False).ask(requests(5))
        assert "run the same command again later" in str(caught.value) and "0 of 5 answered" in str(caught.value)
        assert len(remembered(server)) == 1 and server.computed == 5
        with pytest.raises(TeacherError, match="run the same command again"):
            teacher(server, wait=False).ask(requests(5))
        server.made[0].looks = 2
        assert said(teacher(server, wait=False).ask(requests(5))) == expected(5)
        assert len(server.made) == 1 and not remembered(server)
        assert [reply.cached for reply in teacher(server).ask(requests(5))] == [True] * 5


def test_live_and_batch_teachers_share_their_answers():
    with BatchServer() as server:
        only_replies(teacher(server).ask(requests(3)))
        live = OpenAI("toy", server.url, "TEACHER_KEY")
        assert all(reply.cached for reply in live.ask(requests(3)))


def test_it_waits_with_growing_pauses_and_says_what_for(monkeypatch):
    monkeypatch.setattr(batch, "LONGEST_LOOK_S", 0.2)
    came: list[float] = []

    def watch(call: Call) -> None:
        if call.path.startswith("/v1/batches/"):
            came.append(time.monotonic())

    told: list[Progress] = []
    with BatchServer(fate=lambda number: Fate(looks=7), before=watch) as server:
        only_replies(teacher(server).ask(requests(4), on_progress=told.append))
    pauses = [later - sooner for sooner, later in pairwise(came)]
    assert pauses[-1] > 2 * pauses[0] and len(came) == 7
    notes = [progress.note for progress in told]
    assert any("1 batch under way (in_progress), 0 of 4 answered; again in" in note for note in notes), notes
    assert told[-1].note == "" and told[-1].in_flight == 0


def test_many_requests_are_split(monkeypatch):
    with BatchServer() as server:
        assert said(teacher(server, requests_per_batch=3).ask(requests(8))) == expected(8)
        assert [len(made.lines) for made in server.made] == [3, 3, 2]
    with BatchServer() as server:
        monkeypatch.setattr(batch, "MOST_BYTES", 1000)
        assert said(teacher(server).ask(requests(8))) == expected(8)
        assert len(server.made) > 1 and all(len(file) <= 1000 for file in list(server.files.values())[:1])


ASKER = """
import sys
from byheart.teacher import batch
from byheart.teacher.batch import Batch
from byheart.teacher.base import Request
batch.FIRST_LOOK_S = batch.LISTED_LATE_S = 0.05
requests = [Request("s", f"Text {n}: x", 0.5, 12) for n in range(20)]
print([reply.text for reply in Batch("toy", sys.argv[1], "TEACHER_KEY", requests_per_batch=12).ask(requests)])
"""


@pytest.mark.parametrize("step", ["file", "first batch", "second batch", "content"])
def test_killed_at_any_step_nothing_is_submitted_twice(step):
    """kill -9 when the server has just done it, and before the command can hear of it."""
    reached = {
        "file": lambda server, call: call.method == "POST" and call.path == "/v1/files",
        "first batch": lambda server, call: (call.method, call.path, len(server.made)) == ("POST", "/v1/batches", 1),
        "second batch": lambda server, call: (call.method, call.path, len(server.made)) == ("POST", "/v1/batches", 2),
        "content": lambda server, call: call.path.endswith("/content"),
    }[step]
    hung: list[Call] = []

    def hang_once(call: Call) -> Say | None:
        if hung or not reached(server, call):
            return None
        hung.append(call)
        return Say(hang=True)

    with BatchServer(after=hang_once) as server:
        command = [sys.executable, "-c", ASKER, server.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        until = time.monotonic() + 30
        while not hung and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert hung
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert eval(done.stdout) == [f"Text {n}: x at 0.5" for n in range(20)]
        assert sorted(len(made.lines) for made in server.made) == [8, 12]
        assert len({made.record["metadata"]["byheart"] for made in server.made}) == 2


def test_two_commands_at_once_submit_once():
    with BatchServer(fate=lambda number: Fate(looks=6)) as server:
        command = [sys.executable, "-c", ASKER, server.url]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = [process.communicate(timeout=60)[0] for process in running]
        assert outputs[0] == outputs[1] and outputs[0].count("Text") == 20
        assert server.computed == 20


def test_a_lost_cache_still_finds_the_batch(tmp_path, monkeypatch):
    with BatchServer(page=2) as server:
        with pytest.raises(TeacherError):
            teacher(server, wait=False).ask(requests(5))
        for number in range(5):  # others, in front of it and on other pages
            with pytest.raises(TeacherError):
                teacher(server, wait=False).ask(requests(1, number / 10))
        monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "another"))
        assert said(teacher(server).ask(requests(5))) == expected(5)
        assert len(server.made) == 6


def test_a_creation_that_nobody_heard_of_is_found_and_not_repeated():
    broken = []

    def lose(call: Call) -> Say | None:
        if (call.method, call.path) == ("POST", "/v1/batches") and not broken:
            broken.append(call)
            return error("gateway", 502)
        return None

    with BatchServer(after=lose) as server:
        assert said(teacher(server).ask(requests(3))) == expected(3)
        assert broken and len(server.made) == 1


def test_after_other_settings_the_batch_under_way_is_still_used():
    with BatchServer() as server:
        with pytest.raises(TeacherError):
            teacher(server, wait=False).ask(requests(6))
        assert said(teacher(server).ask(requests(8)[2:])) == expected(8)[2:]
        assert server.computed == 8
        assert said(teacher(server).ask(requests(2))) == expected(2)  # the rest of what was paid
        assert server.computed == 8 and not remembered(server)


def test_partial_failure_only_the_rest_is_submitted_again():
    def respond(line):
        text = line["body"]["messages"][-1]["content"]
        first = len(server.made) == 1
        if "Text 1:" in text and first:
            return 500, {"error": {"message": "boom"}}
        if "Text 2:" in text:
            return 400, {"error": {"message": "maximum context length is 512 tokens"}}
        if "Text 3:" in text and first:
            return 200, {"choices": []}
        return well(line)

    told: list[Progress] = []
    with BatchServer(respond) as server:
        outcomes = teacher(server).ask(requests(6), on_progress=told.append)
        assert [len(made.lines) for made in server.made] == [6, 2]
        assert isinstance(outcomes[2], Failure) and "maximum context length" in outcomes[2].reason
        assert said(outcomes[:2] + outcomes[3:]) == expected(2) + expected(6)[3:]
        last = told[-1]
        assert (last.done, last.failed, last.in_flight) == (6, 1, 0)
        assert server.made[1].record["metadata"]["byheart_try"] == "2"


def test_expired_its_answers_are_kept_and_the_rest_is_submitted_again():
    with BatchServer(fate=lambda number: Fate("expired", 4) if number == 0 else Fate()) as server:
        assert said(teacher(server).ask(requests(10))) == expected(10)
        assert [len(made.lines) for made in server.made] == [10, 6]


@pytest.mark.parametrize("wait", [True, False])
def test_what_never_succeeds_ends_and_may_be_asked_again(wait):
    def boom(line):
        return (500, {"error": {"message": "boom"}}) if "Text 0:" in str(line["body"]) else well(line)

    def until_it_ends(server):
        for _ in range(9):
            try:
                return teacher(server, wait=wait).ask(requests(2))
            except TeacherError:
                for made in server.made:
                    made.looks += 1

    with BatchServer(boom) as server:
        failed, fine = until_it_ends(server)
        assert isinstance(failed, Failure) and "boom" in failed.reason and "tried 4 times" in failed.reason
        assert [len(made.lines) for made in server.made] == [2, 1, 1, 1] and fine.text == expected(2)[1]
        server.respond = well
        assert said(until_it_ends(server)) == expected(2)
        assert len(server.made) == 5


def test_a_batch_that_fails_as_a_whole():
    full = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None, "param": None}
    with BatchServer(fate=lambda number: Fate("failed", errors=(full,)) if number < 2 else Fate()) as server:
        assert said(teacher(server).ask(requests(3))) == expected(3)
        assert len(server.made) == 3
    with BatchServer(fate=lambda number: Fate("failed", errors=(full,))) as server:
        with pytest.raises(TeacherError, match="Enqueued token limit reached"):
            teacher(server).ask(requests(3, 0.1))
        assert len(server.made) == 4
    broke = {"code": "billing_hard_limit_reached", "message": "Billing hard limit has been reached", "line": None}
    with BatchServer(fate=lambda number: Fate("failed", errors=(broke,))) as server:
        with pytest.raises(TeacherError, match="Billing hard limit"):
            teacher(server).ask(requests(3, 0.1))
        assert len(server.made) == 1
    line = {"code": "invalid_request", "message": "line 2 is bad", "line": 2, "param": "body"}
    with BatchServer(fate=lambda number: Fate("failed", errors=(line,)) if number == 0 else Fate()) as server:
        outcomes = teacher(server).ask(requests(3, 0.2))
        assert "line 2 is bad" in outcomes[1].reason and isinstance(outcomes[1], Failure)
        assert len(only_replies([outcomes[0], outcomes[2]])) == 2


def test_a_model_that_takes_no_temperature():
    def respond(line):
        if "temperature" in line["body"]:
            said = "Unsupported value: 'temperature' does not support 0.6"
            return 400, {"error": {"message": said, "param": "temperature"}}
        return well(line)

    with BatchServer(respond) as server:
        replies = only_replies(teacher(server).ask(requests(3)))
        assert all(reply.notes == ("temperature refused",) for reply in replies)
        assert [len(made.lines) for made in server.made] == [3, 3]


def test_notes_survive_a_restart(monkeypatch):
    def respond(line):
        return well(line) if "temperature" not in line["body"] else (400, {"error": {"message": "temperature: no"}})

    with BatchServer(respond) as server:
        for _ in range(2):
            with pytest.raises(TeacherError, match="run the same command again"):
                teacher(server, wait=False).ask(requests(2))
            for made in server.made:
                made.looks += 1
        monkeypatch.setattr(sender, "_refused", {})  # another process
        replies = only_replies(teacher(server, wait=False).ask(requests(2)))
        assert [reply.notes for reply in replies] == [("temperature refused",)] * 2


def test_garbage_in_the_files_is_passed_over():
    with BatchServer() as server:
        with pytest.raises(TeacherError):
            teacher(server, wait=False).ask(requests(3))
        (made,) = server.made
        server._look(made)
        file = made.record["output_file_id"]
        lines = server.files[file].splitlines()
        junk = [b"", b"\xff\xfe", b"null", b"[1]", b'{"custom_id": 7}', b'{"custom_id": "not-ours", "response": null}']
        server.files[file] = b"\n".join([*junk, lines[0], lines[0], lines[1], lines[2][:40]])
        assert said(teacher(server).ask(requests(3))) == expected(3)
        assert [len(each.lines) for each in server.made] == [3, 1]
        odd = answer("a\u2028b")
        server.respond = lambda line: (200, odd)
        assert said(teacher(server).ask(requests(1, 0.1))) == ["a\u2028b"]


def test_files_that_the_server_threw_away_are_asked_anew():
    with BatchServer() as server:
        with pytest.raises(TeacherError):
            teacher(server, wait=False).ask(requests(2))
        server._look(server.made[0])
        del server.files[server.made[0].record["output_file_id"]]
        assert said(teacher(server).ask(requests(2))) == expected(2) and len(server.made) == 2


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (error("Incorrect API key provided", 401), "does not accept the key"),
        (error("You exceeded your current quota", 429, "insufficient_quota"), "no credit"),
        (error("not found", 404), "use teacher=openai"),
        (error("bad file", 400), "bad file"),
        (error("boom", 500), "run the same command again later"),
        (Say(b"<html>"), "run the same command again later"),
        (Say({"error": "x"}), "run the same command again later"),
    ],
)
def test_trouble_that_lasts_ends_with_a_message(say, words, monkeypatch):
    monkeypatch.setattr(batch, "PATIENCE_S", 1.0)
    with BatchServer(before=lambda call: say if call.method == "POST" else None) as server:
        with pytest.raises(TeacherError) as caught:
            teacher(server).ask(requests(2))
        assert words in str(caught.value) and not server.made


def test_passing_trouble_is_lived_through():
    def script(call: Call) -> Say | None:
        return error("busy", 503, headers={"retry-after": "0.01"}) if call.number % 3 == 0 else None

    with BatchServer(before=script) as server:
        assert said(teacher(server).ask(requests(3))) == expected(3) and len(server.made) == 1


def test_the_key_is_in_no_file_and_no_message(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)

    def respond(line):
        text = str(line["body"])
        if "Text 0:" in text:
            return 400, {"error": {"message": f"bad key {KEY}"}}
        if "Text 1:" in text:
            return 500, {"error": {"message": f"boom {KEY}"}}
        return 200, answer(f"your key is {KEY}")

    told: list[Progress] = []
    with BatchServer(respond) as server:
        outcomes = teacher(server).ask(requests(4), on_progress=told.append)
        assert all(call.headers["authorization"] == f"Bearer {KEY}" for call in server.calls)
        uploads = [call.raw for call in server.calls if call.method == "POST"]
    assert KEY not in repr(outcomes) + repr(told) + caplog.text
    assert not any(KEY.encode() in raw for raw in uploads)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()
    broke = {"code": "billing", "message": f"Billing {KEY}", "line": None}
    with BatchServer(fate=lambda number: Fate("failed", errors=(broke,))) as server:
        with pytest.raises(TeacherError) as caught:
            teacher(server).ask(requests(1, 0.1))
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("options", [{"requests_per_batch": 0}, {"requests_per_batch": 50_001}, {"timeout_s": 0.0}])
def test_options_out_of_range(options):
    with pytest.raises(UserError) as caught:
        Batch(**{"model": "toy", **options})
    assert f"teacher.{next(iter(options))}" in str(caught.value)


def test_the_schema_and_extras_are_in_each_line():
    schema = {"type": "object"}
    with BatchServer() as server:
        asked = [replace(request, schema=schema) for request in requests(2)]
        teacher(server, extra={"reasoning_effort": "low"}).ask(asked)
        for line in server.made[0].lines:
            assert line["body"]["reasoning_effort"] == "low" and line["body"]["model"] == "toy"
            assert line["body"]["response_format"]["json_schema"]["schema"] == schema
            assert line["body"]["max_tokens"] == 12 and line["body"]["temperature"] == 0.6


def test_equal_requests_are_one_line():
    with BatchServer() as server:
        only_replies(teacher(server).ask([Request("s", "u", 0.5, 12)] * 3))
        assert server.computed == 1
