"""Questions read off parsed sentences: what is asked, and what is answered."""

import subprocess
import sys

import pytest

from byheart.expansion.asking.inflect import article, plural, singular, third_person, with_article
from byheart.expansion.asking.parse import is_installed
from byheart.expansion.asking.reading import ask_facts

pytestmark = pytest.mark.skipif(not is_installed(), reason="no parser: pip install 'byheart[questions]'")


def ask(*sentences: str, definitions=(), announced=()):
    """(question, answer) of all the questions on some facts of one section."""
    statements = {str(number): [text] for number, text in enumerate(sentences)}
    found = ask_facts(statements, dict(definitions), dict(announced), dict.fromkeys(statements, "section"))
    return [(one.question, one.answer) for group in found.values() for one in group]


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        # the subject
        ("The station licensee must designate the control operator.", "Who must designate the control operator?", "The station licensee."),
        ("Any station may be remotely controlled.", "Which stations may be remotely controlled?", "Any station."),
        ("The signals are sent by night.", "What is sent by night?", "The signals."),
        ("Over 2,000 people died in the flood.", "How many people died in the flood?", "Over 2,000 people."),
        # object and complement
        ("The referee blows the whistle.", "What does the referee blow?", "The whistle."),
        ("The treasurer kept the books in order.", "What did the treasurer keep in order?", "The books."),
        ("The capital of the province is Leeuwarden.", "What is the capital of the province?", "Leeuwarden."),
        ("The station licensee is responsible for the operation.", "What is the station licensee responsible for?", "The operation."),
        # time, place, amount
        ("The board meets on the first Monday of May.", "When does the board meet?", "On the first Monday of May."),
        ("Kilbrandon published the report in 1973.", "In what year did Kilbrandon publish the report?", "1973."),
        ("The licence is granted for a 10-year term.", "How long is the licence granted for?", "10 years."),
        ("A station must give its name every 10 minutes.", "How often must a station give its name?", "Every 10 minutes."),
        ("When a station is being driven, the operator must be at the wheel.", "When a station is being driven, where must the operator be?", "At the wheel."),
        ("The club must be composed of at least four persons.", "How many persons must the club be composed of?", "At least four persons."),
        ("The power of a beacon must not exceed 100 watts.", "What is the maximum power of a beacon?", "100 watts."),
        ("There are 131 seats in the chamber.", "How many seats are there in the chamber?", "131 seats."),
        ("A match lasts 80 minutes.", "How long does a match last?", "80 minutes."),
        # agent, reason, condition
        ("The plan must be approved by the master of the ship.", "Who must approve the plan?", "The master of the ship."),
        ("The basin was split by the Purus Arch.", "What split the basin?", "The Purus Arch."),
        ("The meeting was moved because the hall was flooded.", "Why was the meeting moved?", "Because the hall was flooded."),
        ("If the ball is pushed forward, the defending team is given a penalty.", "When is the defending team given a penalty?", "If the ball is pushed forward."),
        ("If the ball is pushed forward, the defending team is given a penalty.", "If the ball is pushed forward, which team is given a penalty?", "The defending team."),
        # what is forbidden
        ("No station shall transmit false messages.", "What is a station not allowed to transmit?", "False messages."),
        ("No station shall transmit false messages.", "May a station transmit false messages?", "No, no station shall transmit false messages."),
        ("Players must not wear jewellery.", "Who must not wear jewellery?", "Players."),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_as_people_ask(sentence, question, answer):
    assert (question, answer) in ask(sentence)


def test_joined_verbs_are_asked_one_by_one():
    asked = ask("The club must keep a record and must name a trustee.")
    assert ("What must the club keep?", "A record.") in asked
    assert ("Who must the club name?", "A trustee.") in asked


def test_tails_asides_and_parentheses_are_split_off():
    asked = ask("The water broke through the arch (a ridge), joining the flow toward the sea.")
    assert ("What broke through the arch?", "The water.") in asked


def test_what_a_noun_that_is_does_is_said_of_the_subject():
    asked = ask("The Amazon is a forest that covers most of the basin.")
    assert ("What does the Amazon cover?", "Most of the basin.") in asked


def test_a_pronoun_takes_the_last_subject_or_is_left_alone():
    assert ("When did the forest expand?", "During the Miocene.") in ask(
        "The forest spanned a narrow band.", "It expanded during the Miocene."
    )
    assert ask("They expanded during the Miocene.") == []
    assert not any(" it " in question for question, _ in ask("Members elect a chair.", "It expanded in the Miocene."))


def test_a_plural_noun_taken_for_a_verb_is_not_asked_about():
    sentence = "The licensee must make the station and the station records available for inspection."
    assert all("must records" not in question for question, _ in ask(sentence))


def test_a_definition_is_asked_for_its_term():
    meaning = "An amateur station that simultaneously retransmits the transmission of another station."
    asked = ask("Repeater.", definitions={"0": ("Repeater", meaning)})
    question = "What kind of amateur station simultaneously retransmits the transmission of another station?"
    assert (question, "A repeater.") in asked
    assert ("What does a repeater simultaneously retransmit?", "The transmission of another station.") in asked


def test_an_announced_item_answers_its_lead_in():
    lead_in = "The call sign must be sent in one of the following ways"
    asked = ask("By voice.", announced={"0": (lead_in, "By voice in the English language.")})
    assert ("In which way must the call sign be sent?", "By voice in the English language.") in asked


def test_no_question_holds_its_own_answer_and_none_is_asked_twice():
    asked = ask("Each amateur station must have at least one control point.", "Water flowed toward the sea in 1900.")
    assert len(set(asked)) == len(asked)
    assert all(answer.rstrip(".").lower() not in question.lower() for question, answer in asked)


def test_the_parser_does_not_load_torch():
    code = (
        "import sys; from byheart.expansion.asking.parse import parse; parse(['The board meets in May.']);"
        "assert 'torch' not in sys.modules and 'spacy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_inflection():
    assert [plural(word) for word in ("amateur station", "person", "city", "box", "day")] == [
        "amateur stations",
        "people",
        "cities",
        "boxes",
        "days",
    ]
    assert [singular(word) for word in ("ways", "countries")] == ["way", "country"]
    assert [third_person(word) for word in ("carry", "pass", "play")] == ["carries", "passes", "plays"]
    assert [article(word) for word in ("amateur", "hour", "unit", "beacon")] == ["an", "an", "a", "a"]
    assert [with_article(word) for word in ("space station", "broadcasting")] == ["a space station", "broadcasting"]
