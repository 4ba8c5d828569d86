"""The base model in memory while a run lasts: untuned, with a new adapter, or with a saved one."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from byheart.errors import gather
from byheart.model.adapters.adapter import Adapter, Full
from byheart.model.adapters.attaching import attach, load_adapter, refuse_damaged_adapter, refuse_unattachable
from byheart.model.adapters.naming import name_base
from byheart.model.base_model import BaseModel
from byheart.model.batching import find_batching
from byheart.model.language import LanguageModel
from byheart.model.memory import release_memory
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.store import said_if_unwritten


class ModelSession:
    """The base model in memory, with or without an adapter on it."""

    def __init__(self, base: BaseModel, dtype: str, device: str):
        self.base, self.dtype, self.device = base, dtype, device
        from transformers import AutoModelForCausalLM  # noqa: F401  # once, as the conversion: not counted

        base.find()
        began = time.monotonic()
        model, self.tokenizer = base.load(dtype, device)
        self.load_seconds = time.monotonic() - began
        self.chat = base.chat(model, self.tokenizer)
        self.batching, self.notes = find_batching(model, self.chat)
        self.model: Any = model  # a transformers model, or peft's wrapper around it
        self.fresh = True  # no adapter was put on it yet
        self.adapter: Adapter = Full()  # the last one that was put on it

    @classmethod
    def load(cls, config: RunConfig, run: Run) -> "ModelSession":
        title = "Converting the model (once) and loading it" if config.model.unconverted else "Loading the model"
        with run.stage("model", title) as note:
            device, dtype = config.trainer.place()
            session = cls(config.model, dtype, device)
            gather(list(config.model_problems()))  # again: now the files of a hub id are here
            refuse_unattachable(config.adapter, session.model)
            size = session.model.num_parameters()  # a quantized tensor holds several in one number
            run.record |= {"device": _device_name(device), "precision": dtype, "model_parameters": size}
            run.record["load_seconds"] = round(session.load_seconds, 2)
            if session.chat.has_clock:
                run.record["template_date"] = config.model.date
            note(f"{config.model.path}: {size / 1e6:.0f} million parameters, {dtype} on {_device_name(device)}")
        for line in session.notes:
            run.note(line)
        return session

    @classmethod
    def refuse_untrainable(cls, config: RunConfig, run: Run) -> None:
        """Raises UserError where the model cannot be loaded and trained. Its memory is free afterwards."""
        cls.load(config, run)._free()

    def untrained(self) -> LanguageModel:
        self._fresh()
        return self.language_model()

    def attach(self, adapter: Adapter, seed: int) -> Any:
        """The base with a new adapter, initialised by the seed."""
        import lightning as L

        self._fresh()
        L.seed_everything(seed, verbose=False)
        self.fresh = False  # also where attaching fails: peft may have replaced some layers by then
        self.model, self.adapter = attach(adapter, self.model), adapter
        return self.model

    def trained(self, folder: Path) -> LanguageModel:
        """The base with the adapter that was saved in `folder`, or the whole model that was saved there."""
        refuse_damaged_adapter(folder)
        if (folder / "adapter_config.json").is_file():
            self._fresh()
            self.model = load_adapter(self.model, folder)
        else:
            self._free()
            self.model, _ = replace(self.base, path=str(folder), revision=None).load(self.dtype, self.device)
        self.fresh = False
        return self.language_model()

    def save(self, folder: Path) -> None:
        """What peft, transformers and vLLM load; whole models where all weights were trained."""
        with said_if_unwritten(folder):
            self.adapter.save(self.model, str(folder))
            name_base(folder)
            self.tokenizer.save_pretrained(str(folder))

    def language_model(self, model: Any = None) -> LanguageModel:
        """The model as it is now; or another one of its class, such as the one that a pack trains."""
        return LanguageModel(self.model if model is None else model, self.chat, self.batching)

    def _fresh(self) -> None:
        if not self.fresh:
            self._free()
            self.model, self.tokenizer = self.base.load(self.dtype, self.device)
            self.fresh = True

    def _free(self) -> None:
        """Ends the model in memory before another is loaded: together they would need twice the memory."""
        self.model = None
        release_memory()


def _device_name(device: str) -> str:
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return device
