"""The loss's own gradient: against finite differences, in any number of parts, and beside the plain formula."""

import pytest
import torch
import torch.nn.functional as F

from byheart.training import loss
from byheart.training.loss import Divergence


def soft_targets(p, k=3):
    likely = p.topk(k)
    return likely.indices, likely.values


@pytest.mark.parametrize("values_at_once", [7, 10**6])
def test_the_gradient_is_that_of_finite_differences(monkeypatch, values_at_once):
    monkeypatch.setattr(loss, "values_at_once", lambda device: values_at_once)
    torch.manual_seed(0)
    logits = torch.randn(6, 7, dtype=torch.float64, requires_grad=True)
    tokens, p = soft_targets(torch.randn(3, 7, dtype=torch.float64).softmax(-1))
    targets = torch.tensor([0, 6, 2, int(tokens[0, 1]), 4, 5])
    soft_at = torch.tensor([3, 1, 4])  # the first one's target is among the likeliest tokens
    assert torch.autograd.gradcheck(lambda x: Divergence.apply(x, targets, soft_at, tokens, p)[0], logits)
    assert torch.autograd.gradcheck(lambda x: Divergence.apply(x, targets, None, None, None)[0], logits)


def test_beside_cross_entropy_in_half_precision():
    torch.manual_seed(1)
    logits = (torch.randn(40, 500) * 6).bfloat16().requires_grad_()
    targets, share = torch.randint(500, (40,)), torch.rand(40)
    losses, right = Divergence.apply(logits, targets, None, None, None)
    (found,) = torch.autograd.grad((losses * share).sum(), logits)
    plain = F.cross_entropy(logits.float(), targets, reduction="none")
    (expected,) = torch.autograd.grad((plain * share).sum(), logits)
    assert losses.dtype == torch.float32 and torch.allclose(losses, plain, atol=1e-5)
    assert found.dtype == torch.bfloat16 and torch.allclose(found, expected, atol=1e-6, rtol=2**-7)
    assert torch.equal(right, logits.argmax(-1) == targets)


def test_an_overconfident_model_has_no_nan():
    logits = torch.tensor([[400.0, 0.0, -400.0]] * 2, requires_grad=True)
    tokens, p = torch.tensor([[0]]), torch.tensor([[1.0]])
    losses, _ = Divergence.apply(logits, torch.tensor([2, 0]), torch.tensor([1]), tokens, p)
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([800.0, 0.0], abs=1e-4)
    assert torch.isfinite(logits.grad).all() and logits.grad[0].tolist() == [1.0, 0.0, -1.0]
