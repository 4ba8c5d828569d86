"""The memory of a training, computed from sizes alone: of one adapter, and of a slot of a pack. No torch.

`benchmarks/estimates.py` compares it with what small trainings take.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from byheart.model.sizes import ModelSizes
from byheart.training.layout import Row
from byheart.training.optimizer import Optimizer

LAYER = 32  # widths of activations that each token has in the largest layer, as measured
SAVED = 1.0  # values kept for the backward pass, for each width that goes into or comes out of a layer's matrices
MASTER = 4  # bytes of a float32 number
LIBRARIES = 0.6 * 2**30  # of a process on a CPU that has loaded torch, transformers and peft
# What a process holds beside the tensors of a training. On a CPU it grows over hundreds of steps of varying length, as
# measured: the C library's allocator keeps what was freed, and oneDNN what it prepared for each shape.
SLACK = {"cpu": 2.5, "cuda": 1.2, "mps": 1.3}


@dataclass(frozen=True)
class Pass:
    """What one forward pass of a training step reads. `keys`: how many tokens each token's attention is stored for."""

    tokens: int
    targets: int
    keys: int

    @classmethod
    def of(cls, rows: Sequence[Row], packed: bool) -> "Pass":
        tokens, longest = sum(len(row.tokens) for row in rows), max(len(row.tokens) for row in rows)
        whole = tokens if packed else longest * len(rows)
        return cls(whole, sum(len(row.tokens) - row.loss_from for row in rows), whole if packed else longest)


def values_at_once(device: str) -> int:
    """How many logits the loss converts to float32 together: on a CPU what its cache holds, elsewhere half a gigabyte."""
    return 2**21 if device == "cpu" else 2**27


def logits_bytes(targets: float, vocabulary: int, itemsize: int, device: str) -> float:
    """Of the logits at the targets, and the two copies in float32 that the loss makes of a part of them."""
    values = targets * vocabulary
    return values * itemsize + 2 * MASTER * min(values, values_at_once(device))


def forward_bytes(tokens: float, targets: float, width: int, vocabulary: int, itemsize: int, device: str) -> float:
    """Of a forward pass without gradients: one layer's activations, and the logits."""
    return tokens * LAYER * width * itemsize + logits_bytes(targets, vocabulary, itemsize, device)


def slot_bytes(trained: int, itemsize: int, on_cpu: bool) -> int:
    """Of one more adapter in a pack: master, mean, gradient, two moments, working copy.

    The working copy is there twice while the mean is validated, and on a CPU the best epoch's weights are there too.
    """
    return trained * (5 * max(MASTER, itemsize) + (3 if on_cpu else 2) * itemsize)


def states_bytes(trained: int, optimizer: Optimizer, itemsize: int, whole: bool) -> float:
    """Of what a training keeps between its steps, beside the base: adapter, masters, moments, mean. `whole`: the base itself
    is trained, so that its untuned weights are kept too."""
    masters = MASTER if itemsize < MASTER else 0
    mean = MASTER if optimizer.averages or optimizer.averaging else 0
    base = itemsize if whole and optimizer.toward_base else 0
    return trained * ((0 if whole else itemsize) + masters + optimizer.moment_bytes + mean + base)


def step_bytes(sizes: ModelSizes, trained: int, read: Pass, itemsize: int, device: str, recompute: bool) -> float:
    """Of one step beside that: activations and logits, then gradients. `recompute`: with gradient checkpointing."""
    scores = read.keys * sizes.heads * (itemsize + MASTER) if device == "cpu" else 0  # elsewhere attention keeps none
    layer = read.tokens * (SAVED * sizes.span * itemsize + scores)
    inputs = sizes.depth * read.tokens * sizes.width * itemsize
    # And their gradient, which begins where they lie.
    logits = logits_bytes(read.targets, sizes.vocabulary, itemsize, device) + read.targets * sizes.vocabulary * itemsize
    gradients = trained * (itemsize + (MASTER if itemsize < MASTER else 0))
    # A layer is computed again when the logits are gone.
    most = inputs + max(layer, logits) if recompute else sizes.depth * layer + logits
    return max(most, inputs + gradients)


def training_bytes(
    sizes: ModelSizes,
    trained: int,
    optimizer: Optimizer,
    read: Pass,
    itemsize: int,
    device: str,
    recompute: bool = False,
    slack: float = 1.0,
) -> float:
    """Of a training beside its base model. `slack`: see SLACK; what is kept between steps is allocated once."""
    whole = trained == sizes.parameters
    # While the mean is validated, weights that are their own masters are kept aside; no gradient is there then.
    validated = trained * MASTER if itemsize >= MASTER else 0
    step = step_bytes(sizes, trained, read, itemsize, device, recompute)
    return states_bytes(trained, optimizer, itemsize, whole) + slack * max(step, validated)
