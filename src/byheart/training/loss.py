"""The loss of a batch, with logits only where a target stands: the vocabulary is the dearest product of a small model."""

from typing import TYPE_CHECKING, Any

from byheart.training.layout import Batch

if TYPE_CHECKING:
    import torch


def token_losses(model: Any, batch: Batch, **more: Any) -> "torch.Tensor":
    """The loss in nats at each target of the batch, (N,) in float32 or wider; `more` is handed to the model.

    Cross entropy, or where a target is soft the Kullback-Leibler divergence of the model from it.
    """
    return _losses(_logits(model, batch, **more), batch)


def token_scores(model: Any, batch: Batch, **more: Any) -> "tuple[torch.Tensor, torch.Tensor]":
    """The losses, and whether each target is the model's first choice, (N,) booleans."""
    wide_NV = _logits(model, batch, **more)
    return _losses(wide_NV, batch), wide_NV.argmax(-1) == batch.targets


def _losses(wide_NV: "torch.Tensor", batch: Batch) -> "torch.Tensor":
    import torch
    import torch.nn.functional as F

    losses_N = F.cross_entropy(wide_NV, batch.targets, reduction="none")
    if batch.soft_at is None or batch.soft_tokens is None or batch.soft_probabilities is None:
        return losses_N
    logits_SV = wide_NV[batch.soft_at]
    log_q_SK = logits_SV.gather(-1, batch.soft_tokens) - torch.logsumexp(logits_SV, -1, keepdim=True)
    p_SK = batch.soft_probabilities.to(log_q_SK.dtype)
    known_S = (p_SK * (p_SK.clamp_min(1e-9).log() - log_q_SK)).sum(-1)
    rest_p, rest_q = ((1 - shares.sum(-1)).clamp_min(1e-6) for shares in (p_SK, log_q_SK.exp()))
    # All other tokens count as one, and what the model expects among them is estimated: the row was sampled from the
    # frozen model, so where its token is one of them, that token's cross entropy among them is added. Without it general
    # text is forgotten all the same: its words are often not among the likeliest.
    other_S = ~(batch.soft_tokens == batch.targets[batch.soft_at][:, None]).any(-1)
    among_S = torch.where(other_S, losses_N[batch.soft_at] + rest_q.log(), 0.0)
    return losses_N.index_put((batch.soft_at,), known_S + rest_p * (rest_p / rest_q).log() + among_S)


def _logits(model: Any, batch: Batch, **more: Any) -> "torch.Tensor":
    """(N, V) at the places that predict the targets, in float32 or wider."""
    import torch

    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    mask = batch.mask
    if mask is not None:
        # An additive mask in the model's dtype: what eager and sdpa attention both take as it is.
        dtype = next(model.parameters()).dtype
        mask = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)
    inputs = {"input_ids": batch.tokens, "position_ids": batch.positions, "attention_mask": mask, "use_cache": False}
    inputs |= more
    if _has_plain_head(plain):
        hidden_BTD = getattr(plain, plain.base_model_prefix)(**inputs)[0]
        hidden_ND = hidden_BTD.flatten(0, 1)[batch.predicted_at]
        logits_NV = plain.get_output_embeddings()(hidden_ND)
    else:
        logits_NV = plain(**inputs).logits.flatten(0, 1)[batch.predicted_at]
    return logits_NV if logits_NV.dtype.itemsize >= 4 else logits_NV.float()


def weights(rows: "torch.Tensor", reduction: str) -> "torch.Tensor":
    """What each target counts in the batch's loss, given the row that it belongs to, (N,) in float64; the loss is the weighted sum.

    row_mean: the mean over rows of each row's mean, so that a larger batch does not reweigh the facts.
    token_mean: the mean over all targets. sum: their sum.
    """
    import torch

    count = torch.bincount(rows).double()
    if reduction == "row_mean":
        return 1.0 / (count[rows] * len(count))
    if reduction == "token_mean":
        return torch.full((len(rows),), 1.0 / len(rows), dtype=torch.float64)
    return torch.ones(len(rows), dtype=torch.float64)


def _has_plain_head(model: Any) -> bool:
    """Are the logits nothing but the output embedding of the last hidden state? Some models cap or scale them."""
    config = model.config
    altered = ("final_logit_softcapping", "logits_scaling", "logit_scale")
    return model.get_output_embeddings() is not None and all(
        getattr(config, name, None) in (None, 1, 1.0) for name in altered
    )
