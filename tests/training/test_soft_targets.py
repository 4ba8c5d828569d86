"""Rows whose loss is the divergence from what a frozen model expects: right in value and gradient, in every layout."""

from dataclasses import replace

import pytest
import torch
from test_equality import ROWS, gradients, tiny

from byheart.training.layout import Row, SoftTargets, packed, padded
from byheart.training.loss import token_scores

PLAIN = Row([40, 41, 42, 43, 44], 1)  # no conversation: it shares no prefix with the others


def softened(row, model, k=20):
    """The row with the `k` likeliest tokens that `model` expects at each of its targets."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.tokens])).logits[0, row.loss_from - 1 : -1]
    likely = logits.softmax(-1).topk(k)
    return replace(row, soft=SoftTargets(likely.indices.tolist(), likely.values.tolist()))


def test_the_loss_is_the_divergence_from_the_frozen_model():
    frozen, model = tiny(seed=0), tiny(seed=3)
    row = softened(ROWS[0], frozen, k=64)  # the whole vocabulary
    batch = padded([row], 0)
    p, q = (m(input_ids=batch.tokens).logits[0, row.loss_from - 1 : -1].log_softmax(-1) for m in (frozen, model))
    expected = (p.exp() * (p - q)).sum(-1)
    assert torch.allclose(token_scores(model, batch)[0], expected, atol=1e-4) and expected.min() > 0
    assert token_scores(frozen, batch)[0].abs().max() < 1e-4, "the frozen model itself has nothing to learn"


def test_fewer_tokens_estimate_the_divergence():
    """In the mean over what the frozen model would have said, any number of likeliest tokens has the same gradient."""
    frozen, model = tiny(seed=0), tiny(seed=3)
    prompt = ROWS[0].tokens[:5]
    p = frozen(input_ids=torch.tensor([prompt])).logits[0, -1].softmax(-1).tolist()
    found = {}
    for k in (1, 20, 64):
        rows = [softened(Row([*prompt, token], 5), frozen, k) for token in range(64)]  # each word it may say next
        loss = sum(share * token_scores(model, padded([row], 0))[0][0] for share, row in zip(p, rows, strict=True))
        model.zero_grad()
        loss.backward()
        found[k] = torch.cat([q.grad.flatten() for q in model.parameters() if q.requires_grad])
    for k in (1, 20):
        assert (found[k] - found[64]).norm() < 1e-3 * found[64].norm()


def test_where_the_likeliest_was_said_fewer_tokens_bound_the_divergence_from_below():
    frozen, model = tiny(seed=0), tiny(seed=3)
    tokens = list(ROWS[0].tokens[:5])
    for _ in range(4):
        tokens.append(int(frozen(input_ids=torch.tensor([tokens])).logits[0, -1].argmax()))
    of = {k: token_scores(model, padded([softened(Row(tokens, 5), frozen, k)], 0))[0] for k in (1, 20, 64)}
    assert (of[1] <= of[20] + 1e-6).all() and (of[20] <= of[64] + 1e-4).all()
    assert (of[20] > 0).all()


@pytest.mark.parametrize("mixed", [[0, 2], [0, 1, 2, 3], [3, 0]])
def test_soft_and_hard_rows_and_plain_texts_lie_packed_as_they_do_padded(mixed):
    frozen, model = tiny(seed=5), tiny()
    rows = [ROWS[0], softened(ROWS[1], frozen), softened(PLAIN, frozen), ROWS[2]]
    chosen = [rows[i] for i in mixed]
    (loss, gradient), (loss_padded, gradient_padded) = (
        gradients(model, lay) for lay in (packed(chosen), padded(chosen, 0))
    )
    assert loss == pytest.approx(loss_padded, rel=1e-6)
    assert (gradient - gradient_padded).norm() < 1e-6 * gradient_padded.norm()


def test_conversations_share_their_prefix_beside_a_plain_text():
    rows = [ROWS[0], PLAIN, ROWS[2]]
    line = packed(rows)
    assert line.tokens.shape[1] == sum(len(row.tokens) for row in rows) - 3, "their first three tokens stand there once"
