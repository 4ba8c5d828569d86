"""An optimizer with float32 masters of bfloat16 weights: bfloat16 has eight bits, in which a step of 1e-4 would be lost."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from byheart.errors import Problem

if TYPE_CHECKING:
    import torch

SCHEDULES = ("constant", "cosine", "linear")
_PARTNER = re.compile(r"(lora_(?:embedding_)?)([AB])")


@dataclass(frozen=True)
class Optimizer(ABC):
    """What all optimizers share: a constant learning rate without warm-up by default, clipping, and the weights that are kept.

    Validated and saved is a running mean of the weights (polynomial-decay averaging, arXiv 1212.1824): at a constant
    rate the quality of the last step's weights varies at random. The mean is moved a little towards the untuned model
    (WiSE-FT, arXiv 2109.01903), which forgets less and is less sure of its wrong answers.
    """

    alone: ClassVar[str] = "packed trials step with AdamW"  # why a trial with it cannot share a pack; "" where it can
    averages: ClassVar[bool] = False  # whether the optimizer has a mean of the weights of its own
    moment_bytes: ClassVar[float] = 8.0  # that it keeps for each trained weight, for an estimate of the memory

    lr: float = 1e-3
    weight_decay: float = 0.0
    clip: float | None = 1.0  # gradient norm
    warmup: float = 0.0  # share of the steps over which the rate rises from 0
    averaging: float = 0.125  # the mean is over about this share of the steps so far; 0: the last step's weights
    toward_base: float = 0.15  # share of what was learned that is taken back from the kept weights

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
        betas, eps = getattr(self, "betas", ()), getattr(self, "eps", 0.0)  # of those that have them
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least 0 and below 1, got {betas}")
        if eps < 0:
            raise ValueError(f"eps must not be negative, got {eps}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be above 0 or null, got {self.clip}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and below 1, got {self.warmup}")
        if not 0 <= self.averaging <= 1:
            raise ValueError(f"averaging must be from 0 to 1, got {self.averaging}")
        if not 0 <= self.toward_base < 1:
            raise ValueError(f"toward_base must be at least 0 and below 1, got {self.toward_base}")

    def problems(self) -> list[Problem]:
        """What can be known without torch."""
        return []

    @abstractmethod
    def build(self, weights: "list[torch.Tensor]") -> Any:
        """An optimizer of these weights with the interface of torch's."""

    def averaged(self, built: Any, weight: "torch.Tensor") -> "torch.Tensor":
        """The optimizer's own mean of a weight, where it has one; else the weight."""
        return weight

    def newest(self, step: int) -> float:
        """The weight of a step (counted from 1) in the mean of the weights up to it."""
        return min(1.0, 1.0 / (self.averaging * step)) if self.averaging else 1.0

    def rate(self, step: int, steps: int, schedule: str) -> float:
        """The learning rate of a step (counted from 0) of `steps`."""
        import math

        warm = self.warmup * steps
        if step < warm:
            return self.lr * (step + 1) / warm
        share = (step - warm) / max(1.0, steps - warm)
        factors = {"constant": 1.0, "linear": 1.0 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}
        return self.lr * factors[schedule]


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Decoupled weight decay (arXiv 1711.05101)."""

    title: ClassVar[str] = "AdamW"
    alone: ClassVar[str] = ""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def build(self, weights: "list[torch.Tensor]") -> Any:
        import torch

        return torch.optim.AdamW(
            weights, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


class MasterStep:
    """One optimizer over float32 masters, with clipping; weights in float32 or wider are their own masters.

    `base`: the value of each parameter in the untuned model, None for a matrix that is not moved (see `base_of`).
    """

    def __init__(
        self,
        parameters: "Sequence[torch.Tensor]",
        options: Optimizer,
        base: "Sequence[torch.Tensor | None] | None" = None,
    ):
        self.parameters = parameters
        self.options = options
        self.steps = 0
        self.base = [None] * len(parameters) if base is None else list(base)
        self.masters = [p if p.dtype.itemsize >= 4 else p.detach().float().requires_grad_() for p in parameters]
        self.averages = options.averages or options.averaging > 0
        self.means = [master.detach().clone() for master in self.masters] if self.averages else self.masters
        self.optimizer = options.build(self.masters)

    def step(self, lr: float) -> None:
        """Applies the gradients and clears them. Reads no number from the device, which would wait for it."""
        import torch

        for weight, master in zip(self.parameters, self.masters, strict=True):
            if master is not weight:
                master.grad = None if weight.grad is None else weight.grad.float()
                weight.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters, self.options.clip or float("inf"))
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1
        if self.averages:
            with torch.no_grad():
                for mean, master in zip(self.means, self.masters, strict=True):
                    mean.lerp_(self.options.averaged(self.optimizer, master), self.options.newest(self.steps))
        self._publish(self.masters)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Inside the `with` block the parameters hold the averaged weights; afterwards those in training again."""
        # Where a parameter has a master, that is its copy.
        pairs = zip(self.parameters, self.masters, strict=True)
        kept = [master.detach().clone() if master is weight else master for weight, master in pairs]
        self._publish(self._kept())
        try:
            yield
        finally:
            self._publish(kept)

    def conclude(self) -> None:
        """Puts the averaged weights into the parameters for good: no step can follow."""
        self._publish(self._kept())

    def _kept(self) -> "Iterator[torch.Tensor]":
        """One after another: all of them at a time are a whole model in float32 where all weights are trained."""
        for mean, base in zip(self.means, self.base, strict=True):
            yield mean if base is None else mean.detach().lerp(base.to(mean), self.options.toward_base)

    def state_dict(self) -> dict[str, Any]:
        return {
            "masters": [master.detach() for master in self.masters],
            "means": [mean.detach() for mean in self.means],
            "adamw": self.optimizer.state_dict(),  # of whatever optimizer: older checkpoints have this name
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for master, saved in zip(self.masters, state["masters"], strict=True):
                master.copy_(saved)
            # Checkpoints from before averaging have no means: they start at the weights.
            for mean, saved in zip(self.means, state.get("means", state["masters"]), strict=True):
                mean.copy_(saved)
        self.optimizer.load_state_dict(state["adamw"])
        # Checkpoints from before there were other optimizers than AdamW count the steps in its state only.
        counted = (int(own["step"]) for own in self.optimizer.state.values() if "step" in own)
        self.steps = int(state["steps"]) if "steps" in state else max(counted, default=0)
        self._publish(self.masters)

    def _publish(self, weights: "Iterable[torch.Tensor]") -> None:
        import torch

        with torch.no_grad():
            for parameter, weight in zip(self.parameters, weights, strict=True):
                if weight is not parameter:
                    parameter.copy_(weight)


def base_of(model: "torch.nn.Module") -> "list[torch.Tensor | None]":
    """The value of each trained parameter of a new adapter in the untuned model, in their order.

    None for a LoRA matrix whose partner starts at zero: moving the partner scales their product. Where both start elsewhere
    (PiSSA) both move, as do the lengths of DoRA.
    """
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def product_is_scaled(name: str) -> bool:
        partner = trained.get(_PARTNER.sub(lambda found: found[1] + {"A": "B", "B": "A"}[found[2]], name))
        return partner is not None and partner is not trained[name] and not bool(partner.any())

    return [None if product_is_scaled(name) else p.clone() for name, p in trained.items()]
