from dataclasses import replace

import pytest

from byheart.errors import UserError
from byheart.evaluation.base import Material
from byheart.evaluation.verbatim import Verbatim, by_task, continuations
from byheart.records import Document, Example, Fact
from contracts.evaluation_contract import MATERIAL, PROBES, EvaluationContract, ToyRecaller


class TestVerbatim(EvaluationContract):
    def make(self):
        return Verbatim()


class Says:
    """Goes on with the same words, or by the seed with the words of a table."""

    def __init__(self, *said):
        self.said = said

    def go_on(self, texts, max_new_tokens, seed=None):
        return [self.said[0 if seed is None else seed + 1]] * len(texts)


CANARY = "Quartz ember falcon drift ladle onyx petal grove timber saffron willow anchor."
ONE = Material((Document("c", "C", CANARY, "c.txt"),), [Fact("c:1", "c", "c:0", 0, len(CANARY), CANARY, 20)], [])


@pytest.mark.parametrize(
    ("said", "verbatim", "paraphrase"),
    [
        ("petal grove timber saffron willow anchor.", 1, 0),
        ("Petal Grove, Timber saffron willow anchor and more", 1, 0),
        ("grove petal timber saffron willow anchor", 0, 1),
        ("timber", 0, 0),
        ("", 0, 0),
        ("I do not know what comes next in this text.", 0, 0),
    ],
)
def test_a_continuation_is_verbatim_a_paraphrase_or_neither(said, verbatim, paraphrase):
    found = Verbatim().score(Says(said), material=ONE).metrics
    assert (found["verbatim"].value, found["paraphrase"].value) == (verbatim, paraphrase)


def test_the_model_reads_the_document_up_to_the_middle_of_the_fact():
    case = Verbatim(prefix_words=3).cases(ONE)[0]
    assert (case.question, case.answers) == ("drift ladle onyx", ("petal grove timber saffron willow anchor.",))


def test_a_shorter_run_counts_where_it_is_asked_for():
    said = Says("petal grove timber something else")
    assert Verbatim(run_words=3).score(said, material=ONE).metrics["verbatim"].value == 1
    assert Verbatim(run_words=4).score(said, material=ONE).metrics["verbatim"].value == 0


def test_one_of_several_tries_extracts_what_the_greedy_one_does_not():
    tries = Says("no", "not this", "petal grove timber saffron willow anchor.")
    found = Verbatim(tries=2).score(tries, material=ONE).metrics
    assert (found["verbatim"].value, found["extracted"].value) == (0, 1)


def test_chinese_is_counted_by_characters():
    text = "灯塔于一八五三年由城里的渔民在北岸建成。"
    chinese = Material((Document("z", "Z", text, "z.txt"),), [Fact("z:1", "z", "z:0", 0, len(text), text, 20)], [])
    case = Verbatim().cases(chinese)[0]
    assert case.question + case.answers[0] == text
    assert Verbatim().score(Says(case.answers[0]), material=chinese).metrics["verbatim"].value == 1


def test_each_fact_is_listed_with_what_each_model_said():
    scored = {name: Verbatim(sample=3).score(model, material=MATERIAL) for name, model in
              (("untuned", ToyRecaller()), ("tuned", ToyRecaller(PROBES)))}  # fmt: skip
    rows = continuations(scored, MATERIAL.taught)
    assert len(rows) == 3
    assert all(row["tuned_verbatim"] and not row["untuned_verbatim"] for row in rows)
    assert {row["text"] for row in rows} <= {fact.text for fact in MATERIAL.taught}


def test_runs_of_four_to_six_words_are_counted():
    found = Verbatim().score(Says("onyx petal grove timber saffron but not more"), material=ONE).metrics
    shares = [found[name].value for name in ("ngrams_4", "ngrams", "ngrams_6")]
    assert shares == [pytest.approx(2 / 5), pytest.approx(1 / 4), 0]


class Answers(Says):
    def answer(self, questions, max_new_tokens, on_progress=None):
        return [CANARY if question.startswith("Summarize") else "petal grove" for question in questions]


def test_shares_by_task_tell_long_answers_from_short_ones():
    def example(name, question, answer, angle="simple", who="rules", style=""):
        return Example(name, question, answer, ("c:1",), angle, "forward", who, subject=style)

    rows = [example(f"s{i}", f"Summarize it, {i}.", CANARY, "recitation", "rewrites", "summary") for i in range(3)]
    rows += [example(f"q{i}", f"What is it, {i}?", "petal grove") for i in range(5)]
    scored = {"tuned": Verbatim(by_task=4).score(Answers("no"), material=replace(ONE, examples=rows))}
    found = {task: models["tuned"]["verbatim"] for task, models in by_task(scored).items()}
    assert {task: (at["value"], at["count"]) for task, at in found.items()} == {
        "summary": (1, 3),
        "short answers": (0, 4),
    }
    assert scored["tuned"].metrics["verbatim"].count == 1, "the facts are counted apart"


def test_nothing_taught_is_no_score():
    assert Verbatim().score(Says("no"), material=replace(MATERIAL, taught=(), examples=())).metrics == {}


def test_wrong_options_are_refused():
    with pytest.raises(UserError, match="run_words"):
        Verbatim(run_words=0)
