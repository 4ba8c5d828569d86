"""The loss of a batch, with logits only where a target stands: the vocabulary is the dearest product of a small model."""

from typing import TYPE_CHECKING, Any

from byheart.training.layout import Batch

if TYPE_CHECKING:
    import torch


def token_losses(model: Any, batch: Batch, **more: Any) -> "torch.Tensor":
    """The loss in nats at each target of the batch, (N,) in float32 or wider; `more` is handed to the model.

    Cross entropy, or where a target is soft the Kullback-Leibler divergence of the model from it.
    """
    return token_scores(model, batch, **more)[0]


def token_scores(model: Any, batch: Batch, **more: Any) -> "tuple[torch.Tensor, torch.Tensor]":
    """The losses, and whether each target is the model's first choice, (N,) booleans."""
    from byheart.training.divergence import Divergence

    losses_N, right_N = Divergence.apply(
        _logits(model, batch, **more), batch.targets, batch.soft_at, batch.soft_tokens, batch.soft_probabilities
    )
    return losses_N, right_N


def _logits(model: Any, batch: Batch, **more: Any) -> "torch.Tensor":
    """(N, V) at the places that predict the targets, in the model's dtype."""
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
    return logits_NV


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
