"""The split leaks nothing, and leaves what was asked for."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toys
from byheart.data.contamination import ContaminationFinder
from byheart.data.split import NEVER_HELD_OUT, Forms
from byheart.expansion.rules.rules import Rules
from byheart.records import Example

SOURCE = toys.ham_radio()
RULES = Rules()
EXAMPLES = RULES.expand(SOURCE).examples
ASKED = {chunk.id: RULES.asked_of(chunk) for chunk in SOURCE.chunks}
BY_ID = {e.id: e for e in EXAMPLES}


def reason(trained, example):
    """Why the example may not be held out; empty where it may."""
    return ContaminationFinder(trained).reasons([example]).get(example.id, "")


def split(seed=0, **options):
    return Forms(seed=seed, **options).split(EXAMPLES, SOURCE.facts, SOURCE.chunks, ASKED)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_held_out_example_and_no_exam_question_occurs_among_the_training_rows(seed):
    parts = split(seed)
    train = [BY_ID[i] for i in parts.train]
    texts = {f"{e.question} {e.answer}".lower() for e in train}
    for held in (BY_ID[i] for i in (*parts.validation, *parts.test)):
        assert f"{held.question} {held.answer}".lower() not in texts
        assert not any(held.question == e.question and held.answer == e.answer for e in train)
        assert not reason(train, held)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_the_promises_of_the_split(seed):
    parts = split(seed)
    held = [BY_ID[i] for i in (*parts.validation, *parts.test)]
    train = [BY_ID[i] for i in parts.train]
    assert not any(e.angle in NEVER_HELD_OUT for e in held)
    assert not {e.form for e in held} & {e.form for e in train}, "a form is held out whole"
    gone = {BY_ID[i].form for i in parts.refused} | {e.form for e in held}
    assert max(Counter(form[0] for form in gone).values()) == 1, "a fact gives up one form at most"
    left = defaultdict(int)
    for e in train:
        left[e.facts[0], e.direction] += 1
    asked = {(e.facts[0], e.direction) for e in BY_ID.values()}
    assert all(left[each] for each in asked), "the last form of a direction stays"
    per_chunk = Counter(e.chunk for e in train)
    assert all(per_chunk[chunk] >= count for chunk, count in ASKED.items()), "the floors are met by what remains"
    assert not {BY_ID[i].facts for i in parts.validation} & {BY_ID[i].facts for i in parts.test}
    assert len(gone) >= 0.25 * len(SOURCE.facts) - 1
    assert len(held) >= 40


def test_the_split_depends_on_its_own_seed_alone():
    assert split(0) == split(0)
    assert split(0).validation != split(1).validation


def test_whole_facts_are_held_out_on_request():
    parts = split(heldout_facts=0.1)
    assert len(parts.heldout_facts) == round(0.1 * len(SOURCE.facts))
    assert not any(
        set(BY_ID[i].facts) & set(parts.heldout_facts) for i in (*parts.train, *parts.validation, *parts.test)
    )
    assert {BY_ID[i].facts[0] for i in parts.untaught} == set(parts.heldout_facts), "each is asked about"
    assert not set(parts.untaught) & {*parts.train, *parts.validation, *parts.test, *parts.refused}


def test_a_source_with_one_phrasing_says_that_none_can_be_held_out():
    one_each = [e for e in EXAMPLES if e.angle == "recitation"]
    parts = Forms().split(one_each, SOURCE.facts, SOURCE.chunks, {})
    assert not parts.validation and not parts.test
    assert "No held-out phrasing exists" in parts.note


@pytest.mark.parametrize("at_least", [0, 50])
def test_a_share_of_0_holds_nothing_out_and_is_named_as_the_cause(at_least):
    parts = split(share=0.0, at_least=at_least)
    assert not parts.validation and not parts.test and len(parts.train) == len(EXAMPLES)
    assert parts.note.startswith("Nothing is held out, because split.share=0.") and "phrasing" not in parts.note


def test_look_alikes_are_named_as_the_cause():
    """The only phrasing to spare is the only one that another fact has."""
    facts = [replace(SOURCE.facts[0], id=name) for name in ("one", "two")]
    question = ("simple", "Who must obey the rules of the club?", "every member")
    examples = [
        Example(f"{fact}{angle}", asked, answer, (fact,), angle, "forward", "test", chunk=SOURCE.facts[0].chunk)
        for fact, (angle, asked, answer) in (
            ("one", ("recitation", "Recite it.", facts[0].text)), ("one", question), ("two", question)
        )
    ]  # fmt: skip
    parts = Forms().split(examples, facts, SOURCE.chunks, {})
    assert not parts.validation and not parts.test
    assert "too similar to one that is trained on" in parts.note


def example(question, answer, subject=""):
    return Example("x" + question, question, answer, ("f",), "blank", "forward", "test", subject=subject)


def test_a_prompt_whose_end_and_answer_were_trained_is_a_leak():
    trained = [example("Recite it.", "An amateur service license is normally granted for a 10-year term.")]
    end = example("Fill in: “An amateur service license is normally granted for a ____” (FCC)", "10-year term",
                  "An amateur service license is normally granted for a ____")  # fmt: skip
    other = example("How long is a license valid? (FCC)", "For ten years.", "How long is a license valid?")
    assert "end of its prompt" in reason(trained, end)
    assert not reason(trained, other)


def test_a_look_alike_is_a_leak_only_where_both_question_and_answer_match():
    trained = [example("What must each station have?", "A control operator.")]
    assert "match" in reason(trained, example("What must each ham station have?", "A control operator"))
    assert not reason(trained, example("What must each station have?", "A call sign."))
    assert not reason(trained, example("Who runs it?", "A control operator."))
