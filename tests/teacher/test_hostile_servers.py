"""What the server of a teacher can do to a run: one refused answer, and no more. The key that it was sent stays secret.

docs/security.md lists the ways in: each row there names a case here.
"""

import gzip
import json
import re
import sqlite3
import time
import zlib
from base64 import b64encode, urlsafe_b64encode
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from byheart import cli, outside
from byheart.expansion.from_teacher.parse import parse_objects, parse_pairs
from byheart.outside import outside_count, without_key
from byheart.store import read_records
from byheart.teacher import sender
from byheart.teacher.base import Failure, Reply, Request, TeacherError
from byheart.teacher.batch import Batch
from byheart.teacher.batch_lines import read_lines
from byheart.teacher.openai import OpenAI
from byheart.teacher.response import Reply as Answer
from byheart.teacher.response import Retry, read_response, strip_thinking
from expansion.scripted import well
from teacher.batch_server import BatchServer
from teacher.chat_server import Call, ChatServer, Say, answer, error

KEY = "sk-proj-tEst/9+c_d-EfGhIjKl0123456789mnopqrstuvwxyzABCDEFG"
ASKED = Request("You write questions.", "Text 0", 0.6, 12)
NEXT = Request("You write questions.", "Text 1", 0.6, 12)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


SPELLED = {  # name in docs/security.md -> how a server may repeat the key
    "as it is": KEY,
    "12 characters of it": KEY[:12],
    "a part from its middle": KEY[20:40],
    "JSON escapes": escaped(KEY),
    "JSON escapes within JSON": json.dumps(json.dumps(escaped(KEY))),
    "escaped slashes": KEY.replace("/", "\\/").replace("-", "\\u002D"),
    "URL encoding": quote(KEY, safe=""),
    "URL encoding, twice": quote("".join(f"%{ord(letter):02x}" for letter in KEY)),
    "HTML entities": "".join(f"&#{ord(letter)};&#8203;" for letter in KEY),
    "base64": b64encode(KEY.encode()).decode(),
    "base64 behind other words": b64encode(f"Bearer {KEY}!".encode()).decode(),
    "base64 of a part": urlsafe_b64encode(f"a:{KEY[3:18]}".encode()).decode(),
    "control characters in between": "\x00".join(KEY),
    "line breaks in between": f"{KEY[:20]}\n{KEY[20:]}",
}


def leaks(text: str) -> list[str]:
    """The parts of the key in a text, as it is, without its escapes, or in base64."""
    plain = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text).replace("\\", "")
    plain = re.sub(r"%(?:25)*([0-9a-fA-F]{2})|&#(\d+);", lambda f: chr(int(f[1], 16) if f[1] else int(f[2])), plain)
    plain = re.sub("[\\s\x00-\x1f\u200b]", "", plain)
    parts = [KEY[start : start + 12] for start in range(len(KEY) - 11)]
    for start in range(len(KEY) - 11):
        coded = KEY[start : start + 12].encode()
        parts += [b64encode(coded).decode(), urlsafe_b64encode(coded).decode()]
    return [part for part in parts if part in text or part in plain]


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BYHEART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setattr(sender, "_refused", {})
    monkeypatch.setattr(outside, "_sent", set())
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", dict.fromkeys(sender.FIRST_PAUSE_S, 0.01))


def teacher(server: ChatServer, **options) -> OpenAI:
    return OpenAI("toy", **{"base_url": server.url, "api_key_env": "MY_KEY", "timeout_s": 5.0, "retries": 1, **options})


# -- the key ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED)
def test_a_key_is_found_in_every_spelling(spelled):
    assert leaks(spelled)
    told = without_key(f'Your key: "{spelled}".', {KEY})
    assert not leaks(told) and told.startswith("Your key: ") and "****" in told


