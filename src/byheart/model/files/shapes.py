"""The tensors of a model that is not on this machine: their shapes by config.json, or by the size in its name."""

import re
from typing import Any

from byheart.model.files.weights import Shapes

_NAMES = {  # what the configs of transformers call the same number
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "width": ("hidden_size", "n_embd", "d_model", "dim"),
    "inner": ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads"),
    "head": ("head_dim",),
    "vocabulary": ("vocab_size",),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "chosen": ("num_experts_per_tok", "num_experts_per_token", "moe_topk"),
    "expert_inner": ("moe_intermediate_size", "intermediate_size"),
}
PLAIN = ("gelu_new", "gelu", "relu")  # activations of MLPs with two matrices; the others have a gate too


def number(config: dict[str, Any], name: str) -> int | None:
    """A size of the language model by config.json; the largest where it has one for each layer."""
    text = config.get("text_config")
    for part in (text if isinstance(text, dict) else {}, config):
        for key in _NAMES[name]:
            found = part.get(key)
            if isinstance(found, list) and found and all(isinstance(each, int) for each in found):
                found = max(found)
            if isinstance(found, int) and not isinstance(found, bool) and found > 0:
                return found
    return None


def usual_shapes(config: dict[str, Any]) -> Shapes:
    """As a Llama of these sizes would have; empty where config.json does not name them."""
    layers, width, vocabulary = (number(config, name) for name in ("layers", "width", "vocabulary"))
    if not layers or not width or not vocabulary:
        return {}
    heads = number(config, "heads") or 1
    size = number(config, "head") or max(1, width // heads)
    queries, keys = heads * size, (number(config, "kv_heads") or heads) * size
    inner, experts = number(config, "inner") or 4 * width, number(config, "experts")
    text = config["text_config"] if isinstance(config.get("text_config"), dict) else config
    ups = ("up",) if text.get("hidden_act", text.get("activation_function")) in PLAIN else ("gate", "up")
    shapes: Shapes = {"model.embed_tokens.weight": (vocabulary, width)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (keys, width) for name in "kv"}
        shapes |= {f"{at}.self_attn.q_proj.weight": (queries, width), f"{at}.self_attn.o_proj.weight": (width, queries)}
        if experts:
            own = number(config, "expert_inner") or inner
            shapes |= {f"{at}.mlp.experts.{name}_proj": (experts, own, width) for name in (*ups, "down")}
        else:
            shapes |= {f"{at}.mlp.{name}_proj.weight": (inner, width) for name in ups}
            shapes[f"{at}.mlp.down_proj.weight"] = (width, inner)
    if not text.get("tie_word_embeddings", config.get("tie_word_embeddings", False)):
        shapes["lm_head.weight"] = (vocabulary, width)
    return shapes


def named_size(path: str) -> int | None:
    """The parameters that a name tells: "Qwen3-4B", "SmolLM2-135M", "qwen2.5-0.5b"."""
    found = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.sub(r"[-_/]", " ", path.lower()))
    return round(float(found[-1][0]) * {"b": 1e9, "m": 1e6}[found[-1][1]]) if found else None


def usual_config(parameters: int) -> dict[str, Any]:
    """The sizes of a usual model with so many parameters: about one layer for each 80 of its width."""
    width = max(64, round((80 * parameters / 12) ** (1 / 3) / 64) * 64)
    layers = max(1, round(parameters / (12 * width**2)))
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": round(2.67 * width),
        "num_attention_heads": max(1, width // 128),
        "vocab_size": 100_000,
        "tie_word_embeddings": True,
    }
