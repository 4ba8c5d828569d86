"""Packed training of the embedded model, against our own single loop."""

import pytest
import torch

from byheart.data.rows import Rows
from byheart.expansion.rules.rules import Rules
from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.model.chat import Chat
from byheart.model.embedded import find_embedded
from byheart.training.job import TrainJob
from byheart.training.layout import Row
from byheart.training.multi_lora.job import PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer
from toys import ham_radio


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not find_embedded(), reason="the embedded model is not installed")
def test_fifty_steps_of_the_embedded_model_and_its_stop_are_those_of_the_single_loop(tmp_path):
    model, tokenizer = BaseModel().load("float64", "cpu")  # float32 rounds 1e-4 apart in fifty steps
    examples = Rules(usual=8).expand(ham_radio()).examples  # not the default: these rows stay what they are
    rows = [Row(row.tokens, row.loss_from) for row in Rows().build(examples, Chat(tokenizer))]
    train, validate = rows[:360:18], rows[9:369:45]
    stopping = Stopping(patience=3, tolerance=0.0, checks_per_epoch=4)
    jobs = [
        PackedJob(
            name, TrainJob(train, validate, size, 6, seed, "constant", "row_mean", tokenizer.pad_token_id),
            Lora(rank=rank, alpha=2 * rank), AdamW(lr=lr), stopping, tmp_path / name,
        )
        for name, size, rank, lr, seed in (("a", 1, 16, 3e-4, 0), ("b", 2, 8, 1e-3, 1))
    ]  # fmt: skip
    waiting, together = list(jobs), {}
    with PackedTrainer(model, 2, 16) as trainer:
        trainer.stream(
            lambda: waiting.pop() if waiting else None, lambda job, result: together.update({job.id: result})
        )
    for job in jobs:
        torch.manual_seed(job.train_job.seed)
        wrapped = job.adapter.attach(model)
        alone = Trainer(device="cpu", precision="float64").fit(
            wrapped, job.train_job, job.optimizer, job.stopping, tmp_path / "alone" / job.id
        )
        wrapped.unload()
        result = together[job.id]
        assert (result.state, result.steps, result.chosen_epoch) == (alone.state, alone.steps, alone.chosen_epoch)
        pairs = [(p, q) for p, q in zip(result.curve, alone.curve, strict=True) if p.step <= 50]
        assert [p.train_loss for p, _ in pairs] == pytest.approx([q.train_loss for _, q in pairs], rel=1e-5)
        assert [p.val_loss for p, _ in pairs] == pytest.approx([q.val_loss for _, q in pairs], rel=1e-5)
