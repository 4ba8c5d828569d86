"""AdamW that keeps float32 masters of bfloat16 weights: a step of 1e-4 is lost in bfloat16's eight bits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SCHEDULES = ("constant", "cosine", "linear")


@dataclass(frozen=True)
class AdamW:
    """Decoupled weight decay (arXiv 1711.05101); constant learning rate, no warm-up by default."""

    lr: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip: float | None = 1.0  # gradient norm
    warmup: float = 0.0  # share of the steps over which the rate rises from 0

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got {self.lr}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be above 0 or null, got {self.clip}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and below 1, got {self.warmup}")

    def build(self, parameters: "Iterable[torch.nn.Parameter]") -> "MasterStep":
        return MasterStep(list(parameters), self)

    def rate(self, step: int, steps: int, schedule: str) -> float:
        """The learning rate of a step (counted from 0) of `steps`."""
        import math

        warm = self.warmup * steps
        if step < warm:
            return self.lr * (step + 1) / warm
        share = (step - warm) / max(1.0, steps - warm)
        return (
            self.lr
            * {"constant": 1.0, "linear": 1.0 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}[schedule]
        )


class MasterStep:
    """One optimizer over float32 masters, with clipping; weights in float32 or wider are their own masters."""

    def __init__(self, parameters: "list[torch.nn.Parameter]", options: AdamW):
        import torch

        self.parameters = parameters
        self.clip = options.clip
        self.masters = [p if p.dtype.itemsize >= 4 else p.detach().float().requires_grad_() for p in parameters]
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
        norm = torch.nn.utils.clip_grad_norm_(self.masters, self.clip or float("inf"))
        for group in self.adamw.param_groups:
            group["lr"] = lr
        self.adamw.step()
        self.adamw.zero_grad()
        self._publish()
        return float(norm)

    def state_dict(self) -> dict[str, Any]:
        return {"masters": [master.detach() for master in self.masters], "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for master, saved in zip(self.masters, state["masters"], strict=True):
                master.copy_(saved)
        self.adamw.load_state_dict(state["adamw"])
        self._publish()

    def _publish(self) -> None:
        import torch

        with torch.no_grad():
            for weight, master in zip(self.parameters, self.masters, strict=True):
                if master is not weight:
                    weight.copy_(master)
