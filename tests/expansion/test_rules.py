"""The rules: what they write from a sentence, and how much of it."""

import re
from collections import Counter

import pytest

import toys
from byheart.config.values import _build
from byheart.expansion.citation import cite
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD, REVERSE
from byheart.store import content_key
from contracts.expansion_contract import ExpansionContract


class TestRules(ExpansionContract):
    def expansion(self, **options):
        return Rules(**options)

    def source(self):
        return toys.ham_radio()


@pytest.mark.parametrize(
    ("sentence", "reordered", "question"),
    [
        (
            "If the ball is pushed forward, the defending team is given a penalty.",
            "The defending team is given a penalty if the ball is pushed forward.",
            "What is the result if the ball is pushed forward?",
        ),
        (
            "If a player catches the ball in the end zone it's a touchdown.",
            "It's a touchdown if a player catches the ball in the end zone.",
            "What is the result if a player catches the ball in the end zone?",
        ),
        (
            "If a player catches the ball in the end zone it’s a touchdown.",
            "It’s a touchdown if a player catches the ball in the end zone.",
            "What is the result if a player catches the ball in the end zone?",
        ),
    ],
)
def test_a_condition_is_told_the_other_way_round_and_asked_for_its_result(sentence, reordered, question):
    examples = Rules().expand(toys.source(f"# Football\n\n{sentence}\n", "Football")).examples
    assert reordered in [e.answer for e in examples]
    asked = [e for e in examples if question in e.question]
    assert asked and all(e.answer.rstrip(".").lower() in sentence.lower() for e in asked)


def test_every_fact_of_the_rulebook_is_asked_forward_and_what_has_no_reverse_is_listed():
    source = toys.ham_radio()
    written = Rules().expand(source)
    asked = {(fact, e.direction) for e in written.examples for fact in e.facts}
    assert asked >= {(f.id, FORWARD) for f in source.facts}
    assert written.uncovered.keys() == {f.id for f in source.facts if (f.id, REVERSE) not in asked}
    assert len(written.uncovered) < 0.2 * len(source.facts), "items without a verb, and what is forbidden to all"
    assert set(written.uncovered.values()) == {"rules found no name or subject to ask for in reverse"}


def test_every_question_names_its_document_and_its_section():
    source = toys.ham_radio()
    home = {f.id: f.headings[-1].rstrip(".") for f in source.facts}
    for e in Rules().expand(source).examples:
        assert "FCC Part 97" in e.question
        number = home[e.facts[0]].split()[1]
        assert number in e.question + e.answer, e


def test_no_recitation_is_given_the_text_it_is_to_recite():
    for e in Rules().expand(toys.ham_radio()).examples:
        if e.angle == "recitation":
            assert e.answer not in e.question and len(e.question) < 150


def test_a_chunk_is_topped_up_to_one_question_for_so_many_tokens():
    source = toys.ham_radio()
    rules = Rules(tokens_per_question=5, usual=1)
    per_chunk = Counter(e.chunk for e in rules.expand(source).examples)
    for chunk in source.chunks:
        assert per_chunk[chunk.id] >= rules.asked_of(chunk) or rules.expand(source).short


def test_only_the_named_families_are_written():
    source = toys.ham_radio()
    crude = Rules(families=["recitation", "completion", "blank"], usual=99).expand(source)
    assert {e.angle for e in crude.examples} == {"recitation", "completion", "blank"}
    assert {e.id for e in crude.examples} < {e.id for e in Rules(usual=99).expand(source).examples}
    assert crude.uncovered, "nothing asks in the reverse direction, and that is said"


@pytest.mark.parametrize("families", [(), ("rhymes",)])
def test_a_family_that_does_not_exist_is_refused_by_name(families):
    with pytest.raises(ValueError, match="families must be some of asked, condition"):
        Rules(families=families)


def test_per_chunk_and_examples_per_fact_are_the_least():
    source = toys.ham_radio()
    written = Rules(per_chunk=7, examples_per_fact=2, usual=1).expand(source)
    examples = written.examples
    assert min(Counter(e.chunk for e in examples)[c.id] for c in source.chunks) >= 7
    per_fact = Counter((e.facts[0], e.direction) for e in examples)
    poor = Counter(d for f in source.facts for d in (FORWARD, REVERSE) if per_fact[f.id, d] < 2)
    assert poor[FORWARD] <= 2, "a sentence of six words gives no more"
    for direction, count in poor.items():
        assert any(
            f"{count} of {len(source.facts)} facts have fewer than 2 {direction}" in line for line in written.short
        )


def test_a_fact_is_asked_the_same_whatever_stands_beside_it():
    alone = Rules().expand(toys.source("# T\n\nEach member must pay the yearly fee in advance.\n", "T")).examples
    text = "# T\n\nEach member must pay the yearly fee in advance.\n\nThe board meets on the first Monday of May.\n"
    beside = Rules().expand(toys.source(text, "T")).examples
    assert [(e.question, e.answer) for e in alone] == [(e.question, e.answer) for e in beside][: len(alone)]


