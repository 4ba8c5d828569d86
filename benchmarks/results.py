"""`make results`: the claims of docs/guides/advice.md, tested by trainings of byheart; two documents, two seeds, three hours.

    python benchmarks/results.py [--estimate] [--claim NAME ...] [--hours N] [--write] [--out FOLDER] [key=value ...]

Each trial is a plain `byheart learn` in a folder of its own. A finished trial is never run again, and a killed one goes on.
--hours begins no trial that would end later. --estimate only says what is left to do. --write puts the table into
docs/results.md. All trials of a document answer the same probes, so that every comparison is paired by question.
The second document is an article in BYHEART_DATA (ARTICLE=black_death); where that is absent it is left out.
"""

import argparse
import importlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from claims.base import NOT_MEASURED, TRAINED, Material, Trial, Verdict
from claims.prepare import Document, prepare

from byheart import learn
from byheart.errors import UserError
from byheart.evaluation.recall import Recall
from byheart.evaluation.verbatim import in_a_row, words_of
from byheart.records import Probe
from byheart.results import FINISHED
from byheart.store import read_json, read_records, write_json, write_text
from byheart.training.curve import read_curve
from byheart.use.asking import open_run
from byheart.use.find_run import trained_run

ROOT = Path(__file__).parents[1]
CLAIMS = ("batch", "rungs", "upturn", "decay", "smooth", "base_model", "directions", "tasks")
SEEDS = (0, 1)
BEGIN, END = "<!-- claims: written by `make results ARGS=--write` -->", "<!-- claims: end -->"
# nothing is scored in the run itself: all trials of a document answer the probes of prepare.py afterwards
FIXED = ("evaluation=[]", "rows.replay=0", "split.at_least=20")
STEP, ROW, AROUND = 0.21, 0.143, 25  # seconds of a step, of each row in it, and of loading and scoring; two quiet cores
NOISE = 0.1  # of the spoiled copy: in standard deviations of each weight matrix
LONG_ARMS = ("short_answers", "summaries")  # whose trained questions are asked too, to count what is said word for word
RUN_WORDS, TOKENS = 8, 24


@dataclass(frozen=True)
class Job:
    document: Document
    seed: int
    trial: Trial
    folder: Path
    words: tuple[str, ...]  # of its command
    seconds: float  # that it is expected to take

    @property
    def file(self) -> Path:
        return self.folder / "score.json"


def documents() -> list[Document]:
    radio = ROOT / "examples/ham_radio"
    found = [Document("ham_radio", radio / "amateur_radio_rules.md", radio / "examples.jsonl")]
    name, data = os.environ.get("ARTICLE", "black_death"), Path(os.environ.get("BYHEART_DATA", "-"), "squad")
    article = Document(name, data / "documents" / f"{name}.md", data / "teacher/examples.jsonl")
    if article.path.is_file() and article.pairs.is_file():
        return [*found, article]
    print(f"one document only: {name}.md and its recorded pairs are not in BYHEART_DATA")
    return found


def jobs_of(
    claims: Mapping[str, ModuleType], texts: Sequence[Document], out: Path, model: str, more: Sequence[str] = ()
) -> list[Job]:
    """Each trial of each claim once, in the order of the claims."""
    found: dict[Path, Job] = {}
    materials = {text.name: prepare(text, out / text.name / "material") for text in texts}
    for claim in claims.values():
        for seed in SEEDS:
            for text in texts:
                for trial in claim.trials(materials[text.name]):
                    job = _job(text, seed, trial, out, (model, *more), materials[text.name])
                    found.setdefault(job.folder, job)
    return list(found.values())


