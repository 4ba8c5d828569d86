"""The loss of a batch: cross entropy, or the divergence from soft targets.

Logits are computed only at the targets: in a small model they are the most expensive product. The loss reads them a few
rows at a time.
An (N, V) array in float32 takes 30 MB for 150 targets of a small model, and the formula in torch's operations writes ten of
them. Here each value is converted to float32 while it is in the processor's cache, and the backward pass starts from the
logits again (as in Cut Cross-Entropy, arXiv 2411.09009). `benchmarks/loss_speed.py` compares both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from byheart.training.layout import Batch, Row
from byheart.training.memory import values_at_once

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# Where logits come from, the cheapest first: the output embedding of the hidden states that predict a target, which leaves
# out what a model does to its logits besides; the model's own at the columns that hold such a state; all of the model's own.
HEADS = EMBEDDING, KEPT, WHOLE = "embedding", "kept", "whole"


def token_scores(
    model: "PreTrainedModel | PeftModel", batch: Batch, head: str = WHOLE, **inputs: object
) -> tuple[Tensor, Tensor]:
    """Of each target: its loss in nats, (N,) in float32 or wider; whether it is the model's first choice, (N,) booleans.

    The loss is the cross entropy, or where a target is soft the Kullback-Leibler divergence of the model from it.
    `inputs` are passed to the model.
    """
    losses_N, right_N = Divergence.apply(
        _logits(model, batch, head, **inputs), batch.targets, batch.soft_at, batch.soft_tokens, batch.soft_probabilities
    )
    return losses_N, right_N


def _logits(model: "PreTrainedModel | PeftModel", batch: Batch, head: str, **inputs: object) -> Tensor:
    """(N, V) at the places that predict the targets, in the model's dtype."""
    unwrap = getattr(model, "get_base_model", None)  # of a peft model
    plain = cast("PreTrainedModel", unwrap() if unwrap else model)
    inputs |= {"input_ids": batch.tokens, "use_cache": False}
    # Only where the layout needs them: some classes take no positions, and some no mask of four dimensions.
    if batch.positions is not None:
        inputs["position_ids"] = batch.positions
    if batch.mask is not None:
        # An additive mask in the model's dtype: what eager and sdpa attention both take as it is.
        dtype = next(model.parameters()).dtype
        hidden = torch.zeros(batch.mask.shape, dtype=dtype, device=batch.mask.device)
        inputs["attention_mask"] = hidden.masked_fill(~batch.mask, torch.finfo(dtype).min)
    if head == EMBEDDING:
        hidden_BTD = getattr(plain, plain.base_model_prefix)(**inputs)[0]
        hidden_ND = hidden_BTD.flatten(0, 1)[batch.predicted_at]
        logits_NV: Tensor = plain.get_output_embeddings()(hidden_ND)
        return logits_NV
    if head == KEPT:
        row_N, column_N = (batch.predicted_at // batch.tokens.shape[1]), batch.predicted_at % batch.tokens.shape[1]
        kept, place_N = column_N.unique(return_inverse=True)
        logits_BKV: Tensor = plain(**inputs, logits_to_keep=kept).logits
        if logits_BKV.shape[1] != len(kept):
            raise NotImplementedError("this model takes logits_to_keep and ignores it")
        return logits_BKV[row_N, place_N]
    logits_BTV: Tensor = plain(**inputs).logits
    return logits_BTV.flatten(0, 1)[batch.predicted_at]


def row_weights(rows: Sequence[Row], reduction: str) -> list[Tensor]:
    """Of each row, what each of its targets counts in the loss of the batch, float64; the loss is the weighted sum.

    row_mean: the mean over rows of each row's mean, so that a larger batch does not change the weight of a fact.
    token_mean: the mean over all targets. sum: their sum.
    """
    counts = [len(row.tokens) - row.loss_from for row in rows]
    if reduction == "row_mean":
        values = [1 / (count * len(rows)) for count in counts]
    else:
        values = [1 / sum(counts) if reduction == "token_mean" else 1.0 for _ in counts]
    return [torch.full((count,), value, dtype=torch.float64) for count, value in zip(counts, values, strict=True)]


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
        parts = [_read(wide_RV, targets_N[rows]) for rows, wide_RV in _parts(logits_NV)]
        best_N, log_sum_N, losses_N, right_N = (torch.cat(each) for each in zip(*parts, strict=True))
        soft = None
        if soft_at_S is not None and soft_tokens_SK is not None and soft_p_SK is not None:
            logits_SK = logits_NV[soft_at_S[:, None], soft_tokens_SK].to(losses_N.dtype)
            log_q_SK = (logits_SK - best_N[soft_at_S, None]) - log_sum_N[soft_at_S, None]
            soft = _Soft.of(log_q_SK, soft_p_SK.to(log_q_SK.dtype), soft_tokens_SK, targets_N[soft_at_S])
            losses_N[soft_at_S] = soft.losses(losses_N[soft_at_S])
        ctx.save_for_backward(logits_NV, targets_N, best_N, log_sum_N, soft_at_S, soft_tokens_SK)
        ctx.soft = soft
        ctx.mark_non_differentiable(right_N)
        return losses_N, right_N

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        logits_NV, targets_N, best_N, log_sum_N, soft_at_S, soft_tokens_SK = ctx.saved_tensors
        # All of a row is its softmax times one number, but for the target's place and the likeliest tokens'.
        of_loss_N = of_all_N = of_target_N = gradients[0]
        if ctx.soft is not None:
            of_all_N = of_loss_N.index_copy(0, soft_at_S, of_loss_N[soft_at_S] * ctx.soft.of_all_S)
            of_target_N = of_loss_N.index_copy(0, soft_at_S, of_loss_N[soft_at_S] * ctx.soft.other_S)
        found_NV = torch.empty_like(logits_NV)
        for rows, wide_RV in _parts(logits_NV):
            shares_RV = wide_RV.sub_(best_N[rows, None]).sub_(log_sum_N[rows, None]).exp_()
            found_NV[rows] = shares_RV.mul_(of_all_N[rows, None])
        if ctx.soft is not None:
            of_soft_SK = of_loss_N[soft_at_S, None] * ctx.soft.of_likeliest_SK
            found_NV[soft_at_S[:, None], soft_tokens_SK] = of_soft_SK.to(found_NV.dtype)
        # The target's place anew in float32, since 1 is taken from a softmax that may be nearly 1; not where it is one of
        # the likeliest tokens, which have theirs.
        hard = of_target_N.nonzero()[:, 0]
        at = hard, targets_N[hard]
        share = ((logits_NV[at].to(best_N.dtype) - best_N[hard]) - log_sum_N[hard]).exp() * of_all_N[hard]
        found_NV[at] = (share - of_target_N[hard]).to(found_NV.dtype)
        return found_NV, None, None, None, None


@dataclass(frozen=True)
class _Soft:
    """What soft targets contribute to loss and gradient, S x K numbers."""

    known_S: Tensor
    of_all_S: Tensor
    of_likeliest_SK: Tensor
    other_S: Tensor  # 1 where the row's own token is none of the likeliest
    log_rest_S: Tensor

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


def _parts(logits_NV: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some rows at a time, and a copy of their logits in float32 or wider."""
    count, width = logits_NV.shape
    step = max(1, values_at_once(logits_NV.device.type) // width)
    wide = logits_NV.dtype if logits_NV.dtype.itemsize >= 4 else torch.float32
    for start in range(0, count, step):
        rows = slice(start, start + step)
        yield rows, logits_NV[rows].to(wide, copy=True)


def _read(wide_RV: Tensor, targets_R: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each row: its highest logit; the logarithm of the sum above it; cross entropy; whether the target is the first choice.

    The highest is kept apart: added to the logarithm, it would cost the loss of a well-known token its digits.
    """
    best = wide_RV.max(-1)
    of_target_R = wide_RV.gather(1, targets_R[:, None])[:, 0] - best.values
    log_sum_R = wide_RV.sub_(best.values[:, None]).exp_().sum(-1).log_()
    return best.values, log_sum_R, log_sum_R - of_target_R, best.indices == targets_R
