"""Is the count that was asked for reached on every chunk, or its lack explained, whatever the teacher is like?

    BYHEART_DATA=... python benchmarks/asked_counts.py [key=value ...]

`byheart expand expansion=ladder` on the five shared documents, each against a scripted server (tests/teacher/chat_server.py)
that answers well, badly (refusals, prose, halves, inventions) and randomly (noise). Prints first how many chunks are
neither; then for each run: chunks that reached their count, that are short with a reason, examples kept and refused.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from byheart.store import read_json
from expansion.scripted import badly, randomly, well
from teacher.chat_server import ChatServer, Say, answer

DATA = Path(os.environ["BYHEART_DATA"])
DOCUMENTS = sorted(DATA.glob("squad/documents/*.md")) + sorted(DATA.glob("rules/documents/*.md"))


def expanded(document: Path, script) -> dict:
    """The ledger."""
    with (
        tempfile.TemporaryDirectory() as place,
        ChatServer(lambda call: Say(answer(script(call.said, call.body["temperature"])))) as server,
    ):
        words = [
            "-m", "byheart.cli", "expand", f"documents={document}", "expansion=ladder", "teacher=openai", "teacher.model=toy",
            f"teacher.base_url={server.url}", f"hydra.run.dir={place}/out", *sys.argv[1:],
        ]  # fmt: skip
        os.environ["BYHEART_CACHE"] = f"{place}/cache"
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 2), done.stdout + done.stderr
        if done.returncode:  # not one pair came through, and it is said
            print(done.stderr.strip()[:500])
        return read_json(f"{place}/out/ledger.json")


unexplained, lines = 0, []
for document in DOCUMENTS:
    for script in (well, badly, randomly):
        account = expanded(document, script)
        said = " ".join(account["short"])
        chunks = account["by_chunk"]
        reached = [name for name, row in chunks.items() if row["kept"] >= row["asked"]]
        explained = [name for name in chunks if name not in reached and name in said]
        bare = {each["fact"]: each["reason"] for each in account["uncovered"]}
        silent = [fact for fact, ways in account["facts"].items() if not all(ways.values()) and not bare.get(fact)]
        lost = [name for name, row in chunks.items() if row["received"] != row["kept"] + sum(row["rejected"].values())]
        unexplained += len(chunks) - len(reached) - len(explained) + len(silent) + len(lost)
        lines.append(
            f"{document.stem:<22} {script.__name__:<9} chunks {len(chunks):>2}: {len(reached):>2} reached, {len(explained):>2} "
            f"short with a reason; facts {len(account['facts']):>3}, {len(bare):>2} bare with a reason; "
            f"asked {account['asked']['total']:>3}, kept {account['kept']:>5}, refused {sum(account['rejected'].values()):>5}"
        )
        print(lines[-1], flush=True)
print(f"\nneither reached nor explained: {unexplained}")
