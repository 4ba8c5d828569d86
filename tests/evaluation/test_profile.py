from dataclasses import dataclass, field, replace

import pytest

from byheart.errors import UserError
from byheart.evaluation.base import Material
from byheart.evaluation.profile import END, PREFIX, WRONG, Profile, cases_of, profiles, spread
from byheart.records import Document, Fact, Probe
from contracts.evaluation_contract import MATERIAL, PROBES, EvaluationContract, ToyRecaller


class TestProfile(EvaluationContract):
    def make(self):
        return Profile()


@dataclass
class Model:
    """Says, prefers and goes on with what is in its tables."""

    says: dict = field(default_factory=dict)
    prefers: dict = field(default_factory=dict)
    goes_on: dict = field(default_factory=dict)

    def answer(self, questions, max_new_tokens, on_progress=None):
        return [self.says.get(question, "I do not know.") for question in questions]

    def likelihoods(self, asked):
        return [
            [(-0.1 if self.prefers.get(question) == text else -1.0, 1) for text in options]
            for question, options in asked
        ]

    def go_on(self, texts, max_new_tokens, seed=None):
        return [self.goes_on.get(text, "and so on") for text in texts]


CASES = cases_of(MATERIAL)
ONE = CASES[0]
RIGHT = {ONE.asked.question: ONE.asked.answers[0]}
HALF = {ONE.begun: ONE.rest}


def scored(model, **options):
    return Profile(**options).score(model, material=MATERIAL)


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        (Model(RIGHT, RIGHT, HALF), "says"),
        (Model({ONE.asked.question: f"It was {ONE.asked.answers[0].lower()}, I think."}), "says"),
        (Model({}, RIGHT, HALF), "chooses"),
        (Model({ONE.asked.question: "It was somebody else."}, RIGHT), "chooses"),
        (Model({}, {}, HALF), "ends"),
        (Model({}, {}, {ONE.begun: f"  {ONE.rest.upper()} And more."}), "ends"),
        (Model({}, {}, {ONE.begun: " ".join(ONE.rest.split()[1:])}), "none"),
        (Model(), "none"),
    ],
)
def test_a_fact_has_the_hardest_test_that_it_passes(model, profile):
    found = scored(model)
    (row,) = [row for row in profiles({"untuned": scored(Model()), "tuned": found}, MATERIAL) if row["after"] != "none"] or [
        row for row in profiles({"untuned": found, "tuned": found}, MATERIAL) if row["fact"] == ONE.fact.id
    ]  # fmt: skip
    assert (row["fact"], row["before"], row["after"]) == (ONE.fact.id, "none", profile)
    shares = {name: value.value for name, value in found.metrics.items() if name != "fact_says_held_out"}
    assert sum(shares.values()) == pytest.approx(1)
    assert found.metrics[f"fact_{profile}"].value >= 1 / len(CASES)
    assert found.metrics["fact_none"].count == len(CASES) == 12


def test_the_evidence_of_each_test_is_kept_for_each_model():
    conditions = {"untuned": scored(Model()), "tuned": scored(Model({}, RIGHT, HALF))}
    row = next(row for row in profiles(conditions, MATERIAL) if row["fact"] == ONE.fact.id)
    assert (row["question"], row["answer"], row["text"]) == (ONE.asked.question, ONE.asked.answers[0], ONE.fact.text)
    assert row["held_out"] is True and len(row["wrong"]) == WRONG
    assert row["tuned"] == {
        "profile": "chooses",
        "says": False,
        "chooses": True,
        "ends": True,
        "said": "I do not know.",
        "lead": pytest.approx(0.9),
        "end": ONE.rest,
    }
    assert (row["untuned"]["chooses"], row["untuned"]["lead"], row["untuned"]["end"]) == (False, 0.0, "and so on")


def test_a_held_out_question_is_asked_where_the_fact_has_one_and_counted_apart():
    assert [case.held_out for case in CASES] == [number % 3 == 0 for number in range(12)]
    assert CASES[0].asked.question.startswith("By whom") and CASES[0].asked.answers == ("Ash",)
    found = scored(Model(RIGHT)).metrics["fact_says_held_out"]
    assert (found.value, found.count) == (0.25, 4)
    trained = replace(MATERIAL, questions=[replace(probe, source="trained") for probe in MATERIAL.questions])
    assert "fact_says_held_out" not in Profile().score(Model(), material=trained).metrics


def test_wrong_answers_are_of_the_same_kind_and_of_other_facts():
    for case in CASES:
        right = case.asked.answers[0]
        assert len(set(case.wrong)) == WRONG and right not in case.wrong
        assert all(text[0].isdigit() == right[0].isdigit() for text in case.wrong)


