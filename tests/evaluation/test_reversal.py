"""Forward and reverse questions told apart, compared at equal kinds of answer, and names against random names."""

from dataclasses import dataclass, replace

import pytest

from byheart.errors import UserError
from byheart.evaluation.base import Material
from byheart.evaluation.reversal import Reversal, gap, kind_of, own_probes, rivals_of
from byheart.records import FORWARD, NEITHER, REVERSE, Answer, Fact, Probe
from contracts.evaluation_contract import EvaluationContract, ToyRecaller

NAMES = "Ada Brook, Bo Carr, Cy Dunn, Di Ekman, Ed Foss, Fay Gray".split(", ")
DEEDS = [
    f"the {w} who built the {t} tower"
    for w, t in zip("mason smith cook joiner nurse pilot".split(), "red blue tall old new far".split(), strict=True)
]
FACTS = [Fact(f"f{i}", "towers", "towers:0", 0, 9, f"{name}, {deed}, died in {1900 + i}.", 9, language="en") for i, (name, deed) in enumerate(zip(NAMES, DEEDS, strict=True))]  # fmt: skip


def probe(name: str, direction: str, answer: str, group: str) -> Probe:
    return Probe(name, f"About {name}?", (answer,), direction=direction, group=group)


class TestReversal(EvaluationContract):
    def make(self):
        return Reversal()


@dataclass
class Cursed(ToyRecaller):
    """Says what a name did, and to whom a deed belongs only where it is told both ways."""

    both: bool = False

    def _right(self, question: str) -> str:
        for name, deed in zip(NAMES, DEEDS, strict=True):
            if name in question:
                return deed
            if deed in question and self.both:
                return name
        return ""


def score(model):
    return Reversal().score(model, material=Material((), FACTS)).metrics


def test_the_curse_is_seen_and_its_absence_too():
    cursed, whole = score(Cursed()), score(Cursed(both=True))
    assert cursed["reversal_forward"].value == 1 and cursed["reversal_reverse"].value == 0
    assert whole["reversal_reverse"].value == 1 and whole["reversal_choice_gap"].value == 0
    assert cursed["reversal_choice_gap"].value > 0.5 and cursed["reversal_forward"].count == 6
    assert whole["reversal_margin"].value > 1 > cursed["reversal_margin"].value
    assert "reversal_gap" not in cursed  # names against descriptions: no kind was asked for both ways


def test_questions_on_own_facts_go_both_ways_and_skip_what_two_names_share():
    found = own_probes(FACTS)
    assert [(p.direction, p.answers) for p in found[:2]] == [(REVERSE, ("Ada Brook",)), (FORWARD, (DEEDS[0],))]
    assert DEEDS[0] in found[0].question and "Ada Brook" in found[1].question
    twin = replace(FACTS[0], id="twin", text=FACTS[0].text.replace("Ada Brook", "Lou Teal"))
    assert {p.facts for p in own_probes([*FACTS, twin])} == {(fact.id,) for fact in FACTS[1:]}


def test_the_gap_compares_answers_of_one_kind_only():
    asked = [
        probe("a", FORWARD, "Ada Brook", "x"), probe("b", REVERSE, "Bo Carr", "y"),
        probe("c", FORWARD, "a very long answer of many words", "x"), probe("d", REVERSE, "1912", "y"),
        probe("e", NEITHER, "Cy Dunn", "z"),
    ]  # fmt: skip
    answers = {p.id: Answer(p.id, "", {"said": float(p.id in "ac")}) for p in asked}
    assert [kind_of(p) for p in asked] == ["name", "name", "sentence", "number", "name"]
    assert (gap(asked[:4], answers, "said").value, gap(asked[:4], answers, "said").count) == (1.0, 2)
    assert gap(asked[2:4], answers, "said") is None
    assert gap(asked[:4], answers, "said").low < 0.5, "two probes are no certainty"
    assert Reversal().score(ToyRecaller(), asked[4:]).metrics == {}


def test_random_names_are_of_the_same_document_first_and_never_the_right_one():
    asked = [
        replace(probe(f"q{i}", REVERSE, name, "g"), document="d" if i < 4 else "e") for i, name in enumerate(NAMES)
    ]
    found = rivals_of(asked[0], asked, 3)
    assert sorted(found) == sorted(NAMES[1:4]) and found == rivals_of(asked[0], asked[::-1], 3)
    assert set(rivals_of(asked[0], asked, 9)) == set(NAMES[1:])


@pytest.mark.parametrize("name", ["sample", "rivals", "max_new_tokens"])
def test_counts_are_whole_numbers(name):
    with pytest.raises(UserError, match=f"evaluation.reversal.{name}"):
        Reversal(**{name: 0})
