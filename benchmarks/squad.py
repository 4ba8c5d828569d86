"""Two Wikipedia articles, each learned alone by rules, asked what people asked of them; answers cut at 24 tokens.

BYHEART_DATA=... python benchmarks/squad.py [key=value ...]
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

DATA = Path(os.environ["BYHEART_DATA"], "squad")
BYHEART = Path(sys.executable).with_name("byheart")
for article in ("amazon_rainforest", "scottish_parliament"):
    folder = Path("outputs/benchmark_squad", f"{article}-{time.strftime('%H%M%S')}")
    words = [f"documents={DATA / 'documents' / article}.md", f"questions={DATA / 'questions.jsonl'}"]
    words += ["evaluation.recall.max_new_tokens=24", f"hydra.run.dir={folder}"]
    subprocess.run([BYHEART, "learn", *words, *sys.argv[1:]], check=True)
    scores = json.loads((folder / "scores.json").read_text())
    print(f"\n{article}")
    for name in ("untuned", "open_book", "tuned"):
        values = {m: scores[name][m] for m in ("exact_match", "f1", "contains")}
        print(
            f"  {name:<10} "
            + "  ".join(f"{m} {v['value']:.2f} ({v['low']:.2f} to {v['high']:.2f})" for m, v in values.items())
        )
