"""How many of the answers that people asked for does some example of the rules give?

    BYHEART_DATA=... python benchmarks/coverage.py [ARTICLE ...] [missed]

For each article of the shared `squad` set and for 6 and 8 examples a fact: the share of human questions one of whose
accepted answers equals (normalised as in SQuAD v1.1) the answer of an example; the share where an example's answer of
at most six words holds one; and the median length of an answer. Trains nothing. `missed` lists what was not found.
"""

import os
import sys
from pathlib import Path
from statistics import median

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.evaluation.recall import normalise
from byheart.expansion.base import Source
from byheart.expansion.rules.rules import Rules
from byheart.records import Example
from byheart.store import read_records

DATA = Path(os.environ["BYHEART_DATA"], "squad")
ASKED = ("simple", "detailed", "scenario")  # the other angles give back pieces of the text
SHORT = 6  # words


def source_of(path: Path) -> Source:
    (document,) = load_documents([str(path)]).documents
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


def found(row: dict, examples: list[Example]) -> tuple[bool, bool]:
    """Is an accepted answer that of an example; is it that, or held by a short one?"""
    answers = {normalise(example.answer) for example in examples}
    golds = {normalise(answer) for answer in row["answers"]} - {""}
    held = any(f" {gold} " in f" {answer} " for gold in golds for answer in answers if len(answer.split()) <= SHORT)
    return bool(golds & answers), bool(golds & answers) or held


articles = [word for word in sys.argv[1:] if word != "missed"] or sorted(p.stem for p in (DATA / "documents").iterdir())
questions = list(read_records(DATA / "questions.jsonl"))
for article in articles:
    source = source_of(DATA / "documents" / f"{article}.md")
    own = [row for row in questions if row["document"] == f"{article}.md"]
    for usual in (6, 8):
        examples = list(Rules(usual=usual).expand(source).examples)
        asked = [example for example in examples if example.angle in ASKED]
        for name, kept in (("all", examples), ("asked", asked)):
            equal, held = zip(*(found(row, kept) for row in own), strict=True)
            words = median(len(example.answer.split()) for example in kept)
            print(
                f"{article:<20} usual={usual} {name:<5} {len(kept):>4} examples  equal {sum(equal) / len(own):.3f}  "
                f"held {sum(held) / len(own):.3f}  median answer {words:g} words"
            )
    if "missed" in sys.argv:
        for row in own:
            if not found(row, examples)[0]:
                print("   ", row["question"], "|", row["answers"])
