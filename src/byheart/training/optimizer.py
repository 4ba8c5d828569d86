"""AdamW with float32 masters of bfloat16 weights: bfloat16 has eight bits, in which a step of 1e-4 would be lost."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SCHEDULES = ("constant", "cosine", "linear")


@dataclass(frozen=True)
class AdamW:
    """Decoupled weight decay (arXiv 1711.05101); constant learning rate, no warm-up by default.

    Validated and saved is a running mean of the weights (polynomial-decay averaging, arXiv 1212.1824): at a constant
    rate the quality of the last step's weights varies at random. The mean is moved a little towards the untuned model
    (WiSE-FT, arXiv 2109.01903), which forgets less and is less sure of its wrong answers.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float | None = 1.0  # gradient norm
    warmup: float = 0.0  # share of the steps over which the rate rises from 0
    averaging: float = 0.125  # the mean is over about this share of the steps so far; 0: the last step's weights
    toward_base: float = 0.15  # share of what was learned that is taken back from the kept weights

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
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


class MasterStep:
    """One optimizer over float32 masters, with clipping; weights in float32 or wider are their own masters.

    `base`: the value of each parameter in the untuned model, None for a matrix that is not moved (see `base_of`).
    """

    def __init__(
        self, parameters: "Sequence[torch.Tensor]", options: AdamW, base: "Sequence[torch.Tensor | None] | None" = None
    ):
        import torch

        self.parameters = parameters
        self.options = options
        self.steps = 0
        self.base = [None] * len(parameters) if base is None else list(base)
        self.masters = [p if p.dtype.itemsize >= 4 else p.detach().float().requires_grad_() for p in parameters]
        self.means = [master.detach().clone() for master in self.masters] if options.averaging else self.masters
        self.adamw = torch.optim.AdamW(
            self.masters,
            lr=options.lr,
            betas=options.betas,
            eps=options.eps,
            weight_decay=options.weight_decay,
            fused=True,
        )

    def step(self, lr: float) -> float:
        """Applies the gradients, clears them, and gives the gradient norm before clipping."""
        import torch

        for weight, master in zip(self.parameters, self.masters, strict=True):
            if master is not weight:
                master.grad = None if weight.grad is None else weight.grad.float()
                weight.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self.masters, self.options.clip or float("inf"))
        for group in self.adamw.param_groups:
            group["lr"] = lr
        self.adamw.step()
        self.adamw.zero_grad()
        self.steps += 1
        if self.options.averaging:
            with torch.no_grad():
                for mean, master in zip(self.means, self.masters, strict=True):
                    mean.lerp_(master, self.options.newest(self.steps))
        self._publish(self.masters)
        return float(norm)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Inside the `with` block the parameters hold the averaged weights; afterwards those in training again."""
        import torch

        kept = [parameter.detach().clone() for parameter in self.parameters]
        self._publish(self._kept())
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, own in zip(self.parameters, kept, strict=True):
                    parameter.copy_(own)

    def conclude(self) -> None:
        """Puts the averaged weights into the parameters for good: no step can follow."""
        self._publish(self._kept())

    def _kept(self) -> "list[torch.Tensor]":
        back = self.options.toward_base
        return [
            mean if base is None else mean.detach().lerp(base.to(mean), back)
            for mean, base in zip(self.means, self.base, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        return {
            "masters": [master.detach() for master in self.masters],
            "means": [mean.detach() for mean in self.means],
            "adamw": self.adamw.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for master, saved in zip(self.masters, state["masters"], strict=True):
                master.copy_(saved)
            # Checkpoints from before averaging have no means: they start at the weights.
            for mean, saved in zip(self.means, state.get("means", state["masters"]), strict=True):
                mean.copy_(saved)
        self.adamw.load_state_dict(state["adamw"])
        self.steps = max((int(own["step"]) for own in self.adamw.state.values()), default=0)
        self._publish(self.masters)

    def _publish(self, weights: "list[torch.Tensor]") -> None:
        import torch

        with torch.no_grad():
            for parameter, weight in zip(self.parameters, weights, strict=True):
                if weight is not parameter:
                    parameter.copy_(weight)


def base_of(model: "torch.nn.Module") -> "list[torch.Tensor | None]":
    """The value of each trained parameter of a new adapter in the untuned model, in their order.

    None for a LoRA matrix that does not start at zero: moving its partner, which does, scales their product.
    """
    trained = [(name, p.detach()) for name, p in model.named_parameters() if p.requires_grad]
    return [None if "lora_" in name and bool(p.any()) else p.clone() for name, p in trained]
