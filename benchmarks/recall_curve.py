"""One training, everything measured at the end of each epoch: what people asked, what is held out, forgetting.

    BYHEART_DATA=... python benchmarks/recall_curve.py ARTICLE teacher|rules|both [--forms N] [--out FILE] [key=value ...]

ARTICLE is one of the four in `squad/documents`. `teacher` are the recorded pairs on it (`--forms` of the six ways of
asking each fact), `rules` what the rules write. The human questions are scored in halves A and B, and are never
trained on; `people` tells how likely the model finds their shortest answers, which jumps less than what it says.
`--distil`, `--masked` and `--dropped` change what is trained on. Nothing stops the training but `epochs` and `budget`. One JSON line
an epoch goes to FILE, which `signals.py` reads. All settings of `byheart learn` may be said; answers are cut at 24 tokens.
"""

import argparse
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
import torch.nn.functional as F
from signals import LOSSES, SHARES

from byheart.config.compose import read_request
from byheart.dispatch import check
from byheart.evaluation.forgetting import general_text, ratio
from byheart.evaluation.recall import compare
from byheart.evaluation.retrieval import ask_with
from byheart.model.replay import LIKELIEST
from byheart.pipeline.evaluate import collect_probes
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.prepare_data import PreparedData, prepare_data
from byheart.pipeline.rows import make_rows
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.pipeline.train import train_job_of
from byheart.records import FORWARD, Example
from byheart.report.terminal import Terminal
from byheart.store import read_records
from byheart.training.job import Hooks
from byheart.training.layout import Row, SoftTargets, packed, padded
from byheart.training.loss import _logits

