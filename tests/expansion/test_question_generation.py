"""Questions read off parsed sentences: what is asked, and what is answered."""

import subprocess
import sys

import pytest

from byheart.expansion.question_generation.reading import ask_facts
from byheart.expansion.question_generation.wording import article, plural, singular, third_person, with_article


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
        ("Over 2,000 people died in the flood.", "How many people died in the flood?", "Over 2,000."),
        # object and complement
        ("The referee blows the whistle.", "What does the referee blow?", "The whistle."),
        ("The treasurer kept the books in order.", "What did the treasurer keep in order?", "The books."),
        ("The capital of the province is Leeuwarden.", "What is the capital of the province?", "Leeuwarden."),
        ("The station licensee is responsible for the operation.", "What is the station licensee responsible for?", "The operation."),
        # time, place, amount
        ("The board meets on the first Monday of May.", "When does the board meet?", "The first Monday of May."),
        ("Kilbrandon published the report in 1973.", "In what year did Kilbrandon publish the report?", "1973."),
        ("The licence is granted for a 10-year term.", "How long is the licence granted for?", "10 years."),
        ("A station must give its name every 10 minutes.", "How often must a station give its name?", "Every 10 minutes."),
        ("When a station is being driven, the operator must be at the wheel.", "When a station is being driven, where must the operator be?", "At the wheel."),
        ("The club must be composed of at least four persons.", "How many persons must the club be composed of?", "At least four."),
        ("The power of a beacon must not exceed 100 watts.", "What is the maximum power of a beacon?", "100 watts."),
        ("There are 131 seats in the chamber.", "How many seats are there in the chamber?", "131."),
        ("A match lasts 80 minutes.", "How long does a match last?", "80 minutes."),
        ("The festival took place in Oslo on 3 May 1999.", "Where did the festival take place on 3 May 1999?", "Oslo."),
        ("The festival took place in Oslo on 3 May 1999.", "On what date did the festival take place in Oslo?", "3 May 1999."),
        ("The forest expanded during the Miocene.", "During what period did the forest expand?", "The Miocene."),
        ("The cat typically sits in the window.", "Where does the cat typically sit?", "In the window."),
        ("The glacier covers over half of the island.", "What share of the island does the glacier cover?", "Over half."),
        # agent, reason, condition
        ("The plan must be approved by the master of the ship.", "Who must approve the plan?", "The master of the ship."),
        ("The basin was split by the Purus Arch.", "What split the basin?", "The Purus Arch."),
        ("The meeting was moved because the hall was flooded.", "Why was the meeting moved?", "Because the hall was flooded."),
        ("If the ball is pushed forward, the defending team is given a penalty.", "When is the defending team given a penalty?", "If the ball is pushed forward."),
        ("If the ball is pushed forward, the defending team is given a penalty.", "If the ball is pushed forward, which team is given a penalty?", "The defending team."),
        ("The work was stopped due to the outbreak of war.", "Why was the work stopped?", "The outbreak of war."),
        ("The hall was vacated to allow for the meeting.", "What was the hall vacated to allow for?", "The meeting."),
        ("The role of the chair is to lead the meeting.", "What is the role of the chair?", "To lead the meeting."),
        # what is forbidden
        ("No station shall transmit false messages.", "What is a station not allowed to transmit?", "False messages."),
        ("No station shall transmit false messages.", "May a station transmit false messages?", "No, no station shall transmit false messages."),
        ("Players must not wear jewellery.", "Who must not wear jewellery?", "Players."),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_as_people_ask(sentence, question, answer):
    assert (question, answer) in ask(sentence)


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("Oil was found in the Barents Sea by a small crew.", "In which sea was oil found by a small crew?", "The Barents Sea."),
        ("The discovery of oil in the Barents Sea led to a quarrel.", "The discovery of oil in which sea led to a quarrel?", "The Barents Sea."),
        ("The region includes land that belongs to nine nations.", "The region includes land that belongs to how many nations?", "Nine."),
        ("The house was designed by Danish architect Jens Holm.", "Which Danish architect designed the house?", "Jens Holm."),
        ("The chair is elected by a secret ballot.", "By what kind of ballot is the chair elected?", "A secret ballot."),
        ("There have been floods in the valley over the last 300 years.", "Over how many years have there been floods in the valley?", "300."),
        ("Changes of climate during the last years have harmed the crops.", "What has harmed the crops during the last years?", "Changes of climate."),
        ("Some scientists argue that the forest was reduced to small islands.", "According to some scientists, what was the forest reduced to?", "Small islands."),
        ("While the hall was being built by the guild, the club met in a barn.", "Who built the hall?", None),
        ("It was not until 1978 that the law was passed by the council.", "In what year was the law passed by the council?", "1978."),
        ("After the flood in 1921 the bridge was demolished.", "What happened to the bridge?", "The bridge was demolished."),
        ("From 66–34 Mya, the rainforest extended as far south as 45°.", "How far south did the rainforest extend from 66–34 Mya?", "As far south as 45°."),
        ("The mayor (currently Anna Berg) opens the fair.", "Who is currently the mayor?", "Anna Berg."),
        ("The linden (German: Linde; Danish: Lind) is a tree.", "What is the German name of the linden?", "Linde."),
    ],
)  # fmt: skip
def test_what_lies_deeper_is_asked_for_too(sentence, question, answer):
    """Names, numbers and kinds inside other phrases, clauses inside clauses, and what stands in parentheses."""
    asked = ask(sentence)
    assert (question, answer) in asked if answer else question not in [q for q, _ in asked]


def test_a_bare_subject_is_not_asked_what_is_said_about_it():
    """ "What does the rulebook say about a station?": a hundred things."""
    assert not any("say about" in question for question, _ in ask("A station may be remotely controlled."))
    assert any("say about" in question for question, _ in ask("Use of a phonetic alphabet is encouraged."))


def test_nothing_is_left_over_behind_another_phrase():
    asked = [
        q
        for q, _ in ask(
            "No station shall transmit messages for a third party to any station within the jurisdiction of a foreign government."
        )
    ]
    assert not any(question.endswith(" to?") for question in asked)
    assert any(question.startswith("To wh") for question in asked)


def test_an_adverb_before_a_verb_is_not_inflected():
    assert ("Who typically sits in the last row?", "Members.") in ask("Members typically sit in the last row.")


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
        "import sys; from byheart.expansion.question_generation.reading import parse; parse(['The board meets in May.']);"
        "print(*{'torch', 'spacy'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == ["spacy"]


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
