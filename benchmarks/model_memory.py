"""Memory of a LoRA training for each preset, as `estimate=true` computes it; writes the table of docs/guides/one_gpu.md.

    python benchmarks/model_memory.py          with the sizes below
    python benchmarks/model_memory.py --hub    with each model's config.json from the hub

Base model, adapter of rank 16 on all linear layers with its AdamW states, and one step on ROWS rows of TOKENS tokens.
Beside them the CUDA context takes half a GiB.
"""

import sys
from pathlib import Path

import yaml

from byheart.config.folders import conf_folder
from byheart.model import sizes
from byheart.model.adapters.adapter import Lora
from byheart.model.files import shapes
from byheart.training import memory
from byheart.training.optimizer import AdamW

GUIDE = Path(__file__).parents[1] / "docs/guides/one_gpu.md"
START, END = "<!-- table: benchmarks/model_memory.py -->", "<!-- end of table -->"
ROWS, TOKENS, BFLOAT16 = 8, 200, 2
CARDS = (8, 12, 16, 24, 48, 80)  # GiB
CONTEXT = 0.5  # GiB

# As in config.json on the hub: layers, width, inner width of the MLP, heads, heads of keys and values, width of a head,
# vocabulary, whether the head is the embedding.
SIZES = {
    "smollm2_135m": (30, 576, 1536, 9, 3, 64, 49152, True),
    "smollm2_360m": (32, 960, 2560, 15, 5, 64, 49152, True),
    "smollm2_1_7b": (24, 2048, 8192, 32, 32, 64, 49152, True),
    "smollm3_3b": (36, 2048, 11008, 16, 4, 128, 128256, True),
    "qwen2_5_0_5b": (24, 896, 4864, 14, 2, 64, 151936, True),
    "qwen2_5_1_5b": (28, 1536, 8960, 12, 2, 128, 151936, True),
    "qwen2_5_3b": (36, 2048, 11008, 16, 2, 128, 151936, True),
    "qwen2_5_7b": (28, 3584, 18944, 28, 4, 128, 152064, False),
    "qwen3_0_6b": (28, 1024, 3072, 16, 8, 128, 151936, True),
    "qwen3_1_7b": (28, 2048, 6144, 16, 8, 128, 151936, True),
    "qwen3_4b": (36, 2560, 9728, 32, 8, 128, 151936, True),
    "qwen3_8b": (36, 4096, 12288, 32, 8, 128, 151936, False),
    "llama3_2_1b": (16, 2048, 8192, 32, 8, 64, 128256, True),
    "llama3_2_3b": (28, 3072, 8192, 24, 8, 128, 128256, True),
    "llama3_1_8b": (32, 4096, 14336, 32, 8, 128, 128256, False),
    "gemma3_1b": (26, 1152, 6912, 4, 1, 256, 262144, True),
    "gemma3_4b": (34, 2560, 10240, 8, 4, 256, 262208, True),
    "mistral_7b": (32, 4096, 14336, 32, 8, 128, 32768, False),
    "phi4_mini": (32, 3072, 8192, 24, 8, 128, 200064, True),
    "olmo2_1b": (16, 2048, 8192, 16, 16, 128, 100352, False),
    "gpt_oss_20b": (24, 2880, 2880, 64, 8, 64, 201088, False),
}
KEYS = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim",
        "vocab_size", "tie_word_embeddings")  # fmt: skip
MORE = {"gpt_oss_20b": {"num_local_experts": 32, "num_experts_per_tok": 4}}
WHOLE = {"gemma3_4b": 4_300_079_472}  # with its tower for pictures, which is loaded and not trained


def sizes_of(preset: str, hub: bool) -> sizes.ModelSizes:
    config = dict(zip(KEYS, SIZES[preset], strict=True)) | MORE.get(preset, {})
    if hub:
        from byheart.model.files.hub import ask_hub

        path = yaml.safe_load((conf_folder() / f"model/{preset}.yaml").read_text())["model"]["path"]
        config = ask_hub(path).config or config
    found = sizes.of_shapes(shapes.usual_shapes(config), config, WHOLE.get(preset))
    assert found is not None
    return found


def gib(model: sizes.ModelSizes, quantization: str | None, recompute: bool) -> float:
    read = memory.Pass(ROWS * TOKENS, ROWS * TOKENS // 2, ROWS * TOKENS)
    beside = memory.training_bytes(model, model.trained(Lora()), AdamW(), read, BFLOAT16, "cuda", recompute)
    return (model.weight_bytes(BFLOAT16, quantization) + memory.SLACK["cuda"] * beside) / 2**30


def card(needed: float) -> str:
    """The smallest card that holds so many GiB, in GiB."""
    return next((str(size) for size in CARDS if needed + CONTEXT < 0.95 * size), "–")


def row(preset: str, hub: bool) -> str:
    model = sizes_of(preset, hub)
    plain, checkpointed = gib(model, None, False), gib(model, None, True)
    # Experts are stacked matrices, which bitsandbytes does not quantize.
    quantized = gib(model, "nf4", True) if model.chosen == 1 else None
    last = "–" if quantized is None else f"{quantized:.1f}"
    smallest = card(checkpointed if quantized is None else quantized)
    count = f"{model.parameters / 1e9:.2f}"
    return f"| `{preset}` | {count} | {plain:.1f} | {checkpointed:.1f} | {last} | {card(plain)} | {smallest} |"


def main() -> None:
    presets = sorted(path.stem for path in (conf_folder() / "model").glob("*.yaml"))
    assert set(presets) == set(SIZES), f"SIZES lacks, or has too many: {set(presets) ^ set(SIZES)}"
    lines = [
        row(preset, "--hub" in sys.argv)
        for preset in sorted(presets, key=lambda name: sizes_of(name, False).parameters)
    ]
    head = (
        "| preset | billion parameters | GiB | GiB with checkpointing | GiB with nf4 and checkpointing | card, GiB | smallest card, GiB |\n"
        "|---|---|---|---|---|---|---|"
    )
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    GUIDE.write_text("\n".join((before + START, head, *lines, END)) + after, encoding="utf-8")
    print("\n".join((head, *lines)))


if __name__ == "__main__":
    main()
