"""Time and memory grow with the length of a text and the number of examples, not with their square."""

import importlib.util
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import toys
from byheart.data import contamination
from byheart.data.chunks import Chunking
from byheart.data.contamination import ContaminationFinder
from byheart.data.split import NEVER_HELD_OUT
from byheart.documents.load import load_documents
from byheart.documents.markdown.front_matter import read_front_matter
from byheart.errors import UserError
from byheart.expansion.question_generation.wording import stands_in
from byheart.expansion.rules.rules import Rules
from byheart.records import Document, Example

ROOT = Path(__file__).parents[2]
MOST = 15  # times the steps for ten times the text


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("growth", ROOT / "benchmarks" / "growth.py")
    assert spec and spec.loader
    growth = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(growth)
    return growth


growth = benchmark()


@pytest.mark.parametrize("name", ["question mark", "stops apart", "link opened", "front matter of blanks"])
def test_ten_times_the_text_takes_at_most_fifteen_times_the_steps(name, tmp_path):
    pattern = growth.PATTERNS[name]
    growth.calls(pattern, ".md", 1000, tmp_path)  # loads what is loaded once
    few, many = (growth.calls(pattern, ".md", size, tmp_path) for size in (3_000, 30_000))
    assert many <= MOST * few, f"{few:,} and {many:,} calls"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", growth.FORMATS)
@pytest.mark.parametrize("name", growth.PATTERNS)
def test_ten_times_of_any_pattern_takes_at_most_fifteen_times_the_steps(name, suffix, tmp_path):
    pattern = growth.PATTERNS[name]
    growth.calls(pattern, suffix, 1000, tmp_path)
    few, many = (growth.calls(pattern, suffix, size, tmp_path) for size in (20_000, 200_000))
    assert many <= MOST * few + 50_000, f"{few:,} and {many:,} calls"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\n" + " " * 1_000_000, ""),
        ("---\n" + "   \n" * 250_000, ""),
        ("---\ntitle: a" + " " * 1_000_000 + "b\n---\nText.", "a" + " " * 1_000_000 + "b"),
        ("---\ntitle: 'Care of the pump' \n---\nText.", "Care of the pump"),
        ("---\nTitle:\n---\nText.", ""),
    ],
)  # fmt: skip
def test_front_matter_is_read_in_one_pass(text, title):
    begun = time.process_time()
    assert read_front_matter(text, markdown=True)[1] == title
    assert time.process_time() - begun < 1  # seconds; by the square it was minutes


def test_a_line_that_no_prose_has_is_refused_with_the_limit(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text("A heading\n\n" + "a pump, " * 700_000)
    with pytest.raises(UserError, match="line 3 has 5,600,000 characters; a line may have 5,000,000"):
        load_documents([str(path)])


def test_a_sentence_longer_than_what_is_cut_at_once_comes_whole():
    text = "a pump, " * 15_000
    chunks = Chunking().split(Document("d", "D", text, "d.txt"))
    assert max(chunk.tokens for chunk in chunks) <= 256
    assert min(chunk.tokens for chunk in chunks[:-1]) > 128
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())


def rows(copies: int) -> tuple[list[Example], list[Example]]:
    """Training rows and held-out examples of the rules, so many times with other names and numbers."""
    examples = Rules().expand(toys.ham_radio()).examples[:400]
    train, held = [], []
    for copy in range(copies):
        for number, one in enumerate(examples):
            own = replace(
                one, id=f"{copy}-{one.id}", question=f"Of town {copy}: {one.question}", answer=f"{one.answer}"
            )
            (held if number % 9 == 0 and one.angle not in NEVER_HELD_OUT else train).append(own)
    return train, held


def test_look_alikes_are_found_by_their_words_where_pairs_are_too_many(monkeypatch):
    train, held = rows(3)
    exact = ContaminationFinder(train).reasons(held)
    assert 20 < len(exact) < len(held)
    monkeypatch.setattr(contamination, "MOST_PAIRS", 0)
    assert ContaminationFinder(train).reasons(held) == exact


def test_the_words_of_an_answer_are_found_whole():
    assert stands_in("the club", "who may join the club?")
    assert stands_in("§ 4", "what does § 4 say?")
    assert not stands_in("club", "who may join the clubs?")
    assert not stands_in("a", "the_a_b and ba")


def test_a_page_without_an_element_is_refused_as_empty(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("</b>" * 500)
    with pytest.raises(UserError, match="the page is empty"):
        load_documents([str(page)])
