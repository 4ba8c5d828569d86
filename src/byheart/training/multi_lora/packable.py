"""Whether trials can train together on a model: found out by asking the model, not by the name of its class.

Two toy rows are read by peft's own model, one after the other, and then in a pack: losses and gradients must agree. The
answer is a reason, for the line that says why trials train alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byheart.errors import UserError
from byheart.model.adapters.adapter import Lora
from byheart.model.as_found import kept_modes
from byheart.model.memory import is_out_of_memory
from byheart.model.random_state import kept_random_state
from byheart.training.job import TrainJob
from byheart.training.layout import Row, padded
from byheart.training.loss import row_weights, token_scores
from byheart.training.multi_lora.adapters import Matrices, attached, matrices_in, put
from byheart.training.multi_lora.job import PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping

if TYPE_CHECKING:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer
    from transformers import PreTrainedModel

LENGTHS = 9, 7  # tokens of the two toy rows
# What rounding explains, as a share of what is compared: in float32 or wider, in half precision. A gradient that is left
# out, or comes from another slot, differs by its whole size at least.
LOSS, GRADIENT = (1e-3, 5e-2), (1e-2, 0.9)
DRAWS = "in training the model draws random numbers (dropout, noise), which the trials of a pack would share"
DIFFERS = "in a pack this model gives other losses or gradients than alone"
Scored = tuple[
    Tensor, list[Tensor]
]  # the loss of a row, and the gradients of A (rank, in) and B (out, rank) of each layer


def why_alone(model: "PreTrainedModel", adapter: Lora) -> str | None:
    """Why trials with this adapter cannot share a forward pass of this model; None where they can.

    The model is left as it was. Raises what attaching the adapter raises, for example where it has no such target: then
    the model must be loaded again, since peft may have replaced some layers before.
    """
    rows = _rows(model)
    alone: list[tuple[Matrices, Scored]] = []
    with kept_modes(model), kept_random_state():
        with attached(adapter, model, seed=0) as (wrapped, layers):
            found = _unlike_layers(wrapped, layers)
            for row in rows if found is None else ():
                matrices = _random(layers)
                alone.append((matrices, _by_itself(wrapped, layers, row, matrices)))
        if alone:
            found = _in_a_pack(model, adapter, rows, alone)
    return found


def _unlike_layers(wrapped: "PeftModel", layers: "Mapping[str, LoraLayer]") -> str | None:
    """A slot holds two matrices for each linear layer, and nothing else."""
    for name, layer in layers.items():
        if not isinstance(base := layer.get_base_layer(), torch.nn.Linear):
            return f"a pack holds adapters of linear layers only, and {name} is a {type(base).__name__}"
        if not base.weight.is_floating_point() or base.weight.itemsize < 2:
            kind = str(base.weight.dtype).removeprefix("torch.")
            return f"a pack computes with the base's weights, and {name} is quantized ({kind})"
    held = {f"base_model.model.{name}.lora_{each}.default.weight" for name in layers for each in "AB"}
    more = sorted({name for name, p in wrapped.named_parameters() if p.requires_grad} - held)
    return f"a pack holds LoRA matrices only, and {more[0]} is trained too" if more else None


def _by_itself(wrapped: "PeftModel", layers: "Mapping[str, LoraLayer]", row: Row, matrices: Matrices) -> Scored:
    with torch.enable_grad():
        weights = put(matrices, layers)
        losses, _ = token_scores(wrapped, padded([row], 0).to(wrapped.device))
        loss = (losses * _weights(row).to(losses)).sum()
        return loss.detach(), list(torch.autograd.grad(loss, weights, materialize_grads=True))


def _in_a_pack(
    model: "PreTrainedModel", adapter: Lora, rows: list[Row], alone: list[tuple[Matrices, Scored]]
) -> str | None:
    jobs = [
        PackedJob(str(i), TrainJob([row], [], 1, 1, 0, "constant", "row_mean", 0), adapter, AdamW(), Stopping(), Path())
        for i, row in enumerate(rows)
    ]
    try:
        with PackedTrainer(model, len(rows), adapter.rank, adapter.targets) as trainer:
            if trainer.path.differs_in_training:
                return DRAWS
            packed = trainer.try_out(jobs, [matrices for matrices, _ in alone])
    except UserError as error:
        return error.problems[0].what
    except Exception as error:
        if is_out_of_memory(error):
            return None  # this says nothing about the model; the pack gives up slots
        return f"{DIFFERS} ({type(error).__name__}: {str(error).partition(chr(10))[0][:100]})"
    half = _half(model)
    for (matrices, (expected, wanted)), (loss, gradients) in zip(alone, packed, strict=True):
        found = [each for name in matrices for each in (gradients[name][0], gradients[name][1].T)]
        if not _near(expected.new_tensor(loss), expected, LOSS[half]) or not _agree(found, wanted, half):
            return DIFFERS
    return None


def _agree(found: list[Tensor], wanted: list[Tensor], half: bool) -> bool:
    """Each gradient by itself; in half precision all of them together, but none may be left out."""
    if half:
        one_N, other_N = (torch.cat([each.flatten() for each in several]) for several in (found, wanted))
        return _near(one_N, other_N, GRADIENT[half]) and all(
            bool(one.any()) or not other.any() for one, other in zip(found, wanted, strict=True)
        )
    # Where nearly nothing flows, what flows is rounding.
    least = 0.05 * float(torch.stack([each.norm() for each in wanted]).square().mean().sqrt())
    return all(_near(one, other, GRADIENT[half], least) for one, other in zip(found, wanted, strict=True))


def _rows(model: "PreTrainedModel") -> list[Row]:
    vocabulary = _embeddings(model).shape[0]
    return [Row([(7 * i + j) % vocabulary for j in range(1, length)], 1) for i, length in enumerate(LENGTHS)]


def _weights(row: Row) -> Tensor:
    return row_weights([row], "row_mean")[0]


def _random(layers: "Mapping[str, LoraLayer]") -> Matrices:
    """B begins at zero, where no gradient reaches A."""
    return {name: (a, torch.randn_like(b) * a.std() / 8) for name, (a, b) in matrices_in(layers).items()}


def _half(model: "PreTrainedModel | PeftModel") -> bool:
    return _embeddings(model).dtype.itemsize < 4


def _embeddings(model: "PreTrainedModel | PeftModel") -> Tensor:
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight


def _near(found: Tensor, expected: Tensor, share: float, least: float = 0.0) -> bool:
    """Whether the difference is at most this share of the expected value, or of `least` where that is larger."""
    return bool((found.to(expected) - expected).norm() <= share * max(float(expected.norm()), least))
