"""The live teacher against a real server on this machine that answers well, badly, slowly, half or never."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from byheart.errors import UserError
from byheart.teacher import sender
from byheart.teacher.base import Failure, Reply, Request, TeacherError
from byheart.teacher.openai import OpenAI
from contracts.teacher_contract import KEY, TeacherContract, only_replies, requests
from teacher.chat_server import Call, ChatServer, Say, answer, echo, error

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEACHER_KEY", KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sender, "_refused", {})
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", dict.fromkeys(sender.FIRST_PAUSE_S, 0.01))


def teacher(server: ChatServer, **options) -> OpenAI:
    return OpenAI("toy", **{"base_url": server.url, "api_key_env": "TEACHER_KEY", "timeout_s": 5.0, **options})


class TestOpenAI(TeacherContract):
    @pytest.fixture(autouse=True)
    def server(self):
        with ChatServer() as self.running:
            yield self.running

    def make(self) -> OpenAI:
        return teacher(self.running)

    def sent(self) -> int:
        return len(self.running.calls)


def first_time(trouble: Say):
    """Trouble for each prompt's first request; after it, an answer."""
    seen: Counter[str] = Counter()

    def script(call: Call) -> Say:
        seen[call.said] += 1
        return trouble if seen[call.said] == 1 else echo(call)

    return script


@pytest.mark.parametrize(
    "trouble",
    [
        error("overloaded", 500), error("busy", 503), error("slow down", 429), Say(b"", 502),
        error("slow down", 429, headers={"retry-after": "0.1"}),
        error("slow down", 429, headers={"retry-after-ms": "50"}),
        Say(b"<html>gateway</html>", 504, {"content-type": "text/html"}),
        Say(b"<html>ok</html>", 200, {"content-type": "text/html"}),
        Say(b'{"choices": [{"message": {"con'), Say(b""), Say(b"\xff\xfe\x00garbage"), Say(b"null"), Say(b"[1, 2]"),
        Say({"error": {"message": "upstream died", "code": 502}}), Say({"error": "upstream died"}),
        Say({"choices": []}), Say({"choices": None}), Say({"choices": [{"message": None}]}), Say({"choices": [7]}),
        Say({"choices": [{"message": {"content": 7}}]}),
        Say(answer("half an answer"), cut=40), Say(b"x" * 100, cut=0),
        Say({"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]}),
    ],
    ids=lambda say: f"{say.status} {str(say.body)[:30]}",
)  # fmt: skip
def test_passing_trouble_is_lived_through(trouble):
    with ChatServer(first_time(trouble)) as server:
        replies = only_replies(teacher(server).ask(requests(3)))
        assert [reply.text for reply in replies] == [f"{request.user} at 0.6" for request in requests(3)]
        assert len(server.calls) == 6


@pytest.mark.alone
def test_retry_after_is_honoured():
    came: list[float] = []

    def script(call: Call) -> Say:
        came.append(time.monotonic())
        return error("slow down", 429, headers={"retry-after": "1"}) if len(came) == 1 else echo(call)

    with ChatServer(script) as server:
        only_replies(teacher(server).ask(requests(1)))
    assert 1.0 <= came[1] - came[0] < 2.0


@pytest.mark.alone
def test_one_slow_answer_holds_nobody_up():
    def script(call: Call) -> Say:
        return replace(echo(call), delay_s=1.0 if "Text 0:" in call.said else 0.05)

    with ChatServer(script) as server:
        started = time.monotonic()
        only_replies(teacher(server, concurrency=4).ask(requests(40)))
        assert time.monotonic() - started < 1.6  # waves of four would take the slow one and then 9 x 0.05 s and more
        assert server.most_at_once == 4


def test_a_hanging_server_ends_in_a_clear_message():
    with ChatServer(lambda call: Say(hang=True)) as server:
        with pytest.raises(TeacherError) as caught:
            teacher(server, timeout_s=0.2).ask(requests(8))
        assert "no answer for 0.2 s" in str(caught.value) and "tried 3 times" in str(caught.value)


def test_a_body_that_drips_is_a_timeout():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    class Dripping(ChatServer):
        async def _connected(self, reader, writer):
            await drip(reader, writer)

    with Dripping() as server:
        (outcome,) = teacher(server, timeout_s=0.3).ask(requests(1))
    assert isinstance(outcome, Failure) and "no answer for 0.3 s" in outcome.reason


def test_a_dead_server_ends_it_and_what_had_arrived_is_kept():
    with ChatServer() as server:
        port = server.port
        only_replies(teacher(server).ask(requests(3)))
    with pytest.raises(TeacherError) as caught:
        OpenAI("toy", f"http://127.0.0.1:{port}/v1", retries=2).ask(requests(9))
    assert "no connection to" in str(caught.value) and "3 answers are saved" in str(caught.value)
    with ChatServer(port=port) as server:
        replies = only_replies(teacher(server).ask(requests(9)))
        assert [reply.cached for reply in replies] == [True] * 3 + [False] * 6 and len(server.calls) == 6


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (error("Incorrect API key provided", 401), "does not accept the key"),
        (error("You exceeded your current quota", 429, "insufficient_quota"), "no credit"),
        (error("Insufficient credits", 402), "no credit"),
        (error("The model `toy` does not exist", 404, "model_not_found"), "no such model"),
        (error("slow down", 429, headers={"retry-after": "7200"}), "120 minutes"),
    ],
)
def test_what_no_retry_can_mend_ends_it_at_once(say, words):
    with ChatServer(lambda call: say) as server:
        with pytest.raises(TeacherError, match=words):
            teacher(server, concurrency=1).ask(requests(20))
        assert len(server.calls) == 1


