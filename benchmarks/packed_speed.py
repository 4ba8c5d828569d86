"""Batch-1 trials trained together against the same trials one after another in our own single loop.

    python benchmarks/packed_speed.py [--slots 8 16] [--steps 6] [--runs 3] [--batch 1] [--processes 2] [--trl]
    python benchmarks/packed_speed.py --recall [--slots 2 4 8] [--steps 12] [--runs 2]

`--processes`: the slots are dealt to so many processes that share the cores, as the packed launcher deals them on a CPU
(by default, one for each core); the other sides have one process and all cores. `--trl` trains one trial with TRL's
SFTTrainer in every run as well (`pip install -e .[bench]`). Prints first the ratio of rows per second (median of
alternating runs), then both rates, the losses, and what share of the machine's own bfloat16 matrix rate a step reaches.
Real rows, the embedded model, steps only: loading, joining and the first step are not timed. Needs a quiet machine.

`--recall`: answers to a sweep's sample of questions after an epoch of `--steps` steps, all adapters in one batch against
one at a time; one process. Seconds are CPU time on a CPU (other work does not count) and wall time elsewhere, the least of
the runs.
"""

import argparse
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch
from training_speed import rows, trl

from byheart.evaluation.questions import load_questions
from byheart.evaluation.recall import Recall
from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.model.batching import find_batching
from byheart.model.language import LanguageModel
from byheart.sweep.search.options import DEFAULT_PROBES
from byheart.training.hardware import cores
from byheart.training.job import Hooks, TrainJob, stream
from byheart.training.multi_lora.job import PackedHooks, PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

ONCE = Stopping(patience=None, checks_per_epoch=1)


