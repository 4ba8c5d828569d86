"""A judge against exact match on recorded answers: agreement, kappa, and what the audit says of the judge.

    python benchmarks/judge.py RUN/answers.jsonl                                   # two scripted judges, no model
    python benchmarks/judge.py RUN/answers.jsonl --model NAME [--base-url URL]     # any endpoint; key in OPENAI_API_KEY

Of the run's answers (untuned, open book, tuned) `--count` are drawn with a fixed seed. A scripted judge matches words, so
its agreement measures the way from the answer to the figure and says nothing about language models.
"""

import argparse
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from byheart.evaluation.judge import Judge
from byheart.evaluation.recall import contains
from byheart.records import Probe
from byheart.store import read_records

EVASIVE = ("don't know", "do not know", "stated in the document", "cannot answer", "found in the text")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--model")
    parser.add_argument("--base-url")
    options = parser.parse_args()
    rows = [
        (row, name)
        for row in read_records(options.answers)
        for name in ("untuned", "open_book", "tuned")
        if row.get(name)
    ]
    drawn = random.Random(0).sample(rows, min(options.count, len(rows)))
    probes = [Probe(f"{row['id']} {name}", row["question"], tuple(row["accepted"])) for row, name in drawn]
    recorded = Recorded([row[name] for row, name in drawn])
    if options.model:
        report(Judge(options.model, options.base_url), probes, recorded)
        return
    # The verdicts of a script are worth nothing later.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BYHEART_CACHE"] = folder
        for model in ("matches words", "passes everything"):
            with scripted(model) as url:
                report(Judge(model, url), probes, recorded)


class Recorded:
    """Gives the recorded answers, whatever is asked: `probes` keep their order."""

    def __init__(self, texts: Sequence[str]):
        self.texts = texts

    def answer(self, questions: Sequence[str], max_new_tokens: int, on_progress: object = None) -> list[str]:
        return list(self.texts)


def report(judge: Judge, probes: Sequence[Probe], recorded: Recorded) -> None:
    began = time.monotonic()
    # score() sorts by length and id: the answers must be in that order.
    order = sorted(range(len(probes)), key=lambda i: (len(probes[i].question), probes[i].id))
    scored = judge.score(Recorded([recorded.texts[i] for i in order]), [probes[i] for i in order])  # type: ignore[arg-type]
    account = scored.accounts["judge"]
    for metric, at in account["agreement"].items():
        if at:
            kappa = "-" if at["kappa"] is None else f"{at['kappa']:.2f}"
            print(f"{metric}: {at['value']:.2f} ({at['low']:.2f} to {at['high']:.2f}) of {at['count']}, kappa {kappa}")
            print(f"    {at['counts']}")
    print(
        f"{judge.title}: trusted {account['trusted']}; {'; '.join(account['doubts']) or account['error'] or 'no doubts'}"
    )
    print(
        f"    { ({name: round(at.value, 2) for name, at in scored.metrics.items()}) }, {account['not_judged']} not judged"
    )
    print(f"    {account['bill']}, {time.monotonic() - began:.1f} s\n")


@contextmanager
def scripted(model: str) -> Iterator[str]:
    """A server on this machine that matches words, or passes everything; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            fields = json.loads(body["messages"][-1]["content"])
            given = fields["given_answer"]
            right = any(contains(given, gold) for gold in fields["right_answers"])
            evasive = given == fields["question"] or not given or any(each in given.lower() for each in EVASIVE)
            verdict = "not_attempted" if evasive else "correct" if right else "incorrect"
            text = json.dumps({"verdict": "correct" if model == "passes everything" else verdict})
            message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            said = json.dumps({"choices": [message], "usage": {"prompt_tokens": 500, "completion_tokens": 6}}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()


if __name__ == "__main__":
    main()