@pytest.mark.parametrize("say", [error("slow down", 429), error("boom", 500), Say(b"garbage")])
def test_endless_trouble_ends(say):
    with ChatServer(lambda call: say) as server:
        with pytest.raises(TeacherError) as caught:
            teacher(server, concurrency=8, retries=2).ask(requests(30))
        assert "tried 3 times" in str(caught.value) and "same command" in str(caught.value)
        assert len(server.calls) <= 8 * 3 + 8


@pytest.mark.parametrize(
    ("say", "what", "advice"),
    [
        (error("slow down", 429), "429", "teacher.requests_per_minute"),
        (Say(hang=True), "no answer for 0.3 s", "teacher.timeout_s"),
        (Say(answer("half an answer"), cut=40), "closed the connection", "that the server is running"),
        (
            Say(b"\x00\x1b[2J<<<noise" * 5),
            "200 with a body that is not JSON: [2J<<<noise",
            "into the server's own log",
        ),
    ],
)
def test_the_advice_fits_the_trouble_and_no_noise_reaches_the_terminal(say, what, advice):
    with ChatServer(lambda call: say) as server, pytest.raises(TeacherError) as caught:
        teacher(server, retries=1, timeout_s=0.3).ask(requests(8))
    told = str(caught.value)
    assert what in told and advice in told and "same command" in told
    assert "paid" not in told, "a server that hangs may have charged for it"
    assert "\x00" not in told and "\x1b" not in told


def test_a_request_that_always_breaks_the_server_fails_alone():
    def script(call: Call) -> Say:
        return error("boom", 500) if "Text 3:" in call.said else echo(call)

    with ChatServer(script) as server:
        outcomes = teacher(server, retries=2, concurrency=2).ask(requests(8))
        assert [isinstance(outcome, Failure) for outcome in outcomes] == [n == 3 for n in range(8)]
        assert "500: boom from the server; tried 3 times" in outcomes[3].reason
        calls = len(server.calls)
        assert isinstance(teacher(server, retries=0).ask(requests(8))[3], Failure)
        assert len(server.calls) == calls + 1  # a failure is not cached, an answer is


def test_a_starved_request_waits_for_its_turn():
    turn = Counter()

    def script(call: Call) -> Say:
        turn[call.said] += 1
        return (
            error("busy", 429) if "Text 0:" in call.said and turn[call.said] < 9 else replace(echo(call), delay_s=0.03)
        )

    with ChatServer(script) as server:
        replies = only_replies(teacher(server, retries=2, concurrency=2).ask(requests(30)))
    assert len(replies) == len(turn) == 30
    assert sorted(turn.values()) == [1] * 29 + [9], "the starved one was answered the ninth time, the others at once"


def test_a_refused_request_is_a_failure_and_many_of_them_the_end():
    too_long = error("maximum context length is 512 tokens")
    with ChatServer(lambda call: too_long if "Text 1:" in call.said else echo(call)) as server:
        outcomes = teacher(server).ask(requests(3))
        assert "maximum context length" in outcomes[1].reason and len(server.calls) == 3
    with ChatServer(lambda call: too_long) as server:
        with pytest.raises(TeacherError, match="20 requests in a row"):
            teacher(server).ask(requests(100))
        assert len(server.calls) < 60


