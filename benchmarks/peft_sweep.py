"""Trainings with stock peft for `sweep_makespan.py`: what a user of Hydra and peft would write, and the best they could.

    python benchmarks/peft_sweep.py ROWS OUT --batch 1 2 4 --lr 2e-4 5e-4 --epochs 1 2 4 [--curve] [--part 0 2]

ROWS is a folder with train.jsonl and choose.jsonl (tokens, loss_from), as a sweep of ours has left them: the text half is a
gift. A plain loop: padded batches, the model's own loss, torch's AdamW, validation loss at each epoch's end, the adapter
saved by peft. Without `--curve` each combination is a training of its own and loads the model, as one Hydra job after
another does; with it the model is loaded once and numbers of epochs are read off one curve. `--part I N`: only every Nth.
"""

import argparse
import itertools
import json
from pathlib import Path

import torch

from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.training.job import stream
from byheart.training.trainer import Trainer


def batch_of(rows, filler):
    """Inputs for the model's own loss; -100 where there is none."""
    width = max(len(row["tokens"]) for row in rows)
    tokens, seen, labels = [], [], []
    for row in rows:
        own, padding = row["tokens"], width - len(row["tokens"])
        tokens.append(own + [filler] * padding)
        seen.append([1] * len(own) + [0] * padding)
        labels.append([-100] * row["loss_from"] + own[row["loss_from"] :] + [-100] * padding)
    return {"input_ids": torch.tensor(tokens), "attention_mask": torch.tensor(seen), "labels": torch.tensor(labels)}


def train(model, filler, rows, choose, size, lr, epochs, folder):
    """The validation loss at each epoch's end."""
    torch.manual_seed(0)
    wrapped = Lora().attach(model)
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    adamw, losses = torch.optim.AdamW(trained, lr=lr, weight_decay=0.0), []
    per_epoch = -(-len(rows) // size)
    for step, batch in enumerate(stream(len(rows), size, epochs, 0), start=1):
        wrapped(**batch_of([rows[i] for i in batch], filler)).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        adamw.step()
        adamw.zero_grad()
        if step % per_epoch == 0:
            with torch.no_grad():
                found = [wrapped(**batch_of(choose[i : i + 8], filler)).loss.item() for i in range(0, len(choose), 8)]
            losses.append(sum(found) / len(found))
            wrapped.save_pretrained(folder)
    wrapped.unload()
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--lr", type=float, nargs="+", default=[2e-4, 5e-4])
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--part", type=int, nargs=2, default=[0, 1])
    options = parser.parse_args()
    rows, choose = (
        [json.loads(line) for line in (options.rows / name).read_text(encoding="utf-8").splitlines()]
        for name in ("train.jsonl", "choose.jsonl")
    )
    _, dtype = Trainer().place()
    every = list(
        itertools.product(options.batch, options.lr, [max(options.epochs)] if options.curve else options.epochs)
    )
    # The dear ones first and dealt in turn, so that two processes end together.
    every.sort(key=lambda each: (each[0], -each[2]))
    part, parts = options.part
    opened = None
    for number, (size, lr, epochs) in enumerate(every[part::parts]):
        if opened is None or not options.curve:
            opened = BaseModel().load(dtype, "cpu")
        model, tokenizer = opened
        folder = options.out / f"{part}-{number}"
        losses = train(model, tokenizer.pad_token_id, rows, choose, size, lr, epochs, folder)
        print(json.dumps({"batch": size, "lr": lr, "val_loss": [round(loss, 4) for loss in losses]}), flush=True)


if __name__ == "__main__":
    main()
