"""Broken and hostile answers of servers, read the way of `byheart expand`: errors, hangs and keys that get through.

    python benchmarks/fuzz_answers.py 60          # minutes
    python benchmarks/fuzz_answers.py --again FOLDER

Each answer is a good one that was cut, spliced, nested, repeated, given odd numbers, odd letters or the key in some
spelling; or a sentence of a grammar of broken JSON. It goes through the reading of bodies, batch files, the cache, pairs,
verdicts, filters and the files of a run. Any answer may be refused. None may raise an error, take ten seconds of CPU, or
leave 12 characters of the key in what is kept. What fails is kept in `fuzz-failures/`.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from byheart.documents.languages.tokens import count_tokens
from byheart.errors import UserError
from byheart.expansion.base import Source
from byheart.expansion.filters.checks import Filters
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.from_teacher.parse import parse_objects, parse_pairs
from byheart.expansion.from_teacher.rewrites import Rewrites
from byheart.outside import keep_secret
from byheart.records import Chunk, Document, Fact
from byheart.store import write_jsonl
from byheart.teacher.base import Failure, Reply, ignore
from byheart.teacher.batch_lines import read_lines
from byheart.teacher.prices import Prices
from byheart.teacher.response import read_response, why_empty
from byheart.teacher.sender import noted
from byheart.teacher.session import ask_session

SECONDS = 10
MOST = 300_000  # characters of an answer
KEPT = Path("fuzz-failures")
KEY = "sk-proj-fUzz/9+c_d-EfGhIjKl0123456789mnopqrstuvwxyzABCDEFG"
SENTENCES = [
    "The club meets on Mondays at 7 p.m. in the town hall.",
    "A member pays 20 euros a year.",
    "The treasurer keeps the accounts and reports in March.",
]
PAIRS = [
    {"fact": 1, "angle": "simple", "question": "When does the club meet?", "answer": "On Mondays at 7 p.m."},
    {
        "fact": [2],
        "angle": "detailed",
        "question": "What does a member pay?",
        "answer": "A member pays 20 euros a year.",
    },
    {"fact": "3", "angle": "reverse", "question": "Who reports in March?", "answer": "The treasurer."},
    {"question": "Wie viel kostet es? 東京 é", "answer": 'He said "20" \\ \n euros'},
]
GOOD = [
    json.dumps({"pairs": PAIRS}),
    json.dumps(PAIRS, ensure_ascii=False, indent=1),
    "\n".join(json.dumps(pair) for pair in PAIRS),
    "Here you are:\n```json\n" + json.dumps({"pairs": PAIRS}) + "\n```\nI hope this helps!",
    json.dumps({"questions": ["A?", "B?"], "answers": ["a", "b"]}),
    "\n".join(f"**Question {n}:** {p['question']}\n**Answer {n}:** {p['answer']}\n" for n, p in enumerate(PAIRS, 1)),
    "\n".join(f"{n}. {p['question']}\n   - {p['answer']}" for n, p in enumerate(PAIRS, 1)),
    "pairs:\n" + "\n".join(f"- question: {p['question']}\n  answer: {p['answer']}" for p in PAIRS[:3]),
    "<think>Let me see. {\"a\": 1}</think>" + json.dumps({"pairs": PAIRS}),
    "<|channel|>final<|message|>" + json.dumps(PAIRS) + "<|return|>",
    json.dumps({"verdicts": [{"pair": 1, "supported": False, "why": "no"}, {"pair": 2, "supported": True}]}),
    "The club meets on Mondays at 7 p.m. in the town hall. A member pays 20 euros.",
]  # fmt: skip
ODD_NUMBERS = [
    *(
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "1" * 5000,
        "0." + "3" * 5000,
        "1e-999",
        "-0",
        "1E400",
        "0x10",
    ),
    *("99999999999999999999", "1.7976931348623157e308", "true", "null", "[]", "{}", '""', "01", "1_000", "-", "."),
]
ODD = [
    *("\ud800", "\udc00", "\\ud800", "\\udfff\\ud800", "\x00", "\\u0000", "\x1b[31m", "\u202e", "\u2028", "\ufeff", "😀", "\\"),
    *('"', "'", "“", "{", "}", "[", "]", ":", ",", '{"', '[{', '"}', "}]", "\n", "\t", "```", "---\n", "data: ", "\\\\\\", "\\u"),
    *("<think>", "</think>", "<|channel|>final<|message|>", "<|end|>", "_", "*", "__", "Q:", "A:", "\nAnswer: ", "\n1. ", "?", " "),
    *("&a [*a]", "- &a x\n- *a\n", "!!python/object/apply:os.system [x]", "%25", "&#x41;", "- question: 2001-99-99\n"),
]  # fmt: skip


def spellings(dice: random.Random) -> str:
    """The key, or 12 characters of it or more, as a server may repeat it."""
    start = dice.choice([0, dice.randrange(len(KEY) - 20)])
    part = KEY[start : start + dice.randint(14, len(KEY))] if dice.random() < 0.5 else KEY
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in part)
    return dice.choice(
        [
            *(part, escaped, json.dumps(escaped)[1:-1], part.replace("/", "\\/").replace("-", "\\u002D"), quote(part, safe="")),
            *(b64encode(b"x" * n + part.encode() + b"y" * n).decode() for n in range(3)),
            *("".join(f"&#{ord(letter)};" for letter in part), "\x00".join(part), part[:20] + "\n" + part[20:]),
        ]
    )  # fmt: skip


def grown(dice: random.Random, depth: int = 0) -> str:
    """A sentence of the grammar: nearly JSON."""
    kind = dice.random()
    if depth > 5 or kind < 0.25:
        return dice.choice(
            [*ODD_NUMBERS, '"' + dice.choice(ODD) + '"', json.dumps(dice.choice(PAIRS)), dice.choice(ODD)]
        )
    inner = [grown(dice, depth + 1) for _ in range(dice.randint(0, 4))]
    if kind < 0.6:
        names = [
            "question",
            "answer",
            "fact",
            "q",
            "a",
            "pairs",
            "questions",
            "answers",
            "pair",
            "supported",
            "why",
            "angle",
        ]
        colon = lambda: dice.choice([":", ":", ":", ": ", " ", "=", "::"])  # noqa: E731
        return (
            "{"
            + ",".join(f'"{dice.choice(names)}"{colon()}{each}' for each in inner)
            + dice.choice(["}", "}", "", "]"])
        )
    if kind < 0.8:
        return "[" + dice.choice([",", ",", " ", ",,"]).join(inner) + dice.choice(["]", "]", "", "}"])
    return "".join(inner)


def spoilt(dice: random.Random) -> str:
    text = grown(dice) if dice.random() < 0.3 else dice.choice(GOOD)
    for _ in range(dice.randint(0, 4)):
        at, to = sorted(dice.choices(range(len(text) + 1), k=2))
        way = dice.randrange(9)
        if way == 0:
            text = text[:at] if dice.random() < 0.5 else text[at:]
        elif way == 1:
            text = text[:at] + text[to:]
        elif way == 2:
            text = text[:at] + dice.choice(ODD) * dice.choice([1, 1, 2, 30, 3000]) + text[at:]
        elif way == 3:
            text = text[:at] + dice.choice(ODD_NUMBERS) + text[dice.choice([at, to]) :]
        elif way == 4:
            text = text[:at] + text[at:to] * dice.choice([2, 5, 200]) + text[to:]
        elif way == 5:
            times = dice.choice([5, 50, 900, 2000, 20_000])
            opening, closing = dice.choice(
                [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("<think>", "</think>"), ('"', '"')]
            )
            text = opening * times + text + closing * dice.choice([times, times - 1, 0])
        elif way == 6:
            text = text[:at] + spellings(dice) + text[at:]
        elif way == 7:
            other = dice.choice(GOOD)
            text = text[:at] + other[: dice.randrange(len(other))] + text[to:]
        else:
            text = json.dumps(text)
        text = text[:MOST]
    return text


def body_of(dice: random.Random) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of a response."""
    text = spoilt(dice)
    if dice.random() < 0.15:
        wait = {"retry-after": dice.choice(["inf", "nan", "-1", "1e999", "9" * 400, "Mon, 99 Jan 9999", KEY, "2"])}
        status = dice.choice([200, 400, 401, 403, 404, 429, 500, 503, 299])
        said = dice.choice([text, json.dumps({"error": {"message": text, "code": text[:20], "details": [text]}})])
        return status, wait, said
    odd = lambda good: dice.choice(ODD_NUMBERS) if dice.random() < 0.1 else good  # noqa: E731
    content = odd(json.dumps(text) if dice.random() < 0.9 else json.dumps([{"type": "text", "text": text}]))
    finish = odd(
        json.dumps(dice.choice(["stop", "length", "content_filter", spellings(dice), "\ud800", {"a": [text]}]))
    )
    tokens = odd("12"), odd("34")
    body = f'{{"model": {json.dumps(spellings(dice))}, "choices": [{{"index": 0, "message": {{"content": {content}}}, '
    body += (
        f'"finish_reason": {finish}}}], "usage": {{"prompt_tokens": {tokens[0]}, "completion_tokens": {tokens[1]}}}}}'
    )
    if dice.random() < 0.1:
        body = "".join(f'data: {{"choices": [{{"delta": {{"content": {json.dumps(text[n : n + 9])}}}}}]}}\n\n' for n in range(0, min(len(text), 9000), 9))  # fmt: skip
        body += dice.choice(["data: [DONE]\n", "", "data: [DONE"])
    if dice.random() < 0.1:
        body = body[: dice.randrange(len(body) + 1)]
    return 200, {}, body


