"""The loss of a batch. Logits are computed only at the targets: in a small model they are the most expensive product."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from byheart.training.layout import Batch, Row

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel


def token_scores(
    model: "PreTrainedModel | PeftModel", batch: Batch, **inputs: object
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Of each target: its loss in nats, (N,) in float32 or wider; whether it is the model's first choice, (N,) booleans.

    The loss is the cross entropy, or where a target is soft the Kullback-Leibler divergence of the model from it.
    `inputs` are passed to the model.
    """
    from byheart.training.divergence import Divergence

    losses_N, right_N = Divergence.apply(
        _logits(model, batch, **inputs), batch.targets, batch.soft_at, batch.soft_tokens, batch.soft_probabilities
    )
    return losses_N, right_N


def _logits(model: "PreTrainedModel | PeftModel", batch: Batch, **inputs: object) -> "torch.Tensor":
    """(N, V) at the places that predict the targets, in the model's dtype."""
    import torch

    unwrap = getattr(model, "get_base_model", None)  # of a peft model
    plain = cast("PreTrainedModel", unwrap() if unwrap else model)
    mask = batch.mask
    if mask is not None:
        # An additive mask in the model's dtype: what eager and sdpa attention both take as it is.
        dtype = next(model.parameters()).dtype
        mask = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)
    inputs |= {"input_ids": batch.tokens, "position_ids": batch.positions, "attention_mask": mask, "use_cache": False}
    if _has_plain_head(plain):
        hidden_BTD = getattr(plain, plain.base_model_prefix)(**inputs)[0]
        hidden_ND = hidden_BTD.flatten(0, 1)[batch.predicted_at]
        logits_NV = plain.get_output_embeddings()(hidden_ND)
    else:
        logits_NV = plain(**inputs).logits.flatten(0, 1)[batch.predicted_at]
    return logits_NV


def row_weights(rows: Sequence[Row], reduction: str) -> "list[torch.Tensor]":
    """Of each row, what each of its targets counts in the loss of the batch, float64; the loss is the weighted sum.

    row_mean: the mean over rows of each row's mean, so that a larger batch does not change the weight of a fact.
    token_mean: the mean over all targets. sum: their sum.
    """
    import torch

    counts = [len(row.tokens) - row.loss_from for row in rows]
    if reduction == "row_mean":
        values = [1 / (count * len(rows)) for count in counts]
    else:
        values = [1 / sum(counts) if reduction == "token_mean" else 1.0 for _ in counts]
    return [torch.full((count,), value, dtype=torch.float64) for count, value in zip(counts, values, strict=True)]


def _has_plain_head(model: "PreTrainedModel") -> bool:
    """Are the logits nothing but the output embedding of the last hidden state? Some models cap or scale them."""
    config = model.config
    altered = ("final_logit_softcapping", "logits_scaling", "logit_scale")
    return model.get_output_embeddings() is not None and all(
        getattr(config, name, None) in (None, 1, 1.0) for name in altered
    )
