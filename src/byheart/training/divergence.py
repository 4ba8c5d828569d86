"""Cross entropy and divergence from soft targets, read from the logits a few rows at a time.

An (N, V) array in float32 takes 30 MB for 150 targets of a small model. Written out for each step of the formula, forward
and backward, such arrays took a sixth of the training time; here each value is widened while it is in the processor's
cache, and the backward pass begins from the logits again (as in Cut Cross-Entropy, arXiv 2411.09009).
"""

from typing import Any

import torch
from torch import Tensor

VALUES_AT_ONCE = 2**21  # logits that are widened together: 8 MB in float32


class Divergence(torch.autograd.Function):
    """(losses (N,) in nats, float32 or wider; whether the target is the first choice (N,)) of logits (N, V).

    Cross entropy with `targets` (N,). The S targets at `soft_at` have soft ones: K likeliest tokens (S, K) with their
    probabilities under a frozen model, and all other tokens count as one. What the model expects among these is
    estimated: the row was sampled from the frozen model, so where its token is one of them, that token's cross entropy
    among them is added. Without it general text is forgotten all the same: its words are often not among the likeliest.
    """

    @staticmethod
    def forward(
        ctx: Any,
        logits_NV: Tensor,
        targets_N: Tensor,
        soft_at_S: Tensor | None,
        soft_tokens_SK: Tensor | None,
        soft_p_SK: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        parts = [_read(wide, targets) for wide, targets in _parts(logits_NV, targets_N)]
        log_sum_N, losses_N, right_N = (torch.cat(each) for each in zip(*parts, strict=True))
        soft = None
        if soft_at_S is not None and soft_tokens_SK is not None and soft_p_SK is not None:
            log_q_SK = logits_NV[soft_at_S[:, None], soft_tokens_SK].to(losses_N.dtype) - log_sum_N[soft_at_S, None]
            soft = _Soft.of(log_q_SK, soft_p_SK.to(log_q_SK.dtype), soft_tokens_SK, targets_N[soft_at_S])
            losses_N[soft_at_S] = soft.losses(losses_N[soft_at_S])
        ctx.save_for_backward(logits_NV, targets_N, log_sum_N, soft_at_S, soft_tokens_SK)
        ctx.soft = soft
        ctx.mark_non_differentiable(right_N)
        return losses_N, right_N

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        logits_NV, targets_N, log_sum_N, soft_at_S, soft_tokens_SK = ctx.saved_tensors
        of_loss_N = gradients[0]
        # All of a row is its softmax times one number, but for the target's place and the likeliest tokens'.
        of_all_N, of_target_N = of_loss_N, of_loss_N
        if ctx.soft is not None:
            of_all_N = of_loss_N.index_copy(0, soft_at_S, of_loss_N[soft_at_S] * ctx.soft.of_all_S)
            of_target_N = of_loss_N.index_copy(0, soft_at_S, of_loss_N[soft_at_S] * ctx.soft.other_S)
        found_NV = torch.empty_like(logits_NV)
        start = 0
        for wide, _ in _parts(logits_NV, targets_N):
            rows = slice(start, start + len(wide))
            shares = wide.sub_(log_sum_N[rows, None]).exp_().mul_(of_all_N[rows, None])
            if ctx.soft is None:  # else the target may be one of the likeliest tokens: see below
                shares.scatter_add_(1, targets_N[rows, None], -of_target_N[rows, None])
            found_NV[rows] = shares
            start += len(wide)
        if ctx.soft is not None:
            of_soft_SK = of_loss_N[soft_at_S, None] * ctx.soft.of_likeliest_SK
            found_NV[soft_at_S[:, None], soft_tokens_SK] = of_soft_SK.to(found_NV.dtype)
            # The target's place in float32: its softmax may be nearly 1, and 1 is taken away.
            where = of_target_N.nonzero()[:, 0]
            places = where, targets_N[where]
            share = (logits_NV[places].to(log_sum_N.dtype) - log_sum_N[where]).exp() * of_all_N[where]
            found_NV[places] = (share - of_target_N[where]).to(found_NV.dtype)
        return found_NV, None, None, None, None


class _Soft:
    """The part of loss and gradient that soft targets make, S x K numbers."""

    def __init__(self, known_S: Tensor, of_all_S: Tensor, of_likeliest_SK: Tensor, other_S: Tensor, log_rest_S: Tensor):
        self.known_S, self.of_all_S, self.of_likeliest_SK = known_S, of_all_S, of_likeliest_SK
        self.other_S, self.log_rest_S = other_S, log_rest_S

    @classmethod
    def of(cls, log_q_SK: Tensor, p_SK: Tensor, tokens_SK: Tensor, targets_S: Tensor) -> "_Soft":
        q_SK = log_q_SK.exp()
        sum_p_S, sum_q_S = p_SK.sum(-1), q_SK.sum(-1)
        rest_p_S, rest_q_S = ((1 - each).clamp_min(1e-6) for each in (sum_p_S, sum_q_S))
        other_S = (~(tokens_SK == targets_S[:, None]).any(-1)).to(q_SK.dtype)
        known_S = (p_SK * (p_SK.clamp_min(1e-9).log() - log_q_SK)).sum(-1) + rest_p_S * (rest_p_S / rest_q_S).log()
        # By the logarithm of the rest's probability; where it is clamped nothing pulls at it.
        of_rest_S = torch.where(1 - sum_q_S > 1e-6, other_S - rest_p_S, 0.0)
        of_all_S = sum_p_S + other_S + of_rest_S * sum_q_S / rest_q_S
        of_likeliest_SK = (sum_p_S + other_S - of_rest_S)[:, None] * q_SK - p_SK
        return cls(known_S, of_all_S, of_likeliest_SK, other_S, rest_q_S.log())

    def losses(self, cross_entropy_S: Tensor) -> Tensor:
        return self.known_S + self.other_S * (cross_entropy_S + self.log_rest_S)


def _parts(logits_NV: Tensor, targets_N: Tensor) -> Any:
    """The logits, widened, and their targets, some rows at a time; what is widened may be written to."""
    rows = max(1, VALUES_AT_ONCE // logits_NV.shape[1]) if logits_NV.device.type == "cpu" else len(targets_N)
    wide = logits_NV.dtype if logits_NV.dtype.itemsize >= 4 else torch.float32
    for part, targets in zip(logits_NV.split(rows), targets_N.split(rows), strict=True):
        yield part.to(wide, copy=True), targets


def _read(wide_NV: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logarithm of the sum, cross entropy, and whether the target is the first choice, of each row."""
    best = wide_NV.max(-1)
    of_target_N = wide_NV.gather(1, targets_N[:, None])[:, 0]
    log_sum_N = wide_NV.sub_(best.values[:, None]).exp_().sum(-1).log_() + best.values
    return log_sum_N, log_sum_N - of_target_N, best.indices == targets_N
