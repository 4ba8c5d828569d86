"""What a document asks and explains itself is taught as it stands, in both directions."""

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.data.split import Forms
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.ledger import ledger
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, REVERSE

ROOMS = "kitchen cellar attic hall library office garage garden tower chapel stable dairy forge mill barn pantry studio".split()
ROOMS += [
    "boat house",
    "wash house",
    "green house",
    "bell tower",
    "guard room",
    "throne room",
    "dining room",
    "music room",
]
ROOMS += ["north gate", "south gate", "old bridge", "new bridge", "well"]
FAQ = {f"When is the {room} open?": f"From {n} to {n + 9} o'clock on all days." for n, room in enumerate(ROOMS[:20], 1)}
TERMS = {room.capitalize(): f"the place where tool number {n} is kept" for n, room in enumerate(ROOMS, 1)}
TEXTS = {
    "faq.txt": (FAQ, "The castle\n\n" + "".join(f"Q: {q}\nA: {a}\n\n" for q, a in FAQ.items())),
    "faq.md": (FAQ, "# The castle\n\n" + "".join(f"## {q}\n\n{a}\n\n" for q, a in FAQ.items())),
    "glossary.txt": (TERMS, "Words of the castle\n\n" + "".join(f"{t}: {m}\n" for t, m in TERMS.items())),
    "terms.html": (
        dict([*TERMS.items()][:12]),
        "<html><title>The castle</title><body><main><h1>The castle</h1><p>It was built on a rock in 1402.</p><dl>"
        + "".join(f"<dt>{t}</dt><dd>{m}</dd>" for t, m in [*TERMS.items()][:12])
        + "</dl></main></body></html>",
    ),
}


def read(folder, name, text) -> Source:
    (folder / name).write_text(text, encoding="utf-8")
    document = load_documents([name], folder).documents[0]
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


@pytest.mark.parametrize("name", TEXTS)
def test_every_pair_is_taught_in_both_directions(tmp_path, name):
    pairs, text = TEXTS[name]
    source = read(tmp_path, name, text)
    written = Rules().expand(source)
    own = [fact for fact in source.facts if fact.paired]
    assert [(fact.question, fact.answer) for fact in own] == [*pairs.items()]
    assert ledger(source, {"rules": written}, written.examples, [], {})["coverage"][FORWARD] == 1.0
    assert not {fact.id for fact in own} & written.uncovered.keys(), "no pair is without a reverse question"
    split = Forms().split(written.examples, source.facts, source.chunks, {})
    train = [example for example in written.examples if example.id in split.train]
    for fact in own:
        mine = [example for example in train if example.facts == (fact.id,)]
        assert any(fact.question in e.question and e.answer == fact.answer for e in mine if e.direction == FORWARD)
        assert any(
            fact.answer.rstrip(".") in e.question and e.answer.rstrip(".") == fact.question
            for e in mine
            if e.direction == REVERSE
        )
    held = {example.facts[0] for example in written.examples if example.id in (*split.validation, *split.test)}
    assert len(held & {fact.id for fact in own}) >= len(own) / 4, "another wording of the pair is held out"


def test_a_question_is_taught_in_the_words_of_the_document(tmp_path):
    written = Rules().expand(read(tmp_path, "faq.txt", TEXTS["faq.txt"][1])).examples
    assert {(e.question, e.answer) for e in written} >= {*FAQ.items()}


def test_what_two_pairs_have_in_common_tells_neither(tmp_path):
    text = "# Inns\n\n## North\n\nQ: Is there a bath?\nA: Yes.\n\nQ: Is there a bar?\nA: Yes.\n\n"
    text += "## South\n\nQ: Is there a bath?\nA: No, only a pump in the yard.\n\nQ: Who cooks?\nA: The host.\n"
    source = read(tmp_path, "inns.md", text)
    written = Rules().expand(source)
    answers = {e.question: e.answer for e in written.examples}
    assert answers["Is there a bath? (the section “North” of Inns)"] == "Yes."
    assert answers["Is there a bath? (the section “South” of Inns)"] == "No, only a pump in the yard."
    assert "Is there a bath?" not in answers and not any("answer with “Yes" in question for question in answers)
    alike = {fact.id for fact in source.facts if fact.answer == "Yes."}
    assert written.uncovered.keys() == alike, "nobody could say which question it answers; the ledger lists them"


def test_a_question_about_a_page_heading_is_not_cited_by_itself(tmp_path):
    written = Rules().expand(read(tmp_path, "faq.md", TEXTS["faq.md"][1])).examples
    assert not any(e.question.count("When is the mill open?") > 1 for e in written)


@pytest.mark.parametrize("name", ["faq.txt", "faq.md"])
def test_a_teacher_is_shown_each_pair_as_one_fact(tmp_path, name):
    asked = "\n".join(request.user for request in Ladder(rungs=1).requests(read(tmp_path, name, TEXTS[name][1])))
    assert all(f"{question} {answer}" in asked for question, answer in FAQ.items())
