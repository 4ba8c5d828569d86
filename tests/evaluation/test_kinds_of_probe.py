"""The table of a run: what a probe is compared by, and the figures that follow, worked by hand."""

import random
from dataclasses import replace

import pytest

from byheart.evaluation.base import Scored
from byheart.evaluation.by_kind import declines
from byheart.evaluation.intervals import exact_test
from byheart.evaluation.kinds import (
    HELDOUT_ANGLE,
    HELDOUT_FACT,
    HELDOUT_WORDING,
    OTHER_ANSWER,
    TRAINED_WORDING,
    USERS,
    kinds_of,
    sample_trained,
)  # fmt: skip
from byheart.evaluation.summary import answer_rows, summarise
from byheart.records import Answer, Example, Probe

HEIGHT = "More than 50 km above the surface."


def example(question, answer, angle="simple", direction="forward", fact="f", name=""):
    return Example(name or question, question, answer, (fact,), angle, direction, "rules")


TRAINED = [
    example("Where is a space station located?", HEIGHT),
    example("What is located above 50 km? (Part 97)", "A space station.", direction="reverse"),
    example("Complete: a space station is located more than", HEIGHT, "completion"),
    example("Who may apply?", "Any qualified person may apply for a new licence.", fact="g"),
]


@pytest.mark.parametrize(
    ("held_out", "kind"),
    [
        (example("How high must a station be to count as one in space?", "more than 50 km above the surface"), HELDOUT_WORDING),
        (example("How high must a station be to count as one in space?", HEIGHT, "detailed"), HELDOUT_WORDING),
        (example("Which station is meant by the definition?", "A space station."), HELDOUT_ANGLE),  # forward, not reverse
        (example("Which station is meant by the definition?", "A space station.", direction="reverse"), HELDOUT_WORDING),
        (example("A station orbits at 400 km. Is it one in space?", "Yes; it is above 50 km."), HELDOUT_ANGLE),
        (example("Where is the space station located", "A space station is located in orbit."), OTHER_ANSWER),
        (example("Where is a space station ____?", "located", "blank"), HELDOUT_ANGLE),  # a gap is no question of those words
        (example("Where is a space station located?", HEIGHT, fact="h"), HELDOUT_FACT),
    ],
)  # fmt: skip
def test_a_kind_is_told_by_what_the_training_rows_ask(held_out, kind):
    assert kinds_of([held_out], TRAINED) == {held_out.id: kind}


def test_trained_rows_are_asked_again_on_the_facts_that_are_held_out():
    rows = [example(f"q{f}{i}", answer, fact=f"f{f}", angle=angle) for f in range(30) for i, (answer, angle) in enumerate(
        [("one two three four", "simple"), ("ten", "simple"), ("ten", "recitation")])]  # fmt: skip
    held = [example(f"h{f}", "ten", fact=f"f{f}") for f in range(0, 30, 3)]
    chosen = sample_trained(held, rows)
    assert {row.form[0] for row in chosen} == {row.form[0] for row in held} and len(chosen) == len(held)
    assert {row.answer for row in chosen} == {"ten"} and {row.angle for row in chosen} == {"simple"}, "no recitation"
    assert chosen == sample_trained(held, rows) and chosen != sample_trained(held, rows, seed=1)
    alone = sample_trained([], rows)
    assert len(alone) == len({row.form[0] for row in alone}) == 24, "nothing is held out: a few, each on another fact"


@pytest.mark.parametrize(
    ("better", "worse", "p"), [(7, 1, 18 / 256), (1, 7, 18 / 256), (5, 0, 2 / 32), (3, 3, 1.0), (0, 0, 1.0)]
)
def test_mcnemars_test_is_the_binomial_one(better, worse, p):
    assert exact_test(better, worse) == pytest.approx(p)


PROBES = [
    *(Probe(f"u{i}", "?", ("yes",), source=USERS, group=f"s{i}") for i in range(4)),
    *(Probe(f"t{i}", "?", ("yes",), source="trained", group=f"f{i}") for i in range(4)),
    *(Probe(f"w{i}", "?", ("yes",), source="generated", group=f"f{i}", kind=HELDOUT_WORDING, direction="forward") for i in range(4)),
    *(Probe(f"r{i}", "?", ("yes",), source="generated", group=f"f{i}", kind=HELDOUT_ANGLE, direction="reverse") for i in range(4)),
    Probe("long", "?", ("yes " * 9,), source="generated", group="f9", kind=HELDOUT_ANGLE, direction="forward"),
    *(Probe(f"n{i}", "?", ("yes",), source="untaught", group=f"n{i // 2}") for i in range(4)),
]  # fmt: skip


def said(right, text="no"):
    """A model that is right on these probes, and says `text` to the others."""
    right = right.split()
    return Scored({}, {p.id: Answer(p.id, "yes" if p.id in right else text, {"contains": float(p.id in right)}) for p in PROBES})  # fmt: skip


@pytest.fixture(scope="module")
def scores():
    conditions = {
        "untuned": said("u0 n0", "I do not know."),
        "open_book": said("u0 u1 u2 t0 w0"),
        "tuned": said("u0 u1 t0 t1 t2 w0 w1 r0 n0"),
        "tuned_open_book": said("u1 u2 u3 t0 w0 w1"),
    }
    return summarise(PROBES, conditions)