@pytest.mark.parametrize(
    "option", [{"tokens_per_question": 0}, {"max_examples": 0}, {"examples_per_fact": -1}, {"per_chunk": 0}]
)
def test_impossible_counts_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        Rules(**option)


def test_a_run_of_before_the_ranking_was_deleted_keeps_its_key():
    """`Rules` had `rank` and `rank_drop`: their defaults are still hashed, and accepted in a saved config."""
    assert content_key(Rules()) == "3231c56aa7daa9cfd885566ad8c3d21a"
    saved = {"_target_": "byheart.expansion.rules.rules.Rules", "usual": 3, "rank": False, "rank_drop": 0.2}
    problems = []
    assert _build("expansion.rules", saved, problems) == Rules(usual=3) and not problems
    assert _build("expansion.rules", {**saved, "rank": True}, problems) and "no such key" in str(problems[0])


@pytest.mark.parametrize(
    ("sentence", "phrases", "never"),
    [
        ("Prior approval must be obtained from the National Aeronautics and Space Administration.", ["National Aeronautics and Space Administration", "Prior approval"], ["Space Administration"]),
        ("The plague spread northwest across Europe in 1348.", ["1348", "Europe"], ["northwest across Europe"]),
        ("Each station must have at least one control point.", ["station", "one control point"], ["least one control point"]),
    ],
)  # fmt: skip
def test_a_blank_takes_the_place_of_a_whole_phrase(sentence, phrases, never):
    examples = Rules(families=["blank"], usual=99).expand(toys.source(f"# T\n\n{sentence}\n", "T")).examples
    blanks = [e.answer for e in examples]
    assert set(phrases) <= set(blanks) and not set(never) & set(blanks)


@pytest.mark.parametrize(
    "text",
    [
        "The kiln runs on 400 V. The fan turns the other way round. Today I met Dr. Alma Rees, who glazes the pots. "
        "Each pot weighs 3 kg. Glaze dries within an hour. Four weeks. It needs a permit.",
        "Four weeks. The fan turned the crank. No. The washer takes the seasoning off.",
    ],
)
def test_a_full_stop_in_prose_makes_no_definition(text):
    asked = [example.question for example in Rules().expand(toys.source(text)).examples]
    assert not [q for q in asked if re.search(r"What (?:is|are) (?!the result)|definition|define|Which term means", q)]


def test_a_term_with_its_meaning_is_still_a_definition():
    text = "- Bow. The front of a boat.\n- Broadcasting. Transmissions intended for reception by the public.\n"
    asked = {example.question.partition(" (")[0] for example in Rules().expand(toys.source(text)).examples}
    assert {"What is a bow?", "What is broadcasting?"} <= asked


@pytest.mark.parametrize(
    "heading",
    [
        *(
            "In case of fire",
            "Live events",
            "Civil claims",
            "It systems",
            "If it rains",
            "C compilers",
            "Mix the dough",
        ),
        *("MIX THE DOUGH", "Mild soap", "Vivid colours", "DIM LIGHTS", "I like it", "I", "C", "A Guide", "V belts"),
        *("XL sizes", "IV therapy", "DC motors", "24 hours a day", "3 Ways to Win", "1998 Season", "2.4 GHz radio"),
        *("Part of the house", "Part I liked best", "Book a table"),
    ],
)
def test_a_word_is_no_number(heading):
    place = cite("Hall safety guide", [heading])
    assert place.number == ""
    assert place.under("How long does it take?") == f"How long does it take? (Hall safety guide, {heading})"


@pytest.mark.parametrize(
    ("heading", "number"),
    [
        ("IV Fees", "section IV"),
        ("I. General", "section I"),
        ("1. Purpose", "section 1"),
        ("1.1 Screens", "section 1.1"),
        ("Part I General", "Part I"),
        ("Article 5", "Article 5"),
        ("§ 97.25 Term", "§ 97.25"),
    ],
)
def test_numbers_of_sections_are_read(heading, number):
    assert cite("FCC Part 97", [heading]).number == number


@pytest.mark.parametrize(
    ("heading", "labels", "item"),
    [
        ("3. Delivery", "3.3.1", "clause 3.3.1"),
        ("3. Delivery", "3.4(a)(i)", "clause 3.4(a)(i)"),
        ("§ 97.113 Prohibited transmissions", "(a)(3)(ii)", "§ 97.113(a)(3)(ii)"),
        ("Article 5 Rights", "1.(b)", "Article 5(1)(b)"),
        ("§ 4 Gebühren", "(2)3.", "§ 4(2) no. 3"),
        ("Art. 12 Loyer", "2.a)", "Art. 12(2)(a)"),
        ("Fees", "§ 4(2)", "§ 4(2)"),
        ("总则", "第三条（一）", "第三条（一）"),
        ("Schedule 2 – Prices", "1.1", "clause 1.1 of Schedule 2"),
        ("Method", "1.", ""),
    ],
)
def test_a_clause_is_cited_by_its_number(heading, labels, item):
    assert cite("Deed", [heading], labels).item == item
