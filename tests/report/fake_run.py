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
from dataclasses import asdict, replace
from pathlib import Path

from byheart.evaluation.base import Scored
from byheart.evaluation.kinds import kinds_of, sample_trained
from byheart.evaluation.recall import compare
from byheart.evaluation.summary import answer_rows, summarise
from byheart.records import (
    ANGLES,
    FORWARD,
    REVERSE,
    Answer,
    Chunk,
    CurvePoint,
    Document,
    Example,
    Fact,
    Probe,
    Rejection,
    Split,
    Value,
)

HOSTILE = (
    "</script><!-- <script>alert('1')</script> \"'><img src=x onerror=alert(2)> {{ 7*7 }} & \x1b[31m\x00 \ud800 ]]>"
)
DUTIES = {
    "trim the lamp": ("At sunset", "At noon", "Once a week", "Before each storm"),
    "wind the clockwork": ("Every four hours", "Every hour", "At sunrise", "Twice a month"),
    "sound the horn": ("Whenever the far buoy is hidden", "At midnight", "When a ship salutes", "Never on Sundays"),
    "write up the log": ("At the end of each watch", "On the first of the month", "At breakfast", "When asked to"),
    "inspect the cistern": ("On the first Monday", "Each evening", "After every visitor", "In the spring"),
    "paint the tower": ("Every second summer", "Every spring", "When it rains", "After a wreck"),
    "weigh the oil": ("On Saturdays", "On Mondays", "Each hour", "At the solstice"),
    "greet the supply boat": ("On the first of May", "Every Friday", "At low tide", "When it whistles"),
    "polish the lens": ("Each morning", "Each evening", "At new moon", "Before a visit"),
    "count the birds": ("In October", "In March", "At dusk", "When they leave"),
    "test the bell": ("At high tide", "At ebb", "On Thursdays", "Every ten minutes"),
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
    held = [example.id for example in examples if example.angle in ("blank", "simple")][::2]
    train = tuple(example.id for example in examples if example.id not in set(held))
    split = Split(train, tuple(held[::2]), tuple(held[1::2]), refused={examples[5].id: "a look-alike is trained"})
    _json(folder / "split.json", asdict(split))

    judged = [example for example in examples if example.id in set(split.test)]
    taught = [example for example in examples if example.id in set(train)]
    kinds, again = kinds_of(judged, taught), sample_trained(judged, taught)
    never = [example for example in taught if example.angle == "detailed"][:12]  # as if their facts were held out whole
    asked = [
        *(_question(probe) for probe in exam if questions),
        *(_probe(example, "generated", kinds[example.id]) for example in judged),
        *(_probe(replace(example, id=f"n{example.id}"), "untaught") for example in never),
        *(_probe(example, "trained") for example in again),
    ]
    if hostile:
        asked = [replace(probe, question=probe.question + HOSTILE) for probe in asked]
    shares = {"untuned": (0.3, 0.02), "open_book": (0.6, 0.5), "tuned": (0.68, 0.45), "tuned_open_book": (0.62, 0.5)}
    scored = {name: _scored(asked, rng, *share, HOSTILE if hostile else "") for name, share in shares.items()}
    _lines(folder / "answers.jsonl", answer_rows(asked, scored))
    _json(folder / "scores.json", summarise(asked, scored, {probe.id: "support" for probe in asked}))
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
        headings = (document.title, f"Part {len(chunks) % 3 + 1}")
        chunk = Chunk(f"c{len(chunks)}", document.id, headings, start, start + len(part), part, len(part) // 5)
        chunks.append(chunk)
        facts.append(Fact(f"f{len(facts)}", document.id, chunk.id, start, chunk.end, part, chunk.tokens, headings))
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


def _question(line: dict) -> Probe:
    options = tuple(line["options"])
    answers = tuple(line.get("answers") or [options[line["gold"]]])
    return Probe(
        line["id"], line["question"], answers, options, line["gold"], "d0", tags={"half": line.get("half", "A")}
    )


def _probe(example: Example, source: str, kind: str = "") -> Probe:
    angle, direction, fact = example.angle, example.direction, example.facts[0]
    return Probe(example.id, example.question, (example.answer,), document="d0", facts=example.facts, angle=angle, direction=direction, source=source, group=fact, kind=kind)  # fmt: skip


def _scored(probes: list[Probe], rng: random.Random, picks: float, says: float, suffix: str) -> Scored:
    """A model that picks the right option with chance `picks`, and says a right answer with chance `says`."""
    answers = {}
    for probe in probes:
        text, metrics, chosen = f"I’m not sure, but the rules say so{suffix}", {}, None
        if rng.random() < says / (2 if probe.options else 1):
            text = probe.answers[0] + suffix
        if probe.options:
            chosen = (
                probe.gold
                if rng.random() < picks
                else rng.choice([i for i in range(len(probe.options)) if i != probe.gold])
            )
            hit, blind = float(chosen == probe.gold), float(rng.random() < 0.35)
            metrics = {"choice": hit, "choice_norm": hit, "margin": hit - 0.4, "choice_blind": blind, "choice_norm_blind": blind, "margin_gain": 0.21}  # fmt: skip
        answers[probe.id] = Answer(probe.id, text, metrics | compare(text, probe.answers), chosen)
    nats = 100 + 20 * says
    answers |= {
        f"general-{i}": Answer(f"general-{i}", "", {"nats": nats + i * says, "tokens": 50.0}) for i in range(12)
    }
    return Scored({"perplexity": Value(9.0, 12, 8.0, 10.0)}, answers)


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
        "score_tuned_open_book": 70.1,
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
    "next_steps": [
        {"why": "It was still improving when training ended:", "command": "byheart learn documents=a.md epochs=12"}
    ],
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
