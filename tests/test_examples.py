"""The shipped example: whole, attributed, and the same as the shared data it was taken from."""

import io
import json
import os
from pathlib import Path

import pytest

from byheart.data.split import Forms

HAM_RADIO = Path(__file__).parents[1] / "examples" / "ham_radio"
SOURCES = {
    "amateur_radio_rules.md": "rules/documents/amateur_radio_rules.md",
    "questions.jsonl": "rules/questions.jsonl",
    "examples.jsonl": "rules/teacher/examples.jsonl",
}


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (HAM_RADIO / name).read_text(encoding="utf-8").splitlines()]


def test_questions_are_scorable_and_name_their_section():
    document = (HAM_RADIO / "amateur_radio_rules.md").read_text(encoding="utf-8")
    questions = lines("questions.jsonl")
    assert len(questions) == 37
    assert len({question["id"] for question in questions}) == 37
    assert {question["half"] for question in questions} == {"A", "B"}
    for question in questions:
        assert question["options"][question["gold"]] in question["answers"]
        assert f"§ {question['support'].partition('(')[0]} " in document


def test_recorded_examples_are_pairs_of_the_shipped_document():
    examples = lines("examples.jsonl")
    assert len(examples) == 711
    assert {example["document"] for example in examples} == {"amateur_radio_rules.md"}
    assert all(example["question"].strip() and example["answer"].strip() for example in examples)


def test_an_exam_question_that_the_teacher_happened_to_write_is_never_trained(tmp_path):
    """One of 711 recorded questions is word for word one of the exam's: it is refused, with the reason."""
    from byheart.expansion.file import File
    from byheart.pipeline.prepare_data import prepare_data
    from byheart.pipeline.run import Run
    from byheart.pipeline.run_config import RunConfig
    from byheart.report.terminal import Terminal

    config = RunConfig(
        documents=(str(HAM_RADIO / "amateur_radio_rules.md"),),
        questions=str(HAM_RADIO / "questions.jsonl"),
        expansion={"file": File(path=str(HAM_RADIO / "examples.jsonl"))},
        **{name: None for name in ("evaluation", "model", "adapter", "optimizer", "trainer")},
        split=Forms(),
    )
    with Run(tmp_path, Terminal(io.StringIO())) as run:
        texts = prepare_data(config, run)
    exam = {question["question"].lower() for question in lines("questions.jsonl")}
    assert not exam & {example.question.lower() for example in texts.examples}
    assert "never trained on" in (tmp_path / "rejected.jsonl").read_text()


def test_byheart_loads_the_document_and_its_questions():
    from byheart.documents.load import load_documents
    from byheart.evaluation.questions import check_questions, load_questions

    loaded = load_documents((str(HAM_RADIO / "amateur_radio_rules.md"),))
    assert [document.title for document in loaded.documents] == [
        "FCC Part 97: Rules of the Amateur Radio Service (excerpts)"
    ]
    assert not check_questions(str(HAM_RADIO / "questions.jsonl"))
    assert len(load_questions(str(HAM_RADIO / "questions.jsonl"), loaded.documents)) == 37


def test_sources_and_licence_are_told():
    told = (HAM_RADIO / "README.md").read_text(encoding="utf-8")
    assert all(name in told for name in SOURCES)
    assert all(word in told for word in ("47 CFR Part 97", "NCVEC", "public domain", "17 U.S.C. 105"))


@pytest.mark.parametrize("name", SOURCES)
def test_files_are_those_of_the_shared_data(name):
    shared = os.environ.get("BYHEART_DATA")
    if not shared:
        pytest.skip("BYHEART_DATA is not set: the shared data is not here")
    assert (HAM_RADIO / name).read_bytes() == (Path(shared) / SOURCES[name]).read_bytes()