def test_what_is_no_key_stays():
    text = 'The club\'s "sk-proj-" and 12\\u0030 é %20 &amp; 9+c stay as they are.'
    assert without_key(text, {KEY, "none", ""}) == text
    assert [outside_count(each) for each in (7, 7.9, -1, True, "7", None, 1e400, float("nan"), 10**400)] == [
        7, 7, 0, 0, 0, 0, 0, 0, outside.MOST,
    ]  # fmt: skip


def test_no_file_page_or_line_of_a_run_holds_the_key(tmp_path, capfd):
    (tmp_path / "club.md").write_text("# Club\n\nThe club meets on Mondays.\n\nMembers pay 20 euros a year.\n")
    spelled = list(SPELLED.values())

    def script(call: Call) -> Say:
        said, body = spelled[call.number % len(spelled)], call.body
        headers = {"x-request-id": re.sub(r"\s|\x00", "", said), "set-cookie": f"key={KEY}"}
        if call.number in (1, 3):
            return error(f"your key is {said}", 400 if call.number == 1 else 500, code=said, headers=headers)
        pairs = json.loads(well(call.said, body["temperature"]))["pairs"]
        texts = [*spelled, said]
        pairs += [
            {"question": f"What is key {n}?", "answer": f"The key of the club is {key}."} for n, key in enumerate(texts)
        ]
        text = json.dumps({"pairs": pairs}).replace(json.dumps(escaped(KEY))[1:-1], escaped(KEY))
        more = {"model": said, "usage": {"prompt_tokens": said, "completion_tokens": 7, said: said}, "id": said}
        whole = answer(text, **more)
        whole["choices"][0]["finish_reason"] = said if call.number == 2 else "stop"
        return Say(whole, headers=headers)

    words = [
        "expand", "documents=club.md", "expansion=ladder", "teacher=openai", "teacher.model=toy", "hydra.run.dir=run",
        "teacher.api_key_env=MY_KEY", "teacher.retries=1", "teacher.concurrency=1", "expansion.ladder.rungs=4",
        "expansion.ladder.max_attempts=0", "expansion.ladder.gates.self_contained=false", "expansion.ladder.gates.support=null",
    ]  # fmt: skip
    with ChatServer(script) as server:
        assert cli.main([*words, f"teacher.base_url={server.url}"]) == 0
        assert len(server.calls) >= 4 and server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    out, err = capfd.readouterr()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "club.md"]
    assert {"run.json", "ledger.json", "teacher.sqlite"} <= {path.name for path in files}
    told = {str(path): path.read_bytes().decode("utf-8", "replace") for path in files} | {"out": out, "err": err}
    assert {where: found for where, text in told.items() if (found := leaks(text))} == {}
    assert read_records("run/examples.jsonl") and "****" in told[str(tmp_path / "run/examples.jsonl")]


def test_an_error_that_ends_a_run_and_a_bug_name_no_key(tmp_path, capsys):
    outside.keep_secret(KEY)
    with (
        ChatServer(lambda call: error(f"wrong key {escaped(KEY)}", 401)) as server,
        pytest.raises(TeacherError, match="does not accept the key") as caught,
    ):
        teacher(server).ask([ASKED])
    assert not leaks(str(caught.value))
    bug = ValueError(f"a body with {KEY}")
    bug.run_folder = tmp_path
    cli._report_bug(["expand"], bug)
    assert not leaks(capsys.readouterr().err + (tmp_path / "error.txt").read_text())


def test_an_answer_cached_before_the_key_was_sought_in_escapes(tmp_path):
    with ChatServer(lambda call: Say(answer("old"))) as server:
        teacher(server).ask([ASKED])
        with closing(sqlite3.connect(tmp_path / "cache/teacher.sqlite")) as cache:
            cache.execute("UPDATE answers SET text = ?", (f'{{"q": "Key?", "a": "{escaped(KEY)}"}}',))
            cache.commit()
        (reply,) = teacher(server).ask([ASKED])
    assert reply.cached and parse_pairs(reply.text).pairs[0].answer == "****"


# -- size and time ----------------------------------------------------------------------------------------------------


