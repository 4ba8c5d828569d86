"""How long the commands take that spend nothing: median of five.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RULES = Path(__file__).parents[1] / "examples/ham_radio/amateur_radio_rules.md"
BYHEART = Path(sys.executable).with_name("byheart")
LIMITS = {("--help",): 0.15, ("learn", "--help"): 0.15, ("check", f"documents={RULES}"): 1.5}


def seconds(words: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run([BYHEART, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


for words, limit in LIMITS.items():
    seconds(words)  # warm the disk's cache
    median = statistics.median(seconds(words) for _ in range(5))
    print(
        f"{median / limit:5.2f} of the limit   {median:.3f} s   byheart {' '.join(words).replace(str(RULES), RULES.name)}"
    )
