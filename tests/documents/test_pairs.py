"""A document's own questions and answers, terms and meanings: found where they are, and nowhere else."""

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.documents.load import load_documents
from byheart.documents.structure.outline import outline

HOURS = ("When is the pool open?", "From six to ten.")
WATER = ("How warm is the water?", "It has 27 degrees. On Mondays it has 30.")
DOGS = ("May I bring a dog?", "No.")
FAQ = (HOURS, WATER, DOGS)


def facts(folder, text, name="pool.md", max_tokens=256):
    (folder / name).write_text(text, encoding="utf-8")
    document = load_documents([name], folder).documents[0]
    return find_facts(document, Chunking(max_tokens).split(document))


def pairs(folder, text, name="pool.md"):
    return [(fact.question, fact.answer) for fact in facts(folder, text, name) if fact.paired]


def each(shape: str) -> str:
    return "The pool\n\n" + "\n\n".join(shape.format(q=q, a=a, n=n) for n, (q, a) in enumerate(FAQ, 1)) + "\n"


@pytest.mark.parametrize(
    "shape",
    [
        "Q: {q}\nA: {a}",
        "Q. {q}\n\nA. {a}",
        "**Q{n}:** {q}\n**A{n}:** {a}",
        "Question {n}: {q}\nAnswer: {a}",
        "F: {q}\nA: {a}",
        "P: {q}\nR: {a}",
        "D: {q}\n\nR: {a}",
        "Вопрос: {q}\nОтвет: {a}",
        "问：{q}\n答：{a}",
        "Q: {q}\n{a}",
        "{q}\n{a}",
        "{q}\n\n{a}",
        "**{q}**\n\n{a}",
        "- **{q}** {a}",
        "{n}. {q}\n   {a}",
        "## {q}\n\n{a}",
        "### Q: {q}\n\nA: {a}",
        "{q}\n: {a}",
    ],
)
def test_questions_with_their_answers_are_one_fact_each(tmp_path, shape):
    found = facts(tmp_path, each(shape))
    assert [(fact.kind, fact.question, fact.answer) for fact in found if fact.paired] == [
        ("pair", q, a) for q, a in FAQ
    ]
    assert [fact.text for fact in found if not fact.paired] in ([], ["The pool"])


def test_questions_of_a_page_end_where_their_panel_ends(tmp_path):
    page = """<html><head><title>Pool</title></head><body><main><h1>The pool</h1>
    <p>The pool was built in 1931 and has been open all the year since then.</p>
    <details><summary>When is the pool open?</summary>From <b>six</b> to ten.</details>
    <details><summary>What do I need?</summary><p>Bring these:</p><ul><li>a towel</li><li>a cap</li></ul></details>
    <div class="item"><h3><button>How warm is the water?</button></h3><div><p>It has 27 degrees.</p></div></div>
    <p>The hall is heated by a wood stove that stands in the cellar.</p></main></body></html>"""
    assert pairs(tmp_path, page, "pool.html") == [
        ("When is the pool open?", "From six to ten."),
        ("What do I need?", "Bring these:\n- a towel\n- a cap"),
        ("How warm is the water?", "It has 27 degrees."),
    ]
    assert "wood stove" in facts(tmp_path, page, "pool.html")[-1].text


def test_each_term_of_a_page_has_its_own_meaning(tmp_path):
    entries = {f"Term{n}": f"The part of the pump that has number {n}." for n in range(12)}
    rows = "".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in entries.items())
    page = f"<html><body><main><h1>Pump</h1><p>The pump has twelve parts.</p><dl>{rows}</dl></main></body></html>"
    found = [fact for fact in facts(tmp_path, page, "pump.html") if fact.paired]
    assert {fact.question: fact.answer for fact in found} == entries and {f.kind for f in found} == {"definition"}


GLOSSARY = {f"{letter}-valve": f"the valve that closes pipe {letter}" for letter in "ABCDE"}


@pytest.mark.parametrize(
    "shape", ["{}: {}", "{} - {}", "- {}: {}", "- **{}**: {}", "**{}** – {}", "{}\n: {}", "{}\n\n:  {}"]
)
def test_terms_with_their_meanings(tmp_path, shape):
    text = "# Valves\n\n" + "\n\n".join(shape.format(*entry) for entry in GLOSSARY.items())
    found = facts(tmp_path, text)
    assert {fact.question: fact.answer for fact in found} == GLOSSARY
    assert {fact.kind for fact in found} == {"definition"}


