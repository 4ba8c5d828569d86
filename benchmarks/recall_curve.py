"""One training, everything measured at the end of each epoch: what people asked, what is held out, forgetting.

    BYHEART_DATA=... python benchmarks/recall_curve.py ARTICLE teacher|rules|both [--forms N] [--out FILE] [key=value ...]

ARTICLE is one of the four in `squad/documents`. `teacher` are the recorded pairs on it (`--forms` of the six ways of
asking each fact), `rules` what the rules write. The human questions are scored in halves A and B, and are never
trained on. Nothing stops the training but `epochs` and `budget`. One JSON line an epoch goes to FILE, which
`signals.py` reads. All settings of `byheart learn` may be said; answers are cut at 24 tokens.
"""

import argparse
import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
import torch.nn.functional as F

from byheart.commands import _checked
from byheart.config.compose import read_request
from byheart.evaluation.forgetting import Forgetting, ratio
from byheart.evaluation.recall import compare
from byheart.examining import Opened, gather_probes
from byheart.report.screen import Screen
from byheart.run import Run
from byheart.store import read_records
from byheart.studying import lesson_of, lesson_rows
from byheart.training.layout import Row, padded
from byheart.training.loss import _logits
from byheart.writing import write_texts

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
    plan = _checked(read_request([*words, *overrides])).plans[0]
    human = [q for q in read_records(DATA / "questions.jsonl") if q["document"] == f"{options.article}.md"]
    with Run(folder / "run", Screen(), name=plan.name, seed=plan.seed) as run:
        texts = write_texts(plan, run)
        opened = Opened.load(plan, run)
        general = Forgetting().score(opened.untrained())
        train, validate = lesson_rows(plan, texts, gather_probes(plan, texts), opened, run)
        lesson = lesson_of(plan, train, validate, opened)
        told = len(train) if not plan.rows.replay else sum(row.soft is None for row in train)
        model = opened.attach(plan.adapter, plan.seed)
        head = {"article": options.article, "source": options.source, "forms": options.forms, "overrides": list(overrides),
                "rows": told, "replayed": len(train) - told, "validated": len(validate), "facts": len(texts.facts)}  # fmt: skip
        out.write_text(json.dumps(head) + "\n")
        epoch = 0

        def at_epoch_end() -> None:
            nonlocal epoch
            epoch += 1
            if epoch % options.every and epoch != plan.epochs:
                return
            lm = replace(opened.language_model(), rows_at_once=40)
            answers = lm.answer([q["question"] for q in human], 24)
            scored = [compare(answer, q["answers"]) for answer, q in zip(answers, human, strict=True)]
            record = {"epoch": epoch, "signals": signals(model, validate),
                      "trained": signals(model, [row for row in train if row.soft is None][:: max(1, told // 40)][:40]),
                      "forgetting": ratio(general, Forgetting().score(lm)).value, "distinct": len(set(answers)) / len(answers)}  # fmt: skip
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
                  f" {record['signals']['exact']:.2f}, trained {record['trained']['exact']:.2f}, general x {record['forgetting']:.2f}", flush=True)  # fmt: skip

        plan.trainer.fit(
            model,
            lesson,
            plan.optimizer,
            replace(plan.stopping, patience=None),
            run.folder,
            at_epoch_end,
            keep_best=False,
        )


def signals(model: torch.nn.Module, rows: Sequence[Row]) -> dict[str, float]:
    """Means over rows of what might tell how much the model recalls, all from one forward pass over their answers."""
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
    names = ("loss", "bounded", "smoothed", "first_rank", "first_accuracy", "token_accuracy", "exact")
    short = [row for row in found if row["tokens"] <= SHORT] or found
    return {name: mean(row[name] for row in found) for name in names} | {
        "loss_by_token": sum(row["sum"] for row in found) / sum(row["tokens"] for row in found),
        "loss_short": mean(row["loss"] for row in short),
        "bounded_short": mean(row["bounded"] for row in short),
    }


def _wanted(row: dict, options: argparse.Namespace) -> bool:
    return row["document"] == f"{options.article}.md" and row["variant"] in FORMS[options.forms]


if __name__ == "__main__":
    main()