class Fuzzed:
    """A teacher that answers with what is fuzzed, through the session and the cache of every teacher."""

    answers_soon = True

    def __init__(self, responses: Sequence[tuple[int, dict[str, str], str]], fingerprint: str):
        self.responses, self.fingerprint, self.asked = responses, fingerprint, 0

    def ask(self, requests, on_reply=ignore, on_progress=ignore):
        with ask_session(self.fingerprint, requests, on_reply, on_progress, Prices(1.0, 1.0)) as session:
            while mine := session.take():
                session.started(len(mine))
                for key, request in mine.items():
                    said = read_response(*self.responses[self.asked % len(self.responses)])
                    self.asked += 1
                    outcome = noted(said, request, frozenset()) if isinstance(said, Reply) else Failure(said.reason)
                    session.ended(key, outcome)
            results = session.results()
        with ask_session(self.fingerprint, requests, on_reply, on_progress, Prices(1.0, 1.0)) as session:
            for place, reply in session.outcomes.items():
                assert (reply.text, reply.input_tokens) == (results[place].text, results[place].input_tokens), (
                    "cached alike"
                )
        return results

    def problems(self):
        return ()


def source(teacher: Fuzzed) -> Source:
    text = " ".join(SENTENCES)
    document = Document(id="d", text=text, title="Club rules", path="club.txt")
    chunk = Chunk("c", "d", ("Club rules",), 0, len(text), text, count_tokens([text])[0])
    facts = []
    for number, sentence in enumerate(SENTENCES):
        start = text.index(sentence)
        facts.append(Fact(f"f{number}", "d", "c", start, start + len(sentence), sentence, 12, ("Club rules",), kind="text", language="en"))  # fmt: skip
    return Source((document,), (chunk,), tuple(facts), teacher=teacher)


