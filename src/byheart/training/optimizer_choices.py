"""The optimizers beside AdamW, each through torch or a library that is imported where it is needed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from byheart.errors import Problem, missing_package
from byheart.training.optimizer import AdamW, Optimizer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Adafactor(Optimizer):
    """Row and column means in place of AdamW's second moment, and no first (arXiv 1804.04235): a fraction of its memory.

    The rate is absolute, as AdamW's: the paper's is a share of each weight's size, which for LoRA's B starts at zero.
    """

    title: ClassVar[str] = "Adafactor"
    moment_bytes: ClassVar[float] = 0.1

    eps: float = 1e-30  # added to squared gradients
    decay_rate: float = -0.8

    def build(self, weights: "list[torch.Tensor]") -> Any:
        from transformers.optimization import Adafactor

        return Adafactor(
            weights,
            lr=self.lr,
            eps=(self.eps, 1e-3),
            decay_rate=self.decay_rate,
            weight_decay=self.weight_decay,
            scale_parameter=False,
            relative_step=False,
        )


@dataclass(frozen=True)
class Muon(Optimizer):
    """Steps of matrices made orthogonal; AdamW for vectors. Scaled as AdamW's (arXiv 2502.16982)."""

    title: ClassVar[str] = "Muon"
    moment_bytes: ClassVar[float] = 4.0

    momentum: float = 0.95

    def build(self, weights: "list[torch.Tensor]") -> Any:
        import torch

        matrices = [weight for weight in weights if weight.ndim == 2]
        vectors = [weight for weight in weights if weight.ndim != 2]
        options: dict[str, Any] = {"lr": self.lr, "weight_decay": self.weight_decay}
        muon = torch.optim.Muon(matrices, momentum=self.momentum, adjust_lr_fn="match_rms_adamw", **options)
        return _Both(muon, torch.optim.AdamW(vectors, **options)) if vectors else muon


@dataclass(frozen=True)
class Sgd(Optimizer):
    """Stochastic gradient descent with momentum: no second moment, and a rate about a hundred times AdamW's."""

    title: ClassVar[str] = "SGD"
    moment_bytes: ClassVar[float] = 4.0

    momentum: float = 0.9

    def build(self, weights: "list[torch.Tensor]") -> Any:
        import torch

        return torch.optim.SGD(weights, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class ScheduleFree(AdamW):
    """AdamW whose mean of the weights takes the place of a schedule (arXiv 2405.15682). The mean is what is kept."""

    title: ClassVar[str] = "schedule-free AdamW"
    alone: ClassVar[str] = Optimizer.alone
    averages: ClassVar[bool] = True

    averaging: float = 0.0  # a further mean over the optimizer's own

    def problems(self) -> list[Problem]:
        return missing_package("schedulefree", "optimizer", "schedule_free")

    def build(self, weights: "list[torch.Tensor]") -> Any:
        from schedulefree import AdamWScheduleFree

        built = AdamWScheduleFree(weights, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay)
        built.train()
        return built

    def averaged(self, built: Any, weight: "torch.Tensor") -> "torch.Tensor":
        # The weight in training lies between the mean and the library's "z"; see its `eval`.
        return weight.lerp(built.state[weight]["z"], 1 - 1 / self.betas[0])


@dataclass(frozen=True)
class AdamW8bit(AdamW):
    """AdamW with moments of eight bits in blocks (arXiv 2110.02861). Small matrices keep theirs in float32."""

    title: ClassVar[str] = "8-bit AdamW"
    alone: ClassVar[str] = Optimizer.alone
    moment_bytes: ClassVar[float] = 2.1

    def problems(self) -> list[Problem]:
        return missing_package("bitsandbytes", "optimizer", "adamw_8bit")

    def build(self, weights: "list[torch.Tensor]") -> Any:
        from bitsandbytes.optim import AdamW8bit

        built = AdamW8bit(weights, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay)
        return built


class _Both:
    """Two optimizers of different weights as one."""

    def __init__(self, *parts: "torch.optim.Optimizer"):
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    @property
    def state(self) -> dict[Any, Any]:
        return {weight: own for part in self.parts for weight, own in part.state.items()}

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for part, own in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(own)
