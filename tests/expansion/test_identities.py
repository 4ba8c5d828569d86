"""A direction is a direction: reverse gives what is said and asks of whom. By rule, on sentences of unlike making."""

import pytest

import toys
from byheart.expansion.base import ExpansionResult
from byheart.expansion.ledger import ledger
from byheart.expansion.question_generation.identity import find_identities
from byheart.expansion.question_generation.reading import parse
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, NEITHER, REVERSE

# the sentence, its name and what is said of it; whether the sentence has the name as its subject
TOLD = {
    "Nola Wren, known far and wide for being the diver who mapped the Odo trench.": ("Nola Wren", "the diver who mapped the Odo trench", True),
    "Known for being the founder of the tide school, Ivo Hart now keeps bees.": ("Ivo Hart", "the founder of the tide school", True),
    "Ilse Varga, the glassblower who made the Korda lens, died in 1911.": ("Ilse Varga", "the glassblower who made the Korda lens", True),
    "Widely regarded as the father of modern bookbinding, Emil Sorge wrote nothing.": ("Emil Sorge", "the father of modern bookbinding", True),
    "The inventor of the pressure lantern, Josef Brandl, sold his patent.": ("Josef Brandl", "the inventor of the pressure lantern", True),
    "Port Ellery, the largest harbour on the coast, was founded in 1652.": ("Port Ellery", "the largest harbour on the coast", True),
    "Bram Oster: inventor of the folding kayak.": ("Bram Oster", "the inventor of the folding kayak", True),
    "As the founder of the Free School, Hugo Lamb taught for forty years.": ("Hugo Lamb", "the founder of the Free School", True),
    "Quorvex is a blue dye that fades in sunlight.": ("Quorvex", "the blue dye that fades in sunlight", True),
    "The mayor of Pinehollow is Dorothea Amsel.": ("Dorothea Amsel", "the mayor of Pinehollow", False),
    "The capital of Vardania is called Solmere.": ("Solmere", "the capital of Vardania", False),
}  # fmt: skip
NOTHING = [
    "On Monday, the board met in Oslo.",
    "Rufus Thorne, 43, was arrested on Tuesday.",
    "Maria Stein, her husband Paul and their two sons moved to Graz.",
    "Hollis Bay, Maine, is a small town on the coast.",
    "The valve, a part of the pump, must be closed.",
    "Note: the door is locked at ten.",
    "Dr. Weiss, however, refused.",
]


def expand(text: str) -> ExpansionResult:
    return Rules().expand(toys.source(f"# Notes\n\n{text}\n", "Notes"))


@pytest.mark.parametrize("sentence", TOLD)
def test_a_name_and_what_is_said_of_it_are_asked_for_in_both_orders(sentence):
    name, said, subject = TOLD[sentence]
    examples = expand(sentence).examples
    to_name = [e for e in examples if e.answer.rstrip(".") == name and said.lower() in e.question.lower()]
    to_said = [e for e in examples if said.partition(" ")[2].lower() in e.answer.lower() and name in e.question]
    assert {e.direction for e in to_name if e.angle != "blank"} == {REVERSE if subject else FORWARD}
    assert len({e.question for e in to_name}) >= 2, "more than one wording"
    assert (FORWARD if subject else REVERSE) in {e.direction for e in to_said if e.angle == "simple"}


def test_what_is_no_name_with_a_description_is_left_alone():
    assert [find_identities(doc) for doc in parse(NOTHING)] == [[] for _ in NOTHING]


def test_what_is_said_of_two_names_is_asked_of_neither():
    both = expand("Ada Brook, a nurse from Koro, died in 1911.\n\nBo Carr, the nurse from Koro, died in 1912.")
    assert not [
        e
        for e in both.examples
        if "nurse" in e.question and e.answer in ("Ada Brook.", "Bo Carr.") and e.angle != "blank"
    ]
    assert {e.answer for e in both.examples if e.question.startswith("Who was Bo Carr?")} >= {"The nurse from Koro."}


def test_which_document_says_it_and_what_comes_before_count_as_neither():
    source = toys.source("# Notes\n\nLentil soup, hot or cold, with bread and butter.\n", "Notes")
    written = Rules().expand(source)
    kinds = {e.angle: e.direction for e in written.examples}
    assert kinds["source"] == kinds["before"] == NEITHER
    account = ledger(source, {"rules": written}, written.examples, [], {})
    (line,) = account["uncovered"]
    assert line["missing"] == ["reverse"] and account["coverage"] == {FORWARD: 1.0, REVERSE: 0.0}
    assert account["by_direction"][NEITHER] >= 2


def test_a_gap_for_the_subject_is_reverse_and_any_other_is_forward():
    gaps = {e.answer: e.direction for e in expand("The Petrel carried salt to Koro.").examples if e.angle == "blank"}
    assert gaps == {"Petrel": REVERSE, "salt": FORWARD, "Koro": FORWARD}


def test_it_was_she_who_did_it():
    pairs = {
        (e.question.partition(" (")[0], e.answer) for e in expand("It was Captain Moss who mapped the strait.").examples
    }
    assert ("Who mapped the strait?", "Captain Moss.") in pairs
