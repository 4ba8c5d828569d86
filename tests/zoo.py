"""Tiny random models of many classes on disk, each with a small fast tokenizer and a chat template.

    folder = make(tmp_path / "gemma2", "gemma2")
    model, tokenizer = BaseModel(path=str(folder)).load("float32", "cpu")

CLASSES: what transformers calls the model type, or a name of ours for a variant of it, and the settings that differ from
those that most classes share. Windows and chunks are of WINDOW tokens, so that a row of a toy text reaches beyond.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweep.toy import TEXT

WINDOW = 12
SPECIAL = ("<pad>", "<|im_start|>", "<|im_end|>", "<unk>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_COMMON = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.1,
}  # fmt: skip
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
_NO_DROPOUT = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
_SLIDING = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
_SSM = {"mamba_d_state": 8, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_chunk_size": 8}
_MOE = {"moe_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2}
_LOCAL = {"num_local_experts": 4, "num_experts_per_tok": 2}
_DEEPSEEK = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "num_key_value_heads": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24,
    "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
}  # fmt: skip
_LINEAR = {
    "layer_types": ["linear_attention", "full_attention"], "head_dim": 8, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip
_PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8}
_VISION = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14,
}  # fmt: skip

CLASSES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {"head_dim": 8},
    "gemma": {"head_dim": 8},
    "gemma2": _GEMMA | _SLIDING | {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 2.0},
    "gemma3_text": _GEMMA | _SLIDING,
    "gemma3": {"text_config": _COMMON | _GEMMA | _SLIDING, "vision_config": _VISION, "mm_tokens_per_image": 4},
    "gemma4_text": {
        "head_dim": 8, "global_head_dim": 8, "final_logit_softcapping": 2.0, "hidden_size_per_layer_input": 0,
        "num_kv_shared_layers": 0,
    } | _SLIDING,
    "gpt_oss": {"head_dim": 8, "rope_parameters": _PLAIN_ROPE} | _LOCAL | _SLIDING,
    "mistral": {"sliding_window": WINDOW},
    "ministral": {"sliding_window": WINDOW, "head_dim": 8, "layer_types": _SLIDING["layer_types"]},
    "phi": {},
    "phi3": {"sliding_window": 64},
    "gpt_neox": {"rotary_pct": 0.5},
    "gpt2": _GPT2 | _NO_DROPOUT,
    "gpt2_dropout": _GPT2 | {"model_type": "gpt2"},
    "gptj": _GPT2 | _NO_DROPOUT | {"rotary_dim": 4},
    "gpt_bigcode": _GPT2 | _NO_DROPOUT,
    "gpt_neo": {
        "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": WINDOW,
        "embed_dropout": 0.0, "attention_dropout": 0.0, "resid_dropout": 0.0,
    },
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 48, "dropout": 0.1},
    "bloom": {"n_layer": 2, "n_head": 4},
    "falcon": {"new_decoder_architecture": False, "multi_query": True},
    "falcon_h1": _SSM | {"mamba_d_ssm": 64, "lm_head_multiplier": 0.5, "embedding_multiplier": 2.0, "head_dim": 8},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 512},
    "olmo": {},
    "olmo2": {},
    "olmo3": _SLIDING,
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "granite": {"logits_scaling": 3.0, "embedding_multiplier": 2.0},
    "granitemoe": _LOCAL | {"logits_scaling": 3.0},
    "granitemoehybrid": _LOCAL | _SSM | {"layer_types": ["mamba", "attention"], "shared_intermediate_size": 48},
    "cohere": {"logit_scale": 0.25},
    "cohere2": {"logit_scale": 0.25, "head_dim": 8} | _SLIDING,
    "stablelm": {},
    "starcoder2": {"sliding_window": WINDOW, "embedding_dropout": 0.0, "residual_dropout": 0.0},
    "smollm3": {},
    "qwen2_moe": _MOE | {"shared_expert_intermediate_size": 24},
    "qwen3_moe": _MOE | {"head_dim": 8},
    "mixtral": _LOCAL,
    "phimoe": _LOCAL,
    "mamba": {"state_size": 8},
    "mamba2": {"state_size": 8, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_mamba": {"state_size": 8},
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8},
    "qwen3_5_text": _LINEAR,
    "qwen3_next": _LINEAR | _MOE | {"shared_expert_intermediate_size": 24},
    "bamba": _SSM | {"attn_layer_indices": [1], "num_hidden_layers": 2},
    "jamba": {
        "num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 8, "mamba_dt_rank": 4,
    },
    "nemotron": {},
    "recurrent_gemma": {"attention_window_size": WINDOW, "lru_width": 32, "num_hidden_layers": 3},
    "rwkv": {"attention_hidden_size": 32, "context_length": 512},
    "helium": {"head_dim": 8},
    "glm": {"head_dim": 8},
    "glm4": {"head_dim": 8},
    "ernie4_5": {"head_dim": 8},
    "hunyuan_v1_dense": {"head_dim": 8},
    "deepseek_v2": _DEEPSEEK,
    "deepseek_v3": _DEEPSEEK,
    "llama4_text": _LOCAL | {
        "intermediate_size_mlp": 48, "attention_chunk_size": WINDOW, "head_dim": 8,
        "layer_types": ["chunked_attention", "full_attention"],
    },
    "minimax": _LOCAL | {"layer_types": ["linear_attention", "full_attention"], "head_dim": 8, "block_size": 8},
    "exaone4": _SLIDING,
    "apertus": {"rope_parameters": _PLAIN_ROPE},
    "seed_oss": {"head_dim": 8},
    "diffllama": {},
    "persimmon": {},
    "biogpt": {"hidden_dropout_prob": 0.1},
    "codegen": _GPT2 | _NO_DROPOUT | {"rotary_dim": 4},
    "xglm": {"d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4, "dropout": 0.0},
    "zamba2": {
        "mamba_d_state": 8, "mamba_headdim": 16, "n_mamba_heads": 4, "mamba_ngroups": 1, "chunk_size": 8,
        "layer_types": ["mamba", "hybrid"], "hybrid_layer_ids": [1],
    },
}  # fmt: skip


def tokenizer() -> Any:
    """Byte-level, so that it reads any text; the words of the toy text are mostly one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    raw.train_from_iterator([f"{TEXT} user assistant system What Who When Where"], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<pad>", unk_token="<unk>")
    fast.chat_template = TEMPLATE
    return fast


def build(name: str, seed: int = 0, **changes: object) -> Any:
    """The random model of this name, float32, in eval mode."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    words = tokenizer()
    settings: Mapping[str, Any] = CLASSES[name] | changes
    ends = {"vocab_size": len(words), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    kind = settings.get("model_type", name)
    if "text_config" in settings:  # a wrapper of a language model
        settings = settings | {"text_config": settings["text_config"] | ends}
        config = AutoConfig.for_model(kind, **ends, **settings)
    else:
        shared = {key: value for key, value in _COMMON.items() if not _renamed(kind, key)}
        config = AutoConfig.for_model(kind, **shared | ends | {k: v for k, v in settings.items() if k != "model_type"})
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def make(folder: Path, name: str, seed: int = 0, **changes: object) -> Path:
    """`build` in a folder that `BaseModel` loads."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    build(name, seed, **changes).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def _renamed(kind: str, key: str) -> bool:
    """Whether this class has another name for a common setting, which would be a conflict."""
    from transformers import CONFIG_MAPPING

    return key in CONFIG_MAPPING[kind].attribute_map
