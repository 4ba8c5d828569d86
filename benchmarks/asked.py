"""Do questions read off the sentences teach more than recitation, completion and blanks alone?

    BYHEART_DATA=... python benchmarks/asked.py [ARTICLE ...] [key=value ...]

Two Wikipedia articles (amazon_rainforest, scottish_parliament), each learned alone, both ways: at most 6 rows a fact, 3 epochs, answers cut at 24 new tokens,
asked what people asked of them. Prints first the ratio of the shares of answers that contain the right one, and the
difference with a bootstrap interval over the questions (paired), then each side.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean

from byheart.evaluation.intervals import paired_difference
from byheart.store import read_records

DATA = Path(os.environ["BYHEART_DATA"], "squad")
BYHEART = Path(sys.executable).with_name("byheart")
OVERRIDES = [word for word in sys.argv[1:] if "=" in word]
ARTICLES = [word for word in sys.argv[1:] if "=" not in word] or ["amazon_rainforest", "scottish_parliament"]
SIDES = {"crude": ["expansion.rules.families=[recitation,completion,blank]"], "asked": []}
# Nothing is held out, so that both sides train every row for all three epochs; no fact has more than six.
SAME = [
    "epochs=3", "split.share=0", "split.at_least=0", "expansion.rules.usual=6", "expansion.rules.examples_per_fact=0",
    "expansion.rules.tokens_per_question=100000", "evaluation.recall.max_new_tokens=24",
]  # fmt: skip


def learn(article: str, side: str) -> list[dict]:
    """The answers to the questions that people asked of this article."""
    folder = Path("outputs/benchmark_asked", f"{article}-{side}-{time.strftime('%H%M%S')}")
    words = [f"documents={DATA / 'documents' / article}.md", f"questions={DATA / 'questions.jsonl'}"]
    subprocess.run([BYHEART, "learn", *words, *SAME, *SIDES[side], f"hydra.run.dir={folder}", *OVERRIDES], check=True)
    return [row for row in read_records(folder / "answers.jsonl") if row["source"] == "questions"]


def share(rows: list[dict], metric: str, condition: str = "tuned") -> list[float]:
    return [row[f"{condition}_metrics"][metric] for row in rows]


everything: dict[str, list[dict]] = {side: [] for side in SIDES}
for article in ARTICLES:
    for side in SIDES:
        everything[side] += learn(article, side)
crude, asked = everything.values()
assert [row["id"] for row in crude] == [row["id"] for row in asked]
gained = paired_difference(share(crude, "contains"), share(asked, "contains"), [row["id"] for row in crude])
ratio = mean(share(asked, "contains")) / (mean(share(crude, "contains")) or float("nan"))
print(
    f"\nasked / crude: {ratio:.2f} times; {gained.value:+.3f} ({gained.low:+.3f} to {gained.high:+.3f}), {len(crude)} questions"
)
for document in sorted({row["document"] for row in crude}):
    for side, rows in everything.items():
        own = [row for row in rows if row["document"] == document]
        words = mean(len(row["tuned"].split()) for row in own)
        told = "  ".join(f"{metric} {mean(share(own, metric)):.2f}" for metric in ("contains", "exact_match", "f1"))
        print(f"  {document:<30} {side:<6} {told}  {words:.1f} words an answer")
    print(
        f"  {'':<30} open book, untuned: contains {mean(share(own, 'contains', 'open_book')):.2f}, {mean(share(own, 'contains', 'untuned')):.2f}"
    )
