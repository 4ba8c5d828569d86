import pytest

from byheart.errors import UserError
from byheart.evaluation.base import Material
from byheart.evaluation.consistency import Consistency
from byheart.records import Example
from contracts.evaluation_contract import EvaluationContract, ToyRecaller


class TestConsistency(EvaluationContract):
    def make(self):
        return Consistency()


class Says:
    """Answers by a table, and counts the questions."""

    def __init__(self, **said):
        self.said, self.asked = said, []

    def answer(self, questions, max_new_tokens, on_progress=None):
        self.asked += questions
        return [self.said.get(question, "I do not know.") for question in questions]


def example(question, answer, fact="f1", direction="forward"):
    return Example(f"{fact}-{question}", question, answer, (fact,) if fact else (), "simple", direction, "rules")


def of(*examples):
    wordings = {}
    for each in examples:
        wordings.setdefault(each.facts[0] if each.facts else "f1", []).append(each)
    return Material(wordings=wordings)


FEE = of(example("a", "40 dollars"), example("b", "40 dollars."), example("d", "The fee"))


@pytest.mark.parametrize(
    ("said", "consistent", "mean", "worst"),
    [
        ({"a": "40 dollars", "b": "It is 40 dollars."}, 0, 1, 1),
        ({"a": "40 dollars", "b": "the 40 Dollars!"}, 1, 1, 1),
        ({"a": "40 dollars", "b": "50 dollars"}, 0, 0.5, 0),
        ({"a": "50 dollars", "b": "50 dollars"}, 1, 0, 0),
        ({}, 1, 0, 0),
        ({"a": "", "b": " "}, 0, 0, 0),
    ],
)
def test_agreement_and_the_worst_wording(said, consistent, mean, worst):
    model = Says(**said)
    found = {name: at.value for name, at in Consistency().score(model, material=FEE).metrics.items()}
    assert found == {"consistent": consistent, "wordings_mean": mean, "wordings_worst": worst}
    assert sorted(model.asked) == ["a", "b"], "only wordings with the same answer are compared"


def test_a_fact_with_one_wording_is_left_out_and_so_is_one_asked_twice_alike():
    one = of(example("a", "40 dollars"), example("A?", "40 dollars"), example("b", "The fee"))
    assert Consistency().score(Says(), material=one).metrics == {}
    both_ways = of(example("a", "40 dollars"), example("b", "40 dollars", direction="reverse"))
    assert Consistency().score(Says(), material=both_ways).metrics == {}
    assert Consistency().score(ToyRecaller()).metrics == {}


def test_sample_and_wordings_limit_what_is_asked_and_are_always_the_same():
    many = [example(f"{fact} {n}", f"answer {fact}", f"f{fact}") for fact in range(9) for n in range(6)]
    first, second = Says(), Says()
    found = Consistency(sample=5, wordings=3).score(first, material=of(*many))
    Consistency(sample=5, wordings=3).score(second, material=of(*many[::-1]))
    assert len(first.asked) == 15 and sorted(first.asked) == sorted(second.asked)
    assert found.metrics["consistent"].count == 5


@pytest.mark.parametrize("options", [{"sample": 0}, {"wordings": 1}, {"max_new_tokens": 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        Consistency(**options)
