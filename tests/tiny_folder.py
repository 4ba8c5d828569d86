"""A tiny Llama as a folder of files, written without torch: what `save_pretrained` writes, and loads in transformers."""

import json
import random
import struct
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|im_start|>", "<|im_end|>")
WIDTH, LAYERS, WORDS = 16, 2, 258
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "dtype": "float32",
}


def tensors() -> dict[str, list[int]]:
    """The shape of each tensor."""
    shapes = {"model.embed_tokens.weight": [WORDS, WIDTH], "model.norm.weight": [WIDTH]}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{name}_proj.weight": [WIDTH, WIDTH] for name in "qkvo"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": [32, WIDTH] for name in ("gate", "up")}
        shapes |= {f"{at}.mlp.down_proj.weight": [WIDTH, 32]}
        shapes |= {f"{at}.{name}_layernorm.weight": [WIDTH] for name in ("input", "post_attention")}
    return shapes


def write_safetensors(path: Path, shapes: dict[str, list[int]]) -> None:
    """Small random float32 numbers under these names; ones for vectors."""
    draw, header, data = random.Random(0), {"__metadata__": {"format": "pt"}}, b""
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        numbers = [1.0] * count if len(shape) == 1 else [draw.gauss(0, 0.1) for _ in range(count)]
        new = struct.pack(f"<{count}f", *numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(new)]}
        data += new
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_tokenizer(folder: Path) -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    vocab = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    added = [
        {"id": 256 + i, "content": token, "special": True, **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)}
        for i, token in enumerate(SPECIAL)
    ]  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "vocab": vocab, "merges": []}
    write(folder / "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level, "model": model,
    })  # fmt: skip
    write(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[0], "eos_token": SPECIAL[1],
        "pad_token": SPECIAL[1], "model_max_length": 2048,
    })  # fmt: skip


def write_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    write(folder / "config.json", CONFIG)
    write(folder / "generation_config.json", {"eos_token_id": 257, "bos_token_id": 256})
    write_safetensors(folder / "model.safetensors", tensors())
    write_tokenizer(folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def change(path: Path, **values: Any) -> None:
    """Sets keys of a JSON file; None removes one."""
    changed = json.loads(path.read_text()) | values
    write(path, {key: value for key, value in changed.items() if value is not None})
