"""Does reading take time in proportion to length? 100 patterns, repeated, each as .txt, .md and .html.

    python benchmarks/growth.py                    # all, 100 kB and 1 MB; about 20 minutes of one core
    python benchmarks/growth.py 10 100             # the sizes in kB
    python benchmarks/growth.py 100 1000 fence .md # patterns whose name begins so, of one format

Each input goes the way of `byheart expand` as far as no spaCy is needed: read, chunks, facts, their places, questions found in the text.
Prints processor seconds at both sizes and their ratio. Above 15 times for ten times the text is marked, as is more than
five seconds for 1 MB, and where the time went.
"""

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

MOST_RATIO = 15.0  # for ten times the text
MOST_SECONDS = 5.0  # for 1 MB
LIMIT = float(os.environ.get("LIMIT", "20"))  # seconds, then it is given up
FORMATS = (".txt", ".md", ".html")
SENTENCE = "The pump at the north gate runs for nine hours. "
PATTERNS: dict[str, str] = {
    "letter": "a",
    "capital": "A",
    "digit": "7",
    "blank": " ",
    "tab": "\t",
    "blank line": "\n",
    "blank lines of blanks": "  \n",
    "no-break space": "\u00a0",
    "zero width": "\u200b",
    "form feed": "\x0c",
    "dot": ".",
    "comma": ",",
    "dash": "-",
    "long dash": "—",
    "underscore": "_",
    "asterisk": "*",
    "backtick": "`",
    "tilde": "~",
    "hash": "#",
    "greater": ">",
    "less": "<",
    "pipe": "|",
    "equals": "=",
    "plus": "+",
    "colon": ":",
    "semicolon": ";",
    "question mark": "?",
    "stops apart": ". ",
    "question marks apart": "? ",
    "exclamation": "!",
    "slash": "/",
    "backslash": "\\",
    "dollar": "$",
    "dollars": "$$",
    "dollars apart": "$$ ",
    "per cent": "%%",
    "caret": "^",
    "at sign": "a@",
    "ampersand": "&",
    "entity": "&amp;",
    "number entity": "&#x41;",
    "quote": '"',
    "apostrophe": "'",
    "curly quotes": "“a ",
    "closing quotes": "” ",
    "open bracket": "[",
    "close bracket": "]",
    "link opened": "[x](",
    "link": "[x](y) ",
    "picture opened": "![",
    "picture": "![a](b) ",
    "wiki link opened": "[[",
    "wiki link": "[[a|b]] ",
    "footnote mark": "[^1]",
    "footnotes": "[^1]: a note\n",
    "reference": "[1]: http://a\n",
    "citation": "[@a ",
    "open paren": "(",
    "parens nested": "(a",
    "brace": "{",
    "braces": "{{",
    "liquid": "{% ",
    "anchor": "{#a ",
    "json pair": '{"',
    "bold opened": "**a ",
    "emphasis": "*a* ",
    "emphasis within": "_a*b",
    "strike": "~~a ",
    "marked": "==a ",
    "fence": "```\n",
    "fence with text": "```a\n",
    "fence of tildes": "~~~\n",
    "fences apart": "```\na\n```\n",
    "quoted": "> ",
    "quoted lines": "> a\n",
    "bullet": "- ",
    "bullets": "- a\n",
    "bullets deeper": "  - a\n\n",
    "numbers": "1. a\n",
    "numbered sections": "1.1.1 Scope\n\n",
    "clauses": "(a) (i) ",
    "clause lines": "(a) a word;\n",
    "headings": "# A heading\n\n",
    "heading opened": "# ",
    "underlined": "Title\n---\n\n",
    "table rule": "|---",
    "table row": "| a ",
    "table": "| a | b |\n",
    "table with rules": "| a | b |\n|---|---|\n",
    "grid": "+---+---+\n",
    "wide blanks": "a    b    c\n",
    "front matter": "---\n",
    "front matter of keys": "---\nkey: a\n",
    "front matter of blanks": "--- \n   \n",
    "toml": "+++\n",
    "comment opened": "<!--",
    "comment": "<!-- a -->",
    "tag opened": "<a",
    "tags with words": "<b> a <i> b",
    "tag": "<b>",
    "tag closed": "</b>",
    "divisions": "<div>",
    "cells": "<td>a",
    "items": "<ul><li>",
    "attribute": '<a href="',
    "script": "<script>",
    "question": "Q: ",
    "answer": "A: ",
    "questions": "Q: Who is it?\nA: The guard.\n\n",
    "label": "word: ",
    "labels": "Word: a thing\n",
    "dialogue": "ANNA: Hello there.\n",
    "timestamp": "00:00:01,000 --> 00:00:02,000\n",
    "stamped speech": "[00:00:03] HOST: It rains.\n",
    "abbreviation": "e.g. ",
    "initials": "A. ",
    "section sign": "§ 4 ",
    "dots to a page": "Scope ........ 12\n",
    "ellipsis": "...",
    "address": "http://a.b/c ",
    "combining mark": "e\u0301",
    "only combining marks": "\u0301",
    "right to left": "مرحبا ",
    "right-to-left mark": "\u202e",
    "Chinese without stops": "公園",
    "Chinese stops": "。",
    "Chinese clause": "第三条",
    "Hindi": "अ",
    "Thai": "ก",
    "emoji": "😀",
    "joined emoji": "👩\u200d",
    "ligature": "ﬁ",
    "formula": "\\[",
    "formula in TeX": "\\frac{",
    "environment": "\\begin{a}",
    "hyphen at line's end": "exam-\nple ",
    "lines of a word": "word\n",
    "paragraphs of a word": "word\n\n",
    "short sentences": "It is. ",
    "one long line": SENTENCE,
    "paragraphs": SENTENCE + "\n\n",
    "commas in a sentence": "a pump, ",
}


