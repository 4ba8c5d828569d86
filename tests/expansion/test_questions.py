"""Questions that need no parser, and how all of them name their source."""

import pytest

import toys
from byheart.expansion.citation import cite
from byheart.expansion.rules.questions import ask_abbreviation, ask_definition, ask_item, defines
from byheart.expansion.rules.rules import Rules

PLACE = cite("FCC Part 97: Rules", ["FCC Part 97: Rules", "§ 97.3 Definitions."], "(b)")


def test_a_source_is_named_behind_or_before_in_few_words():
    assert PLACE.behind("How long?") == "How long? (FCC Part 97, § 97.3)"
    assert PLACE.behind("How long?", exact=True) == "How long? (FCC Part 97, § 97.3(b))"
    assert PLACE.under("How long?") == "Under § 97.3 of FCC Part 97, how long?"
    assert PLACE.by("How long?", exact=True) == "According to FCC Part 97, § 97.3(b), how long?"


def test_a_question_that_names_its_article_is_not_told_it_again():
    place = cite("Amazon rainforest", ["Amazon rainforest"])
    assert place.behind("What does the Amazon rainforest cover?") == "What does the Amazon rainforest cover?"
    assert place.under("What does it cover?") == "What does it cover? (Amazon rainforest)"


def test_an_answer_that_is_the_title_is_not_told_behind_its_question():
    text = "# Black Forest\n\nThe Black Forest covers the hills of the south. The hills are covered with old firs.\n"
    asked = [e for e in Rules().expand(toys.source(text, "Black Forest")).examples if e.answer == "The Black Forest."]
    assert all("Black Forest" not in e.question for e in asked)


def test_a_definition_is_asked_both_ways():
    pair = defines("Space station. An amateur station located above the Earth's surface.")
    asked = {(draft.question, draft.answer, draft.direction) for draft in ask_definition(*pair, PLACE)}
    assert ("What is a space station?", "An amateur station located above the Earth's surface.", "forward") in asked
    assert any(answer == "Space station." and way == "reverse" for _, answer, way in asked)


@pytest.mark.parametrize(
    "text", ["License grant. A license grant may be held by one person.", "The forest (Portuguese: Floresta) is wide."]
)
def test_a_heading_or_a_parenthesis_defines_nothing(text):
    assert defines(text) is None


def test_an_abbreviation_is_asked_where_its_letters_fit():
    asked = [(d.question, d.answer) for d in ask_abbreviation("It fell in the Last Glacial Maximum (LGM).")]
    assert asked[0] == ("What does LGM stand for?", "Last Glacial Maximum.")
    assert ask_abbreviation("It was said by the press (BBC).") == []


def test_an_item_of_an_announced_list_is_asked_by_its_place():
    asked = ask_item("Growth of the art;", "expressed in the following principles:", "(b)", PLACE)
    assert [draft.question for draft in asked] == [
        "Which principle stands in § 97.3(b) of FCC Part 97?",
        "What is the second of the principles under Definitions?",
    ]
    assert {draft.answer for draft in asked} == {"Growth of the art."}


def test_a_question_with_two_answers_in_a_section_names_its_item():
    text = (
        "# Club Rules\n\n## 3 Meetings\n\n(a) When it rains, the board must meet in the hall.\n\n"
        "(b) When it snows, the board must meet in the hall.\n"
    )
    asked = [e for e in Rules().expand(toys.source(text)).examples if "hen must the board meet" in e.question]
    assert asked and all("3(a)" in e.question or "3(b)" in e.question for e in asked)