def trials(every, slots, steps, batch, folder):
    """Each trial has rows of its own, and as many steps as the others."""
    spread = every[:: max(1, len(every) // (slots * steps * batch))]
    assert len(spread) >= slots * steps * batch, "fewer rows than steps: lower --steps"
    own = [spread[i : slots * steps * batch : slots] for i in range(slots)]
    return [
        PackedJob(
            str(i),
            TrainJob(some, [], batch, 1, i, "constant", "row_mean", 0),
            Lora(),
            AdamW(lr=3e-4),
            ONCE,
            folder / str(i),
        )
        for i, some in enumerate(own)
    ]


def together(model, jobs):
    waiting, times, losses = list(jobs), [], []
    with PackedTrainer(model, len(jobs), max_rank=16) as trainer:
        trainer.stream(
            lambda: waiting.pop(0) if waiting else None,
            lambda job, result: losses.append(result.curve[-1].train_loss),
            PackedHooks(on_step=lambda steps: times.append(time.perf_counter())),
        )
    return times[-1] - times[0], statistics.mean(losses)


def _part(jobs, begin, told):
    """In a process of its own."""
    model, _ = BaseModel().load(Trainer().place()[1], "cpu")
    begin.wait()
    told.put(together(model, jobs))


def in_processes(jobs, count):
    """The slowest process, which all wait for, and the mean loss."""
    spawning = multiprocessing.get_context("spawn")
    begin, told = spawning.Barrier(count), spawning.Queue()
    parts = [spawning.Process(target=_part, args=(jobs[i::count], begin, told)) for i in range(count)]
    with patch.dict(os.environ, OMP_NUM_THREADS=str(max(1, cores() // count))):  # read where torch is imported
        for each in parts:
            each.start()
    found = [told.get() for _ in parts]
    for each in parts:
        each.join()
    return max(took for took, _ in found), statistics.mean(loss for _, loss in found)


def one_after_another(model, jobs):
    took, losses = 0.0, []
    for job in jobs:
        torch.manual_seed(job.train_job.seed)
        wrapped, times = job.adapter.attach(model), []
        with tempfile.TemporaryDirectory() as folder:
            result = Trainer().fit(
                wrapped, job.train_job, job.optimizer, job.stopping, Path(folder), Hooks(lambda *_, t=times: t.append(time.perf_counter()))
            )  # fmt: skip
        wrapped.unload()
        took += times[-1] - times[0]
        losses.append(result.curve[-1].train_loss)
    return took, statistics.mean(losses)


def recall_seconds(model, tokenizer, jobs, slots, runs):
    """Of so many of the jobs: seconds in one batch and one at a time, the share of equal answers, and whether asked in one batch."""
    clock = time.process_time if model.device.type == "cpu" else time.perf_counter
    chat = BaseModel().chat(model, tokenizer)
    language = LanguageModel(model, chat, find_batching(model, chat)[0])
    probes = Recall().asked(load_questions("examples/ham_radio/questions.jsonl"))
    questions, limit = [probe.question for probe in probes[:DEFAULT_PROBES]], Recall().max_new_tokens
    waiting, found = list(jobs), {}

    def recall(ending, answers):
        notes, answers.on_note = [], lambda line: notes.append(line)
        for count in slots:
            asked = {job.id: questions for job in ending[:count]}
            answers.answer(language, {job: some[:1] for job, some in asked.items()}, 1)  # asks once whether it can
            seconds = {}
            for _ in range(runs):
                began = clock()
                together = answers.answer(language, asked, limit)
                between = clock()
                alone = {job: answers.answer(language, {job: some}, limit)[job] for job, some in asked.items()}
                for way, took in ((0, between - began), (1, clock() - between)):
                    seconds[way] = min(took, seconds.get(way, math.inf))
            pairs = [pair for job in asked for pair in zip(together[job], alone[job], strict=True)]
            words = statistics.mean(len(chat.tokens(one)) for one, _ in pairs)
            found[count] = *seconds.values(), statistics.mean(one == other for one, other in pairs), words, not notes
        return [None] * len(ending)

    with PackedTrainer(model, len(jobs), max_rank=16) as trainer:
        trainer.stream(lambda: waiting.pop(0) if waiting else None, lambda *result: None, PackedHooks(recall=recall))
    return found


def print_recall(model, tokenizer, slots, steps, runs):
    with tempfile.TemporaryDirectory() as folder:
        jobs = trials(rows(tokenizer), max(slots), steps, 1, Path(folder))
        found = recall_seconds(model, tokenizer, jobs, slots, runs)
    for count, (together, alone, equal, words, routed) in found.items():
        print(
            f"{count:>2} adapters, {DEFAULT_PROBES} questions each: {alone / together:.2f} times one at a time"
            f" ({together:.1f} s against {alone:.1f} s); {equal:.0%} of the answers equal, {words:.0f} tokens long;"
            f" {'one batch' if routed else 'this model cannot'}; {model.dtype}, {torch.get_num_threads()} threads"
        )


def trl_seconds_per_token(job, dtype):
    """Of one trial by itself, its first step left out; TRL's adapter in the base's dtype, as ours."""
    train_job = job.train_job
    first = next(stream(len(train_job.train), train_job.batch_size, 1, 0))
    tokens = sum(len(row.tokens) for row in train_job.train) - sum(len(train_job.train[i].tokens) for i in first)
    steps = len(train_job.train) // train_job.batch_size
    return trl(train_job.train, train_job.batch_size, steps, dtype, True)[0] / tokens


def matrix_rate(dtype):
    """FLOP/s of a plain product of the model's commonest large shape."""
    x, w = torch.randn(1344, 576, dtype=dtype), torch.randn(1536, 576, dtype=dtype)
    took = []
    for _ in range(40):
        start = time.perf_counter()
        torch.nn.functional.linear(x, w)
        took.append(time.perf_counter() - start)
    return 2 * 1344 * 576 * 1536 / statistics.median(took)


def work(model, jobs):
    """FLOP of the frozen products of all steps but the first: once forward, once for the gradient of their input."""
    linear = sum(
        m.weight.numel() for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "lm_head" not in n
    )
    head = model.get_output_embeddings().weight.numel()
    share = 1 - jobs[0].train_job.batch_size / len(jobs[0].train_job.train)
    every = [row for job in jobs for row in job.train_job.train]
    tokens, targets = sum(len(r.tokens) for r in every), sum(len(r.tokens) - r.loss_from for r in every)
    return 4 * share * (linear * tokens + head * targets)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, nargs="+")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--recall", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--processes", type=int, help="default: a core each")
    parser.add_argument("--trl", action="store_true")
    options = parser.parse_args()
    device, dtype = Trainer().place()
    processes = options.processes or (cores() if device == "cpu" else 1)
    model, tokenizer = BaseModel().load(dtype, device)
    if options.recall:
        print_recall(model, tokenizer, options.slots or [2, 4, 8], options.steps, options.runs)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        every = rows(tokenizer)
        for slots in options.slots or [8, 16]:
            jobs = trials(every, slots, options.steps, options.batch, folder)
            count = slots * (options.steps - 1) * options.batch
            packed, single, peer = [], [], []
            for _ in range(options.runs):
                seconds, packed_loss = in_processes(jobs, processes) if processes > 1 else together(model, jobs)
                packed.append(seconds)
                seconds, single_loss = one_after_another(model, jobs)
                single.append(seconds)
                if options.trl:
                    peer.append(trl_seconds_per_token(jobs[0], dtype))
            ratios = [b / a for a, b in zip(packed, single, strict=True)]
            if peer:
                tokens = sum(len(row.tokens) for job in jobs for row in job.train_job.train) * (1 - 1 / options.steps)
                times = [b * tokens / a for a, b in zip(packed, peer, strict=True)]
                print(
                    f"{slots:>2} slots: {statistics.median(times):.2f} times TRL's tokens per second ({min(times):.2f} to {max(times):.2f})"
                )
            reached = work(model, jobs) / statistics.median(packed) / matrix_rate(getattr(torch, dtype))
            print(
                f"{slots:>2} slots, batch {options.batch}: {statistics.median(ratios):.2f} times one after another"
                f" ({min(ratios):.2f} to {max(ratios):.2f}); {count / statistics.median(packed):.2f} against"
                f" {count / statistics.median(single):.2f} rows/s; mean loss {packed_loss:.3f} against {single_loss:.3f};"
                f" {reached:.0%} of the machine's matrix rate; {dtype}, {torch.get_num_threads()} threads,"
                f" {processes} packed processes", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
