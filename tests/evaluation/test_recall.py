import json

import pytest

from byheart.errors import UserError
from byheart.evaluation.recall import Recall, compare, contains
from byheart.records import Probe
from contracts.evaluation_contract import PROBES, EvaluationContract, ToyRecaller

ODD = [
    "",
    "the",
    "A an THE",
    "  ",
    "!?",
    "naïve – 60 %",
    "$1,000.50",
    "東京",
    "don't",
    "U.S.A.",
    "a\u00a0b",
    "“quoted”",
]


class TestRecall(EvaluationContract):
    def make(self):
        return Recall()

    def test_counts_right_answers(self):
        scored = Recall().score(ToyRecaller(PROBES[:3]), PROBES)
        assert scored.metrics["contains"].value == pytest.approx(3 / 5)
        assert scored.answers["capital"].text == "Paris"

    def test_a_sample_is_the_same_for_every_order_and_grows_by_adding(self):
        model = ToyRecaller()
        two = Recall(sample=2).score(model, PROBES).answers.keys()
        assert two == Recall(sample=2).score(model, PROBES[::-1]).answers.keys()
        assert len(two) == 2
        assert two < Recall(sample=3).score(model, PROBES).answers.keys()

    def test_an_option_is_accepted_where_no_answer_is_given(self):
        probe = Probe("p", "Who?", (), ("you", "me"), 1)
        assert Recall().score(ToyRecaller([Probe("", "Who?", ("Me!",))]), [probe]).metrics["exact_match"].value == 1

    @pytest.mark.parametrize("sample", [0, -1, "ten", 2.5, True])
    def test_refuses_what_is_no_sample(self, sample):
        with pytest.raises(UserError, match=r"evaluation\.recall\.sample"):
            Recall(sample=sample)


def test_exact_match_and_f1_agree_with_torchmetrics(data):
    from torchmetrics.functional.text import squad

    rows = [json.loads(line) for line in (data / "squad" / "questions.jsonl").read_text().splitlines()][::16]
    cases = []
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        gold = row["answers"]
        for said in (gold[0], f"It is the {gold[0].upper()}!", other["answers"][0], " ".join(gold[0].split()[:2])):
            cases.append((said, gold))
    cases += [(said, [gold]) for said in ODD for gold in ODD]
    for said, gold in cases:
        theirs = squad(
            {"prediction_text": said, "id": "1"},
            {"answers": {"answer_start": [0] * len(gold), "text": gold}, "id": "1"},
        )
        ours = compare(said, gold)
        assert ours["exact_match"] * 100 == pytest.approx(float(theirs["exact_match"])), (said, gold)
        assert ours["f1"] * 100 == pytest.approx(float(theirs["f1"]), abs=1e-3), (said, gold)


@pytest.mark.parametrize(
    ("said", "gold", "expected"),
    [
        ("It was built in 1343, they say.", "1343", True),
        ("In 2010 or so.", "10", False),
        ("The Seine.", "the Seine", True),
        ("Vitamin A", "A", True),
        ("Vitamin B", "A", False),
        ("anything", "%", False),
        ("答えは東京です", "東京", True),
        ("C++ (2011)", "c++", True),
        ("票价12元。", "12", True),
        ("票价120元。", "12", False),
        ("船长是李明，从2009年起。", "李明", True),
        ("12 नावें हैं।", "नाव", False),
        ("क्लब की नाव १२ है।", "नाव 12", True),
        ("서울에서 출발한다", "서울", True),
        ("ค่าโดยสาร 9 บาท", "9 บาท", True),
        ("ثمن التذكرة ٥٠ جنيهًا.", "50 جنيها", True),
        ("", "x", False),
    ],
)
def test_contains_means_whole_words(said, gold, expected):
    assert contains(said, gold) is expected


@pytest.mark.parametrize(
    ("said", "gold", "f1"),
    [
        ("渡轮每四十分钟一班。", "渡轮每四十分钟开一班", 18 / 19),  # 9 letters said, 10 wanted, 9 shared
        ("李明", "张华", 0.0),
        ("九元", "九元", 1.0),
        ("दो नाव", "नाव", 2 / 3),
    ],
)
def test_f1_counts_letters_where_no_blanks_separate_words(said, gold, f1):
    assert compare(said, [gold])["f1"] == pytest.approx(f1)
