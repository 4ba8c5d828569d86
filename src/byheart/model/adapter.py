"""What is trained: LoRA matrices on the base model, or all its weights."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class Adapter(Protocol):
    """Wraps a base model; `attach` is called once, after the seed is set."""

    def attach(self, model: "PreTrainedModel") -> "PreTrainedModel | PeftModel":
        """The model to train: only the parameters that require gradients belong to the adapter."""
        ...


@dataclass(frozen=True)
class Lora:
    """Low-rank matrices (arXiv 2106.09685) on all linear layers, MLP included (arXiv 2405.09673), no dropout."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}")

    def attach(self, model: "PreTrainedModel") -> "PeftModel":
        from peft import LoraConfig, get_peft_model

        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        config = LoraConfig(
            r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=targets, task_type="CAUSAL_LM"
        )
        # The adapter keeps the base's dtype (the optimizer holds float32 masters): peft's upcast would run every
        # adapter product in float32 and cast activations back and forth, a third of the step on a CPU.
        return get_peft_model(model, config, autocast_adapter_dtype=False)


@dataclass(frozen=True)
class Full:
    """Full fine-tuning: every weight of the base is trained and saved."""

    def attach(self, model: "PreTrainedModel") -> "PreTrainedModel":
        model.requires_grad_(True)
        return model
