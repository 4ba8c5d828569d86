"""The reversal curse (Berglund et al., arXiv 2309.12288): rules in both directions beside rules asked forward only.

BYHEART_DATA=... python benchmarks/reversal.py [--out FOLDER] [key=value ...]

Twenty invented persons, each told in one sentence and one order: ten name first, ten description first. Forward questions
go in the order of the text, reverse questions in the other. The ratio compares answers of one kind: names with names,
descriptions with descriptions. Both trainings take as many steps. All questions are those of the paper,
whose wordings are not trained. Half an hour on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

from byheart import expand
from byheart.evaluation.intervals import estimate
from byheart.evaluation.questions import load_questions
from byheart.evaluation.reversal import PREFIX, Reversal
from byheart.evaluation.sampling import sampled
from byheart.records import FORWARD, REVERSE, Value
from byheart.store import read_records, write_jsonl
from byheart.use.asking import open_run
from byheart.use.find_run import trained_run

DATA = Path(os.environ["BYHEART_DATA"], "reversal")
BYHEART = Path(sys.executable).with_name("byheart")
PER_FACT = 14  # examples of each fact, as the rules write by default
EPOCHS, FACTS = 6, 20
PROMPTS = 2  # of each pair and direction
KINDS = {"description_to_name": "name", "name_to_description": "description"}  # what is answered
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("outputs/benchmark_reversal"))
parser.add_argument("overrides", nargs="*")
options = parser.parse_args()


def write_inputs(folder: Path) -> tuple[Path, Path]:
    """The document and its questions."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [pair for pair in read_records(DATA / "pairs.jsonl") if pair["group"] in ("p2d", "d2p")]
    lines = ["# Invented people"]
    for pair in pairs:
        name, said = pair["name"], pair["description"]
        first = f"{name}, known far and wide for being {said}."
        lines.append(first if pair["group"] == "p2d" else f"{said[0].upper()}{said[1:]} is called {name}.")
    (folder / "people.md").write_text("\n\n".join(lines) + "\n")
    groups = defaultdict(list)
    for probe in load_questions(DATA / "questions.jsonl"):
        groups[probe.tags["pair"], probe.direction].append(probe)
    wanted = {pair["id"] for pair in pairs}
    kept = {each.id for (pair, _), group in groups.items() if pair in wanted for each in sampled(group, PROMPTS)}
    rows = [row for row in read_records(DATA / "questions.jsonl") if row["id"] in kept]
    (folder / "questions.jsonl").write_text(
        "".join(json.dumps({**row, "document": "people.md", "support": row["pair"]}) + "\n" for row in rows)
    )
    return folder / "people.md", folder / "questions.jsonl"


def forward_examples(document: Path, folder: Path) -> tuple[Path, int]:
    """The rules' forward examples, at most as many of each fact as they write by default; and how many these are."""
    words = [f"expansion.rules.usual={4 * PER_FACT}", f"hydra.run.dir={folder / 'examples'}"]
    if not (folder / "examples" / "ledger.html").is_file():
        expand(*words, documents=document)
    by_fact = defaultdict(list)
    for row in read_records(folder / "examples" / "examples.jsonl"):
        if row["direction"] == FORWARD:
            by_fact[row["facts"][0]].append(row)
    file = folder / "forward.jsonl"
    kept = [row for rows in by_fact.values() for row in rows[:PER_FACT]]
    write_jsonl(file, kept)
    return file, len(kept)


def learn(arm: str, words: list[str]) -> Path:
    folder = options.out / arm
    fixed = ["evaluation=[]", "rows.replay=0", "stopping.checks_per_epoch=1", f"hydra.run.dir={folder}"]
    if not (folder / "report.html").is_file():  # of an earlier call that was stopped later
        subprocess.run([BYHEART, "learn", *words, *fixed, *options.overrides], check=True)
    return folder


def score(run: Path, questions: Path) -> dict[tuple[str, str, str], Value]:
    """By measure, kind of answer and direction: the right words said, and the right answer likelier than nine others."""
    probes = [replace(probe, group=probe.support) for probe in load_questions(questions)]
    scored = Reversal(max_new_tokens=40).score(open_run(trained_run(str(run))).tuned, probes)
    rows = defaultdict(list)
    for probe in probes:
        metrics = scored.answers[PREFIX + probe.id].metrics
        for measure in {"said", "chosen"} & metrics.keys():  # not chosen among too few others
            rows[measure, KINDS[probe.tags["maps"]], probe.direction].append((metrics[measure], probe.group))
    return {key: estimate(*map(list, zip(*each, strict=True))) for key, each in rows.items()}


def main() -> None:
    document, questions = write_inputs(options.out)
    forward, count = forward_examples(document, options.out)
    epochs = {"both": EPOCHS, "forward": round(EPOCHS * PER_FACT * FACTS / count)}  # as many steps
    words = {"both": [], "forward": ["expansion=file", f"expansion.file.path={forward}"]}
    for arm in words:
        run = learn(arm, [f"documents={document}", f"epochs={epochs[arm]}", *words[arm]])
        found = score(run, questions)
        print(f"\nasked {'in both directions' if arm == 'both' else 'forward only'}: reverse over forward")
        for measure, kind in product(("said", "chosen"), KINDS.values()):
            ways = {way: found[measure, kind, way] for way in (FORWARD, REVERSE)}
            shown = ", ".join(f"{w} {at.value:.2f} ({at.low:.2f} to {at.high:.2f})" for w, at in ways.items())
            ratio = ways[REVERSE].value / max(1e-9, ways[FORWARD].value)
            print(f"  {ratio:.2f}  {kind}s {measure}: {shown}, {ways[FORWARD].count} questions each", flush=True)


if __name__ == "__main__":
    main()
