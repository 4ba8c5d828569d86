"""The user's own pairs."""

import json

import pytest

import toys
from byheart.errors import UserError
from byheart.expansion.file import File
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
