import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byheart.data.chunks import Chunking, count_tokens
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.documents.structure.outline import outline
from byheart.records import Document, Fact

PIECES = [
    "\n",
    "\n\n",
    "# Title\n\n",
    "## § 97.1 Purpose.\n\n",
    "The pump needs oil. Dr. Smith fills it, e.g. on Mondays. ",
    "No station shall transmit:\n\n",
    "(a) Each station must have one of the following: ",
    "(2) Music; or\n",
    "(i) Noise of any kind;\n",
    "- an item\n",
    "Yes. ",
    "| Class | Power |\n|---|---|\n| Small | 2 W |\n",
    "```\ncode = 1\n```\n",
    'He said "Stop!" and left. ',
    "word " * 80,
    "日本語の文章です。次の文です。",
    "!!! ",
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=30)), max_size=12).map("".join),
)


def learn(text: str, title: str = "Rules", max_tokens: int = 256) -> tuple[Document, list[Fact]]:
    document = Document("rules-1", title, text, "rules.md")
    return document, find_facts(document, Chunking(max_tokens).split(document))


def texts(text: str) -> list[str]:
    return [fact.text for fact in learn(text)[1]]


def check_promises(document: Document, max_tokens: int) -> None:
    chunks = {chunk.id: chunk for chunk in Chunking(max_tokens).split(document)}
    facts = find_facts(document, list(chunks.values()))
    headings = outline(document.text, document.title).headings
    end = 0
    for fact in facts:
        chunk = chunks[fact.chunk]
        assert document.text[fact.start : fact.end] == fact.text == fact.text.strip() != ""
        assert chunk.start <= fact.start < fact.end <= chunk.end and fact.headings == chunk.headings
        assert fact.start >= end, "facts do not overlap"
        assert [fact.tokens] == count_tokens([fact.text])
        end = fact.end
        for heading in headings:
            assert fact.end <= heading.start or heading.end <= fact.start, "a heading is no fact"
    assert len({fact.id for fact in facts}) == len(facts)
    assert bool(facts) == bool(document.text.strip()), "no text is without a fact"
    assert set(lead_ins(document, facts)) <= {fact.id for fact in facts}


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.sampled_from([16, 256]))
def test_promises_hold_for_any_text(text, max_tokens):
    check_promises(Document("rules-1", "Title", text, "rules.md"), max_tokens)


def real_documents() -> list[Document]:
    folder = os.environ.get("BYHEART_DATA")
    if not folder:
        pytest.skip("BYHEART_DATA is not set: the shared data are not here")
    return list(load_documents([f"{folder}/rules/documents", f"{folder}/squad/documents"]).documents)


@pytest.mark.parametrize("max_tokens", [48, 256])
def test_promises_hold_for_real_documents(max_tokens):
    for document in real_documents():
        check_promises(document, max_tokens)


@pytest.mark.parametrize(
    "sentence",
    [
        "It is e.g. a rule of the U.S. Government.",
        "Dr. Smith cites No. 5 and Fig. 2 of the book.",
        "Authorized by § 97.1(a)(2) and § 97.107 of this part is the use of 28.20–28.30 MHz.",
        "Y. pestis strains such as Y. p. orientalis were found.",
        'Known for founding "Global Bistro.", she lives quietly.',
        "The debts grew (in a study).[unreliable source?][who?]",
        '"Why must it be so?" she asked him.',
        "E. coli lives in the gut.",
    ],
)
def test_these_are_one_sentence_each(sentence):
    assert texts(f"The first one stands here. {sentence} The last one stands here.")[1:-1] == [sentence]
    assert texts(sentence) == [sentence]


def test_a_wrapped_line_is_no_break():
    assert texts("The pump, as in\n(b) of this part, needs\noil. It is so since\n1989. That is long.") == [
        "The pump, as in\n(b) of this part, needs\noil.",
        "It is so since\n1989.",
        "That is long.",
    ]


def test_a_term_stays_with_its_definition_and_a_run_in_heading_with_its_sentence():
    text = (
        "(41) Space station. An amateur station far above the Earth.\n\n"
        "(b)(2) A club station license grant. A club station license grant may be held by one. The trustee must be named."
    )
    facts = learn(text)[1]
    assert [(fact.label, fact.text) for fact in facts] == [
        ("(41)", "Space station. An amateur station far above the Earth."),
        ("(b)(2)", "A club station license grant. A club station license grant may be held by one."),
        ("(b)(2)", "The trustee must be named."),
    ]