DATA = Path(os.environ["BYHEART_DATA"], "squad")
FORMS = {
    1: (0,),
    2: (0, 3),
    4: (0, 1, 3, 4),
    5: (0, 1, 3, 4, 5),
    6: range(6),
}  # variants: simple, reworded, detailed, ...
SHORT = 8  # tokens of an answer with its end
BOUND = 3.0  # nats: no token's loss counts for more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("article")
    parser.add_argument("source", choices=("teacher", "rules", "both"))
    parser.add_argument("--forms", type=int, default=6, choices=sorted(FORMS))
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--distil", choices=("passage", "answer"), help="learn what the untuned model expects, book open"
    )
    parser.add_argument("--hard", type=float, default=0.0, help="share of the written answer in what is distilled")
    parser.add_argument("--masked", default="", help="fact:6 or chunk:4: so many masked copies of each, to be restored")
    parser.add_argument("--dropped", type=int, default=0, help="copies of each question without 30 % of its words")
    parser.add_argument("--every", type=int, default=1, help="epochs between two measurements")
    options, overrides = parser.parse_known_args()
    out = options.out or Path("outputs/benchmark_recall", f"{options.article}-{options.source}.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        measure(options, overrides, out, Path(scratch))


def measure(options: argparse.Namespace, overrides: Sequence[str], out: Path, folder: Path) -> None:
    words = [f"documents={DATA / 'documents' / options.article}.md", f"questions={DATA / 'questions.jsonl'}"]
    if options.source != "rules":
        pairs = folder / "pairs.jsonl"
        rows = [row for row in read_records(DATA / "teacher/examples.jsonl") if _wanted(row, options)]
        pairs.write_text("\n".join(map(json.dumps, rows)))
        words += [f"expansion=[{'rules,' * (options.source == 'both')}file]", f"expansion.file.path={pairs}"]
    config = check(read_request([*words, *overrides])).run_configs[0]
    human = [q for q in read_records(DATA / "questions.jsonl") if q["document"] == f"{options.article}.md"]
    with Run(folder / "run", Terminal(), name=config.name, seed=config.seed) as run:
        data = prepare_data(config, run)
        session = ModelSession.load(config, run)
        general = general_text(session.untrained())
        train, validate = make_rows(config, data, collect_probes(config, data), session, run)
        written = [row for row in train if row.soft is None]
        replayed = [row for row in train if row.soft is not None]
        copies = _rows(config, [*dropped(options.dropped, data), *masked(options.masked, data)], session)
        told = distilled(options, data, written, session) if options.distil else written
        train = [*told, *replayed, *copies]
        train_job = train_job_of(config, train, validate, session)
        model = session.attach(config.adapter, config.seed)
        head = {"article": options.article, "source": options.source, "forms": options.forms, "overrides": list(overrides),
                "rows": len(told), "replayed": len(replayed), "copies": len(copies), "validated": len(validate), "facts": len(data.facts)}  # fmt: skip
        out.write_text(json.dumps(head) + "\n")
        asked = [
            Example(q["id"], q["question"], min(q["answers"], key=len), (), "simple", FORWARD, "people") for q in human
        ]
        people = _rows(config, asked, session)
        epoch = 0

        def at_epoch_end() -> None:
            nonlocal epoch
            epoch += 1
            if epoch % options.every and epoch != config.epochs:
                return
            lm = replace(session.language_model(), rows_at_once=40)
            answers = lm.answer([q["question"] for q in human], 24)
            scored = [compare(answer, q["answers"]) for answer, q in zip(answers, human, strict=True)]
            record = {"epoch": epoch, "signals": signals(model, validate), "people": signals(model, people),
                      "trained": signals(model, written[:: max(1, len(written) // 40)][:40]),
                      "answers": answers, "forgetting": ratio(general, general_text(lm)).value, "distinct": len(set(answers)) / len(answers)}  # fmt: skip
            for half in ("A", "B", "AB"):
                own = [s for s, q in zip(scored, human, strict=True) if q["half"] in half]
                record[half] = {name: mean(s[name] for s in own) for name in own[0]}
            record["contains"] = [int(s["contains"]) for s in scored]
            with out.open("a") as file:
                file.write(json.dumps(record) + "\n")
            both = record["AB"]
            print(f"{options.article} {options.source} {epoch}: contains {both['contains']:.2f} (A {record['A']['contains']:.2f},"
                  f" B {record['B']['contains']:.2f}) exact {both['exact_match']:.2f} F1 {both['f1']:.2f}, held out:"
                  f" loss {record['signals']['loss']:.2f} tokens {record['signals']['token_accuracy']:.2f} exact"
                  f" {record['signals']['exact']:.2f}, people's tokens {record['people']['token_accuracy']:.3f} bounded"
                  f" {record['people']['bounded']:.3f}, trained {record['trained']['exact']:.2f}, general x {record['forgetting']:.2f}", flush=True)  # fmt: skip

        config.trainer.fit(
            model,
            train_job,
            config.optimizer,
            replace(config.stopping, patience=None),
            run.folder,
            Hooks(recall=at_epoch_end),
            keep_best=False,
        )


def signals(model: torch.nn.Module, rows: Sequence[Row]) -> dict[str, float]:
    """Means over rows of what might tell how much the model recalls, all from one forward pass over their answers."""
    if not rows:  # each fact is asked in one way only: nothing is held out
        return dict.fromkeys((*LOSSES, *SHARES), math.nan)
    found: list[dict[str, float]] = []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), 16):
            batch = padded(rows[start : start + 16], 0)
            logits = _logits(model, batch).float()
            nats = F.cross_entropy(logits, batch.targets, reduction="none")
            smoothed = F.cross_entropy(logits, batch.targets, reduction="none", label_smoothing=0.1)
            rank = (logits > logits.gather(1, batch.targets[:, None])).sum(1)
            for i in range(int(batch.rows.max()) + 1):
                own = batch.rows == i
                hits = rank[own] == 0
                found.append({
                    "loss": float(nats[own].mean()), "sum": float(nats[own].sum()), "tokens": int(own.sum()),
                    "bounded": float(nats[own].clamp(max=BOUND).mean()), "smoothed": float(smoothed[own].mean()),
                    "first_rank": math.log1p(float(rank[own][0])), "first_accuracy": float(hits[0]),
                    "token_accuracy": float(hits.float().mean()), "exact": float(hits.all()),
                })  # fmt: skip
    model.train()
    short = [row for row in found if row["tokens"] <= SHORT] or found
    return {name: mean(row[name] for row in found) for name in found[0] if name not in ("sum", "tokens")} | {
        "loss_by_token": sum(row["sum"] for row in found) / sum(row["tokens"] for row in found),
        "loss_short": mean(row["loss"] for row in short),
        "bounded_short": mean(row["bounded"] for row in short),
    }


def masked(what: str, data: PreparedData) -> list[Example]:
    """Copies of each fact or chunk with 30 to 70 % of the words masked, to be restored whole (arXiv 2510.09885)."""
    if not what:
        return []
    unit, _, copies = what.partition(":")
    dice = random.Random(0)
    title = {document.id: document.title for document in data.documents}
    home = {chunk.id: title[chunk.document] for chunk in data.chunks}
    passages = [(f.text, f.chunk) for f in data.facts] if unit == "fact" else [(c.text, c.id) for c in data.chunks]
    found = []
    for text, chunk in passages:
        for _ in range(int(copies)):
            words, share = text.split(), dice.uniform(0.3, 0.7)
            shown = " ".join("____" if dice.random() < share else word for word in words)
            ask = f"Restore the masked words: “{shown}” ({home[chunk]})"
            found.append(Example(f"masked-{len(found)}", ask, " ".join(words), (), "blank", FORWARD, "masked"))
    return found


def dropped(copies: int, data: PreparedData) -> list[Example]:
    """Copies of the trained questions without some of the words behind their first (word dropout, Iyyer et al. 2015)."""
    dice = random.Random(0)
    found = []
    for example in data.examples_of(data.split.train):
        for copy in range(copies):
            first, *rest = example.question.split()
            ask = " ".join([first, *(word for word in rest if dice.random() >= 0.3)])
            found.append(replace(example, id=f"{example.id}-{copy}", question=ask))
    return found


def _rows(config: RunConfig, examples: Sequence[Example], session: ModelSession) -> list[Row]:
    return [Row(each.tokens, each.loss_from) for each in config.rows.build(examples, session.chat)]


def distilled(
    options: argparse.Namespace, data: PreparedData, written: Sequence[Row], session: ModelSession
) -> list[Row]:
    """Each written row with what the untuned model expects of its answer when the passage stands before the question.

    "answer": the pair itself stands behind the passage too (context distillation, arXiv 2209.15189; 2412.14964).
    The question that is trained on never holds the passage. Rows of one chunk are read behind it in batches of 16.
    """
    model = session.untrained().model
    chunk_of = {fact.id: fact.chunk for fact in data.facts}
    text_of = {chunk.id: chunk.text for chunk in data.chunks}
    groups: dict[str, list[int]] = {}
    examples = data.examples_of(data.split.train)
    for i, example in enumerate(examples):
        groups.setdefault(chunk_of[example.facts[0]] if example.facts else example.chunk, []).append(i)
    soft: list[SoftTargets | None] = [None] * len(examples)
    right = count = 0
    start = time.monotonic()
    for chunk, members in groups.items():
        for at in range(0, len(members), 16):
            part = members[at : at + 16]
            shown = []
            for i in part:
                pair = f"\n\nQuestion: {examples[i].question}\nAnswer: {examples[i].answer}" * (
                    options.distil == "answer"
                )
                prompt = session.chat.prompt(ask_with(text_of[chunk] + pair, examples[i].question))
                shown.append(Row([*prompt, *written[i].tokens[written[i].loss_from :]], len(prompt)))
            batch = packed(shown)
            with torch.no_grad():
                likely = _logits(model, batch).float().softmax(-1).topk(LIKELIEST)
            right += int((likely.indices[:, 0] == batch.targets).sum())
            count += len(batch.targets)
            for n, i in enumerate(part):
                own = batch.rows == n
                tokens, shares = likely.indices[own].tolist(), likely.values[own].tolist()
                for place, target in enumerate(batch.targets[own].tolist()):
                    _mix(tokens[place], shares[place], target, options.hard)
                soft[i] = SoftTargets(tokens, shares)
    print(f"distilled from the {options.distil}: {right / count:.3f} of {count:,} tokens are the first choice,"
          f" {time.monotonic() - start:.0f} s", flush=True)  # fmt: skip
    return [replace(row, soft=expected) for row, expected in zip(written, soft, strict=True)]


def _mix(tokens: list[int], shares: list[float], target: int, hard: float) -> None:
    """The written token gets the share `hard`, all others what is left, in proportion."""
    shares[:] = [share * (1 - hard) for share in shares]
    if target not in tokens:
        tokens[-1], shares[-1] = target, 0.0
    shares[tokens.index(target)] += hard


def _wanted(row: dict, options: argparse.Namespace) -> bool:
    return row["document"] == f"{options.article}.md" and row["variant"] in FORMS[options.forms]


if __name__ == "__main__":
    main()
