"""The shortcuts of training change nothing: packed equals padded, parts equal the whole, masters equal AdamW."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.model.adapters.adapter import Lora
from byheart.training.job import TrainJob
from byheart.training.layout import Batch, Row, packed, padded
from byheart.training.loss import row_weights, token_scores
from byheart.training.module import SFTModule
from byheart.training.optimizer import AdamW, MasterStep
from byheart.training.state import TrainState
from byheart.training.stopping import Stopping

ROWS = [
    Row([1, 2, 3, 10, 11, 12, 13], 5),
    Row([1, 2, 3, 10, 21, 22], 4),
    Row([1, 2, 3, 30, 31, 32, 33, 34, 35], 6),
]


def tiny(dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        attn_implementation="eager",
    )
    model = Lora(rank=4, alpha=8).attach(LlamaForCausalLM(config).to(dtype))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.05)
    return model.train()


def gradients(model, batch: Batch):
    counts = torch.bincount(batch.rows)
    loss = (token_scores(model, batch)[0] * 1 / (counts[batch.rows] * len(counts)).double()).sum()
    model.zero_grad()
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], [ROWS[0], ROWS[0]], [Row([1, 5, 6], 1), Row([1, 5, 7, 8], 1)]])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_packed_rows_have_the_loss_and_gradient_of_padded_ones(rows, attention):
    model = tiny()
    model.get_base_model().set_attn_implementation(attention)
    loss_packed, grad_packed = gradients(model, packed(rows))
    loss_padded, grad_padded = gradients(model, padded(rows, filler=0))
    assert loss_packed == pytest.approx(loss_padded, rel=1e-6)
    assert (grad_packed - grad_padded).norm() < 1e-6 * grad_padded.norm(), "softmax runs in float32 inside the model"


def test_logits_are_computed_only_where_the_loss_is_and_equal_the_full_ones():
    model = tiny()
    batch = padded(ROWS, filler=0)
    full = model(input_ids=batch.tokens).logits.flatten(0, 1)[batch.predicted_at]
    expected = torch.nn.functional.cross_entropy(full, batch.targets, reduction="none")
    assert torch.allclose(token_scores(model, batch)[0], expected)


@pytest.mark.parametrize("reduction", ["row_mean", "token_mean", "sum"])
def test_a_batch_read_in_parts_has_the_loss_and_gradient_of_the_whole(reduction):
    outcomes = []
    for rows_at_once in (None, 1, 2):
        model = tiny()
        trained = [p for p in model.parameters() if p.requires_grad]
        state = TrainState(TrainJob(ROWS, [], 3, 1, 0, "constant", reduction, 0), AdamW(), Stopping(), Path())
        module = SFTModule(model, MasterStep(trained, AdamW(lr=1e-3)), state)
        loss = sum(
            (token_scores(model, part.batch)[0] * part.weights).sum()
            for part in module._parts(ROWS, reduction, rows_at_once or 3)
        )
        loss.backward()
        outcomes.append((loss.item(), torch.cat([p.grad.flatten() for p in trained])))
    for loss, grad in outcomes[1:]:
        assert loss == pytest.approx(outcomes[0][0], rel=1e-6)
        assert (grad - outcomes[0][1]).norm() < 1e-6 * grad.norm()


def test_row_mean_weighs_each_row_alike_and_token_mean_each_token():
    per_row = torch.stack([each.sum() for each in row_weights(ROWS, "row_mean")])
    assert torch.allclose(per_row, torch.full((3,), 1 / 3, dtype=torch.float64))
    assert torch.allclose(torch.cat(row_weights(ROWS, "token_mean")), torch.full((7,), 1 / 7, dtype=torch.float64))


def test_masters_equal_stock_adamw_with_clipping():
    ours, stock = tiny(), tiny()
    masters = MasterStep([p for p in ours.parameters() if p.requires_grad], AdamW(lr=1e-2, clip=0.5, weight_decay=0.1))
    trained = [p for p in stock.parameters() if p.requires_grad]
    adamw = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.1)
    batch = padded(ROWS, filler=0)
    for _ in range(5):
        for model in (ours, stock):
            gradients(model, batch)
        masters.step(1e-2)
        torch.nn.utils.clip_grad_norm_(trained, 0.5)
        adamw.step()
    for (name, a), b in zip(ours.named_parameters(), stock.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12), name


def test_bfloat16_weights_follow_their_float32_masters():
    model = tiny(torch.bfloat16)
    masters = MasterStep([p for p in model.parameters() if p.requires_grad], AdamW(lr=1e-5))
    before = masters.masters[0].clone()
    for _ in range(3):
        loss = (token_scores(model, padded(ROWS, 0))[0]).mean()
        loss.backward()
        masters.step(1e-5)
    moved = (masters.masters[0] - before).abs().max()
    assert 1e-5 < moved < 4e-5, "each step of 1e-5 is kept, although bfloat16 could not hold it"
    assert torch.equal(masters.parameters[0], masters.masters[0].bfloat16())
