"""`kill -9` of `byheart expand` at random moments, then the same command: is anything asked twice, is anything lost?

    python benchmarks/teacher_kill.py [--kills 20] [--seed 0]

The server's answers carry the name of their request, so the store shows what had arrived when the process died. Says how
many of those were asked for again (0 is the claim), and whether the examples equal those of an undisturbed run.
"""

import argparse
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from service import running

RULES = Path(__file__).parents[1] / "examples/ham_radio/amateur_radio_rules.md"
PROGRAM = "import sys; sys.argv[0] = 'byheart'; from byheart.cli import main; sys.exit(main())"


def command(url: str, folder: Path) -> list[str]:
    return [
        sys.executable, "-c", PROGRAM, "expand", f"documents={RULES}", "expansion=ladder", "teacher=openai", "teacher.model=m",
        f"teacher.base_url={url}", "teacher.server=bench", "teacher.concurrency=8", f"hydra.run.dir={folder}",
    ]  # fmt: skip


def arrived(cache: Path) -> set[str]:
    """The names of the requests whose answers are in the store."""
    found: set[str] = set()
    for file in cache.rglob("teacher.sqlite"):
        with closing(sqlite3.connect(file)) as store:
            for (text,) in store.execute("SELECT text FROM answers"):
                found |= set(re.findall(r'"name": "([0-9a-f]{16})"', text))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    luck = random.Random(said.seed)
    with tempfile.TemporaryDirectory() as name:
        place, log = Path(name), Path(name, "asked.txt")
        with running(slots=8, pairs=True, speed=0.25, log=log) as url:
            quiet = {**os.environ, "BYHEART_CACHE": str(place / "quiet")}
            subprocess.run(command(url, place / "undisturbed"), env=quiet, check=True, stdout=subprocess.DEVNULL)
            whole = arrived(place / "quiet")
            assert whole, "no answer was found in the store"
            log.write_text("")
            again, known, total, kills = 0, set(), 0, 0
            disturbed = {**os.environ, "BYHEART_CACHE": str(place / "killed")}
            while kills < said.kills:
                process = subprocess.Popen(
                    command(url, place / f"killed{kills}"),
                    env=disturbed,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.STDOUT,
                )
                try:
                    process.wait(luck.uniform(1.2, 4.0))
                    break  # it came to its end
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                time.sleep(0.1)
                kills += 1
                asked = log.read_text().split()
                log.write_text("")
                again, total = again + len(known & set(asked)), total + len(asked)
                known = arrived(place / "killed")
                print(
                    f"kill {kills}: {len(known)} of {len(whole)} answers in the store, {again} asked for again",
                    flush=True,
                )
            last = place / "last"
            subprocess.run(command(url, last), env=disturbed, check=True, stdout=subprocess.DEVNULL)
            asked = log.read_text().split()
            again, total = again + len(known & set(asked)), total + len(asked)
            same = all(
                (last / f).read_bytes() == (place / "undisturbed" / f).read_bytes()
                for f in ("examples.jsonl", "rejected.jsonl")
            )
    print(
        f"{kills} kills, {total} requests for {len(whole)} answers: {again} that had arrived were asked for again; "
        f"examples and refusals {'equal' if same else 'DIFFER'}"
    )


if __name__ == "__main__":
    main()
