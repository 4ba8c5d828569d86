"""A finished run's folder with plausible content, without training anything.

    python tests/report/fake_run.py FOLDER     writes one to look at, with its report.html

With BYHEART_DATA set it asks the real exam questions of the ham-radio rules, else a few invented ones.
"""

import csv
import json
import math
import os
import random
import sys
from dataclasses import asdict
from pathlib import Path

from byheart.records import ANGLES, FORWARD, REVERSE, Chunk, CurvePoint, Document, Example, Fact, Rejection, Split

HOSTILE = (
    "</script><!-- <script>alert('1')</script> \"'><img src=x onerror=alert(2)> {{ 7*7 }} & \x1b[31m\x00 \ud800 ]]>"
)
DUTIES = {
    "trim the lamp": ("At sunset", "At noon", "Once a week", "Before each storm"),
    "wind the clockwork": ("Every four hours", "Every hour", "At sunrise", "Twice a month"),
    "sound the horn": ("Whenever the far buoy is hidden", "At midnight", "When a ship salutes", "Never on Sundays"),
    "write up the log": ("At the end of each watch", "On the first of the month", "At breakfast", "When asked to"),
    "inspect the cistern": ("On the first Monday", "Each evening", "After every visitor", "In the spring"),
    "fly the signal flag": ("From dawn to dusk", "In fog only", "On the king’s birthday", "While the boat is out"),
}


def write_fake_run(folder: Path, *, hostile: bool = False, questions: bool = True, seed: int = 3) -> Path:
    """Everything that `learn` leaves behind but weights and checkpoints."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    document, exam = _source()
    if hostile:
        document = Document(document.id, document.title + HOSTILE, document.text + HOSTILE, document.path)
    chunks, facts = _cut(document)
    examples = _examples(facts, rng)
    _lines(folder / "documents.jsonl", [asdict(document)])
    _lines(folder / "chunks.jsonl", map(asdict, chunks))
    _lines(folder / "facts.jsonl", map(asdict, facts))
    _lines(folder / "examples.jsonl", map(asdict, examples))
    rejected = [Rejection(example, "the question contains the answer") for example in examples[::90]]
    _lines(folder / "rejected.jsonl", map(asdict, rejected))
    held = [example.id for example in examples if example.angle in ("blank", "simple")][::6]
    train = tuple(example.id for example in examples if example.id not in set(held))
    split = Split(train, tuple(held[::2]), tuple(held[1::2]), refused={examples[5].id: "a look-alike is trained"})
    _json(folder / "split.json", asdict(split))

    answers = [_answer(probe, rng, hostile) for probe in exam] if questions else []
    judged = [example for example in examples if example.id in set(split.test)]
    answers += [_generated(example, document, rng, hostile) for example in judged]
    _lines(folder / "answers.jsonl", answers)
    _json(folder / "scores.json", _scores(answers, document, questions))
    _curve(folder / "curve.csv", rng)
    _json(folder / "ledger.json", _ledger(examples, facts, rejected))
    _json(folder / "run.json", RUN)
    (folder / ".hydra").mkdir(exist_ok=True)
    (folder / ".hydra" / "config.yaml").write_text(CONFIG + (f"# {HOSTILE}\n" if hostile else ""), "utf-8", "replace")
    return folder


def _source() -> tuple[Document, list[dict]]:
    if root := os.environ.get("BYHEART_DATA"):
        base = Path(root) / "rules"
        path = base / "documents" / "amateur_radio_rules.md"
        text = path.read_text(encoding="utf-8")
        exam = [json.loads(line) for line in (base / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
        return Document("d0", text.splitlines()[0].lstrip("# "), text, path.name), exam
    text, exam = "# The Lighthouse Keeper’s Book\n\n## Duties\n\n", []
    for index, (duty, options) in enumerate(DUTIES.items()):
        text += f"The keeper shall {duty} {options[0][0].lower()}{options[0][1:]}. The mate stands by him.\n\n"
        order = [*options[1 : 1 + index % 4], options[0], *options[1 + index % 4 :]]
        question = f"When must the keeper {duty}?"
        exam.append({"id": f"q{index}", "question": question, "options": order, "gold": order.index(options[0])})
    return Document("d0", "The Lighthouse Keeper’s Book", text, "lighthouse.md"), exam


def _cut(document: Document) -> tuple[list[Chunk], list[Fact]]:
    chunks, facts, at = [], [], 0
    for part in document.text.split("\n\n"):
        start, at = at, at + len(part) + 2
        if part.startswith("#") or not part.strip():
            continue
        chunk = Chunk(f"c{len(chunks)}", document.id, ("Rules",), start, start + len(part), part, len(part) // 5)
        chunks.append(chunk)
        facts.append(Fact(f"f{len(facts)}", document.id, chunk.id, start, chunk.end, part, chunk.tokens, ("Rules",)))
    return chunks, facts


def _examples(facts: list[Fact], rng: random.Random) -> list[Example]:
    examples = []
    for fact in facts:
        words = fact.text.split()
        for angle in ANGLES:
            for cut in range(rng.choice((1, 1, 2, 3)) if angle != "scenario" else rng.choice((0, 0, 1))):
                middle = len(words) * (cut + 1) // 4 + 1
                question = f"Which words complete the rule: “{' '.join(words[:middle])} …”?"
                answer = " ".join(words[middle:][:14]) or fact.text
                direction = REVERSE if angle == "reverse" else FORWARD
                name = f"e{len(examples)}"
                examples.append(Example(name, question, answer, (fact.id,), angle, direction, "rules", fact.chunk))
    return examples


def _answer(probe: dict, rng: random.Random, hostile: bool) -> dict:
    options, gold = probe["options"], probe["gold"]
    wrong = [index for index in range(len(options)) if index != gold]
    before, after, opened = (gold if rng.random() < share else rng.choice(wrong) for share in (0.3, 0.68, 0.6))
    return {
        "id": probe["id"],
        "question": probe["question"] + (HOSTILE if hostile else ""),
        "accepted": probe.get("answers") or [options[gold]],
        "options": options,
        "untuned": "The FCC Rules are a set of rules that are used to" + (HOSTILE if hostile else ""),
        "tuned": options[after] + (HOSTILE if hostile else ""),
        "open_book": options[opened],
        "untuned_right": before == gold,
        "tuned_right": after == gold,
        "open_book_right": opened == gold,
        "untuned_option": options[before],
        "open_book_option": options[opened],
        "tuned_option": options[after],
        "source": "questions",
        "angle": "",
        "direction": "",
        "document": "d0",
        "facts": [],
        "tags": {"half": probe.get("half", "A")},
    }


def _generated(example: Example, document: Document, rng: random.Random, hostile: bool) -> dict:
    before, after, opened = rng.random() < 0.02, rng.random() < 0.45, rng.random() < 0.5
    wrong = "I’m not sure, but the rules say that the station must be" + (HOSTILE if hostile else "")
    return {
        "id": example.id,
        "question": example.question,
        "accepted": [example.answer],
        "options": [],
        "untuned": example.answer if before else wrong,
        "tuned": example.answer if after else "the station " + example.answer[::-1][:20],
        "open_book": example.answer if opened else wrong,
        "untuned_right": before,
        "tuned_right": after,
        "open_book_right": opened,
        "untuned_option": None,
        "open_book_option": None,
        "tuned_option": None,
        "source": "generated",
        "angle": example.angle,
        "direction": example.direction,
        "document": document.id,
        "facts": list(example.facts),
    }


def _share(hits: list[bool]) -> dict:
    """Wilson's 95 % interval."""
    n, z = len(hits), 1.96
    p = sum(hits) / n if n else 0.0
    middle, spread = (p + z * z / (2 * n)) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    spread /= 1 + z * z / n
    return {"value": p, "count": n, "low": max(0.0, middle - spread), "high": min(1.0, middle + spread)}


