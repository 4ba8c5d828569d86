"""Servers as they are: what one says reaches the user with the setting that helps, and nothing is asked in vain."""

import json
import threading
import time
from dataclasses import replace

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.errors import UserError
from byheart.expansion.base import Source
from byheart.expansion.from_teacher.angles import Angles
from byheart.expansion.from_teacher.first_answers import ALIKE, ROOMS, UNREAD
from byheart.expansion.from_teacher.parse import parse_pairs
from byheart.expansion.from_teacher.rewrites import Rewrites
from byheart.records import Document
from byheart.teacher import sender
from byheart.teacher.openai import OpenAI
from byheart.teacher.response import Retry, read_response
from expansion.scripted import well
from teacher.chat_server import ChatServer, Say, answer, error

CLUB = """# Club Rules

## Operators

Each amateur station must have a control operator who holds a General Class license. The station may transmit at most
1,500 watts.

## Fees

Members pay 40 dollars a year before the first of March. Whoever pays late owes five dollars more for each month.

## Hall

The hall closes at ten in the evening. The key is kept by Mrs Hilde Brandt of Ostrow Street.

## Boats

A boat is rented for at most three days. Damage is reported to the harbour master.
"""


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sender, "_refused", {})
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", dict.fromkeys(sender.FIRST_PAUSE_S, 0.01))


def source_of(text: str) -> Source:
    """A chunk for each heading."""
    document = Document("doc", "Club Rules", text, "rules.md")
    chunks = Chunking(max_tokens=60).split(document)
    return Source((document,), tuple(chunks), tuple(find_facts(document, chunks)))


def good(call) -> str:
    return well(call.said[call.said.index("Source: ") :], call.body["temperature"])


def expand(script, expansion=None, **options):
    """What the expansion made of the club's rules, and the requests that the server got."""
    with ChatServer(script) as server:
        teacher = OpenAI("toy", base_url=server.url, **{"timeout_s": 5.0, "retries": 1, **options})
        source = replace(source_of(CLUB), teacher=teacher)
        try:
            return (expansion or Angles(max_attempts=1)).expand(source), server.calls
        except UserError as stopped:
            return stopped, server.calls


def message(text=None, finish="stop", tokens=900, **more):
    said = answer("")
    said["choices"] = [{"index": 0, "message": {"role": "assistant", "content": text, **more}, "finish_reason": finish}]
    return {**said, "usage": {"prompt_tokens": tokens, "completion_tokens": 40}}


def plain(call) -> Say:
    return Say(message(good(call)))


def events(call) -> bytes:
    text = good(call)
    pieces = [{"choices": [{"index": 0, "delta": {"content": text[at : at + 40]}}]} for at in range(0, len(text), 40)]
    pieces.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": message()["usage"]})
    lines = [": keep-alive", *(f"data: {json.dumps(piece)}" for piece in pieces), "data: [DONE]"]
    return ("\n\n".join(lines) + "\n\n").encode()


READ = {
    "events, though no stream was asked for": lambda call: Say(events(call), headers={"content-type": "text/plain"}),
    "a whole answer with [DONE] behind it": lambda call: Say(
        json.dumps(message(good(call))).encode() + b"\n\ndata: [DONE]\n\n"
    ),
    "the answer where thinking belongs": lambda call: Say(message(None, reasoning_content=good(call))),
    "a system text is refused": lambda call: (
        error("System role not supported") if call.body["messages"][0]["role"] == "system" else plain(call)
    ),
    "an answer that is an object": lambda call: Say(message(good(call).replace('"answer": ', '"answer": {"text": ').replace('"}', '"}}'))),
}  # fmt: skip


@pytest.mark.parametrize("script", READ.values(), ids=READ.keys())
def test_what_can_be_read_is_read(script):
    written, _ = expand(plain)
    found, calls = expand(script)
    assert [(e.question, e.answer, e.facts) for e in found.examples] == [
        (e.question, e.answer, e.facts) for e in written.examples
    ]
    assert len(found.examples) >= 16 and all(call.body["stream"] is False for call in calls)


def test_a_refused_system_text_is_sent_in_the_users_turn():
    _, calls = expand(READ["a system text is refused"])
    assert [call.body["messages"][0]["role"] for call in calls[:2]] == ["system", "user"]
    assert len([call for call in calls if call.body["messages"][0]["role"] == "system"]) == 1
    assert calls[1].said.startswith("You write question-answer pairs") and "Its facts, numbered" in calls[1].said


thinking = message("", "length", reasoning_content="Let me think about fact 1.")
STOPPED = {
    "thinks until its tokens are used up": (Say(thinking), "thinking used up", "reasoning_effort: low"),
    "its filter withholds the answer": (Say(message(None, "content_filter")), "content filter", "without this filter"),
    "its filter refuses the prompt": (error("filtered due to content management policy"), "filtered", "this filter"),
    "declines": (Say(message(None, refusal="I cannot.")), "declined", "another model"),
    "too little context": (
        lambda call: error(
            f"'max_tokens' is too large: {call.body['max_tokens']}. This model's maximum context length is 1500 tokens"
        ),
        "maximum context length is 1500",
        "expansion.angles.pairs_per_request",
    ),
    "says something else": (Say(message("I'm sorry, but I can't.")), "I'm sorry, but", "larger model"),
    "no answer in the body": (Say(b"<html>hello</html>"), "<html>hello", "server's own log"),
    "half a stream": (Say(b'data: {"choices": [{"delta": {"content": "{"}}]}\n\n'), "not JSON", "own log"),
}


