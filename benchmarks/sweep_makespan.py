"""How long a small sweep takes, from command to best adapter on disk, against one training for each combination.

    python benchmarks/sweep_makespan.py            # batch sizes 1, 2, 4 x two rates x epochs 1, 2, 4; 48 rows
    python benchmarks/sweep_makespan.py --quick    # batch sizes 2, 4 x two rates x epochs 1, 2

Sides: ours (byheart sweep, packed). With stock peft, given the rows (`peft_sweep.py`): peft (one training after another
for each combination, as Hydra's launcher runs them) and peft_pair (model loaded once, epochs read off the curve, two
processes of a thread each: the strongest that a machine of two cores has). With our own single trainer in their place:
naive (a process for each combination), grid (one process), curve (epochs read off it) and pair (two processes of one
thread that share the study). Prints one JSON line a side; `ours` must be among the sides, and goes first.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RULES = Path(__file__).parent.parent / "examples/ham_radio/amateur_radio_rules.md"
PROGRAM = "import sys; sys.argv[0] = 'byheart'; from byheart.cli import main; sys.exit(main())"
SHORT = 1600  # characters of the rules: few facts in several phrasings, so that 48 rows leave some to hold out
COMMON = [
    "rows.replay=0", "split.at_least=8", "evaluation=[choice]", "stopping.patience=null",
    "stopping.checks_per_epoch=1", "expansion.rules.max_examples=56",
]  # fmt: skip


def run(*words: str, threads: int | None = None) -> float:
    """Seconds of one command in a process of its own."""
    began = time.monotonic()
    more = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False, env=os.environ | more
    )
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return time.monotonic() - began


def sweep(
    name: str,
    launcher: str,
    folder: Path,
    space: dict[str, list[str]],
    one_each: bool = False,
    threads: int | None = None,
) -> float:
    words = [f"{key}={','.join(values)}" for key, values in space.items()]
    # Under a falling rate every number of epochs is a training of its own, as it always is for other sweepers.
    extra = ["schedule=linear"] if one_each else []
    place = [f"hydra.sweep.dir={folder / name}", f"hydra.sweeper.study_name={name}", f"hydra/launcher={launcher}"]
    return run("learn", "-m", "hydra/sweeper=byheart_optuna", *COMMON, *extra, *words, *place, threads=threads)


def pair(folder: Path, space: dict[str, list[str]]) -> float:
    """Two sweepers on one study, a thread each; until the second of them ends."""
    with ThreadPoolExecutor(2) as both:
        began = time.monotonic()
        ends = [both.submit(sweep, "pair", "basic", folder, space, threads=1) for _ in range(2)]
        for end in ends:
            end.result()
        return time.monotonic() - began


def peft(folder: Path, space: dict[str, list[str]], *more: str, parts: int = 1) -> float:
    """Processes of stock peft beside each other, until the last of them ends."""
    rows = next((folder / "ours").glob("**/rows-*/train.jsonl")).parent
    words = [str(rows), str(folder / "peft"), *more]
    for flag, key in (("--batch", "batch_size"), ("--lr", "lr"), ("--epochs", "epochs")):
        words += [flag, *space[key]]
    env = os.environ | ({"OMP_NUM_THREADS": "1"} if parts > 1 else {})
    program = str(Path(__file__).with_name("peft_sweep.py"))
    began = time.monotonic()
    started = [
        subprocess.Popen(
            [sys.executable, program, *words, "--part", str(i), str(parts)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
        )
        for i in range(parts)
    ]  # fmt: skip
    for each in started:
        told = each.communicate()[0]
        if each.returncode:
            sys.exit(told[-2000:])
    return time.monotonic() - began


def naive(folder: Path, space: dict[str, list[str]]) -> float:
    """A fresh process for each combination; the best is not scored again, since each run scores itself."""
    total = 0.0
    for number, row in enumerate(itertools.product(*space.values())):
        words = [f"{key}={value}" for key, value in zip(space, row, strict=True)]
        total += run("learn", *COMMON, *words, f"hydra.run.dir={folder / 'naive' / str(number)}")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sides", default="ours,peft,peft_pair,naive,pair")
    said = parser.parse_args()
    space = {"batch_size": ["1", "2", "4"], "lr": ["2e-4", "5e-4"], "epochs": ["1", "2", "4"]}
    if said.quick:
        space = {"batch_size": ["2", "4"], "lr": ["2e-4", "5e-4"], "epochs": ["1", "2"]}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        text = RULES.read_text(encoding="utf-8")[:SHORT].rpartition("\n\n")[0]
        (folder / "rules.md").write_text(text, encoding="utf-8")
        COMMON.append(f"documents={folder / 'rules.md'}")
        sides = {
            "peft": lambda: peft(folder, space),
            "peft_pair": lambda: peft(folder, space, "--curve", parts=2),
            "naive": lambda: naive(folder, space),
            "grid": lambda: sweep("grid", "basic", folder, space, one_each=True),
            "curve": lambda: sweep("curve", "basic", folder, space),
            "pair": lambda: pair(folder, space),
            "ours": lambda: sweep("ours", "packed", folder, space),
        }
        seconds = {}
        for side in said.sides.split(","):
            seconds[side] = sides[side]()
            print(json.dumps({"side": side, "seconds": round(seconds[side], 1)}), flush=True)
        if "ours" in seconds:
            print(json.dumps({f"{side} / ours": round(seconds[side] / seconds["ours"], 2) for side in seconds}))


if __name__ == "__main__":
    main()
