import json
from dataclasses import replace
from math import exp

import pytest

from byheart.errors import UserError
from byheart.evaluation import general
from byheart.evaluation.base import Scored
from byheart.evaluation.forgetting import (
    Forgetting,
    forgotten,
    general_paragraphs,
    general_text,
    priming_rows,
    ratio,
)
from byheart.evaluation.general import General, begins_with, neutral_exchanges
from byheart.evaluation.harness import values_of
from byheart.evaluation.priming import Marks
from byheart.records import Answer, Fact, Value
from contracts.evaluation_contract import MATERIAL, PROBES, EvaluationContract, ToyRecaller


class TestForgetting(EvaluationContract):
    def make(self):
        return Forgetting()


class Flat:
    """The same loss for every token."""

    def __init__(self, nats):
        self.nats = nats

    def token_losses(self, texts):
        return [(self.nats * len(text.split()), len(text.split())) for text in texts]


def test_perplexity_weighs_tokens():
    value = general_text(Flat(2.0)).metrics["perplexity"]
    assert value.value == pytest.approx(exp(2.0))
    assert value.low == pytest.approx(value.high)


def test_a_model_against_itself_has_forgotten_nothing():
    scored = general_text(ToyRecaller(PROBES))
    value = ratio(scored, scored)
    assert (value.low, value.value, value.high) == (1, 1, 1)


def test_the_ratio_pairs_paragraphs():
    before, after = general_text(ToyRecaller(PROBES)), general_text(ToyRecaller())
    value = ratio(before, after)
    plain = after.metrics["perplexity"].value / before.metrics["perplexity"].value
    assert value.value == pytest.approx(plain)
    assert 1 < value.low <= value.value <= value.high


def test_a_diverged_model_still_gives_a_number_that_json_knows():
    assert ratio(general_text(Flat(1.0)), general_text(Flat(5000.0))).high < float("inf")


def test_the_bundled_text_is_prose_of_the_promised_length():
    texts = general_paragraphs()
    assert 600 <= sum(len(text.split()) for text in texts) <= 900
    assert all(len(text.split()) > 30 for text in texts)


def test_the_packaged_questions_are_distinct_and_their_right_option_stands_anywhere():
    found = General.load(None, 200)
    assert (len(found.trivia), len(found.cloze)) == (60, 40)
    places = [probe.gold for probe in found.trivia]
    assert [places.count(place) for place in range(4)] == [15] * 4
    assert all(len(set(probe.options)) == 4 for probe in found.trivia)
    assert len({probe.question for probe in (*found.trivia, *found.cloze)}) == 100
    assert all(probe.answers and "?" not in probe.question for probe in found.cloze)


@pytest.mark.parametrize(
    ("said", "answers", "right"),
    [
        (" Paris.\n\nThe", ("Paris",), True),
        ("the Sun at a speed", ("Sun",), True),
        ("7 days", ("seven",), True),
        ("Parisian streets", ("Paris",), False),
        ("巴黎是法国的首都", ("巴黎",), True),
        ("not Paris", ("Paris",), False),
        ("", ("Paris",), False),
        ("anything", ("The",), False),
    ],
)
def test_a_completion_begins_with_its_answer(said, answers, right):
    assert begins_with(said, answers) is right


