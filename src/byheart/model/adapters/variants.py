"""LoRA that learns the length of each weight's rows too (DoRA), and LoRA that starts in a weight's main directions (PiSSA)."""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from byheart.model.adapters.adapter import Lora

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

OWN, START = "default", "start"  # the two peft adapters of a PiSSA model: the trained one, and what it began with
POWER_STEPS = 16  # of the randomised decomposition, as in the paper


@dataclass(frozen=True)
class Dora(Lora):
    """Weight-decomposed low-rank adaptation (arXiv 2402.09353): direction and length of a weight's rows are learned apart."""

    title: ClassVar[str] = "DoRA"

    @property
    def alone(self) -> str:
        return "DoRA scales whole weights, and packed trials share the weights"

    def config(self, model: "PreTrainedModel") -> "LoraConfig":
        config = super().config(model)
        config.use_dora = True
        return config


@dataclass(frozen=True)
class Pissa(Lora):
    """Principal singular values and vectors (arXiv 2404.02948): A and B start as a weight's largest components.

    The paper takes these components out of the weight. Here a second, frozen adapter subtracts them, so that the base stays
    as it is. Both are saved as one LoRA adapter of twice the rank, which stock peft loads on the untouched base.
    """

    title: ClassVar[str] = "PiSSA"

    @property
    def alone(self) -> str:
        return "PiSSA subtracts what its matrices started with, for which a pack has no place"

    def attach(self, model: "PreTrainedModel") -> "PeftModel":
        from peft.tuners.lora import LoraLayer

        wrapped: Any = super().attach(model)
        wrapped.add_adapter(START, deepcopy(wrapped.peft_config[OWN]), autocast_adapter_dtype=False)
        for layer in wrapped.modules():
            if isinstance(layer, LoraLayer) and OWN in layer.lora_A:
                _start(layer, self.rank)
        wrapped.base_model.set_adapter([OWN, START])
        for name, parameter in wrapped.named_parameters():
            if f".{START}." in name:
                parameter.requires_grad_(False)
        return wrapped

    def save(self, model: "PeftModel", folder: str) -> None:
        import torch

        whole = model.state_dict()
        state = {}
        for name in (name for name in whole if f".{OWN}." in name):
            start = whole[name.replace(f".{OWN}.", f".{START}.")]
            state[name] = torch.cat([whole[name], start], dim=0 if "lora_A" in name else 1)
        own: Any = model.peft_config[OWN]
        model.peft_config[OWN] = twice = deepcopy(own)
        twice.r, twice.lora_alpha = 2 * own.r, 2 * own.lora_alpha
        try:
            model.save_pretrained(folder, selected_adapters=[OWN], state_dict=state)
        finally:
            model.peft_config[OWN] = own


def _start(layer: Any, rank: int) -> None:
    """Puts the largest components of the layer's weight into its adapter, and their negative into the frozen one."""
    import torch

    with torch.no_grad():
        weight = layer.get_base_layer().weight.float()
        weight = weight.T if layer.fan_in_fan_out else weight
        count = min(rank, *weight.shape)
        left, sizes, right = torch.svd_lowrank(weight, count, niter=POWER_STEPS)
        signs = torch.sgn(
            left.gather(0, left.abs().argmax(0, keepdim=True))
        )  # else up to the library, which a resume may change
        root = (sizes / layer.scaling[OWN]).sqrt() * signs
        for name, sign in ((OWN, 1), (START, -1)):
            layer.lora_A[name].weight.data[:count].copy_((right * root).T)
            layer.lora_B[name].weight.data[:, :count].copy_(sign * left * root)
