import re
from dataclasses import replace

import pytest

from byheart.evaluation.bm25 import BM25
from byheart.evaluation.questions import load_questions
from byheart.evaluation.retrieval import LONGEST, OpenBook, ask_with, paragraphs
from byheart.records import Chunk, Document, Fact, Probe


@pytest.fixture
def rules(data, read, cut):
    document = read(data / "rules" / "documents" / "amateur_radio_rules.md")
    probes = load_questions(data / "rules" / "questions.jsonl", [document])
    return OpenBook([document], cut(document)), probes


def test_every_support_is_found_and_holds_its_item(rules):
    book, probes = rules
    for probe in probes:
        passage = book.passage(probe)
        assert passage.how == "support", probe.support
        for part in probe.support.split(","):
            items = re.findall(r"\(\w+\)", part)
            assert not items or items[-1] in passage.text, probe.support
        assert len(passage.text) < 2500


@pytest.mark.parametrize(
    ("support", "words", "absent"),
    [
        ("97.1(c)", "advancing skills", "goodwill"),
        ("97.113(a)(4), (c)", "Music using a phone emission", "pecuniary"),
        ("97.113(a)(4), (c)", "manned spacecraft", "pecuniary"),
        ("97.113(a)(3)(iii)", "teaching position", "sale or trade"),
        ("97.9(a), 97.17(a)", "Advanced Class", "Mailing"),
        ("97.119(b)", "English language", "every 10 minutes"),  # what stands under (b) belongs to it
        ("§ 97.25", "10-year", "email"),
        ("Prohibited transmissions", "Music", "email"),
    ],
)
def test_support_reaches_the_item_and_no_further(rules, support, words, absent):
    book, _ = rules
    text = book.passage(Probe("p", "?", ("x",), support=support)).text
    assert words in text
    assert absent not in text


def test_an_unknown_support_falls_back_on_words(rules):
    book, probes = rules
    passage = book.passage(replace(probes[0], support="12.99(z)"))
    assert passage.how == "lexical"
    assert book.passage(replace(probes[0], support="12.99", question="zzz qqq")).how == "none"


def test_words_alone_find_most_sections(rules):
    book, probes = rules
    found = sum(
        book.passage(replace(probe, support="")).text.split("\n\n")[-1] in book.passage(probe).text for probe in probes
    )
    assert found >= len(probes) / 2


def test_the_paragraph_holds_an_answer(data, read, cut):
    documents = [read(path) for path in sorted((data / "squad" / "documents").glob("*.md"))]
    book = OpenBook(documents, [chunk for document in documents for chunk in cut(document)])
    probes = load_questions(data / "squad" / "questions.jsonl", documents)
    for probe in probes:
        passage = book.passage(probe)
        assert passage.how == "paragraph"
        assert any(answer in passage.text for answer in probe.answers)
    far = book.passage(replace(probes[0], paragraph=999))
    assert far.how == "lexical"


def test_a_paragraph_is_counted_without_titles():
    text = "# Title\nfirst\nline\n\n \t\n## Part\n\nsecond\r\n\r\nthird  \n\n\n# End"
    assert [text[start:end] for start, end in paragraphs(text)] == ["first\nline", "second", "third"]
    assert paragraphs("") == []


def test_a_giant_paragraph_is_cut_to_its_best_chunk():
    text = "filler words " * 1000 + "the plover sleeps at noon. " + "filler words " * 1000
    step = 500
    starts = range(0, len(text), step)
    chunks = [Chunk(str(at), "d", (), at, min(at + step, len(text)), text[at : at + step], 99) for at in starts]
    passage = OpenBook([Document("d", "D", text, "d.txt")], chunks).passage(
        Probe("p", "When does the plover sleep?", ("noon",), paragraph=0)
    )
    assert "plover" in passage.text
    assert len(passage.text) < LONGEST


def test_a_generated_probe_reads_its_facts_chunk():
    text = "Alpha is one.\n\nBeta is two."
    chunks = [Chunk("c0", "d", ("Part",), 0, 13, text[:13], 3), Chunk("c1", "d", ("Part",), 15, 27, text[15:], 3)]
    facts = [Fact("f1", "d", "c1", 15, 27, text[15:], 3)]
    book = OpenBook([Document("d", "D", text, "d.txt")], chunks, facts)
    probe = Probe("p", "What is alpha?", ("two",), facts=("f1",), source="generated")
    opened, how = book.open([probe])
    assert how == {"p": "fact"}
    assert opened[0].question == ask_with("Part\n\nBeta is two.", "What is alpha?")
    assert (opened[0].id, opened[0].answers) == (probe.id, probe.answers)


def test_neighbours_are_joined_as_they_stood():
    text = "One sentence. Another one."
    chunks = [Chunk("c0", "d", (), 0, 13, text[:13], 3), Chunk("c1", "d", (), 14, 26, text[14:], 3)]
    facts = [Fact(f"f{i}", "d", f"c{i}", 0, 1, "", 1) for i in (0, 1)]
    book = OpenBook([Document("d", "D", text, "d.txt")], chunks, facts)
    assert book.passage(Probe("p", "?", ("x",), facts=("f1", "f0"))).text == text


def test_bm25_prefers_rare_words_and_short_texts():
    index = BM25(["the cat sat on the mat", "the dog sat", "the dog sat on the long long long log", ""])
    assert index.best("which dog?") == 1
    assert index.best("cats") == 0
    assert index.best("dog", among={2}) == 2
    assert index.best("zebra") is None
    assert BM25([]).best("x") is None