def _job(text: Document, seed: int, trial: Trial, out: Path, settings: tuple[str, ...], material: Material) -> Job:
    model, *more = settings
    rows = out / text.name / "material" / f"{trial.rows}.jsonl"
    base = str(out / "spoiled") if trial.spoiled else model
    words = [*FIXED, f"seed={seed}", *trial.words, *more]
    key = sha256(json.dumps([words, base, rows.read_text(encoding="utf-8")]).encode()).hexdigest()[:8]
    places = [f"documents={text.path}", "expansion=file", f"expansion.file.path={rows}", f"model.path={base}"]
    seconds = AROUND + material.steps(trial) * (STEP + ROW * trial.batch_size)
    folder = out / text.name / f"seed_{seed}" / f"{trial.name}-{key}"
    return Job(text, seed, trial, folder, (*places, *words), seconds)


def run(job: Job, out: Path, model: str) -> None:
    """Trains, or goes on, and scores. score.json is written last."""
    if job.trial.spoiled:
        spoil(model, out / "spoiled")
    print(f"byheart learn {' '.join(job.words)}", flush=True)
    started = time.monotonic()
    try:
        if _trained(job.folder):
            pass  # killed while it was scored
        else:
            begun = (job.folder / ".hydra").is_dir()
            ran = learn(resume=job.folder) if begun else learn(*job.words, f"hydra.run.dir={job.folder}")
            if ran.state != FINISHED:  # a signal ends a training early, without an error: half a trial has no score
                raise SystemExit(f"{job.folder} was {ran.state}: the same command goes on with it")
        score = asked(job, out)
    except UserError as error:  # it diverged, for instance: it has no say in any verdict
        score = {"failed": str(error), "probes": [], "curve": [], "rows": 0, "verbatim": 0.0}
    write_json(job.file, {**score, "words": job.words, "seconds": round(time.monotonic() - started, 1)})


def _trained(folder: Path) -> bool:
    record = folder / "run.json"
    return record.is_file() and read_json(record)["state"] == FINISHED


def asked(job: Job, out: Path) -> dict[str, Any]:
    """What the tuned model says to the document's probes; of those on trained rows, to what this trial trained."""
    examples = {row["id"]: row for row in read_records(job.folder / "examples.jsonl")}
    taught = [examples[one] for one in read_json(job.folder / "split.json")["train"]]
    questions = {row["question"] for row in taught}
    rows = [
        row
        for row in read_records(out / job.document.name / "material" / "probes.jsonl")
        if row["kind"] != TRAINED or row["question"] in questions
    ]
    model = open_run(trained_run(str(job.folder))).tuned
    probes = [Probe(row["id"], row["question"], (row["answer"],), group=row["group"]) for row in rows]
    answers = Recall(max_new_tokens=TOKENS).score(model, probes).answers
    told = [
        {
            "id": row["id"],
            "kind": row["kind"],
            "group": row["group"],
            **answers[row["id"]].metrics,
            "said": answers[row["id"]].text,
        }
        for row in rows
    ]
    verbatim = 0.0
    if job.trial.rows in LONG_ARMS:
        own = model.answer([row["question"] for row in taught[::3]], 2 * TOKENS)
        runs = set(in_a_row(words_of(job.document.path.read_text(encoding="utf-8")), RUN_WORDS))
        verbatim = sum(any(each in runs for each in in_a_row(words_of(text), RUN_WORDS)) for text in own) / len(own)
    curve = [asdict(point) for point in read_curve(job.folder / "curve.csv")]
    return {"probes": told, "curve": curve, "rows": len(taught), "verbatim": verbatim}


def spoil(model: str, folder: Path) -> None:
    """A copy of the base with noise in each weight matrix."""
    if (folder / "config.json").is_file():
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from byheart.model.embedded import EMBEDDED, embedded_folder

    source = embedded_folder() if model == EMBEDDED else model
    net = AutoModelForCausalLM.from_pretrained(source)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 2:
                noise = torch.randn(weight.shape, generator=random, dtype=torch.float32)
                weight += (NOISE * weight.float().std() * noise).to(weight.dtype)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    making = folder.with_name(f"{folder.name}.making")
    net.save_pretrained(making)
    for file in sorted(making.iterdir(), key=lambda each: each.name == "config.json"):  # the marker comes last
        file.replace(folder / file.name)
    making.rmdir()


