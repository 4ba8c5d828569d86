"""What is trained: LoRA matrices on the base model, or all its weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from byheart.errors import Problem, UserError
from byheart.model.adapters.language_tower import other_towers
from byheart.model.adapters.targets import ALL, ATTENTION, MLP, expert_parameters, linear_layers, unfit_layers

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel


class Adapter(Protocol):
    """Wraps a base model; `attach` is called once, after the seed is set."""

    @property
    def alone(self) -> str:
        """Why a trial with it cannot share a pack; "" where it can."""
        ...

    def attach(self, model: "PreTrainedModel") -> "PreTrainedModel | PeftModel":
        """The model to train: only the parameters that require gradients belong to the adapter."""
        ...

    def save(self, model: "PeftModel", folder: str) -> None:
        """Writes what peft or transformers loads."""
        ...


@dataclass(frozen=True)
class Lora:
    """Low-rank matrices (arXiv 2106.09685) on all linear layers, MLP included (arXiv 2405.09673), no dropout.

    Scaled by alpha / rank, never by alpha / sqrt(rank): servers ignore peft's setting for it.
    """

    title: ClassVar[str] = "LoRA"

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"  # or attention, or mlp, found by asking; or peft's target_modules
    experts: bool = False  # also on the stacked matrices of experts

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if self.experts and (self.dropout or type(self) is not Lora):
            raise ValueError(
                "experts must be false with dropout, DoRA and PiSSA, which peft does not offer for parameters"
            )

    @property
    def alone(self) -> str:
        if self.dropout:
            return "its dropout draws random numbers that packed trials would share"
        return "experts' matrices are parameters, and packed trials add to layers" if self.experts else ""

    def config(self, model: "PreTrainedModel") -> "LoraConfig":
        """peft's settings for this model. Raises UserError where it has no such layers."""
        from peft import LoraConfig

        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        if targets in (ATTENTION, MLP):
            targets = linear_layers(model, str(targets))
            if not targets:
                fix = "adapter=lora_experts, or adapter=lora" if expert_parameters(model) else "adapter=lora"
                raise UserError(
                    Problem("no linear layer of the model is one", "adapter.targets", str(self.targets), fix)
                )
        experts = expert_parameters(model) if self.experts else None
        if experts == []:
            what = "the model has no stacked matrices of experts"
            raise UserError(
                Problem(what, "adapter.experts", "true", "adapter=lora also reaches experts that are linear layers")
            )
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=targets,
            target_parameters=experts,
            revision=getattr(model.config, "_commit_hash", None),
            task_type="CAUSAL_LM",
        )
        excluded = [other_towers(model), unfit_layers(config, model) if self.targets in (ALL, ATTENTION, MLP) else None]
        config.exclude_modules = "|".join(filter(None, excluded)) or None
        return config

    def attach(self, model: "PreTrainedModel") -> "PeftModel":
        from peft import get_peft_model

        # The adapter keeps the base's dtype (the optimizer holds float32 masters): peft's upcast would run every
        # adapter product in float32 and cast activations back and forth, a third of the step on a CPU.
        return get_peft_model(model, self.config(model), autocast_adapter_dtype=False)

    def save(self, model: "PeftModel", folder: str) -> None:
        model.save_pretrained(folder)


@dataclass(frozen=True)
class Full:
    """Full fine-tuning: every weight of the base is trained and saved."""

    title: ClassVar[str] = "all weights"

    @property
    def alone(self) -> str:
        return "it trains all weights, which packed trials share"

    def attach(self, model: "PreTrainedModel") -> "PreTrainedModel":
        model.requires_grad_(True)
        return model

    def save(self, model: "PeftModel", folder: str) -> None:
        model.save_pretrained(folder)
