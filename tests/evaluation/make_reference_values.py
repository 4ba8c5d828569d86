"""Remakes `reference_values.json`: what reference implementations say of random and adversarial strings and scores.

    python -m venv v && v/bin/pip install rouge-score scikit-learn torchmetrics
    v/bin/python tests/evaluation/make_reference_values.py

The libraries are not installed for the tests, so their values are kept. Strings of the two tables of words hold neither
number words up to twelve nor thousands separators nor signs beyond ASCII: byheart folds those on purpose.
"""

import json
import random
import sys
from pathlib import Path

WORDS = (
    "the a an The station Station's watts 1 12 97.1 (b)(4) don't U.S.A. km/h A-1 x_y !? ... % $5 licence LICENCE of in "
    'on 1500 0 00 re-check e.g. "quoted" \'tis [x] {y} <z> & @home #7 a.m. -3 +3 3.14 1/2 C++ \\n \t | ~ ` ^ * = ; :'
).split(" ")
ODD = ["", " ", "the", "A an THE", "!?", "don't", "U.S.A.", "$5", "the the", "a_b", "x" * 300, "of of of in in", "the of",
       "Station", "station's", "0", "00", "\t\n", "((( )))", "re-check", "recheck"]  # fmt: skip


def strings(seed: int, count: int) -> list[tuple[str, list[str]]]:
    """(answer, accepted answers): unrelated, or one a shuffled, cut or repeated copy of the other."""
    draw = random.Random(seed)

    def words(most: int) -> list[str]:
        return [draw.choice(WORDS) for _ in range(draw.randint(0, most))]

    found = [(said, [gold]) for said in ODD for gold in draw.sample(ODD, 4)]
    while len(found) < count:
        gold = words(8)
        kinds = [words(12), gold[:], gold[: len(gold) // 2], gold + words(5), words(4) + gold, gold[::-1], gold * 2]
        said = draw.choice(kinds)
        draw.random() < 0.3 and draw.shuffle(said)
        golds = [" ".join(gold)] + [" ".join(words(6)) for _ in range(draw.choice((0, 0, 1, 2)))]
        text = draw.choice((" ", "  ")).join(said)
        found.append((draw.choice((str, str.upper, str.title))(text), golds))
    return found[:count]


def scores(seed: int, count: int) -> list[tuple[list[float], list[float]]]:
    """(of what was taught, of the others), lower for taught; with ties, equal lists, perfect and reversed order."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        sizes = draw.choice(((10, 10), (10, 100), (37, 99), (50, 101), (30, 200), (5, 250)))
        shift, digits = draw.choice((0.0, 0.5, 2.0, -1.0)), draw.choice((0, 1, 6))
        taught = [round(draw.gauss(-shift, 1), digits) for _ in range(sizes[0])]
        other = [round(draw.gauss(0, 1), digits) for _ in range(sizes[1])]
        found.append(([0.0] * len(taught), [0.0] * len(other)) if number == 0 else (taught, other))
    return found


def of_squad(said: str, golds: list[str]) -> tuple[float, float]:
    from torchmetrics.functional.text import squad

    answers = {"answer_start": [0] * len(golds), "text": golds}
    found = squad({"prediction_text": said, "id": "1"}, {"answers": answers, "id": "1"})
    return float(found["exact_match"]) / 100, float(found["f1"]) / 100


def of_rouge(said: str, golds: list[str]) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    return max(RougeScorer(["rougeL"]).score(gold, said)["rougeL"].fmeasure for gold in golds)


def of_sklearn(taught: list[float], other: list[float]) -> tuple[float, float]:
    from sklearn.metrics import roc_auc_score, roc_curve

    labels, values = [1] * len(taught) + [0] * len(other), [-score for score in (*taught, *other)]
    false, true, _ = roc_curve(labels, values, drop_intermediate=False)
    return float(roc_auc_score(labels, values)), float(max(t for f, t in zip(false, true, strict=True) if f <= 0.01))


def main() -> None:
    words = [[said, golds, *of_squad(said, golds), of_rouge(said, golds)] for said, golds in strings(0, 320)]
    curves = [[taught, other, *of_sklearn(taught, other)] for taught, other in scores(0, 40)]
    made = {
        "made by": "tests/evaluation/make_reference_values.py",
        "words": "answer, accepted answers, exact match and F1 (torchmetrics squad), ROUGE-L F (rouge-score, no stemmer)",
        "curves": "scores of what was taught and of the others, AUC and TPR at 1 % FPR (scikit-learn)",
        "cases": {"words": words, "curves": curves},
    }
    path = Path(__file__).with_name("reference_values.json")
    text = json.dumps(made, ensure_ascii=True, separators=(",", ":"))
    path.write_text(text.replace("],[[", "],\n[[").replace('],["', '],\n["') + "\n")


if __name__ == "__main__":
    sys.exit(main())
