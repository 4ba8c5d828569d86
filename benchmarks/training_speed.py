"""Our training against TRL's SFTTrainer: one adapter, the same rows in the same order, LoRA, dtype and threads.

    python benchmarks/training_speed.py [--steps 6] [--runs 5] [--batches 1 16]

Prints the ratio of non-padding tokens per second (ours over TRL's, median of alternating runs) and the losses after
the same steps. TRL: gradient checkpointing off, loss on the answer only, constant rate, no warm-up. Loading is not timed.
TRL runs twice: "trl" with our adapter, in the base's dtype, which is the fair comparison; "trl as it comes" lets peft
hold the adapter in float32.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path

import torch

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.data.rows import Rows
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.rules.rules import Rules
from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.model.chat import Chat
from byheart.training.job import Hooks, TrainJob, stream
from byheart.training.layout import Row
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

RULES = Path(__file__).parents[1] / "examples/ham_radio/amateur_radio_rules.md"
LR = 3e-4


def rows(tokenizer):
    document = load_documents([str(RULES)]).documents[0]
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    examples = Rules().expand(Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))).examples
    return [Row(row.tokens, row.loss_from) for row in Rows().build(examples, Chat(tokenizer))]


def ours(some, batch_size, steps, dtype, layout):
    model, tokenizer = BaseModel().load(dtype, "cpu")
    torch.manual_seed(0)
    model = Lora().attach(model)
    times = []
    train_job = TrainJob(some, [], batch_size, 1, 0, "constant", "token_mean", tokenizer.pad_token_id)
    with tempfile.TemporaryDirectory() as folder:
        result = Trainer(layout=layout).fit(
            model, train_job, AdamW(lr=LR), Stopping(checks_per_epoch=1), Path(folder), Hooks(lambda *_: times.append(time.perf_counter()))
        )  # fmt: skip
    return times[-1] - times[0], result.curve[-1].train_loss


def trl(some, batch_size, steps, dtype, same_adapter):
    from datasets import Dataset
    from peft import LoraConfig
    from torch.utils.data import SequentialSampler
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = BaseModel().load(dtype, "cpu")
    order = [i for batch in stream(len(some), batch_size, 1, 0) for i in batch]
    data = Dataset.from_dict(
        {
            "input_ids": [some[i].tokens for i in order],
            "labels": [[-100] * some[i].loss_from + some[i].tokens[some[i].loss_from :] for i in order],
        }
    )

    class Clock(TrainerCallback):
        times: list[float] = []  # noqa: RUF012

        def on_step_end(self, *args, **kwargs):
            self.times.append(time.perf_counter())

    clock = Clock()
    clock.times = []
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, per_device_train_batch_size=batch_size, max_steps=steps, learning_rate=LR, weight_decay=0.0,
            lr_scheduler_type="constant", warmup_steps=0, max_grad_norm=1.0, gradient_checkpointing=False, bf16=False, use_cpu=True,
            report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True, seed=0,
            dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, dataloader_pin_memory=False,
        )  # fmt: skip
        torch.manual_seed(0)
        lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = SFTTrainer(
            Lora().attach(model) if same_adapter else model, config, train_dataset=data, processing_class=tokenizer,
            callbacks=[clock], peft_config=None if same_adapter else lora,
        )  # fmt: skip
        trainer._get_train_sampler = lambda *args: SequentialSampler(data)
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return clock.times[-1] - clock.times[0], sum(losses) / len(losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    options = parser.parse_args()
    _, dtype = Trainer().place()
    _, tokenizer = BaseModel().load(dtype, "cpu")
    every = rows(tokenizer)
    for batch_size in options.batches:
        some = every[:: max(1, len(every) // (batch_size * options.steps))][: batch_size * options.steps]
        first = next(stream(len(some), batch_size, 1, 0))
        tokens = sum(len(row.tokens) for row in some) - sum(
            len(some[i].tokens) for i in first
        )  # the first step is not timed
        sides = {
            "padded": partial(ours, some, batch_size, options.steps, dtype, "padded"),
            "packed": partial(ours, some, batch_size, options.steps, dtype, "packed"),
            "trl": partial(trl, some, batch_size, options.steps, dtype, True),
            "trl as it comes": partial(trl, some, batch_size, options.steps, dtype, False),
        }
        took = {name: [] for name in sides}
        losses = {}
        for _ in range(options.runs):
            for name, side in sides.items():
                seconds, losses[name] = side()
                took[name].append(seconds)
        for name, other in product(("padded", "packed"), ("trl", "trl as it comes")):
            ratios = [b / a for a, b in zip(took[name], took[other], strict=True)]
            print(
                f"batch {batch_size:>2}: {name} {statistics.median(ratios):.2f} times {other} ({min(ratios):.2f} to {max(ratios):.2f});"
                f" {tokens / statistics.median(took[name]):.0f} against {tokens / statistics.median(took[other]):.0f} tokens/s;"
                f" mean loss {losses[name]:.3f} against {losses[other]:.3f}; {dtype}", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
