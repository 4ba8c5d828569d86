"""The base model in memory while a run lasts: untuned, with a new adapter, or with a saved one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from byheart.model.adapter import Adapter
from byheart.model.base_model import BaseModel
from byheart.model.language import LanguageModel
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.store import said_if_unwritten


class ModelSession:
    """The base model in memory, with or without an adapter on it."""

    def __init__(self, base: BaseModel, dtype: str, device: str):
        self.base, self.dtype, self.device = base, dtype, device
        model, self.tokenizer = base.load(dtype, device)
        self.model: Any = model  # a transformers model, or peft's wrapper around it
        self.fresh = True  # no adapter was put on it yet

    @classmethod
    def load(cls, config: RunConfig, run: Run) -> "ModelSession":
        title = "Converting the model (once) and loading it" if config.model.unconverted else "Loading the model"
        with run.stage("model", title) as note:
            device, dtype = config.trainer.place()
            session = cls(config.model, dtype, device)
            size = sum(p.numel() for p in session.model.parameters())
            run.record |= {"device": _device_name(device), "precision": dtype, "model_parameters": size}
            note(f"{config.model.path}: {size / 1e6:.0f} million parameters, {dtype} on {_device_name(device)}")
        return session

    def untrained(self) -> LanguageModel:
        self._fresh()
        return self.language_model()

    def attach(self, adapter: Adapter, seed: int) -> Any:
        """The base with a new adapter, initialised by the seed."""
        import lightning as L

        self._fresh()
        L.seed_everything(seed, verbose=False)
        self.model, self.fresh = adapter.attach(self.model), False
        return self.model

    def trained(self, folder: Path) -> LanguageModel:
        """The base with the adapter that was saved in `folder`."""
        self._fresh()
        if (folder / "adapter_config.json").is_file():
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, str(folder), autocast_adapter_dtype=False).eval()
        else:
            self.model, _ = replace(self.base, path=str(folder)).load(self.dtype, self.device)
        self.fresh = False
        return self.language_model()

    def save(self, folder: Path) -> None:
        """What peft, transformers and vLLM load; whole models where all weights were trained."""
        with said_if_unwritten(folder):
            self.model.save_pretrained(str(folder))
            self.tokenizer.save_pretrained(str(folder))

    def language_model(self) -> LanguageModel:
        return LanguageModel(self.model, self.tokenizer)

    def _fresh(self) -> None:
        if not self.fresh:
            self.model, self.tokenizer = self.base.load(self.dtype, self.device)
            self.fresh = True


def _device_name(device: str) -> str:
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return device