def judged(claims: Mapping[str, ModuleType], jobs: Sequence[Job], materials: Sequence[Material]) -> dict[str, Any]:
    """Each claim's verdict by the trials that are finished."""
    results = {
        (job.document.name, job.seed, job.trial.name): score
        for job in jobs
        if job.file.is_file() and "failed" not in (score := read_json(job.file))
    }
    table = {}
    for name, claim in claims.items():
        wanted = {
            (material.document, seed, trial.name)
            for material in materials
            for seed in SEEDS
            for trial in claim.trials(material)
        }
        verdict: Verdict = claim.verdict({key: results[key] for key in wanted & results.keys()})
        table[name] = {
            "title": claim.TITLE,
            "earlier": claim.EARLIER,
            "trials": len(wanted),
            "finished": len(wanted & results.keys()),
            "documents": sorted({document for document, *_ in wanted & results.keys()}),
            "seeds": sorted({seed for _, seed, _ in wanted & results.keys()}),
            "measured": verdict != NOT_MEASURED,
            "sentence": verdict.sentence,
            "comparisons": [
                {**asdict(each), "answer": each.answer, "words": str(each)} for each in verdict.comparisons
            ],
            "notes": verdict.notes,
        }
    return table


def markdown(table: Mapping[str, Any]) -> str:
    """The section of docs/results.md: a row a claim, then each comparison by itself."""
    lines = ["| claim | verdict, F1 with its 95 % interval | trials run | measured earlier |", "|---|---|---|---|"]
    for each in table.values():
        ran = f"{each['finished']} of {each['trials']}"
        lines.append(f"| {each['title']} | {each['sentence']} | {ran} | {each['earlier'] or '-'} |")
    rows = [
        f"| {each['title']} | {at['kind']} | {at['words']} | {at['difference']['count']} of {at['groups']} facts |"
        for each in table.values()
        for at in each["comparisons"]
    ]
    if rows:
        lines += ["", "| claim | probes | comparison | pairs |", "|---|---|---|---|", *rows]
    notes = [f"- {each['title']}: {note}." for each in table.values() for note in each["notes"]]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def write_table(page: Path, table: Mapping[str, Any]) -> None:
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{page} has not the two markers {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    write_text(page, f"{before}{BEGIN}\n\n{markdown(table)}\n\n{END}{rest.split(END, 1)[1]}")


def main(arguments: Sequence[str] | None = None, texts: Sequence[Document] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("outputs/results"))
    parser.add_argument("--claim", nargs="*", choices=CLAIMS, default=list(CLAIMS))
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/results.md")
    parser.add_argument("--model", default="smollm2_135m")
    options, more = parser.parse_known_args(arguments)
    if wrong := [word for word in more if not re.fullmatch(r"[+~]?[\w./]+=.*", word)]:
        parser.error(f"not an option, nor key=value: {' '.join(wrong)}")
    out = options.out.absolute()
    texts = documents() if texts is None else texts
    claims = {name: importlib.import_module(f"claims.{name}") for name in options.claim}
    jobs = jobs_of(claims, texts, out, options.model, more)
    left = [job for job in jobs if not job.file.is_file()]
    hours = sum(job.seconds for job in left) / 3600
    print(
        f"{len(jobs)} trials, {len(jobs) - len(left)} finished; the others take about {hours:.1f} h on two quiet cores"
    )
    if options.estimate:
        return {}
    begun, expected = time.monotonic(), 0.0
    for job in left:
        spent = time.monotonic() - begun
        pace = max(1.0, spent / expected) if expected else 1.0  # of this machine, which may be busy or slow
        if spent + pace * job.seconds > 3600 * options.hours:
            print(f"{job.folder.name} is left for another time: --hours {options.hours:g} would not suffice")
            continue
        run(job, out, options.model)
        expected += job.seconds
    table = judged(claims, jobs, [prepare(text, out / text.name / "material") for text in texts])
    write_json(out / "claims.json", table)
    if options.write:
        write_table(options.page, table)
    print(f"\n{markdown(table)}\n\n{out / 'claims.json'}")
    return table


if __name__ == "__main__":
    main()
