"""Base weights of fewer bits, through bitsandbytes; the adapter and its optimizer keep their precision."""

from logging import getLogger
from typing import TYPE_CHECKING, Any

from byheart.errors import Problem, UserError, missing_package

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

NF4, INT8 = "nf4", "int8"
WHERE = "model.quantization"


def quantization_problems(kind: str | None) -> list[Problem]:
    """What can be known without torch."""
    if kind not in (None, NF4, INT8):
        return [Problem(f"must be {NF4}, {INT8} or null", WHERE, str(kind), f"{WHERE}={NF4}")]
    return missing_package("bitsandbytes", WHERE, kind) if kind else []


def load_options(kind: str | None, config: "PreTrainedConfig", dtype: str, device: str) -> dict[str, Any]:
    """What `from_pretrained` needs for weights of this kind, straight on the device. Nothing for plain weights."""
    import torch
    from transformers.utils.quantization_config import BitsAndBytesConfig, Mxfp4Config

    saved = getattr(config, "quantization_config", None) or {}
    if kind and saved:
        what = f"the model's weights are quantized already ({saved.get('quant_method', 'bitsandbytes')})"
        raise UserError(Problem(what, WHERE, kind, f"{WHERE}=null"))
    if saved.get("quant_method") == "mxfp4":  # of gpt-oss; transformers' kernels for it have no backward pass
        return {"quantization_config": Mxfp4Config(dequantize=True)}
    if kind is None:
        return {}
    getLogger("bitsandbytes").setLevel("ERROR")  # else it tells at each layer that inputs are cast
    if kind == NF4:  # QLoRA (arXiv 2305.14314)
        own = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, dtype),
        )
    else:
        own = BitsAndBytesConfig(load_in_8bit=True)  # LLM.int8 (arXiv 2208.07339)
    return {"quantization_config": own, "device_map": {"": device}}


def rounding_of(model: "torch.nn.Module") -> float:
    """The relative rounding of the numbers that a model computes with.

    A quantized base is judged as one of eight bits: LLM.int8 rounds what a layer reads, and otherwise beside other rows.
    """
    import torch

    dtype = next(parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    return max(torch.finfo(dtype).eps, 2**-7 if getattr(model, "is_quantized", False) else 0.0)


def keep_trainable(model: "PreTrainedModel") -> None:
    """Stops bitsandbytes from packing weights for a CPU at the first answer: what is packed passes no gradients on."""
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
