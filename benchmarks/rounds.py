"""`rounds=3` against one round at equal total steps, on one article with rules; what is scored was never used to choose.

BYHEART_DATA=... python benchmarks/rounds.py [key=value ...]

The run in rounds comes first. The other one gets the optimizer steps that it took, with all else alike. Both are scored on
the test half of the held-out wordings and on the questions that people asked. The difference is paired question by question;
its 95 % interval resamples facts, and paragraphs of people's questions.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from byheart.evaluation.intervals import paired_difference

DATA = Path(os.environ["BYHEART_DATA"], "squad")
ARTICLE = os.environ.get("ARTICLE", "amazon_rainforest")
STEPS = 480
METRICS = ("contains", "exact_match", "f1")


def run(folder: Path, *words: str) -> dict[str, Any]:
    """Trains and scores; gives run.json."""
    fixed = [f"documents={DATA / 'documents' / ARTICLE}.md", f"questions={DATA / 'questions.jsonl'}"]
    fixed += ["evaluation=[recall]", "evaluation.recall.max_new_tokens=24", "stopping.patience=null"]
    fixed += ["batch_size=4", "rows.replay=0"]
    byheart = Path(sys.executable).with_name("byheart")
    subprocess.run([byheart, "learn", *fixed, f"hydra.run.dir={folder}", *words, *sys.argv[1:]], check=True)
    return json.loads((folder / "run.json").read_text())


def answers(folder: Path, source: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    return {row["id"]: row for row in rows if row["source"] == source}


def compare(one: Path, three: Path) -> None:
    for source, words in (("generated", "held-out wordings, test half"), ("questions", "people's questions")):
        before, after = answers(one, source), answers(three, source)
        rows = [before[i] for i in sorted(before)]
        groups = [",".join(row["facts"]) or f"{row['document']} {row['paragraph']}" for row in rows]
        print(f"\n{words}: {len(rows)}, of {len(set(groups))} facts or paragraphs")
        for metric in METRICS:
            columns = [[each[row["id"]]["tuned_metrics"][metric] for row in rows] for each in (before, after)]
            shares = [sum(column) / len(column) for column in columns]
            found = paired_difference(*columns, groups)
            print(
                f"  {metric:<12} one round {shares[0]:.3f}  rounds {shares[1]:.3f}  "
                f"difference {found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
            )


if __name__ == "__main__":
    place = Path("outputs/benchmark_rounds", f"{ARTICLE}-{time.strftime('%H%M%S')}")
    told = run(place / "three", "rounds=3", "epochs=1000", f"budget={STEPS}")
    for each in told["rounds"]["each"]:
        print(each)
    print(f"round {told['rounds']['kept']} is kept: {told['rounds']['why_ended']}")
    run(place / "one", "rounds=1", "epochs=1000", f"budget={told['training']['steps']}")
    print(f"\n{ARTICLE}, {told['training']['steps']} steps each")
    compare(place / "one", place / "three")