def test_lead_ins_govern_the_first_statement_of_each_item_down_to_nested_ones():
    text = (
        "(a) No amateur station shall transmit:\n\n"
        "(2) Communications for hire. The FCC will publish a list.\n\n"
        "(3) Communications in which the operator has an interest, with the following exceptions:\n\n"
        "(ii) A teacher may be paid for it.\n\n"
        "(4) Music by a phone emission.\n\n"
        "(b) Broadcasting is not allowed at all."
    )
    document, facts = learn(text)
    said = {fact.text: lead_ins(document, facts).get(fact.id) for fact in facts}
    paths = {fact.text: fact.labels for fact in facts}
    first = "No amateur station shall transmit:"
    third = "Communications in which the operator has an interest, with the following exceptions:"
    assert first not in said, "a lead-in that says nothing alone is no fact"
    assert said == {
        "Communications for hire.": first,
        "The FCC will publish a list.": None,
        third: first,
        "A teacher may be paid for it.": f"{first} {third}",
        "Music by a phone emission.": first,
        "Broadcasting is not allowed at all.": None,
    }
    assert list(paths.values()) == ["(a)(2)", "(a)(2)", "(a)(3)", "(a)(3)(ii)", "(a)(4)", "(b)"]


def test_a_lead_in_that_says_something_is_a_fact():
    lead = "The call sign must be transmitted with an emission authorized for the channel in one of the following ways:"
    assert texts(f"{lead}\n\n(1) By a CW emission.\n\n(2) By a phone emission.")[0] == lead


def test_letters_and_roman_numbers_are_told_apart():
    text = "(h) It is the eighth.\n\n(i) It is the ninth.\n\n(1) It is below.\n\n(i) It is deeper.\n\n(ii) So is this.\n\n(j) It ends here."
    facts = learn(text)[1]
    assert [fact.labels for fact in facts] == ["(h)", "(i)", "(i)(1)", "(i)(1)(i)", "(i)(1)(ii)", "(j)"]


def test_markdown_lists_nest_by_indentation_and_tables_by_header():
    text = (
        "Keep ready:\n\n- tools of the trade:\n  - a large hammer\n  - a small wrench\n- two litres of oil\n\n"
        "| Class | Power in watts |\n|---|---|\n| General station | 200 W |\n"
    )
    document, facts = learn(text)
    governing = lead_ins(document, facts)
    assert {fact.text: governing[fact.id] for fact in facts if fact.id in governing} == {
        "a large hammer": "Keep ready: tools of the trade:",
        "a small wrench": "Keep ready: tools of the trade:",
        "two litres of oil": "Keep ready:",
        "| General station | 200 W |": "| Class | Power in watts |",
    }


def test_short_statements_join_a_neighbour_and_short_items_their_lead_in():
    assert texts("Is it safe now? Yes. The pump may run then.") == ["Is it safe now? Yes.", "The pump may run then."]
    assert texts("Beware!\n\nThe pump may run at night.") == ["Beware!\n\nThe pump may run at night."]
    assert texts("The classes are:\n\n- Novice\n- General\n- Extra\n\nThere are three of them.") == [
        "The classes are:\n\n- Novice\n- General\n- Extra",
        "There are three of them.",
    ]
    facts = learn("You may not play:\n\n(1) Songs of any kind; or\n(2) Hymns.")[1]
    assert [(fact.label, fact.text) for fact in facts] == [("(1)", "Songs of any kind; or"), ("(2)", "Hymns.")]


@pytest.mark.parametrize("text", ["Hello", "# Hello", "!!!", "---\n\n***", "42", "No:\n\n- a"])
def test_the_smallest_document_has_one_fact(text):
    assert len(texts(text)) == 1


def test_the_numbers_of_facts_follow_the_content_alone():
    before = learn("## A\n\nThe pump needs oil. The valve needs care.")[1]
    after = learn(
        "## New\n\nThe door must be shut.\n\n## A\n\nThe pump needs oil.\n\nOne more is here. The valve needs care."
    )[1]
    ids = {fact.text: fact.id for fact in after}
    assert all(ids[fact.text] == fact.id for fact in before)
    twice = learn("The pump needs oil.\n\nThe pump needs oil.")[1]
    assert len({fact.id for fact in twice}) == 2