def test_a_model_that_takes_no_temperature():
    def script(call: Call) -> Say:
        refused = "temperature" in call.body
        return error("Unsupported value: 'temperature' does not support 0.6") if refused else echo(call)

    with ChatServer(script) as server:
        replies = only_replies(teacher(server, concurrency=1).ask(requests(4)))
        assert all(reply.notes == ("temperature refused",) for reply in replies)
        assert len(server.calls) == 5  # it is found out once
        assert only_replies(teacher(server).ask(requests(4)))[0].notes == ("temperature refused",)


def test_a_server_that_takes_temperatures_up_to_one():
    def script(call: Call) -> Say:
        return error("temperature: must be at most 1") if call.body.get("temperature", 0) > 1 else echo(call)

    with ChatServer(script) as server:
        hot, mild = only_replies(teacher(server, concurrency=1).ask([*requests(1, 1.2), *requests(1, 0.9)]))
        assert hot.notes == ("temperature refused",) and mild.notes == () and mild.text.endswith("at 0.9")


def test_a_model_that_wants_max_completion_tokens():
    def script(call: Call) -> Say:
        if "max_tokens" in call.body:
            return error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return echo(call) if call.body["max_completion_tokens"] == 12 else error("no")

    with ChatServer(script) as server:
        assert all(reply.notes == () for reply in only_replies(teacher(server).ask(requests(3))))


def test_a_server_with_a_schema_one_without_and_one_that_ignores_it():
    asked = [replace(request, schema=SCHEMA) for request in requests(3)]

    def keeps(call: Call) -> Say:
        assert call.body["response_format"]["json_schema"]["schema"] == SCHEMA
        return Say(answer('{"a": "b"}'))

    with ChatServer(keeps) as server:
        assert [reply.notes for reply in only_replies(teacher(server).ask(asked))] == [()] * 3

    def refuses(call: Call) -> Say:
        return error("response_format is not supported") if "response_format" in call.body else echo(call)

    with ChatServer(refuses) as server:
        replies = only_replies(teacher(server, concurrency=1).ask(asked))
        assert [reply.notes for reply in replies] == [("schema refused",)] * 3 and len(server.calls) == 4
    with ChatServer(echo) as server:
        assert only_replies(teacher(server).ask(asked))[0].notes == ("schema ignored",)
    with ChatServer(echo) as server:
        assert (
            only_replies(teacher(server, structured=False).ask(asked)) and "response_format" not in server.calls[0].body
        )


def test_answers_in_odd_but_usable_shapes():
    parts = answer("")
    parts["choices"][0]["message"]["content"] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    silent = {
        "choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": "length"}],
        "usage": None,
    }
    for said, text, finish in ((parts, "ab", "stop"), (silent, "", "length")):
        with ChatServer(lambda call, said=said: Say(said)) as server:
            (reply,) = only_replies(teacher(server).ask(requests(1)))
            assert (reply.text, reply.finish_reason) == (text, finish)


def test_the_request_holds_what_was_asked_and_what_is_extra():
    with ChatServer() as server:
        only_replies(teacher(server, extra={"reasoning_effort": "low", "top_k": 5}).ask(requests(1)))
        (call,) = server.calls
        assert call.headers["authorization"] == f"Bearer {KEY}"
        assert call.body == {
            "model": "toy", "max_tokens": 12, "temperature": 0.6, "reasoning_effort": "low", "top_k": 5, "stream": False,
            "messages": [
                {"role": "system", "content": "You write questions."}, {"role": "user", "content": requests(1)[0].user},
            ],
        }  # fmt: skip


def test_limits_a_minute_are_kept():
    with ChatServer() as server:
        started = time.monotonic()
        only_replies(teacher(server, requests_per_minute=600).ask(requests(11)))
        assert time.monotonic() - started >= 1.0
        started = time.monotonic()
        only_replies(teacher(server, tokens_per_minute=12_000).ask(requests(11, temperature=0.1)))
        assert time.monotonic() - started >= 0.9  # each takes at least the 18 tokens of its answer and usage


def test_a_server_that_repeats_the_key_does_not_spread_it(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)

    def script(call: Call) -> Say:
        key = call.headers["authorization"]
        if "Text 0:" in call.said:
            return error(f"bad request with {key}")
        return error(f"busy, {key}", 500) if call.number % 2 else Say(answer(f"your key is {key}"))

    told = []
    with ChatServer(script) as server:
        outcomes = teacher(server, retries=5).ask(requests(4), on_progress=told.append)
    assert KEY not in repr(outcomes) + repr(told) + caplog.text
    for file in filter(Path.is_file, (tmp_path / "cache").rglob("*")):
        assert KEY.encode() not in file.read_bytes()
    with ChatServer(lambda call: error(call.headers["authorization"], 401)) as server:
        with pytest.raises(TeacherError) as caught:
            teacher(server).ask(requests(1, 0.1))
        assert KEY not in str(caught.value) and caught.value.__suppress_context__


