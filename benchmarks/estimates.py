"""The estimate of a training's memory beside what the training took: of tensors, and of the whole process.

python benchmarks/estimates.py            each setting in a process of its own, about 10 s each
"""

import json
import random
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import monotonic

WIDTH, LAYERS, WORDS, TOKENS, STEPS = 256, 4, 8_000, 64, 3
SETTINGS = [  # adapter, optimizer, batch size, gradient checkpointing, dtype, layout
    ("lora", "adamw", 8, False, "float32", "packed"),
    ("lora", "adamw", 8, False, "float32", "padded"),
    ("lora", "adamw", 8, True, "float32", "packed"),
    ("lora", "adamw", 1, False, "float32", "packed"),
    ("lora", "sgd", 8, False, "float32", "packed"),
    ("lora", "adamw", 8, False, "bfloat16", "packed"),
    ("lora", "adamw", 8, True, "bfloat16", "packed"),
    ("full", "adamw", 8, False, "float32", "packed"),
    ("full", "adamw", 1, False, "float32", "packed"),
    ("full", "adamw", 8, True, "float32", "packed"),
    ("full", "sgd", 8, False, "float32", "packed"),
    ("full", "adamw", 8, False, "bfloat16", "packed"),
]


def one(adapter: str, optimizer: str, batch: int, recompute: bool, dtype: str, layout: str) -> None:
    """Trains a small random Llama for three steps, and prints bytes: tensors and process, expected and measured."""
    import torch
    from torch.multiprocessing.reductions import StorageWeakRef
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from transformers import LlamaConfig, LlamaForCausalLM

    from byheart.model.adapters.adapter import Full, Lora
    from byheart.model.sizes import of_model
    from byheart.training.hardware import forget_peak, peak_memory_gib
    from byheart.training.job import Hooks, TrainJob, batches
    from byheart.training.layout import Row
    from byheart.training.memory import LIBRARIES, SLACK, Pass, training_bytes
    from byheart.training.optimizer import AdamW
    from byheart.training.optimizer_choices import Sgd
    from byheart.training.stopping import Stopping
    from byheart.training.trainer import Trainer

    class Peak(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.bytes, self.live, self.most = 0, {}, 0  # `most`: of all in `live`, some of which may be gone

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(made):
                if isinstance(tensor, torch.Tensor):
                    storage = tensor.untyped_storage()
                    kept = StorageWeakRef(storage)
                    self.most += storage.nbytes() if kept.cdata not in self.live else 0
                    self.live[kept.cdata] = kept, storage.nbytes()
            if self.most > self.bytes:
                self.live = {key: each for key, each in self.live.items() if not each[0].expired()}
                self.most = sum(size for _, size in self.live.values())
                self.bytes = max(self.bytes, self.most)
            return made

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // 64, num_key_value_heads=WIDTH // 128, attn_implementation="eager",
        tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config).to(getattr(torch, dtype))
    weights = sum(p.numel() * p.itemsize for p in model.parameters())
    draw = random.Random(0)
    lengths = [
        draw.randrange(TOKENS // 2, TOKENS) for _ in range(STEPS * batch)
    ]  # allocators hold more where they vary
    rows = [Row([draw.randrange(3, WORDS) for _ in range(length)], length // 2) for length in lengths]
    job = TrainJob(rows, rows[:batch], batch, 1, 0, "constant", "row_mean", 0)
    options = (AdamW if optimizer == "adamw" else Sgd)(lr=1e-4)
    marks: list[float] = []
    forget_peak()
    with Peak() as peak, tempfile.TemporaryDirectory() as folder:
        model = (Lora() if adapter == "lora" else Full()).attach(model)
        trainer = Trainer("cpu", dtype, layout, gradient_checkpointing=recompute)
        hooks = Hooks(on_step=lambda step, steps: marks.append(monotonic()))
        trainer.fit(model, job, options, Stopping(checks_per_epoch=1), Path(folder), hooks)
    sizes, trained = of_model(model), sum(p.numel() for p in model.parameters() if p.requires_grad)
    packed = layout == "packed"
    read = max(
        (Pass.of([rows[i] for i in some], packed) for some in batches(len(rows), batch, 0, 0)), key=lambda p: p.tokens
    )
    asked = sizes, trained, options, read, next(model.parameters()).itemsize, "cpu", recompute
    beside, whole = training_bytes(*asked), training_bytes(*asked, SLACK["cpu"])
    found = {
        "tensors": [weights + beside, peak.bytes],
        "process": [weights + whole + LIBRARIES, peak_memory_gib() * 2**30],
        "seconds": min(later - earlier for earlier, later in pairwise(marks)),
    }
    print(json.dumps(found))


if len(sys.argv) > 1:
    one(*json.loads(sys.argv[1]))
else:
    print("estimate / measured: tensors, process   tensors      process")
    ratios: dict[str, list[float]] = {"tensors": [], "process": []}
    for setting in SETTINGS:
        command = [sys.executable, __file__, json.dumps(setting)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(said.splitlines()[-1])
        for name in ratios:
            ratios[name].append(found[name][0] / found[name][1])
        print(
            f"  {ratios['tensors'][-1]:5.2f}  {ratios['process'][-1]:5.2f}              {found['tensors'][1] / 2**20:6.0f} MiB   {found['process'][1] / 2**20:6.0f} MiB   {' '.join(map(str, setting))}",
            flush=True,
        )
    for name, all_of in ratios.items():
        print(f"{name}: {min(all_of):.2f} to {max(all_of):.2f} times what was measured")