def share(block, condition="tuned"):
    return block[condition]["value"], block[condition]["count"]


def test_each_kind_has_its_score_under_each_condition(scores):
    found = {kind: [block[c]["right"]["value"] for c in ("untuned", "open_book", "tuned", "tuned_open_book")]
             for kind, block in scores["kinds"].items()}  # fmt: skip
    assert found == {
        USERS: [0.25, 0.75, 0.5, 0.75], TRAINED_WORDING: [0, 0.25, 0.75, 0.25], HELDOUT_WORDING: [0, 0.25, 0.5, 0.5],
        HELDOUT_ANGLE: [0, 0, 0.2, 0], HELDOUT_FACT: [0.25, 0, 0.25, 0],
    }  # fmt: skip
    assert {kind: (block["probes"], block["facts"]) for kind, block in scores["kinds"].items()} == {
        USERS: (4, 4), TRAINED_WORDING: (4, 4), HELDOUT_WORDING: (4, 4), HELDOUT_ANGLE: (5, 5), HELDOUT_FACT: (4, 2),
    }  # fmt: skip
    assert scores["tuned"]["contains"]["count"] == 4 and scores["generated"]["tuned"]["contains"]["count"] == 9
    assert {row["id"]: row["kind"] for row in answer_rows(PROBES, {})}["t0"] == TRAINED_WORDING


def test_the_headline_is_what_the_untuned_model_got_wrong(scores):
    assert share(scores["all"]) == (0.5, 4) and share(scores["unknown"]) == (pytest.approx(1 / 3), 3)
    assert share(scores["unknown"], "untuned") == (0, 3)
    assert share(scores["kinds"][HELDOUT_FACT]["unknown"]) == (0, 3)


def test_the_gaps_are_those_worked_by_hand(scores):
    derived = scores["derived"]
    assert share(derived["overfit_gap"]) == (0.25, 4)  # f2 alone: right as it was trained, wrong in other words
    assert share(derived["angle_gap"]) == (
        0.5,
        4,
    )  # t0, t1 and t2 against r0; the long one's fact has no trained wording
    # Short answers: 2 of 4 forward, 1 of 4 reverse. The long one has no reverse to be compared with, and is left out.
    assert share(derived["reversal_gap"]) == (0.25, 8)
    assert share(derived["invention_rate"]) == (0.75, 4) and share(derived["declined"]) == (0, 4)
    assert share(derived["invention_rate"], "untuned") == (0, 4) and share(derived["declined"], "untuned") == (0.75, 4)
    for figure in derived.values():
        assert all(at["low"] <= at["value"] <= at["high"] for at in figure.values())


def test_conditions_are_told_apart_in_pairs(scores):
    tests = scores["kinds"][TRAINED_WORDING]["tests"]
    at = tests["tuned_vs_untuned"]
    assert (at["value"], at["better"], at["worse"], at["p"]) == (0.75, 3, 0, 0.25)
    assert (tests["tuned_open_book_vs_open_book"]["value"], tests["tuned_open_book_vs_open_book"]["p"]) == (0, 1)
    read = scores["kinds"][USERS]["tests"]["tuned_open_book_vs_open_book"]  # u3 gained, u0 lost
    assert (read["value"], read["better"], read["worse"]) == (0, 1, 1) and read["low"] < 0 < read["high"]


def test_probes_of_one_fact_count_as_one_in_the_test():
    probes = [Probe(f"q{i}", "?", ("yes",), group="f") for i in range(12)]
    wrong, right = (Scored({}, {p.id: Answer(p.id, "", {"contains": value}) for p in probes}) for value in (0.0, 1.0))
    at = summarise(probes, {"untuned": wrong, "tuned": right})["kinds"][USERS]["tests"]["tuned_vs_untuned"]
    assert (at["better"], at["worse"], at["p"]) == (1, 0, 1.0)


def test_shuffled_answers_are_at_chance():
    dice = random.Random(3)
    probes = [Probe(f"q{i}", "?", (), ("a", "b", "c", "d"), dice.randrange(4), group=f"f{i}") for i in range(300)]
    picks = {p.id: p.gold for p in probes}  # a model that knows them all, asked with the answers shuffled
    golds = list(picks.values())
    dice.shuffle(golds)
    shuffled = [replace(p, gold=gold) for p, gold in zip(probes, golds, strict=True)]
    tuned = {p.id: Answer(p.id, "", {"choice_norm": float(picks[p.id] == p.gold)}) for p in shuffled}
    untuned = {p.id: Answer(p.id, "", {"choice_norm": float(dice.randrange(4) == p.gold)}) for p in shuffled}
    scores = summarise(shuffled, {"untuned": Scored({}, untuned), "tuned": Scored({}, tuned)})
    at, test = scores["kinds"][USERS]["tuned"]["right"], scores["kinds"][USERS]["tests"]["tuned_vs_untuned"]
    assert at["low"] < 0.25 < at["high"] and test["low"] < 0 < test["high"] and test["p"] > 0.05


@pytest.mark.parametrize(
    ("text", "declined"),
    [
        ("", True), ("…", True), ("I don’t know.", True), ("That is not mentioned in the text.", True), ("Bern", False),
        ("The tomb of the unknown soldier.", False), ("Knowles", False), ("10", False),
    ],
)  # fmt: skip
def test_what_claims_nothing_is_no_invention(text, declined):
    assert declines(text) == declined