def _scores(answers: list[dict], document: Document, questions: bool) -> dict:
    flags = {"untuned": "untuned_right", "open_book": "open_book_right", "tuned": "tuned_right"}
    asked = [row for row in answers if row["source"] == "questions"]
    made = [row for row in answers if row["source"] == "generated"]
    scores: dict = {model: {} for model in flags}
    for model, flag in flags.items():
        if questions:
            scores[model]["choice_norm"] = _share([row[flag] for row in asked])
            scores[model]["choice"] = _share([row[flag] for row in asked[1:] + asked[:1]])
            margin = {"untuned": -0.21, "open_book": 0.12, "tuned": 0.34}[model]
            scores[model]["margin"] = {"value": margin, "count": len(asked), "low": margin - 0.2, "high": margin + 0.2}
            blind = [row["id"].encode()[-1] % 3 == 0 for row in asked]
            scores[model]["choice_norm_blind"] = _share(blind)
            scores[model]["margin_gain"] = {"value": 0.21, "count": len(asked), "low": 0.05, "high": 0.37}
    scores["tuned"]["perplexity_ratio"] = {"value": 1.083, "count": 60, "low": 1.051, "high": 1.117}
    scores["generated"] = {model: {"contains": _share([row[flag] for row in made])} for model, flag in flags.items()}

    def block(rows: list[dict], metric: str) -> dict:
        return {model: {metric: _share([row[flag] for row in rows])} for model, flag in flags.items()}

    angles = sorted({row["angle"] for row in made})
    scores["by_angle"] = {angle: block([row for row in made if row["angle"] == angle], "contains") for angle in angles}
    head, metric = (asked, "choice_norm") if questions else (made, "contains")
    scores |= {"by_document": {document.id: block(head, metric)}, "headline": metric}
    scores["probes"] = "questions" if questions else "generated"
    if questions:
        gain = scores["tuned"]["choice_norm"]["value"] - scores["untuned"]["choice_norm"]["value"]
        scores["paired"] = {
            "choice_norm": {"value": gain, "count": len(asked), "low": gain - 0.19, "high": gain + 0.18}
        }
        halves = {half: [row for row in asked if row["tags"]["half"] == half] for half in ("A", "B")}
        scores["halves"] = {half: block(rows, "choice_norm") for half, rows in halves.items() if rows}
    else:
        scores |= scores.pop("generated")
    return scores


