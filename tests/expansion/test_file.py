"""The user's own pairs."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import toys
from byheart.errors import UserError
from byheart.expansion.base import Source
from byheart.expansion.file import File, read_pairs
from byheart.expansion.rules.rules import Rules
from contracts.expansion_contract import ExpansionContract

LINES = [
    {"question": f"Question {n} on {f.headings[-1]}?", "answer": f.text, "fact": n}
    for n, f in enumerate(toys.ham_radio().facts[:30])
]


class TestFile(ExpansionContract):
    @pytest.fixture(autouse=True)
    def _pairs(self, tmp_path):
        self.path = tmp_path / "pairs.jsonl"
        self.path.write_text("\n".join(map(json.dumps, LINES)))

    def expansion(self, **options):
        return File(path=str(self.path), **options)

    def source(self):
        return toys.ham_radio()


def test_pairs_are_tied_to_the_fact_they_ask_about(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)))
    source = toys.ham_radio()
    texts = {f.id: f.text for f in source.facts}
    examples = File(path=str(path)).expand(source).examples
    assert sum(bool(e.facts) and texts[e.facts[0]] == e.answer for e in examples) >= 0.9 * len(examples)


def test_all_broken_lines_are_reported_together(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"question": "a", "answer": "b"}\n{broken\n{"question": "only"}\n[1]\n')
    with pytest.raises(UserError) as caught:
        File(path=str(path)).expand(toys.ham_radio())
    assert [p.where.rsplit(":", 1)[1] for p in caught.value.problems] == ["2", "3", "4"]
    assert File(path=str(path)).problems() == caught.value.problems  # known before any work, by `byheart check` too


def test_lines_end_where_json_lines_end(tmp_path):
    """A line separator within a text is no end of a line, though Python's splitlines takes it for one."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"question": "a\u2028b?", "answer": "c\x85d"}, ensure_ascii=False), encoding="utf-8")
    assert not File(path=str(path)).problems()


def test_a_file_of_another_kind_says_what_to_do(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"question": "a", "answers": ["b"]}\n')
    assert "rename" in File(path=str(path)).problems()[0].fix
    path.write_bytes('{"question": "é", "answer": "b"}'.encode("latin-1"))
    assert "UTF-8" in File(path=str(path)).problems()[0].what


def test_the_recorded_teacher_covers_the_rulebook_and_joins_the_rules():
    path = toys.shared("rules", "teacher", "examples.jsonl")
    source = toys.ham_radio()
    written = File(path=str(path)).expand(source)
    assert len(written.examples) == 711
    assert len(written.uncovered) <= 0.1 * len(source.facts)
    assert not {e.id for e in written.examples} & {e.id for e in Rules().expand(source).examples}


def faults(path):
    return [(p.where.rpartition(":")[2], p.what, p.fix) for p in File(path=str(path)).problems()]


def test_fields_of_the_wrong_kind_are_reported_with_their_lines_not_learned(tmp_path):
    path = tmp_path / "pairs.jsonl"
    good = {"question": "How many?", "answer": 0}
    bad = [
        {"prompt": "a", "completion": "b"},
        {"question": "a", "answer": ["b", "c"]},
        {"question": {"text": "a"}, "answer": True},
        {"question": "a", "answer": "b", "direction": "backward", "rung": "hot"},
        {"question": "a", "answer": "half \ud83d"},
    ]
    path.write_text("\n".join(json.dumps(each) for each in [good, *bad, good]))
    found = faults(path)
    assert [(line, what) for line, what, _ in found] == [
        ("2", "no question and no answer"),
        ("3", "answer is not a text"),
        ("4", "question is not a text; answer is not a text"),
        ("5", "'backward' is no direction; rung is not a number"),
        ("6", "answer has half a character (a lone \\ud8.. escape)"),
    ]
    assert "this one has prompt, completion" in found[0][2]
    path.write_text(json.dumps(good) + "\n" + json.dumps(good))
    written = File(path=str(path)).expand(toys.ham_radio())
    assert [e.answer for e in written.examples] == ["0"] and len(written.rejected) == 1  # said twice, learned once


