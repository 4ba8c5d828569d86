"""Questions on what speakers say name the speaker, whose "I" is never the model's own."""

import re

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.filters.checks import Filters
from byheart.expansion.filters.ground import Ground
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.ledger import ledger
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, REVERSE

TALK = """[00:00:01] HOST: Welcome to the show. How often should people clean the wheel?
[00:00:09] ODA BRANDT: Once a year, in April. Old grease makes the bearing hot.
[00:00:15] HOST: Right. And what do you do with old tyres?
[00:00:19] ODA BRANDT: Um, I hang them on the pier. The rubber protects our boats.
[00:00:25] NARRATOR: If it rains, the road is closed, and the pier must be swept.
[00:00:31] ODA BRANDT: Thanks for having me!
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Source:
    folder = tmp_path_factory.mktemp("talk")
    (folder / "wheels.txt").write_text(TALK, encoding="utf-8")
    document = load_documents(["wheels.txt"], folder).documents[0]
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


@pytest.fixture(scope="module")
def pairs(source) -> dict[str, str]:
    return {example.question: example.answer for example in Rules().expand(source).examples}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who says: “Old grease makes the bearing hot”? (Wheels)", "Oda Brandt."),
        ("Who asks: “How often should people clean the wheel?” (Wheels)", "The host."),
        ("What does Oda Brandt say about old grease? (Wheels)", "Old grease makes the bearing hot."),
        ("According to Oda Brandt, how often should people clean the wheel? (Wheels)", "Once a year, in April."),
        (
            "The host asks: “What do you do with old tyres?” What does Oda Brandt answer? (Wheels)",
            "I hang them on the pier.",
        ),
        (
            "Which question of the host does Oda Brandt answer with “Once a year, in April”? (Wheels)",
            "How often should people clean the wheel?",
        ),
        (
            "Recite the sentence that Oda Brandt says and that begins “I hang them on”. (Wheels)",
            "Oda Brandt: I hang them on the pier.",
        ),
        ("In which document does Oda Brandt say “Old grease makes the bearing hot”?", "Wheels"),
    ],
)
def test_what_is_asked_of_a_talk(pairs, question, answer):
    assert pairs.get(question) == answer


def test_every_question_names_a_speaker_and_no_answer_speaks_for_the_model(pairs):
    named = re.compile(r"Oda Brandt|the host|the narrator|Host:|\bWho (?:says|asks)|Whose words", re.IGNORECASE)
    for question, answer in pairs.items():
        assert named.search(question), question
        mine = re.search(r"\b(?:I|our)\b", answer)
        assert not mine or re.search(
            r"Brandt says|Brandt answer|Brandt say before|Brandt: |does Oda Brandt", f"{question} {answer}"
        )
    assert not any("00:" in text or "um" in text.lower().split() for pair in pairs.items() for text in pair)


def test_what_holds_on_a_condition_only_is_not_asked_without_it(pairs):
    assert not any(question.startswith("According to the narrator, what must be swept") for question in pairs)


def test_a_talk_is_covered_both_ways(source):
    written = Rules().expand(source)
    assert ledger(source, {"rules": written}, written.examples, [], {})["coverage"] == {FORWARD: 1.0, REVERSE: 1.0}
    assert not any("Thanks" in example.question for example in written.examples)


def test_a_teacher_sees_who_says_what(source):
    (request,) = Ladder(rungs=1, pairs_per_request=200).requests(source)[:1]
    assert "Oda Brandt: Old grease makes the bearing hot." in request.user.split("numbered:")[1]
    assert "Host: How often should people clean the wheel?" in request.user.split("numbered:")[1]
    assert "00:00" not in request.user


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who says that old grease makes the bearing hot?", "Oda Brandt."),
        ("According to Oda Brandt, what makes the bearing hot?", "Old grease."),
        ("What does the narrator say about the road if it rains?", "The road is closed."),
        ("Where does Oda Brandt hang old tyres?", "Oda Brandt hangs them on the pier."),
        ("What does the host ask about the wheel?", "How often people should clean the wheel."),
    ],
)
def test_a_teacher_may_name_the_speakers(source, question, answer):
    ground = Ground.of(source.chunks[0], source)
    assert Filters().refuse(question, answer, "simple", ground) is None


def test_letters_are_speakers_and_an_interview_has_two(tmp_path):
    text = "A: Where is the mill?\nB: The mill stands by the weir.\nA: Who owns it?\nB: I own it.\n"
    for letters, names in (("AB", ("speaker A", "speaker B")), ("QA", ("the interviewer", "the interviewee"))):
        own = "".join(f"{letters['AB'.index(line[0])]}{line[1:]}\n" for line in text.splitlines())
        own = own.replace("I own it.", "I own it. I bought it from my uncle.").replace(
            "The mill stands", "I see the mill"
        )
        (tmp_path / "talk.txt").write_text(own, encoding="utf-8")
        document = load_documents(["talk.txt"], tmp_path).documents[0]
        chunks = Chunking().split(document)
        source = Source((document,), tuple(chunks), tuple(find_facts(document, chunks)))
        answers = {example.question: example.answer for example in Rules().expand(source).examples}
        assert answers["Who asks: “Where is the mill?” (Talk)"].rstrip(".").casefold() == names[0].casefold()
        assert answers["Who says: “I bought it from my uncle”? (Talk)"].rstrip(".").casefold() == names[1].casefold()