@pytest.mark.parametrize(("said", "words", "fix"), STOPPED.values(), ids=STOPPED.keys())
@pytest.mark.parametrize("expansion", [Angles(max_attempts=1), Rewrites(max_attempts=1)], ids=["angles", "rewrites"])
def test_a_server_that_gives_nothing_is_left_after_a_few_requests(said, words, fix, expansion):
    if isinstance(expansion, Rewrites) and "I'm sorry" in words:
        pytest.skip("any text is a rewritten text; the filters look at it")
    stopped, calls = expand(said if callable(said) else lambda call: said, expansion)
    assert isinstance(stopped, UserError), "it went on"
    assert words in str(stopped) and fix.replace("angles", type(expansion).__name__.lower()) in str(stopped)
    assert len(calls) <= max(UNREAD, ALIKE + len(ROOMS))


def test_the_room_that_thinking_needs_is_found_once():
    def script(call):
        return plain(call) if call.body["max_tokens"] > 1500 else Say(thinking)

    found, calls = expand(script)
    assert len(found.examples) >= 16
    assert sum(call.body["max_tokens"] <= 1500 for call in calls) < len(ROOMS)


def test_one_filtered_text_does_not_stop_the_others():
    def script(call):
        return Say(message(None, "content_filter")) if "General Class" in call.said else plain(call)

    found, _ = expand(script)
    assert {e.question for e in found.examples} and any("content filter" in r.reason for r in found.rejected)


def test_a_server_that_cuts_the_prompts_is_noticed_by_its_own_count():
    stopped, calls = expand(lambda call: Say(message(good(call), tokens=256)))
    assert "counted 256 tokens of up to" in str(stopped) and "OLLAMA_CONTEXT_LENGTH" in str(stopped)
    assert len(calls) == 2
    found, _ = expand(lambda call: Say(message(good(call), tokens=257)))
    assert found.examples


GEMINI = {
    "code": 429,
    "message": "You exceeded your current quota, please check your plan and billing details.",
    "status": "RESOURCE_EXHAUSTED",
}
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}
DAY = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDayPerProject"}]}


def test_fields_outrank_words():
    waits = read_response(429, {}, json.dumps([{"error": {**GEMINI, "details": [DELAY]}}]))
    assert isinstance(waits, Retry) and waits.wait_s == 3.5 and "exceeded" in waits.reason
    day = read_response(429, {}, json.dumps([{"error": {**GEMINI, "details": [DELAY, DAY]}}]))
    assert "tomorrow" in day.fix and "RequestsPerDay" in day.reason
    assert "credit" in read_response(429, {}, json.dumps({"error": GEMINI})).fix
    for words, seconds in {
        "Please try again in 1m26.4s.": 86.4,
        "Retry after 20 seconds": 20,
        "again in 250ms": 0.25,
    }.items():
        assert read_response(429, {}, json.dumps({"error": {"message": words}})).wait_s == pytest.approx(seconds)
    assert read_response(429, {"retry-after": "7"}, json.dumps({"error": {"message": "again in 9s"}})).wait_s == 7


def test_time_outs_make_the_window_smaller_and_nothing_is_lost():
    one = threading.Lock()

    def script(call):
        with one:
            script.free = max(script.free, time.monotonic()) + 0.1
            return Say(message(good(call)), delay_s=script.free - time.monotonic())

    script.free = 0.0
    found, _ = expand(script, concurrency=32, timeout_s=0.8, retries=6)
    assert not [why for tally in found.tallies.values() for why in tally.failed]
    assert len(found.examples) >= 16


PAIRS = [("What is the fee?", "It is 40 dollars."), ("Who keeps the key?", "Mrs Hilde Brandt.")]
SHAPES = {
    "two lists": json.dumps({"questions": [q for q, _ in PAIRS], "answers": [a for _, a in PAIRS]}),
    "numbers as keys": json.dumps({str(n): {"question": q, "answer": a} for n, (q, a) in enumerate(PAIRS)}),
    "Chinese keys": json.dumps({"pairs": [{"事实": 1, "问题": q, "答案": a} for q, a in PAIRS]}, ensure_ascii=False),
    "headings": "\n\n".join(f"### Question {n}\n{q}\n\n### Answer {n}\n{a}" for n, (q, a) in enumerate(PAIRS)),
    "a numbered list": "Here they are:\n" + "\n".join(f"{n}. {q}\n   - {a}" for n, (q, a) in enumerate(PAIRS, 1)),
    "YAML": "pairs:\n" + "\n".join(f'  - question: "{q}"\n    answer: "{a}"' for q, a in PAIRS),
    "fenced YAML": "```yaml\n" + "\n".join(f"- question: {q}\n  answer: '{a}'" for q, a in PAIRS) + "\n```",
    "quoted": "\n\n".join(f'Q: "{q}"\nA: “{a}”' for q, a in PAIRS) + "\n\nI hope this helps!",
    "Russian labels": "\n".join(f"Вопрос: {q}\nОтвет: {a}" for q, a in PAIRS),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_pairs_in_other_shapes(text):
    read = parse_pairs(text)
    assert [(pair.question, pair.answer) for pair in read.pairs] == PAIRS and not read.broken


def test_an_answer_of_several_paragraphs_is_whole():
    text = "\n\n".join(f"Q: {q}\nA: In short:\n\n{a}" for q, a in PAIRS)
    assert [pair.answer for pair in parse_pairs(text).pairs] == [f"In short:\n\n{a}" for _, a in PAIRS]


def test_what_cannot_be_told_is_refused_aloud():
    for text in (
        '{"questions": ["Why?", "Who?"], "answers": ["x"]}',
        '{"question": "Why?", "answer": {"en": "x", "de": "y"}}',
    ):
        read = parse_pairs(text)
        assert not read.pairs and read.broken
