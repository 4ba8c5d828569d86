"""Training together is training alone: against stock peft with torch's AdamW, and slot by slot to the bit."""

import math

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.model.adapter import Lora
from byheart.training.layout import Row, padded
from byheart.training.loss import weights
from byheart.training.optimizer import AdamW
from byheart.training.order import stream
from byheart.training.packed.job import Job
from byheart.training.packed.trainer import PackedTrainer
from byheart.training.stopping import Stopping
from byheart.training.trainer import Lesson

ROWS = [Row([1, 2, 3, *(5 + (i * k) % 40 for k in range(1, 3 + i % 5)), 2], 3 + i % 2) for i in range(20)]
CHOOSE = [Row([1, 2, 4, 5 + i, 7 + i, 2], 4) for i in range(5)]


def tiny(dtype=torch.float64):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, attn_implementation="eager",
    )  # fmt: skip
    return LlamaForCausalLM(config).to(dtype).eval()


def job(
    folder, name="a", rank=4, alpha=8, lr=1e-2, size=2, seed=0, epochs=2, reduction="row_mean", rows=ROWS, **options
):
    optimizer = options.pop("optimizer", AdamW(lr=lr))
    stopping = options.pop("stopping", Stopping(patience=None))
    lesson = Lesson(rows, options.pop("validate", CHOOSE), size, epochs, seed, "constant", reduction, 0)
    return Job(name, lesson, Lora(rank=rank, alpha=alpha), optimizer, stopping, folder / name, **options)


def train(model, jobs, slots=4, max_rank=8, **options):
    waiting, results = list(jobs), {}
    with PackedTrainer(model, slots, max_rank, tokens_at_once=options.pop("tokens_at_once", None)) as trainer:
        trainer.stream(
            lambda: waiting.pop(0) if waiting else None, lambda j, learned: results.update({j.id: learned}), **options
        )
    return results


def alone(one, dtype=torch.float64):
    """Stock peft, one padded batch a step, torch's AdamW and clip_grad_norm_: losses, final A and B of each layer."""
    base = tiny(dtype)
    base.set_attn_implementation("sdpa")  # eager attention takes its softmax in float32, whatever the model's dtype
    torch.manual_seed(one.lesson.seed)
    model = one.adapter.attach(base)
    trained = [p for p in model.parameters() if p.requires_grad]
    o = one.optimizer
    adamw = torch.optim.AdamW(trained, lr=o.lr, betas=o.betas, eps=o.eps, weight_decay=o.weight_decay)
    lesson, losses = one.lesson, []
    for batch in stream(len(lesson.train), lesson.batch_size, lesson.epochs, lesson.seed):
        laid = padded([lesson.train[i] for i in batch], 0)
        logits = model(input_ids=laid.tokens).logits.flatten(0, 1)[laid.predicted_at]
        each = torch.nn.functional.cross_entropy(logits, laid.targets, reduction="none")
        loss = (each * weights(laid.rows, lesson.reduction).to(each.dtype)).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, o.clip or math.inf)
        adamw.step()
        adamw.zero_grad()
        losses.append(loss.item())
    return losses, [p.detach() for p in trained]


def unlike(folder, epochs=5, **options):
    """Four unlike adapters that take 50 steps at least."""
    return [
        job(folder, "a", 4, 8, 1e-2, 2, 0, epochs, "row_mean", **options),
        job(folder, "b", 8, 4, 3e-3, 1, 1, epochs, "token_mean", optimizer=AdamW(3e-3, (0.8, 0.95), 1e-6, 0.1, 0.5), **options),
        job(folder, "c", 2, 2, 1e-3, 4, 2, 2 * epochs, "sum", optimizer=AdamW(1e-3, clip=None), **options),
        job(folder, "d", 1, 3, 5e-3, 3, 3, 2 * epochs, "row_mean", rows=ROWS[:14], **options),
    ]  # fmt: skip


def each_step(count):
    return Stopping(patience=None, checks_per_epoch=count)


def adapters(folder, names):
    from safetensors.torch import load_file

    return {name: load_file(folder / name / "adapter" / "adapter_model.safetensors") for name in names}


@pytest.mark.parametrize("tokens_at_once", [None, 24])
def test_unlike_adapters_equal_stock_peft_alone(tmp_path, tokens_at_once):
    jobs = unlike(tmp_path, stopping=each_step(20), validate=[])
    results = train(tiny(), jobs, tokens_at_once=tokens_at_once)
    for one in jobs:
        losses, trained = alone(one)
        learned = results[one.id]
        assert len(losses) == learned.steps >= 50 and learned.state == "finished"
        assert [p.train_loss for p in learned.curve] == pytest.approx(losses, rel=1e-9)
        saved = list(adapters(tmp_path, [one.id])[one.id].items())
        wrapped = one.adapter.attach(tiny())
        names = [name.replace(".default", "") for name, p in wrapped.named_parameters() if p.requires_grad]
        ours = dict(saved)
        for name, expected in zip(names, trained, strict=True):
            assert (ours[name] - expected).norm() <= 1e-9 * expected.norm(), name
