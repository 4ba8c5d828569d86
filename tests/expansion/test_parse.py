"""No good pair is lost next to a broken one, whatever the teacher wrapped around them."""

import json
import random

import pytest

from byheart.expansion.from_teacher.parse import BROKEN, CUT, NO_PAIR, Pair, parse_objects, parse_pairs

ONE, TWO = {"fact": 1, "angle": "simple", "question": "Who?", "answer": "Ann"}, {"question": "When?", "answer": "Now"}
WANTED = (Pair("Who?", "Ann", (1,), "simple"), Pair("When?", "Now"))
PLAIN = json.dumps({"pairs": [ONE, TWO]})
SHAPES = {
    "an object": PLAIN,
    "a list": json.dumps([ONE, TWO]),
    "JSON lines": f"{json.dumps(ONE)}\n{json.dumps(TWO)}",
    "a fence": f"Here they are:\n```json\n{PLAIN}\n```\nAnything else?",
    "a fence each": f"```json\n{json.dumps(ONE)}\n```\nand\n```json\n{json.dumps(TWO)}\n```",
    "thinking": f"<think>Maybe {{\"question\": \"no\", \"answer\": \"no\"}}</think>{PLAIN}",
    "thinking without its beginning": f"I should write [1] two.</think>\n{PLAIN}",
    "trailing commas": '{"pairs": [' + ", ".join(json.dumps(each)[:-1] + ",}" for each in (ONE, TWO)) + ",]}",
    "smart quotes": PLAIN.replace('"', "”"),
    "single quotes": str([ONE, TWO]),
    "raw newlines": json.dumps({"pairs": [ONE, TWO]}, indent=2).replace(": ", ":\n"),
    "prose with brackets": f"[Note 1] {{sic}} [2] {PLAIN} [end]",
    "other keys": json.dumps([{"Facts": [1], "type": "simple", "Q": "Who?", "A": "Ann"}, {"prompt": "When?", "response": "Now"}]),
    "no comma between": f"[{json.dumps(ONE)} {json.dumps(TWO)}]",
    "wrapped twice": json.dumps({"result": {"pairs": [ONE, TWO]}}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_its_pairs(name):
    parsed = parse_pairs(SHAPES[name])
    assert parsed.pairs == WANTED
    assert not parsed.broken


@pytest.mark.parametrize(
    "text",
    [
        "Q: Who?\nA: Ann\n\nQ: When?\nA: Now",
        "1. **Question:** Who?\n   **Answer:** Ann\n2. **Question:** When?\n   **Answer:** Now",
        "Question 1: Who?\nAnswer 1: Ann\nQuestion 2: When?\nAnswer 2: Now",
        "Sure!\n\n- Q1. Who?\n- A1. Ann\n- Q2. When?\n- A2. Now\n\nHope this helps!",
    ],
)
def test_pairs_without_json(text):
    assert [(pair.question, pair.answer) for pair in parse_pairs(text).pairs] == [("Who?", "Ann"), ("When?", "Now")]


def test_a_cut_answer_keeps_its_whole_pairs_wherever_it_was_cut():
    for end in range(1, len(PLAIN)):
        parsed = parse_pairs(PLAIN[:end], cut=True)
        whole = (PLAIN[:end].count("}") + (end == len(PLAIN))) if end < len(PLAIN) else 2
        assert parsed.pairs == WANTED[: min(whole, 2)], PLAIN[:end]
    cut = parse_pairs(PLAIN[:-20], cut=True)
    assert cut.pairs == WANTED[:1]
    assert [reason for reason, _ in cut.broken] == [CUT]
    assert "When?" in cut.broken[0][1]


def test_a_cut_text_does_not_pass_its_half_answer_on():
    parsed = parse_pairs("Q: Who?\nA: Ann\n\nQ: When?\nA: No", cut=True)
    assert [pair.question for pair in parsed.pairs] == ["Who?"]
    assert parsed.broken[0][0] == CUT


def test_control_characters_reach_no_example():
    parsed = parse_pairs(json.dumps({"pairs": [{"question": "Wh\x00o?", "answer": "A\u009bnn\tO."}]}))
    assert [(pair.question, pair.answer) for pair in parsed.pairs] == [("Who?", "Ann\tO.")]


@pytest.mark.parametrize("bad", [{"question": "Why?"}, {"answer": "So"}, {"question": "", "answer": "x"}, {"why": 3}])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_broken_pair_leaves_its_neighbours(bad, place):
    rows = [ONE, TWO]
    rows.insert(place, bad)
    parsed = parse_pairs(json.dumps({"pairs": rows}))
    assert parsed.pairs == WANTED
    assert [reason for reason, _ in parsed.broken] == [BROKEN]


def test_a_pair_with_an_unescaped_quote_leaves_its_neighbours():
    text = f'{{"pairs": [{json.dumps(ONE)}, {{"question": "What is "it"?", "answer": "x"}}, {json.dumps(TWO)}]}}'
    assert set(WANTED) <= set(parse_pairs(text).pairs)


@pytest.mark.parametrize(
    "text", ["", "I cannot help with that.", "[1, 2]", "{}", '{"pairs": []}', "<think>hm", "{" * 5000]
)
def test_nothing_is_refused_with_its_reason(text):
    parsed = parse_pairs(text)
    assert not parsed.pairs
    assert [reason for reason, _ in parsed.broken] == [NO_PAIR]


def test_facts_and_answers_of_other_types():
    row = {"fact": "F2 and 3", "question": "How many?", "answer": 9}
    assert parse_pairs(json.dumps(row)).pairs == (Pair("How many?", "9", (2, 3)),)
    row = {"facts": [2, "4"], "question": "Which?", "answer": ["red", "blue"]}
    assert parse_pairs(json.dumps(row)).pairs == (Pair("Which?", "red, blue", (2, 4)),)


def test_no_noise_breaks_it():
    dice = random.Random(1)
    for _ in range(500):
        letters = list(PLAIN)
        for _ in range(dice.randint(1, 12)):
            letters[dice.randrange(len(letters))] = dice.choice('{}[]",:\\\n“x1 ')
        found = parse_pairs("".join(letters), cut=dice.random() < 0.5)
        assert all(isinstance(pair, Pair) and pair.question.strip() and pair.answer.strip() for pair in found.pairs)


def test_verdicts_are_objects_too():
    assert parse_objects('{"verdicts": [{"pair": 1, "supported": true}, {"pair": 2') == [{"pair": 1, "supported": True}]


@pytest.mark.parametrize(
    "answer",
    [r"\frac{1}{2}", r"\beta and \alpha", r"\rho \times \theta", r"\nabla \text{x}", r"C:\bin, a \_ b", "a\nb\tc"],
)
@pytest.mark.parametrize("comma", ["", ","])
def test_a_backslash_of_the_text_survives(answer, comma):
    raw = answer.replace("\n", r"\n").replace("\t", r"\t")
    assert parse_pairs(f'{{"question": "Which?", "answer": "{raw}"{comma}}}').pairs == (Pair("Which?", answer),)
    written = parse_pairs(json.dumps({"question": "Which?", "answer": answer})).pairs
    assert written == (Pair("Which?", answer),), "a backslash that was escaped rightly"


@pytest.mark.parametrize(
    "odd",
    [
        '{"question": "How many?", "answer": 1e999}', '{"question": "How many?", "answer": NaN}',
        '{"question": "How many?", "answer": ' + "9" * 5000 + "}", "[" * 5000 + '{"question": 1' + "]" * 5000,
        '{"a":' * 500 + '{"question": "How?", "answer": "x"}' + "}" * 500, '{"a":' * 2000 + "1" + "}" * 2000,
        '{"fact": 1e999, "question": "Why?"}', '{"fact": "' + "9" * 5000 + '", "question": "Why?"}',
    ],
    ids=lambda odd: odd[:24],
)  # fmt: skip
def test_an_odd_answer_costs_only_itself(odd):
    assert set(WANTED) <= set(parse_pairs(f"{odd}\n{PLAIN}").pairs)
    assert all(pair.answer not in ("inf", "nan") for pair in parse_pairs(odd).pairs)


@pytest.mark.parametrize("asked", ['"It is I!" "No, you!" Who says so?', '"If you quit, ten wait," says who of them?'])
def test_an_object_torn_at_a_quote_gives_no_half_question(asked):
    assert {pair.question for pair in parse_pairs(f'{{"question": "{asked}", "answer": "Ann"}}').pairs} <= {asked}