def zipped(megabytes: int, wbits: int = 31) -> bytes:
    """So many megabytes of blanks as JSON text, compressed a thousandfold."""
    coder = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = coder.compress(b" " * 10**6) + coder.flush(zlib.Z_FULL_FLUSH)
    block = coder.compress(b" " * 10**6) + coder.flush(zlib.Z_FULL_FLUSH)
    return head + block * (megabytes - 1)


def chunked(piece: bytes, count: int) -> bytes:
    return (f"{len(piece):x}\r\n".encode() + piece + b"\r\n") * count


EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "more and more "}}]}\n\n'
CHUNKED = {"transfer-encoding": "chunked", "content-length": "1"}
SIZES = {  # name in docs/security.md -> a response, and what is said of it
    "gzip of gigabytes": (Say(zipped(4000), headers={"content-encoding": "gzip"}), "longer than 112,000 bytes"),
    "deflate of gigabytes": (Say(zipped(4000, 15), headers={"content-encoding": "deflate"}), "longer than 112,000 bytes"),
    "an error of gigabytes": (Say(zipped(4000), 500, {"content-encoding": "gzip"}), "longer than 112,000 bytes"),
    "several compressions": (Say(gzip.compress(zipped(9)), headers={"content-encoding": "gzip, gzip"}), "several times"),
    "unknown compression": (Say(b"\x28\xb5\x2f\xfd" * 99, headers={"content-encoding": "zstd"}), "200 with a body"),
    "broken compression": (Say(b"junk" * 9, headers={"content-encoding": "gzip"}), "compression"),
    "charset that decompresses": (Say(b"BZh9junk", headers={"content-type": "x/json; charset=bz2"}), "not JSON"),
    "chunks without end": (Say(chunked(b"x" * 1000, 1000), headers=CHUNKED), "longer than 112,000 bytes"),
    "events without end": (Say(chunked(EVENT, 4000), headers={**CHUNKED, "content-type": "text/event-stream"}), "longer"),
    "silence": (Say(hang=True), "no answer for 2 s"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "reason"), SIZES.values(), ids=SIZES)
def test_a_body_without_end_is_one_refused_answer(said, reason):
    def script(call: Call) -> Say:
        return said if call.said == "Text 0" else Say(answer("fine"))

    with ChatServer(script) as server:
        refused, fine = teacher(server, timeout_s=2.0, retries=0).ask([ASKED, NEXT])
    assert isinstance(refused, Failure) and reason in refused.reason
    assert fine.text == "fine"
    if "longer" in reason:
        assert "teacher.bytes_per_token" in refused.reason


def test_a_time_out_fires_while_a_body_is_decompressed():
    with ChatServer(lambda call: Say(zipped(4000), headers={"content-encoding": "gzip"})) as server:
        began = time.monotonic()
        (refused,) = teacher(server, timeout_s=0.2, bytes_per_token=10**9, retries=0).ask([ASKED])
    assert isinstance(refused, Failure) and "no answer for 0.2 s" in refused.reason
    assert time.monotonic() - began < 5


def test_a_long_answer_within_the_limit_is_read():
    text = "a long answer " * 10_000
    with ChatServer(lambda call: Say(gzip.compress(json.dumps(answer(text)).encode()), headers={"content-encoding": "gzip"})) as server:  # fmt: skip
        (reply,) = teacher(server, bytes_per_token=12_000).ask([ASKED])
        (refused,) = teacher(server, bytes_per_token=100).ask([NEXT])
    assert reply.text == text and "teacher.bytes_per_token" in refused.reason


# -- odd answers ------------------------------------------------------------------------------------------------------

