"""How a saved adapter is loaded elsewhere: by peft, transformers' server and vLLM. The lines are typed in its folder."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the values of --max-lora-rank
MERGED = "merged"


@dataclass(frozen=True)
class Way:
    title: str
    about: str
    language: str  # of `lines`: python or bash
    lines: str


@dataclass(frozen=True)
class Saved:
    """An adapter, or a whole model, as it was saved. `settings`: adapter_config.json, empty for a whole model."""

    name: str  # for a server: of the run
    base: str  # a hub id, or the name of a local folder
    on_hub: bool
    settings: Mapping[str, Any]
    question: str
    ends: Sequence[int] = ()  # tokens that end an answer
    variables: Mapping[str, Any] = field(default_factory=dict)  # of the chat template
    own_template: bool = False  # not the one of the base model

    @property
    def rank(self) -> int:
        ranks = (self.settings.get("r", 0), *(self.settings.get("rank_pattern") or {}).values())
        return max(map(int, ranks))

    @property
    def merged_only(self) -> str:
        """Why vLLM does not load it as an adapter; "" where it does."""
        if self.settings.get("use_dora"):
            return "vLLM does not load DoRA"
        if self.settings.get("target_parameters"):
            return "vLLM does not load adapters on the stacked matrices of experts"
        return f"its rank is above {VLLM_RANKS[-1]}" if self.rank > VLLM_RANKS[-1] else ""

    def ways(self) -> list[Way]:
        if not self.settings:
            return [
                self._python(),
                Way("transformers' server", SERVER, "bash", 'transformers serve "$PWD"'),
                self._vllm(),
            ]
        merge = Way("In one model", "For programs that load no adapters; behind the lines for peft.", "python", MERGE)
        served = Way(
            "transformers' server",
            f"It loads no adapters: merge first. {SERVER}",
            "bash",
            f'transformers serve "$PWD/{MERGED}"',
        )
        return [self._python(), merge, served, self._vllm()]

    def _python(self) -> Way:
        kind = "AutoPeftModelForCausalLM" if self.settings else "AutoModelForCausalLM"
        imports = ["from transformers import AutoTokenizer", f"from peft import {kind}"]
        if not self.settings:
            imports = [f"from transformers import {kind}, AutoTokenizer"]
        variables = "".join(f", {name}={value!r}" for name, value in self.variables.items())
        ends = f", eos_token_id={list(self.ends)}" if self.ends else ""
        about = "" if self.on_hub or not self.settings else "Where the base model is not found: " + ELSEWHERE
        return Way("peft" if self.settings else "transformers", about, "python", PYTHON.format(
            imports="\n".join(sorted(imports)), kind=kind, question=self.question, variables=variables, ends=ends
        ))  # fmt: skip

    def _vllm(self) -> Way:
        template = ' --chat-template "$PWD/chat_template.jinja"' if self.own_template and self.settings else ""
        if not self.settings:
            return Way("vLLM", "", "bash", 'vllm serve "$PWD"')
        if self.merged_only:
            return Way("vLLM", f"{self.merged_only}: merge first.", "bash", f'vllm serve "$PWD/{MERGED}"')
        base = shlex.quote(self.base) if self.on_hub else "BASE"
        revision = f" --revision {self.settings['revision']}" if self.on_hub and self.settings.get("revision") else ""
        rank = next(rank for rank in VLLM_RANKS if rank >= self.rank)
        line = f'vllm serve {base}{revision}{template} --enable-lora \\\n  --lora-modules {self.name}="$PWD" --max-lora-rank {rank}'
        about = f"Requests name the model `{self.name}`."
        return Way("vLLM", about if self.on_hub else f"{about} BASE: the folder of the base model.", "bash", line)


SERVER = 'Its package: `pip install "transformers[serving]"`.'
ELSEWHERE = '`PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), ".")`, with its folder for BASE.'
PYTHON = """\
{imports}

model = {kind}.from_pretrained(".", dtype="auto").eval()  # this folder
tokenizer = AutoTokenizer.from_pretrained(".")
turns = [{{"role": "user", "content": {question!r}}}]
prompt = tokenizer.apply_chat_template(
    turns, add_generation_prompt=True, return_tensors="pt", return_dict=True{variables}
)
row = model.generate(**prompt, max_new_tokens=256, do_sample=False{ends})[0]
print(tokenizer.decode(row[prompt["input_ids"].shape[1] :], skip_special_tokens=True))"""
MERGE = f"""\
model.merge_and_unload().save_pretrained("{MERGED}")
tokenizer.save_pretrained("{MERGED}")"""