@pytest.mark.parametrize(
    "content",
    [
        'question,answer\n"a, b?",c\nd,"e\nf"\n',
        'id;question;answer\n1;a, b?;c\n2;d;"e\nf"\n',
        'question\tanswer\na, b?\tc\nd\t"e\nf"\n',
        '[{"question": "a, b?", "answer": "c"},\n {"question": "d", "answer": "e\\nf"}]',
    ],
)
def test_a_table_or_an_array_is_one_problem_and_its_fix_works(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my pairs.txt"
    path.write_text("\ufeff" + content, encoding="utf-8")
    ((_, what, fix),) = faults(path)
    assert "not one JSON object a line" in what
    subprocess.run(fix.replace("python", shlex.quote(sys.executable), 1), shell=True, check=True)
    assert [(p["question"], p["answer"]) for _, p in read_pairs(Path("my pairs.jsonl"))] == [
        ("a, b?", "c"),
        ("d", "e\nf"),
    ]


def test_a_long_broken_file_is_not_listed_whole(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"question": "a", "answer": "b"}\n' + "{broken\n" * 1000)
    found = faults(path)
    assert len(found) == 21 and found[0][0] == "2" and "980 more lines" in found[-1][1]


def test_a_pair_is_tied_within_the_document_that_it_names(tmp_path):
    path = tmp_path / "pairs.jsonl"
    texts = {"north.md": "# North\n\nThe ferry leaves at nine.\n", "south.md": "# South\n\nThe ferry leaves at nine.\n"}
    parts = [toys.source(text, name[:5].title()) for name, text in texts.items()]
    documents = tuple(replace(each.documents[0], id=name, path=name) for each, name in zip(parts, texts, strict=True))
    chunks = tuple(
        replace(chunk, id=f"{d.id}{n}", document=d.id)
        for d, each in zip(documents, parts, strict=True)
        for n, chunk in enumerate(each.chunks)
    )
    facts = tuple(
        replace(fact, id=f"fact of {d.id}", document=d.id, chunk=f"{d.id}0")
        for d, each in zip(documents, parts, strict=True)
        for fact in each.facts
    )
    pair = {"question": "When does the ferry leave?", "answer": "The ferry leaves at nine."}
    lines = [{**pair, "document": name} for name in ("south.md", "South", "north")]
    path.write_text(
        "\n".join(json.dumps({**line, "question": f"{n}: {line['question']}"}) for n, line in enumerate(lines))
    )
    written = File(path=str(path)).expand(Source(documents, chunks, facts))
    tied = {example.question[0]: example.facts for example in written.examples}
    assert tied == {"0": ("fact of south.md",), "1": ("fact of south.md",), "2": ("fact of north.md",)}


def test_facts_that_a_line_names_by_id_are_taken_as_they_are(tmp_path):
    """Lines of an edited examples.jsonl: no likeness decides, and an example on several facts keeps them all."""
    path, source = tmp_path / "pairs.jsonl", toys.ham_radio()
    one, two = source.facts[0], source.facts[-1]
    pair = {"angle": "blank", "direction": "reverse", "rung": 0.4, "subject": "y"}
    lines = [
        {**pair, "question": "x?", "answer": "y", "facts": [one.id]},
        {**pair, "question": "x2?", "answer": "y", "facts": [one.id, two.id], "chunk": two.chunk},
        {**pair, "question": "x3?", "answer": "y", "facts": [], "chunk": two.chunk},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    written = File(path=str(path)).expand(source)
    assert [(e.facts, e.chunk) for e in written.examples] == [
        ((one.id,), one.chunk),
        ((one.id, two.id), two.chunk),
        ((), two.chunk),
    ]
    assert {(e.angle, e.direction, e.rung, e.subject) for e in written.examples} == {("blank", "reverse", 0.4, "y")}
    assert not {one.id, two.id} & written.uncovered.keys()