def test_a_list_that_explains_no_words_is_of_entries(tmp_path):
    lines = "Opening hours: nine to five on weekdays\nPostal address: 12 Pier Street, Harbour\nBus stop: Harbour Gate, line two\n"
    lines += "Lost property: room four, second floor\nTelephone hours: eight to noon daily\n"
    assert {fact.kind for fact in facts(tmp_path, f"# Contacts\n\n{lines}")} == {"entry"}
    assert not pairs(tmp_path, "# Contacts\n\n" + "\n".join(lines.split("\n")[:4])), "four lines show no shape"


NO_PAIRS = {
    "a question inside prose": "Why does this matter? Because a late train makes ten others late. What then? Nothing.",
    "rhetorical paragraphs": "Why does this matter?\n\nA late train makes ten others late.\n\nTrains run every hour.\n",
    "an interview": "HOST: What do you check first?\nGUEST: The fuel is old.\nHOST: How often do you change it?\nGUEST: Once a year.",
    "an interview by marks": "Q: What do you check first?\nA: I check the fuel.\nQ: And then?\nA: I pull the plug out.",
    "an interview in bold": "**What do you check first?**\n\nI check the fuel.\n\n**And after that?**\n\nThe plug.\n\n**Who taught you?**\n\nI had an aunt.",
    "a dialogue": "What is virtue?\n\nIt is to rule well.\n\nIs it the same for a child?\n\nPerhaps.\n\nDoes it rule?\n\nWhat do you think?",
    "an exam": "1. What is the capital of Peru?\n2. How many lakes has Finland?\n3. Which river flows through Vienna?\n4. Who drew it?",
    "an exam with options": "1. What is the capital of Peru?\na) Lima\nb) Cuzco\n\n2. Where is Vienna?\na) on the Danube\nb) on the Elbe\n\n"
    "3. Where is Bonn?\n\nA. on the Rhine\nB. on the Elbe\n",
    "an exam to fill in": "Q1: What is a fjord? (5 marks)\n\nAnswer: ________\n\nQ2: What is a glacier?\n(5 marks)\n\nAnswer: ________\n",
    "calls to act": "## Ready to start?\n\nOpen an account.\n\n## Did you know that?\n\nIt is free.\n\n## What's new?\n\nTables.",
    "speakers": "Anna: The pump is broken again.\nBen: It was Carl in May.\nAnna: No, it was Dora.\nCarl: That is not true.\nBen: Let us ask her.\nDora: It was me.",
    "notes": "Note: the oven must be hot.\nNote: the tin must be cold.\nTip: use the old dough.\nNote: wait for an hour.\nTip: never open the oven.",
    "hyphens in prose": "Mix flour with water - it should be cold - and wait.\nThe dough rests.\nThen bake it - but not too long - and eat.\n",
}  # fmt: skip


@pytest.mark.parametrize("text", NO_PAIRS.values(), ids=NO_PAIRS.keys())
def test_what_is_no_list_of_questions_gives_no_pair(tmp_path, text):
    assert pairs(tmp_path, f"# Notes\n\n{text}\n") == []


def test_of_a_long_answer_the_sentences_are_facts_too(tmp_path):
    sentences = [f"Pipe {n} runs from the cellar of the hall to the roof of tower {n}." for n in range(6)]
    text = f"Q: Where do the pipes run?\nA: {' '.join(sentences)}\n\nQ: Who built them?\nA: Two brothers.\n"
    found = facts(tmp_path, text)
    assert found[0].answer == " ".join(sentences) and found[0].text.endswith(sentences[0])
    assert [fact.text for fact in found[1:-1]] == sentences[1:]
    assert (found[-1].question, found[-1].answer) == ("Who built them?", "Two brothers.")


@pytest.mark.parametrize("max_tokens", [16, 24, 256])
def test_no_pair_and_no_word_is_lost_where_chunks_are_small(tmp_path, max_tokens):
    found = facts(tmp_path, each("Q: {q}\nA: {a}"), max_tokens=max_tokens)
    assert [(fact.question, fact.answer) for fact in found if fact.paired] == list(FAQ)
    assert "".join("".join(fact.text.split()) for fact in found) in "".join(each("Q: {q}\nA: {a}").split())


def test_text_without_pairs_has_the_blocks_that_it_had():
    text = "# Rules\n\nThe pump needs oil: two litres.\nIs it full? Look.\n\n- an item\n- another: with a colon\n"
    assert [block.kind for block in outline(text).blocks] == ["text", "item", "item"]