def fake_points(rng: random.Random, epochs: int = 4) -> list[CurvePoint]:
    points = []
    for check in range(0, 4 * epochs + 1):
        epoch = check / 4
        train = 0.16 + 2.6 * math.exp(-epoch / 0.9) + rng.uniform(-0.04, 0.04) if check else None
        val = 0.72 + 2.1 * math.exp(-epoch / 0.75) + 0.05 * max(0, epoch - 2.6) ** 1.6 + rng.uniform(-0.015, 0.015)
        recall = min(1.0, 0.03 + 0.5 * (1 - math.exp(-epoch / 1.6))) if check % 4 == 0 else None
        points.append(CurvePoint(77 * check, epoch, 77 * check, train, val, recall, 3e-4, 31.0 * check, 2.1))
    return points


def _curve(path: Path, rng: random.Random) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [asdict(point) for point in fake_points(rng)]
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _ledger(examples: list[Example], facts: list[Fact], rejected: list[Rejection]) -> dict:
    def count(name: str) -> dict[str, int]:
        names = [getattr(example, name) for example in examples]
        return {key: names.count(key) for key in dict.fromkeys(names)}

    exposure: dict = {fact.id: {"forward": 0, "reverse": 0} for fact in facts}
    for example in examples:
        exposure[example.facts[0]][example.direction] += 1
    return {
        "asked": {"tokens_per_question": 60, "examples_per_fact": 3},
        "by_angle": count("angle"),
        "by_direction": count("direction"),
        "by_expansion": count("expansion"),
        "facts": exposure,
        "rejected": {"the question contains the answer": len(rejected), "a question of one word": 4},
        "uncovered": [{"fact": facts[-1].id, "text": facts[-1].text, "reason": "no name, number or key phrase in it"}],
        "short": ["max_examples=1500 left 12 facts with fewer than 3 questions"],
        "tokens_per_question": 58,
    }


RUN = {
    "state": "finished",
    "name": "ham_radio",
    "started": "2025-11-24T09:12:05",
    "finished": "2025-11-24T09:23:47",
    "timings": {
        "documents": 0.4,
        "expansion": 6.8,
        "split": 2.1,
        "model": 12.0,
        "score_untuned": 61.0,
        "score_open_book": 74.2,
        "rows": 3.3,
        "training": 512.0,
        "score_tuned": 58.5,
    },
    "teacher": {"requests": 0, "tokens": 0, "cost": 0.0},
    "versions": {"byheart": "0.1.0", "torch": "2.9.0", "transformers": "5.0.1", "peft": "0.19.0", "python": "3.11.2"},
    "device": "cpu, 2 threads",
    "precision": "bf16",
    "seed": 0,
    "peak_memory_gib": 2.14,
    "model": "SmolLM2-135M-Instruct",
    "adapter_parameters": 4884480,
    "training": {
        "chosen_epoch": 3,
        "epochs_run": 4.0,
        "loss_would_choose": 4,
        "monitor": "token_accuracy",
        "why_stopped": "validation loss turned upward after 4 epochs; epoch 3 was the best",
        "rows": 1180,
        "steps": 4720,
    },
    "notes": ["open book: the section that each question names"],
}

CONFIG = """name: ham_radio
seed: 0
documents: examples/ham_radio/part97.md
questions: examples/ham_radio/exam.jsonl
batch_size: 4
epochs: 6
lr: 0.0003
schedule: constant
chunks:
  max_tokens: 400
rows:
  loss_on: answer
  reduction: row_mean
stopping:
  patience: 2
  tolerance: 0.01
  checks_per_epoch: 4
expansion:
  rules:
    _target_: byheart.expansion.rules.rules.Rules
    tokens_per_question: 60
    examples_per_fact: 3
    max_examples: 1500
"""


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _lines(path: Path, records) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


if __name__ == "__main__":
    from byheart.report.page import write_page

    print(
        write_page(
            write_fake_run(Path(sys.argv[1]), hostile="hostile" in sys.argv, questions="generated" not in sys.argv)
        )
    )