GOOD = '{"question": "When?", "answer": "On Monday."}'
DIGITS = "1" * 5000
ODD = {  # name in docs/security.md -> (body of a 200, whether it is a reply)
    "deep brackets": ("[" * 100_000, False),
    "deep objects": ('{"choices":' * 100_000, False),
    "deep message": (f'{{"choices": [{{"message": {{"content": {"[" * 900}{"]" * 900}}}}}]}}', True),
    "5,000 digits": (f'{{"choices": [{{"message": {{"content": {DIGITS}}}}}]}}', False),
    "usage of infinity": ('{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 1e999}}', True),
    "usage that is no number": ('{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": NaN}}', True),
    "usage of words": ('{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": "many"}}', True),
    "negative usage": ('{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": -5}}', True),
    "usage of 400 digits": (f'{{"choices": [{{"message": {{"content": "a"}}}}], "usage": {{"prompt_tokens": {"9" * 400}}}}}', True),
    "lone surrogates": ('{"choices": [{"message": {"content": "\\ud800a"}, "finish_reason": "\\udfff"}]}', True),
    "finish reason of objects": ('{"choices": [{"message": {"content": "a"}, "finish_reason": {"a": [[1]]}}]}', True),
}  # fmt: skip


@pytest.mark.parametrize(("body", "is_reply"), ODD.values(), ids=ODD)
def test_an_odd_body_is_one_answer_and_is_cached(body, is_reply):
    def script(call: Call) -> Say:
        return Say(body.encode()) if call.said == "Text 0" else Say(answer("fine"))

    with ChatServer(script) as server:
        odd, fine = teacher(server).ask([ASKED, NEXT])
        again, _ = teacher(server).ask([ASKED, NEXT])
    assert fine.text == "fine" and isinstance(odd, Reply) == is_reply
    if is_reply:
        assert (again.text, again.cached) == (odd.text, True) and 0 <= odd.input_tokens <= outside.MOST
        assert f"{odd.text}{odd.finish_reason}".encode()


TEXTS = {  # name in docs/security.md -> (text of an answer, how many pairs are in it)
    "fact of infinity": ('{"fact": 1e999, "question": "When?", "answer": "On Monday."}', 1),
    "fact of 5,000 digits": (f'{{"fact": {DIGITS}, "question": "When?", "answer": "On Monday."}} {GOOD}', 2),
    "answer of infinity": ('[{"question": "How many?", "answer": -1e999}, ' + GOOD + "]", 1),
    "brackets around pairs": ("[" * 3000 + GOOD + "]" * 3000, 1),
    "objects around pairs": ('{"a":' * 3000 + GOOD + "}" * 3000, 0),
    "half a surrogate pair": ('{"question": "Who \\ud800?", "answer": "The \\udc00 chair"}', 1),
    "aliases of YAML": ("- &a [x]\n- &b [*a,*a]\n" + "".join(f"- &c{n} [*b,*b]\n" for n in range(40)), 0),
    "dates of YAML": ("- question: 2001-99-99\n  answer: b\n", 1),
    "tags of YAML": ("- question: !!python/object/apply:os.getcwd []\n  answer: b\n", 1),
    "2,000 pairs": (f"[{','.join([GOOD] * 2000)}]", 1000),
    "nothing": ("", 0),
}


@pytest.mark.parametrize(("text", "count"), TEXTS.values(), ids=TEXTS)
def test_an_odd_text_costs_itself_only(text, count):
    parsed = parse_pairs(text)
    assert len(parsed.pairs) == count and all(len(raw) <= 2000 for _, raw in parsed.broken)
    assert count == len(parsed.pairs) and (count or parsed.broken)
    assert str(parsed).encode()
    parse_objects(text)