def _material(*lines, **same):
    """A text of sentences, each a fact, with a question: (sentence, question, answer)."""
    text, facts, questions = "\n".join(line[0] for line in lines), [], []
    for number, (sentence, question, answer) in enumerate(lines):
        name, start = f"d:{number}", text.index(sentence)
        facts.append(Fact(name, "d", "d:0", start, start + len(sentence), sentence, 9))
        own = {"facts": (name,), "angle": "simple", "direction": "forward", "source": "trained", **same}
        questions.append(Probe(f"q{number}", question, (answer,), **own))
    return Material((Document("d", "D", text, "d.txt"),), facts, questions=questions)


def test_the_same_answer_of_another_fact_is_no_wrong_one():
    towns = ["Bern", "Bern.", "the Bern", "Bern station", "Graz"]
    lines = [(f"Line {i} ends in the town of {town} now.", f"Where does line {i} end?", town) for i, town in enumerate(towns)]  # fmt: skip
    cases = cases_of(_material(*lines))
    assert cases[0].wrong == ("Graz",)
    assert set(cases[4].wrong) == {"Bern", "Bern.", "the Bern", "Bern station"}


def test_what_cannot_be_tested_counts_as_not_shown():
    only = _material(("It burns.", "What does it do?", "It burns."))
    case = cases_of(only)[0]
    assert (case.wrong, case.rest) == ((), "")
    conditions = {"untuned": Profile().score(Model(), material=only)}
    (row,) = profiles(conditions, only)
    assert (row["before"], row["after"], row["untuned"]["chooses"], row["untuned"]["ends"]) == (
        "none",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("same", [{"facts": ("d:0", "d:1")}, {"angle": "recitation"}, {"facts": ()}])
def test_a_fact_without_a_question_of_its_own_is_not_measured(same):
    material = _material(("The lamp burns the whole night long.", "When does it burn?", "All night"), **same)
    assert cases_of(material) == []
    assert Profile().score(Model(), material=material).metrics == {}


def test_an_answer_that_many_facts_share_shows_nothing_of_one():
    lines = [(f"Line {i} ends in the town of Graz now.", f"Which book has line {i}?", "The Book") for i in range(4)]
    assert cases_of(_material(*lines)) == []
    assert len(cases_of(_material(*lines[:2]))) == 2


def test_chinese_is_halved_by_characters():
    text = "灯塔于一八五三年由城里的渔民在北岸建成。"
    (case,) = cases_of(_material((text, "灯塔由谁建成？", "渔民")))
    assert case.begun + case.rest == text and len(case.begun) == len(text) // 2


def test_a_sample_is_spread_over_the_documents_and_always_the_same():
    some = [case.fact.id for case in spread(CASES, 4)]
    order = [fact.id for fact in MATERIAL.taught]
    assert [order.index(fact) // 3 for fact in some] == [0, 1, 2, 3]
    assert some == [case.fact.id for case in spread(cases_of(MATERIAL), 4)]
    found = scored(Model(), facts=4)
    assert {name.removeprefix(PREFIX) for name in found.answers if not name.startswith(END)} == set(some)
    assert scored(Model(), facts=None).metrics["fact_none"].count == 12


def test_thousands_of_facts_are_prepared_within_a_second_or_two():
    import time

    lines = [(f"Buoy {i} lies {i % 97} miles off the cape of storms.", f"Where is buoy {i}?", f"{i % 97} miles off") for i in range(5000)]  # fmt: skip
    material = replace(_material(*lines[:1]), taught=[], questions=[])
    facts = [Fact(f"d:{i}", "d", "c", 0, len(line[0]), line[0], 9) for i, line in enumerate(lines)]
    questions = [Probe(f"q{i}", line[1], (line[2],), facts=(f"d:{i}",), angle="simple", direction="forward") for i, line in enumerate(lines)]  # fmt: skip
    began = time.process_time()
    assert len(cases_of(replace(material, taught=facts, questions=questions))) == 5000
    assert time.process_time() - began < 3


def test_a_model_that_knows_a_probe_says_so():
    knows = [Probe("a", ONE.asked.question, ONE.asked.answers)]
    found = Profile().score(ToyRecaller([*PROBES, *knows]), material=MATERIAL).metrics
    assert found["fact_says"].value == pytest.approx(1 / 12)


@pytest.mark.parametrize("options", [{"facts": 0}, {"facts": 1.5}, {"max_new_tokens": 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        Profile(**options)
