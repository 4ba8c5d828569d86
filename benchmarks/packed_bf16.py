"""Is a trial that was packed in bfloat16 as good as one that was trained alone? Final losses, their spread, both winners.

    python benchmarks/packed_bf16.py            # 40 + 8 rows of the ham-radio rules, three rates, three seeds, 3 epochs
    python benchmarks/packed_bf16.py --quick    # 4 + 2 rows, two rates, two seeds, 1 epoch: does it run?

Every rate with every seed alone in our single loop, then all of them in one pack; the embedded model, batch 4. bfloat16
sums in another order drift apart, so the measure is what a seed does: a packed trial should end no further from the same
trial alone than the seeds alone lie apart (their highest minus their lowest), and each seed's winner among the rates
should be the same one, or one that alone is no worse than that spread. Exit code 1 where either fails.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from training_speed import rows

from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.training.job import TrainJob
from byheart.training.multi_lora.job import PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

WHOLE = Stopping(patience=None, checks_per_epoch=1)


def short_rows(tokenizer, train, validate):
    """Rows from the whole text, evenly, the longer half left out."""
    every = rows(tokenizer)
    every = [row for row in every if len(row.tokens) <= sorted(len(r.tokens) for r in every)[len(every) // 2]]
    some = every[:: len(every) // (train + validate)][: train + validate]
    held = some[:: (train + validate) // validate][:validate]
    return [row for row in some if row not in held], held


def packed(model, jobs):
    waiting, losses = list(jobs), {}
    with PackedTrainer(model, len(jobs), max_rank=16) as trainer:
        trainer.stream(
            lambda: waiting.pop(0) if waiting else None,
            lambda job, result: losses.update({job.id: best(result)}),
        )
    return losses


def alone(model, jobs, dtype):
    losses = {}
    for job in jobs:
        torch.manual_seed(job.train_job.seed)
        wrapped = job.adapter.attach(model)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(device="cpu", precision=dtype)
            losses[job.id] = best(trainer.fit(wrapped, job.train_job, job.optimizer, job.stopping, Path(folder)))
        wrapped.unload()
        print(f"  alone {job.id}: {losses[job.id][0]:.4f}", flush=True)
    return losses


def best(result):
    """(final validation loss, lowest at an epoch's end: what a sweep compares)."""
    ends = [point.val_loss for point in result.curve if float(point.epoch).is_integer()]
    return ends[-1], min(ends)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--epochs", type=int, default=None)
    said = parser.parse_args()
    rates = (5e-4, 1e-3) if said.quick else (2e-4, 5e-4, 1e-3)
    seeds = (0, 1) if said.quick else (0, 1, 2)
    epochs = said.epochs or (1 if said.quick else 3)
    model, tokenizer = BaseModel().load(said.dtype, "cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train, validate = short_rows(tokenizer, *((4, 2) if said.quick else (40, 8)))
        jobs = [
            PackedJob(
                f"lr={lr:g} seed={seed}",
                TrainJob(train, validate, 4, epochs, seed, "constant", "row_mean", tokenizer.pad_token_id),
                Lora(), AdamW(lr=lr), WHOLE, folder / f"{lr:g}-{seed}",
            )
            for lr in rates for seed in seeds
        ]  # fmt: skip
        single, together = alone(model, jobs, said.dtype), packed(model, jobs)
    met = report(rates, seeds, single, together)
    sys.exit(0 if met else 1)


def report(rates, seeds, single, together):
    met, spreads = True, {}
    print("final validation loss  alone, by seed          packed, by seed         spread alone  furthest from alone")
    for lr in rates:
        names = [f"lr={lr:g} seed={seed}" for seed in seeds]
        one, other = [single[n][0] for n in names], [together[n][0] for n in names]
        spreads[lr] = max(one) - min(one)
        furthest = max(abs(a - b) for a, b in zip(one, other, strict=True))
        met = met and furthest <= spreads[lr]
        cells = ["  ".join(f"{loss:.4f}" for loss in losses) for losses in (one, other)]
        print(f"lr={lr:<8g}            {cells[0]:<24}{cells[1]:<24}{spreads[lr]:<14.4f}{furthest:.4f}")
    for seed in seeds:
        first, second = (
            min(rates, key=lambda lr: losses[f"lr={lr:g} seed={seed}"][1]) for losses in (single, together)
        )
        worse = single[f"lr={second:g} seed={seed}"][1] - single[f"lr={first:g} seed={seed}"][1]
        met = met and worse <= spreads[first]
        print(f"winner of seed {seed}: alone lr={first:g}, packed lr={second:g} ({worse:.4f} worse alone)")
    print("met" if met else "NOT met")
    return met


if __name__ == "__main__":
    main()