UNITS = [
    '{"', '{"a"}', '{"a":', '[{"a":', '{"a":"b",', '{"question":"a?" "answer":"b"}', "{“", '{"a":"' + "x" * 999 + '","b":',
    "_", "\\text", "<think>", "<think></think>", "<|channel|>final<|message|>", "\nQ:", "\n1. a?", "a:\n", "data: {}\n", "%25",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_any_text_is_read_in_proportion_to_its_length(unit):
    outside.keep_secret(KEY)
    began = time.process_time()
    for before in ("", "```yaml\n"):
        text = before + unit * (20_000 // len(unit))
        parse_pairs(text)
        read_response(200, {}, text)
    assert time.process_time() - began < 1, "quadratic ones took 10 s and more"


@pytest.mark.parametrize("wait", ["inf", "nan", "-1", "1e999", "9" * 400, "Mon, 99 Jan 9999", "\ud800"])
def test_an_odd_wait_is_none_or_a_week_at_most(wait):
    said = read_response(429, {"retry-after": wait}, "")
    assert isinstance(said, Retry) and (said.wait_s is None or 0 <= said.wait_s <= 7 * 86400)


def test_thinking_is_left_out_as_before():
    said = "<think>a</think>b<THINK>c</Think> d <thought>e</thought>f"
    for text, left in ((said, "b d f"), ("a <think>b", "a <think>b"), ("<think>a", ""), ("a</think> b", "b")):
        assert strip_thinking(text) == left


# -- batches ----------------------------------------------------------------------------------------------------------


def test_odd_lines_of_a_batch_cost_themselves_only():
    bodies = [body for body, _ in ODD.values()] + [json.dumps(answer(GOOD))]
    lines = [
        f'{{"custom_id": "k{n}-", "response": {{"status_code": 200, "body": {body}}}}}' for n, body in enumerate(bodies)
    ]
    lines += [
        '{"custom_id": "a-", "response": {"status_code": 1e999}}',
        '{"custom_id": 7, "response": 7}',
        "null",
        "[" * 10**5,
    ]
    lines += [
        '{"custom_id": "b-", "error": {"message": ' + "[" * 800 + "]" * 800 + "}}",
        '{"custom_id": ["c"], "error": 1}',
    ]
    found = {key: said for key, _, said in read_lines("\n".join(lines).encode())}
    assert isinstance(found[f"k{len(bodies) - 1}"], Answer) and found.keys() <= {"b", *(f"k{n}" for n in range(99))}


@pytest.mark.parametrize(
    "changes",
    [
        {"request_counts": {"completed": "many", "failed": 1e999}}, {"metadata": ["a"]}, {"created_at": "now"},
        {"errors": {"data": [7, {"line": 1e999, "message": {}}]}}, {"output_file_id": ["a"]}, {"status": {"a": 1}},
    ],
)  # fmt: skip
def test_odd_records_of_batches_are_refused_or_read(changes, monkeypatch):
    monkeypatch.setattr("byheart.teacher.batch.PATIENCE_S", 10.0)
    monkeypatch.setattr("byheart.teacher.batch.FIRST_LOOK_S", 0.01)
    with BatchServer() as server:
        looks = iter(range(100))

        def after(call: Call) -> Say | None:
            if re.fullmatch(r"/v1/batches/\w+", call.path) and next(looks) < 1:
                return Say({**server.made[0].record, "status": "in_progress", **changes})
            return None

        server.after = after
        batch = Batch("toy", base_url=server.url, api_key_env="MY_KEY", timeout_s=5.0)
        (reply,) = batch.ask([ASKED])
        assert reply.text == "Text 0 at 0.6" and len(server.made) == 1


def test_a_batch_file_of_gigabytes_names_the_setting(monkeypatch):
    monkeypatch.setattr("byheart.teacher.batch.FIRST_LOOK_S", 0.01)

    def after(call: Call) -> Say | None:
        return Say(zipped(4000), headers={"content-encoding": "gzip"}) if "content" in call.path else None

    reason = r"longer than 16,000,600 bytes; see teacher\.bytes_per_token"
    with BatchServer(after=after) as server, pytest.raises(TeacherError, match=reason):
        Batch("toy", base_url=server.url, api_key_env="MY_KEY", timeout_s=5.0).ask([ASKED])


def test_the_page_on_security_names_every_case():
    page = (Path(__file__).parents[2] / "docs/security.md").read_text()
    assert [name for name in [*SPELLED, *SIZES, *ODD, *TEXTS] if name not in page] == []