def one(seed: int, folder: Path) -> str:
    """Reads one set of answers; its kind of end."""
    dice = random.Random(seed)
    responses = [body_of(dice) for _ in range(dice.randint(1, 4))]
    teacher = Fuzzed(responses, f"fuzz {seed}")
    for text in (spoilt(dice), responses[0][2]):
        for cut in (False, True):
            parsed = parse_pairs(text, cut)
            check(json.dumps([asdict(pair) for pair in parsed.pairs] + [*parsed.broken], ensure_ascii=False))
        parse_objects(text)
        why_empty(Reply(text, 0, 0, False, "stop"))
    line = json.dumps({"custom_id": "k-ts", "response": {"status_code": 200, "body": "BODY"}})
    for _ in read_lines(
        line.replace('"BODY"', responses[0][2]).encode("utf-8", "replace")
        + b"\n"
        + responses[0][2].encode("utf-8", "replace")
    ):
        pass  # fmt: skip
    gates = Filters(judge=dice.random() < 0.5)
    kind = (
        Rewrites(max_attempts=1)
        if dice.random() < 0.25
        else Ladder(max_attempts=1, rungs=2, examples_per_fact=2, gates=gates)
    )
    try:
        written = kind.expand(source(teacher))
    except UserError as error:
        check(str(error))
        return "refused"
    file = folder / "out.jsonl"
    refused = [{**asdict(each.example), "reason": each.reason, "detail": each.detail} for each in written.rejected]
    write_jsonl(file, [*map(asdict, written.examples), *refused, {"notes": written.notes, "short": written.short}])
    check(file.read_text(encoding="utf-8"))
    return "examples" if written.examples else "no example"


def check(text: str) -> None:
    for start in range(len(KEY) - 11):
        if KEY[start : start + 12] in text:
            raise AssertionError(f"{KEY[start : start + 12]} of the key is in what is kept")


class Hang(BaseException):
    pass


def ring(*_: object) -> None:
    raise Hang(f"over {SECONDS} s of CPU")


def main() -> int:
    keep_secret(KEY)
    signal.signal(signal.SIGPROF, ring)
    again = sys.argv[1] == "--again"
    seeds = [int(path.stem) for path in Path(sys.argv[2]).glob("*.txt")] if again else None
    ends: Counter[str] = Counter()
    slowest = (0.0, 0)
    until = time.monotonic() + 1e9 if again else time.monotonic() + 60 * float(sys.argv[1])
    first = int(os.environ.get("FUZZ_FIRST", time.time_ns() % 10**9))
    with tempfile.TemporaryDirectory() as place:
        os.environ["BYHEART_CACHE"] = place
        for number in range(10**9):
            if time.monotonic() > until or (seeds is not None and number >= len(seeds)):
                break
            seed = seeds[number] if seeds is not None else first + number
            began = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                end = one(seed, Path(place))
            except (Exception, Hang) as error:
                signal.setitimer(signal.ITIMER_PROF, 0)
                end = f"FAILED {type(error).__name__}: {str(error)[:100]}"
                KEPT.mkdir(exist_ok=True)
                (KEPT / f"{seed}.txt").write_text(traceback.format_exc(), encoding="utf-8", errors="replace")
            signal.setitimer(signal.ITIMER_PROF, 0)
            ends[end] += 1
            slowest = max(slowest, (time.process_time() - began, seed))
            if number % 500 == 499:  # the cache would grow with each
                for file in Path(place).glob("teacher.sqlite*"):
                    file.unlink()
    for end, count in ends.most_common():
        print(f"{count:8,}  {end}")
    print(f"{ends.total():,} sets of answers; the slowest took {slowest[0]:.1f} s of CPU (seed {slowest[1]})")
    return 1 if any(end.startswith("FAILED") for end in ends) else 0


if __name__ == "__main__":
    sys.exit(main())