def test_the_key_for_openai_goes_to_openai_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer() as server:
        only_replies(OpenAI("toy", server.url).ask(requests(1)))
        assert server.calls[0].headers["authorization"] == "Bearer none"
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)  # whoever sets both means both
        only_replies(OpenAI("toy").ask(requests(1, 0.1)))
        assert server.calls[1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, "teacher.api_key_env"),
        ({"api_key_env": "NOT_SET_ANYWHERE"}, "teacher.api_key_env"),
        ({"api_key_env": "not a name"}, "teacher.api_key_env"),
        ({"base_url": "localhost:8000"}, "teacher.base_url"),
        ({"base_url": "http://host:port/v1"}, "teacher.base_url"),
        ({"base_url": "http://me:hunter2@host/v1"}, "teacher.base_url"),
        ({"base_url": "http://localhost:8000/v1/chat/completions"}, "teacher.base_url"),
    ],
)
def test_what_is_wrong_before_any_work_is_said(options, where):
    (problem,) = OpenAI("toy", **options).problems()
    assert problem.where == where and problem.fix and "hunter2" not in str(problem)


@pytest.mark.parametrize(
    "options",
    [{"concurrency": 0}, {"timeout_s": 0.0}, {"retries": -1}, {"price_in": -1.0}, {"extra": {"n": 3}}, {"model": " "}],
)
def test_options_out_of_range(options):
    with pytest.raises(UserError) as caught:
        OpenAI(**{"model": "toy", **options})
    assert f"teacher.{next(iter(options))}" in str(caught.value)


def test_cost_is_told_before_and_after():
    with ChatServer() as server:
        priced = teacher(server, price_in=2.0, price_out=8.0)
        estimate = priced.estimate(requests(5))
        assert estimate.cost == pytest.approx((2 * estimate.input_tokens + 8 * 60) / 1e6)
        told = []
        replies = only_replies(priced.ask(requests(5), on_progress=told.append))
        tokens = sum(r.input_tokens for r in replies), sum(r.output_tokens for r in replies)
        assert told[-1].cost == pytest.approx((2 * tokens[0] + 8 * tokens[1]) / 1e6)


def test_from_within_a_running_loop_as_in_a_notebook():
    async def cell() -> list[Reply]:
        with ChatServer() as server:
            return only_replies(teacher(server).ask(requests(2)))

    assert len(asyncio.run(cell())) == 2


ASKER = """
import sys
from byheart.teacher.openai import OpenAI
from byheart.teacher.base import Request
requests = [Request("s", f"Text {n}: x", 0.5, 12) for n in range(60)]
arrived = open(sys.argv[2], "a")
def on_reply(index, reply):
    if not reply.cached:
        arrived.write(f"{index}\\n"); arrived.flush()
replies = OpenAI("toy", sys.argv[1], concurrency=4).ask(requests, on_reply)
print([reply.text for reply in replies])
"""


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.25, 0.4])
def test_killed_at_any_moment_no_answer_is_lost_or_paid_twice(moment, tmp_path):
    def script(call: Call) -> Say:
        return replace(echo(call), delay_s=0.03)

    with ChatServer(script) as server:
        seen = tmp_path / "seen"
        command = [sys.executable, "-c", ASKER, server.url, str(seen)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        while not server.calls:
            time.sleep(0.01)
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        arrived = {int(line) for line in seen.read_text().splitlines()}
        before = len(server.calls)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        asked_again = {int(call.said.split()[1][:-1]) for call in server.calls[before:]}
    assert not arrived & asked_again
    assert len(asked_again) <= 60 - len(arrived)
    assert eval(done.stdout) == [f"Text {n}: x at 0.5" for n in range(60)]
    assert before + len(asked_again) <= 60 + 4  # those in flight may be asked twice


def test_a_recorded_exchange_with_a_real_server_is_read():
    recorded = json.loads((Path(__file__).parent / "recorded.json").read_text())
    for exchange in recorded["exchanges"]:
        say = Say(exchange["body"].encode(), exchange["status"], exchange["headers"])
        with ChatServer(lambda call, say=say: say) as server:
            try:
                (outcome,) = teacher(server, retries=0).ask([Request("s", exchange["name"], 0.5, 12)])
            except TeacherError as stopped:
                outcome = stopped
            assert exchange["means"] in f"{type(outcome).__name__} {outcome}", exchange["name"]
