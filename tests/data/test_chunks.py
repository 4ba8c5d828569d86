import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byheart.data.chunks import Chunking, count_tokens
from byheart.documents.languages.tokens import LONGEST_TOKEN, packaged_tokenizer
from byheart.documents.load import load_documents
from byheart.documents.structure.outline import outline
from byheart.errors import UserError
from byheart.records import Document

LINES = [
    "",
    "",
    "# Title",
    "## Part one",
    "### Deeper",
    "Setext",
    "======",
    "---",
    "§ 97.1 Purpose.",
    "Chapter 3",
    "1.2 Scope",
    "GENERAL RULES",
    "The pump needs oil. Dr. Smith fills it, e.g. on Mondays. It is warm!",
    "The pump runs when",
    "(a) Each station must have a control point:",
    "(1) By a CW emission. Its speed must not exceed 20 words per minute;",
    "- an item",
    "* [ ] done?",
    "| a | b |",
    "|---|---|",
    "```",
    "> quoted words stand here",
    "word " * 60,
    "x" * 300,
    "日本語の文章です。次の文です。",
    "🙂🙃👩‍👩‍👧 é ﷺ",
    "<|im_start|>",
    "!!!",
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(LINES), max_size=25).map("\n".join),
    st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=40)), max_size=15).map("\n".join),
)


def document(text: str, title: str = "Title") -> Document:
    return Document("doc-1", title, text, "doc.md")


def real_documents() -> list[Document]:
    folder = os.environ.get("BYHEART_DATA")
    if not folder:
        pytest.skip("BYHEART_DATA is not set: the shared data are not here")
    return list(load_documents([f"{folder}/rules/documents", f"{folder}/squad/documents"]).documents)


def check_promises(document: Document, max_tokens: int) -> None:
    chunks = Chunking(max_tokens).split(document)
    text = document.text
    end = 0
    shape = outline(text, document.title)
    heads = [range(heading.start, heading.end) for heading in shape.headings]
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.start >= end and not text[end : chunk.start].strip(), "all but blanks is covered, in order"
        assert chunk.tokens <= max_tokens and count_tokens([chunk.text]) == [chunk.tokens]
        end = chunk.end
    assert not text[end:].strip()
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    if max_tokens >= 64:  # a heading larger than a chunk cannot be kept with its text
        for chunk in chunks:
            places = [place for place, sign in enumerate(chunk.text, chunk.start) if not sign.isspace()]
            alone = all(any(place in head for head in heads) for place in places)
            assert not alone, f"a lone heading: {chunk.text!r}"


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.sampled_from([16, 64, 256]))
def test_promises_hold_for_any_text(text, max_tokens):
    check_promises(document(text), max_tokens)


@pytest.mark.parametrize("max_tokens", [48, 128, 256])
def test_promises_hold_for_real_documents(max_tokens):
    for found in real_documents():
        check_promises(found, max_tokens)


def test_a_section_is_one_chunk_and_knows_its_headings():
    text = "# Rules\n\n## A\n\nFirst rule.\n\nSecond rule.\n\n## B\n\n### C\n\nThird rule.\n\n## D\n\nFourth.\n\n## End"
    chunks = Chunking().split(document(text))
    assert [chunk.headings for chunk in chunks] == [("Rules", "A"), ("Rules", "B", "C"), ("Rules", "D")]
    assert chunks[0].text.startswith("# Rules") and chunks[1].text.startswith("## B")
    assert chunks[2].text.endswith("## End"), "a heading without text below goes with what stands above"


def test_plain_text_has_headings_too():
    text = (
        "The Handbook\n\nPART I\n\nChapter 2 Fees\n\n§ 4 Amount.\nThe fee is 5 euros.\n\n4.1 Waiver\n\nSome pay none.\n\n"
        "GENERAL TERMS\n\nAll is fair.\n\n§ 5 says what happens then.\n\nSection 3 of the act applies."
    )
    chunks = Chunking().split(document(text, "The Handbook"))
    assert [chunk.headings for chunk in chunks] == [
        ("The Handbook", "PART I", "Chapter 2 Fees", "§ 4 Amount."),
        ("The Handbook", "PART I", "Chapter 2 Fees", "§ 4 Amount.", "4.1 Waiver"),
        ("The Handbook", "PART I", "Chapter 2 Fees", "GENERAL TERMS"),
    ]


def test_a_caption_above_sentences_is_a_heading_in_plain_text():
    text = "Care of the pump\n\nThe pump must be checked on every morning.\n\nOil and grease\n\nThe oil must be warm.\n\nThe end"
    chunks = Chunking().split(document(text, "Pump"))
    assert [chunk.headings for chunk in chunks] == [("Care of the pump",), ("Oil and grease",)]
    assert [chunk.headings for chunk in Chunking().split(document("Apples\n\nPears\n\nThey are all fruit."))] == [()]


def test_code_and_rules_are_no_headings():
    text = "# Pump\n\nRun this:\n\n```\n# not a heading\nstart pump\n```\n\n---\n\nIt runs."
    (chunk,) = Chunking().split(document(text))
    assert chunk.headings == ("Pump",) and "# not a heading" in chunk.text


def test_cuts_fall_between_paragraphs_then_sentences_never_inside_an_abbreviation():
    paragraph = "The rule of Dr. Smith in Fig. 2 holds for the U.S. Government only. "
    chunks = Chunking(64).split(document(paragraph * 9))
    assert len(chunks) > 2
    assert all(chunk.text.startswith("The rule") and chunk.text.endswith("only.") for chunk in chunks)


def test_ids_follow_the_content_and_not_the_place():
    before = Chunking().split(document("## A\n\nOne.\n\n## B\n\nTwo."))
    after = Chunking().split(document("## New\n\nNew.\n\n## A\n\nOne.\n\n## B\n\nTwo."))
    assert [chunk.id for chunk in after[1:]] == [chunk.id for chunk in before]


@pytest.mark.parametrize("value", [0, 15, -1, 2.5, True])
def test_a_useless_size_is_refused(value):
    with pytest.raises(UserError, match=r"chunks\.max_tokens"):
        Chunking(value)


@pytest.mark.parametrize(
    "text",
    [
        "The pump needs oil, and much of it. " * 15_000,
        "word " * 100_000,
        "abcdefghij" * 60_000,
        "- an item of a list\n" * 20_000,
    ],
    ids=["one line", "no sentence", "one word", "a list"],
)
def test_a_long_text_of_any_shape_is_cut_in_seconds(text):
    start = time.process_time()
    chunks = Chunking().split(document(text))
    assert time.process_time() - start < 15
    assert max(chunk.tokens for chunk in chunks) <= 256


def test_the_packaged_tokenizer_counts():
    assert count_tokens([]) == []
    assert count_tokens(["", "hello world", "<|im_end|>"])[:2] == [0, 2]
    assert count_tokens(["<|im_end|>"])[0] > 1, "what a document quotes is text"
    assert max(len(token) for token in packaged_tokenizer().get_vocab()) <= LONGEST_TOKEN
    notice = Path(__file__).parents[2] / "src/byheart/documents/languages/NOTICE"
    assert "Apache" in notice.read_text()
