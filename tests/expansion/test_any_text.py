"""Whatever a document holds, the rules write their examples or say that they could not: they never fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byheart.data.split import Forms
from byheart.expansion.rules.rules import Rules
from toys import source

WORDS = st.sampled_from(
    "If the ball is pushed, forward a penalty must ( ) [ ] “ ” \" ' – — : ; . ! ? § 97.1(a) 10 % shall not be, who which and or "
    "Dr. U.S. e.g. it No station x = y ->  * ` _ { } Ω 漢字 عربى \u200b \t \n \n\n # - 1. (a) when unless than 3.5 MHz".split(
        " "
    )
)


TEXTS = st.lists(WORDS, min_size=1, max_size=60).map(" ".join)


def breaks_no_rule(text):
    said = source(f"The station is here. {text}")
    written = Rules().expand(said)
    asked = {chunk.id: 1 for chunk in said.chunks}
    Forms().split(written.examples, said.facts, said.chunks, asked)
    assert all(example.question.strip() and example.answer.strip() for example in written.examples)
    assert all(
        fact in written.uncovered or any(fact in e.facts for e in written.examples)
        for fact in (f.id for f in said.facts)
    )


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_no_text_breaks_the_rules(text):
    breaks_no_rule(text)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(TEXTS)
def test_no_text_of_thousands_breaks_the_rules(text):
    breaks_no_rule(text)