class TooLongError(Exception):
    """More than `LIMIT` processor seconds."""


def _late(number: int, frame: object) -> None:
    raise TooLongError


def stages(path: Path) -> Iterator[str]:
    """The stages that an input goes through, each named when it is done."""
    from byheart.data.chunks import Chunking
    from byheart.data.facts import find_facts, lead_ins
    from byheart.documents.load import load_documents
    from byheart.errors import UserError

    try:
        loaded = load_documents([str(path)])
    except UserError:
        return
    yield "read"
    for document in loaded.documents:
        chunks = Chunking().split(document)
        yield "chunks"
        facts = find_facts(document, chunks)
        yield "facts"
        lead_ins(document, facts)
        yield "places"


def measure(pattern: str, suffix: str, size: int, folder: Path) -> tuple[float, str]:
    """Processor seconds, and the slowest stage; where it took too long, the lines of the code that it was in."""
    path = folder / f"growth{suffix}"
    path.write_text((pattern * (size // len(pattern.encode()) + 1)), encoding="utf-8")
    begun = last = time.process_time()
    slowest, longest = "", 0.0
    signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        for stage in stages(path):
            now = time.process_time()
            if now - last > longest:
                slowest, longest = stage, now - last
            last = now
    except TooLongError as late:
        own = [f"{Path(each.filename).name}:{each.lineno}" for each in traceback.extract_tb(late.__traceback__)]
        return time.process_time() - begun, " > ".join(own[-5:-1])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return time.process_time() - begun, slowest


def calls(pattern: str, suffix: str, size: int, folder: Path) -> int:
    """The function calls, Python's and C's, that reading so many bytes takes: the same in every run."""
    path = folder / f"calls{suffix}"
    path.write_text((pattern * (size // len(pattern.encode()) + 1)), encoding="utf-8")
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        for _ in stages(path):
            pass
    finally:
        sys.setprofile(None)
    return count


def main() -> None:
    given = sys.argv[1:]
    sizes = [int(each) * 1000 for each in given if each.isdigit()] or [100_000, 1_000_000]
    formats = [each for each in given if each in FORMATS] or FORMATS
    names = [each for each in given if not each.isdigit() and each not in FORMATS]
    bad = tried = 0
    with tempfile.TemporaryDirectory() as scratch:
        measure(SENTENCE, ".html", 1000, Path(scratch))  # imports
        measure(SENTENCE, ".md", 1000, Path(scratch))
        for name, pattern in PATTERNS.items():
            if names and not any(name.startswith(each) for each in names):
                continue
            for suffix in formats:
                tried += 1
                (few, _), (many, where) = (measure(pattern, suffix, size, Path(scratch)) for size in sizes)
                ratio = many / max(few, 0.01) * 10 / (sizes[1] / sizes[0])
                slow = many > MOST_SECONDS * sizes[1] / 1e6 + 0.2
                wrong = slow or (ratio > MOST_RATIO and many > 0.3)
                bad += wrong
                print(
                    f"{'!' if wrong else ' '} {name:24} {suffix:5} {few:7.2f} s {many:7.2f} s  x{ratio:5.1f}  {where}",
                    flush=True,
                )
    print(
        f"{tried} inputs of {len(PATTERNS)} patterns, {bad} above {MOST_RATIO:g} times or {MOST_SECONDS:g} s for 1 MB"
    )


if __name__ == "__main__":
    main()