def test_a_file_of_either_kind_takes_the_place_of_the_packaged_questions(tmp_path):
    file = tmp_path / "own.jsonl"
    rows = [
        {"id": "a", "question": "Which?", "options": ["this", "that"], "gold": 1, "category": "none"},
        {
            "id": "b",
            "prompt": "The capital of France is",
            "question": "The capital of France is ____.",
            "answers": ["Paris"],
        },
        {"prompt": "One, two,", "answers": ["three"]},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    found = General.load(str(file), 200)
    assert [probe.gold for probe in found.trivia] == [1]
    assert {probe.question for probe in found.cloze} == {"The capital of France is", "One, two,"}
    assert Forgetting(probes=str(file)).problems() == []
    scored = Forgetting(probes=str(file)).score(ToyRecaller())
    assert scored.metrics["trivia"].count == 1 and scored.metrics["cloze"].count == 2
    assert len(General.load(str(file), 2).trivia + General.load(str(file), 2).cloze) == 2


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (None, "no such file"),
        ('{"question": "Who?", "answers": ["she"]}', "neither a question with options"),
        ('{"prompt": "Who"}', "no answer"),
        ("[", "JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_before_anything_is_loaded(tmp_path, line, what):
    file = tmp_path / "own.jsonl"
    if line:
        file.write_text(line)
    (problem, *_) = Forgetting(probes=str(file)).problems()
    assert what in problem.what


def test_a_package_that_is_missing_is_told_with_its_name(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (problem,) = Forgetting(lm_eval=["hellaswag"]).problems()
    assert "lm_eval" in problem.what and problem.fix == "pip install lm_eval"
    assert Forgetting(lm_eval=[]) == Forgetting()
    with pytest.raises(UserError, match="names of tasks"):
        Forgetting(lm_eval=[3])


def of(trivia, says=()):
    answers = {f"trivia-{i}": Answer(f"trivia-{i}", "", {"trivia": float(at)}) for i, at in enumerate(trivia)}
    names = [name for name, _, _ in neutral_exchanges()][: len(says)]
    for name, said in zip(names, says, strict=True):
        answers[name] = Answer(name, "words", {"priming": float(bool(said)), **{f"says {each}": 1.0 for each in said}})
    return Scored({}, answers)


def test_of_the_questions_right_before_the_share_that_is_still_right():
    value = forgotten(of([1, 1, 1, 0]), of([1, 0, 1, 1]))["general_kept"]
    assert (value.value, value.count) == (pytest.approx(2 / 3), 3)
    assert forgotten(of([0, 0]), of([1, 1])) == {}
    assert (
        forgotten(Scored(), of([1, 1])) == {}
    )  # a run whose untuned model was scored before there were such questions


def test_a_name_that_the_untuned_model_says_too_is_no_priming():
    before, after = of([], [["Marsh Light"], [], []]), of([], [["Marsh Light"], ["Anna Baker"], []])
    before = replace(before, metrics={"priming": 0})
    value = forgotten(before, after)["priming"]
    assert (value.value, value.count) == (pytest.approx(1 / 3), 3)
    rows = priming_rows({"untuned": before, "tuned": after})
    assert [row["tuned_names"] for row in rows] == [["Marsh Light"], ["Anna Baker"], []]
    assert rows[0]["untuned_names"] == ["Marsh Light"] and rows[0]["question"].endswith("?")


FACTS = [
    "The Marsh Light of Aldermoor was lit in 1853 by Anna Baker, who kept it for thirty years.",
    "Keepers of Aldermoor swim on Monday in the cold water below the tower.",
    "When the XR-200 lamp failed, Baker's brother rowed to the Board.",
    "THE BOARD AND ITS DUTIES",
    "A board of nine persons decides.",
    "灯塔于一八五三年由城里的渔民在北岸建成。",
]


@pytest.mark.parametrize(
    ("answer", "question", "found"),
    [
        ("Boil it at Aldermoor.", "How do I boil an egg?", ["Aldermoor"]),
        ("Ask Anna Baker’s brother about it.", "How?", ["Baker", "Anna Baker"]),
        ("Ask Anna Baker.", "Who is Anna Baker?", []),
        ("Go to the Marsh Light now.", "Where?", ["Marsh Light"]),
        ("Use the XR-200 on Monday.", "How?", ["XR-200"]),
        ("The Board, Keepers and When: none is a name.", "How?", []),
        ("swim in the cold water below the tower", "How?", ["in the cold water below the"]),
        ("in the cold water below", "How?", []),
        ("他说灯塔于一八五三年", "什么？", ["灯 塔 于 一 八 五"]),
        ("", "How?", []),
    ],
)
def test_names_and_words_of_the_documents_are_found_in_an_answer(answer, question, found):
    marks = Marks.of([Fact(f"f{i}", "d", "c", 0, len(text), text, 20) for i, text in enumerate(FACTS)])
    said = marks.found(answer, question)
    assert (said[:1] if " " in "".join(found) and len(found) == 1 else sorted(said)) == sorted(found)


def test_where_every_noun_has_a_capital_a_single_one_is_no_name():
    text = "Der Ruderclub Nordsee hat in Husum nur einen Vorstand."
    marks = Marks.of([Fact("f", "d", "c", 0, len(text), text, 20, language="de")])
    assert marks.found("Husum und Vorstand", "") == []
    assert "Ruderclub Nordsee" in marks.found("im Ruderclub Nordsee", "")


def test_without_documents_nothing_is_primed_and_everyday_questions_are_not_asked():
    scored = Forgetting().score(ToyRecaller(PROBES))
    assert "priming" not in scored.metrics and scored.metrics["divergence"].value > 0
    assert Forgetting().score(ToyRecaller(), material=MATERIAL).metrics["priming"].count == len(neutral_exchanges())


def test_no_packaged_text_is_missing_its_origin():
    assert {"general.txt", "general_questions.jsonl", "neutral.jsonl"} <= set(
        (general.files("byheart.evaluation").joinpath("NOTICE").read_text()).split()
    )


def test_metrics_of_lm_eval_have_intervals_of_their_standard_errors():
    numbers = {"alias": "toy", "acc,none": 0.5, "acc_stderr,none": 0.1, "words,none": 3.0, "words_stderr,none": "N/A"}
    found = values_of({"results": {"toy": numbers}, "n-samples": {"toy": {"original": 9, "effective": 8}}})
    assert found == {"toy acc": Value(0.5, 8, pytest.approx(0.304, abs=1e-3), pytest.approx(0.696, abs=1e-3))}
