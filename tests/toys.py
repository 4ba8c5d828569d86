"""Small real things: a source of facts without files."""

import os
from functools import cache
from pathlib import Path

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.expansion.base import Source
from byheart.records import Document

RULES = Path(__file__).parent.parent / "examples/ham_radio/amateur_radio_rules.md"
EXAM = RULES.with_name("questions.jsonl")


def source(text: str, title: str = "Club Rules") -> Source:
    document = Document("doc", title, text, "rules.md")
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


@cache
def ham_radio() -> Source:
    text = RULES.read_text()
    return source(text, text.splitlines()[0].removeprefix("# "))


def shared(*parts: str) -> Path:
    if "BYHEART_DATA" not in os.environ:
        pytest.skip("BYHEART_DATA names no folder of shared documents")
    return Path(os.environ["BYHEART_DATA"], *parts)
