"""`byheart learn` on the ham-radio rules with default settings, seeds 0 and 1: the scores, the time and the memory.

python benchmarks/exam.py [--out FOLDER] [key=value ...]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples/ham_radio"
BYHEART = Path(sys.executable).with_name("byheart")
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("outputs/benchmark_exam"))
parser.add_argument("overrides", nargs="*")
options = parser.parse_args()


def learn(seed: int) -> tuple[dict, dict, float]:
    folder = options.out / f"seed{seed}-{time.strftime('%H%M%S')}"
    words = [f"documents={EXAMPLE / 'amateur_radio_rules.md'}", f"questions={EXAMPLE / 'questions.jsonl'}"]
    began = time.monotonic()
    subprocess.run(
        [BYHEART, "learn", *words, f"seed={seed}", f"hydra.run.dir={folder}", *options.overrides], check=True
    )
    return (
        json.loads((folder / "scores.json").read_text()),
        json.loads((folder / "run.json").read_text()),
        time.monotonic() - began,
    )


runs = [learn(seed) for seed in (0, 1)]
mean = sum(scores["tuned"]["choice_norm"]["value"] for scores, _, _ in runs) / len(runs)
blind = sum(scores["tuned"]["choice_norm_blind"]["value"] for scores, _, _ in runs) / len(runs)
print(
    f"\nmean of both seeds, all 37: tuned {mean:.3f}, its question-blind control {blind:.3f}, difference {mean - blind:+.3f}"
)
for seed, (scores, run, took) in enumerate(runs):
    print(
        f"seed {seed}: {took / 60:.1f} min, peak {run['peak_memory_gib']:.1f} GiB, epoch {run['training']['chosen_epoch']} chosen"
    )
    for name in ("untuned", "open_book", "tuned"):
        value = scores[name]["choice_norm"]
        halves = "  ".join(
            f"{half} {block[name]['choice_norm']['value']:.2f}" for half, block in scores["halves"].items()
        )
        print(
            f"  {name:<10} {value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})  {halves}  margin {scores[name]['margin']['value']:+.2f}"
        )
    paired = scores["paired"]["choice_norm"]
    print(
        f"  tuned - untuned {paired['value']:+.2f} ({paired['low']:+.2f} to {paired['high']:+.2f}), ratio of perplexities {scores['tuned']['perplexity_ratio']['value']:.2f}"
    )
