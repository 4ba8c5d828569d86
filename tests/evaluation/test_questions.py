import json
import random

import pytest

from byheart.errors import UserError
from byheart.evaluation.questions import about_documents, check_questions, dev_share, load_questions
from byheart.records import Document, Probe

GOOD = {"question": "How long?", "answers": "ten years"}


@pytest.fixture
def write(tmp_path):
    def write_lines(*lines, name="exam [1], a=b.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines), "utf-8")
        return path

    return write_lines


def test_real_questions_find_their_document(data, read):
    document = read(data / "rules" / "documents" / "amateur_radio_rules.md")
    probes = load_questions(data / "rules" / "questions.jsonl", [document])
    assert len(probes) == 37
    assert {probe.document for probe in probes} == {document.id}
    assert all(probe.options[probe.gold] in probe.answers for probe in probes)
    assert {probe.tags["half"] for probe in probes} == {"A", "B"}
    assert len({probe.group for probe in probes}) < 37  # several questions ask about one section


def test_other_documents_questions_are_set_aside(data, read):
    probes = load_questions(data / "squad" / "questions.jsonl", [read(data / "squad" / "documents" / "black_death.md")])
    here, away = about_documents(probes)
    assert (len(here), len(away)) == (40, 120)
    unnamed = load_questions(data / "squad" / "questions.jsonl", [])
    assert about_documents(unnamed) == (unnamed, [])


@pytest.mark.parametrize("name", ["handbook.md", "HANDBOOK", "The Handbook", "texts/handbook.md", "old/handbook.md"])
def test_a_document_goes_by_any_of_its_names(write, name):
    documents = [Document("d1", "The Handbook", "", "texts/handbook.md"), Document("d2", "Other", "", "texts/other.md")]
    assert load_questions(write(GOOD | {"document": name}), documents)[0].document == "d1"


def test_a_name_that_fits_two_documents_fits_none(write):
    documents = [Document("d1", "One", "", "a/text.md"), Document("d2", "Two", "", "b/text.md")]
    probe = load_questions(write(GOOD | {"document": "text.md"}), documents)[0]
    assert probe.document == ""
    assert probe.tags["document"] == "text.md"


def test_gold_may_be_a_number_a_text_or_left_to_the_answer(write):
    row = {"question": "Which?", "options": ["no", "yes"]}
    probes = load_questions(
        write(row | {"gold": 1, "id": 1}, row | {"gold": "yes", "id": 2}, row | {"answers": ["yes"], "id": 3})
    )
    assert [probe.gold for probe in probes] == [1, 1, 1]


def test_every_broken_line_is_named_with_value_and_fix(write):
    path = write(
        GOOD,
        '{"question": "cut',
        "[1]x",
        {"question": "  ", "answers": "x"},
        {"question": "Q4"},
        {"question": "Q5", "answer": "x"},
        {"question": "Q6", "options": ["a", "b"], "gold": 2},
        {"question": "Q7", "options": ["a", "b"], "gold": "B"},
        {"question": "Q8", "options": ["a", "b"], "gold": True},
        {"question": "Q9", "options": ["a", "a"], "gold": 0},
        {"question": "Q10", "options": ["a", "b"]},
        {"question": "Q11", "answers": []},
        {"question": "Q12", "answers": {"text": "x"}},
        {"question": "Q13", "answers": "x", "paragraph": -1},
        {"question": "Q14", "answers": "x", "paragraph": "3"},
        {"question": "Q15", "answers": "x", "direction": "backwards"},
        {"question": "Q16", "gold": 1, "answers": "x"},
        GOOD,
        {"question": "Q18", "answers": "x", "id": "same"},
        {"question": "Q19", "answers": "x", "id": "same"},
        7,
    )
    with pytest.raises(UserError) as caught:
        load_questions(path)
    problems = caught.value.problems
    assert list(problems) == check_questions(path)
    broken = {int(problem.where.rpartition(":")[2]) for problem in problems}
    assert broken == set(range(2, 19)) | {20, 21}
    assert all(problem.where.startswith(str(path)) and problem.what and problem.fix for problem in problems)
    assert any("B would be 1" in problem.fix for problem in problems)
    assert any("line 19" in problem.what for problem in problems)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b'[{"question": "x"}]', "JSON list"),
        (b"\x89PNG\xff\x00", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_right_says_so_once(tmp_path, content, what):
    path = tmp_path / "exam.jsonl"
    path.write_bytes(content)
    (problem,) = check_questions(path)
    assert what in problem.what


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.jsonl", tmp_path):
        (problem,) = check_questions(path)
        assert problem.where == "questions"


def test_bom_blank_lines_crlf_and_line_separators_do_no_harm(tmp_path):
    path = tmp_path / "exam.jsonl"
    row = json.dumps({"question": "a\u2028b?", "answers": 42}, ensure_ascii=False)
    path.write_bytes(b"\xef\xbb\xbf" + row.encode() + b"\r\n\r\n" + json.dumps(GOOD).encode() + b"\r\n")
    probes = load_questions(path)
    assert [probe.answers for probe in probes] == [("42",), ("ten years",)]


def test_an_id_follows_the_content_not_the_line(write):
    other = {"question": "Who?", "answers": "you"}
    first = {probe.question: probe.id for probe in load_questions(write(GOOD, other))}
    assert first == {probe.question: probe.id for probe in load_questions(write("", other, GOOD))}


def test_dev_share_depends_on_the_question_alone():
    probes = [Probe(str(i), f"Question number {i}?", ("x",)) for i in range(400)]
    dev, rest = dev_share(probes, 0.25)
    assert 60 < len(dev) < 140
    assert {*map(id, dev)}.isdisjoint(map(id, rest))
    assert len(dev) + len(rest) == 400
    fewer = random.Random(0).sample(probes, 100)
    assert set(map(id, dev_share(fewer, 0.25)[0])) == {id(probe) for probe in fewer if probe in dev}
    assert dev_share(probes, 0)[0] == []
    assert dev_share(probes, 1)[1] == []
