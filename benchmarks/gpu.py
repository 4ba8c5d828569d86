"""Steps per second of packed training, for Llama shapes with random weights: no download, no network.

    python benchmarks/gpu.py [--minutes 8] [--slots 1 8 32] [--shapes 135M 0.5B 1.5B 8B]

Batch-1 trials, rows of 64 to 128 tokens, LoRA rank 16 on all linear layers, bfloat16. Prints for each shape the single
loop, then each number of slots with the ratio of its rows per second to the single loop's.
Without a GPU it runs on shapes so small that it only shows that everything works.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.model.adapters.adapter import Lora
from byheart.training.job import Hooks, TrainJob
from byheart.training.layout import Row
from byheart.training.multi_lora.job import PackedHooks, PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

SHAPES = {  # hidden, MLP, layers, heads, key heads, vocabulary: SmolLM2, Qwen2.5, Qwen2.5, Llama 3.1
    "tiny": (64, 128, 2, 4, 2, 512),
    "small": (128, 256, 3, 4, 2, 1024),
    "135M": (576, 1536, 30, 9, 3, 49152),
    "0.5B": (896, 4864, 24, 14, 2, 151936),
    "1.5B": (1536, 8960, 28, 12, 2, 151936),
    "8B": (4096, 14336, 32, 32, 8, 128256),
}
NEVER = Stopping(patience=None, checks_per_epoch=1)


def build(shape, device, dtype):
    hidden, mlp, layers, heads, key_heads, words = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=words, hidden_size=hidden, intermediate_size=mlp, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=key_heads, tie_word_embeddings=shape != "8B", max_position_embeddings=256,
        attn_implementation="sdpa" if device == "cuda" else "eager",
    )  # fmt: skip
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model.eval()


def job(number, steps, words, folder):
    draw = random.Random(number)
    rows = [Row([draw.randrange(words) for _ in range(draw.randrange(64, 129))], 45) for _ in range(steps)]
    train_job = TrainJob(rows, [], 1, 1, number, "constant", "row_mean", 0)
    return PackedJob(str(number), train_job, Lora(), AdamW(lr=1e-4), NEVER, folder / str(number))


def now(device):
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def packed(model, device, slots, steps, words, folder, seconds):
    """(rows/s, steps/s, peak GiB); the first steps, in which kernels are chosen, are not timed."""
    waiting, times = [job(i, steps, words, folder) for i in range(slots)], []
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with PackedTrainer(model, slots, max_rank=16) as trainer:
        until = time.perf_counter() + seconds
        trainer.stream(
            lambda: waiting.pop(0) if waiting else None,
            lambda *result: None,
            PackedHooks(
                on_step=lambda steps: times.append(now(device)),
                stop_requested=lambda: len(times) > 8 and time.perf_counter() > until,
            ),
        )
    warm = min(len(times) // 2, 5)
    rate = (len(times) - 1 - warm) / (times[-1] - times[warm])
    return rate * slots, rate, torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0


def single(model, device, steps, words, folder, seconds):
    one, times = job(0, steps, words, folder), []
    wrapped = one.adapter.attach(model)
    until = time.perf_counter() + seconds
    with tempfile.TemporaryDirectory() as name:
        Trainer(device=device).fit(
            wrapped, one.train_job, one.optimizer, one.stopping, Path(name),
            Hooks(
                on_step=lambda *_: times.append(now(device)),
                stop_requested=lambda: len(times) > 8 and time.perf_counter() > until,
            ),
        )  # fmt: skip
    wrapped.unload()
    warm = min(len(times) // 2, 5)
    return (len(times) - 1 - warm) / (times[-1] - times[warm])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES)
    parser.add_argument("--steps", type=int, default=400, help="at most, of each measurement")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shapes = options.shapes or (["135M", "0.5B", "1.5B", "8B"] if device == "cuda" else ["tiny", "small"])
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    until = time.perf_counter() + 60 * options.minutes
    print(
        f"{torch.cuda.get_device_name() if device == 'cuda' else 'CPU, tiny shapes: a trial run'}, {dtype}", flush=True
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shape in shapes:
            words = SHAPES[shape][-1]
            model = build(shape, device, dtype)
            alone = single(model, device, options.steps, words, folder, options.seconds)
            print(f"{shape:>5} single loop {alone:7.1f} rows/s", flush=True)
            for slots in options.slots:
                label = f"{shape:>5} {slots:>2} slots"
                if time.perf_counter() > until:
                    print(f"{label}  left out: {options.minutes:g} minutes are over", flush=True)
                    continue
                try:
                    rows, steps, peak = packed(model, device, slots, options.steps, words, folder, options.seconds)
                except Exception as error:
                    print(f"{label}  failed: {type(error).__name__}: {str(error).splitlines()[0][:90]}", flush=True)
                    continue
                print(
                    f"{label}  {rows:7.1f} rows/s {steps:6.2f} steps/s  {rows / alone:5.2f} times  {peak:5.1f} GiB",
                    flush=True,
                )
            del model
            if device == "cuda":
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
