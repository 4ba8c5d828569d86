"""Each model preset: composed as a user composes it, trained for a step, asked a question; its rate gives way to the user's."""

from pathlib import Path

import pytest
import torch
import yaml

import zoo
from byheart.config.compose import read_request
from byheart.config.folders import conf_folder
from byheart.interface import check
from byheart.model.language import LanguageModel
from byheart.training.layout import Row, padded
from byheart.training.loss import token_scores
from byheart.training.optimizer import MasterStep

PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((conf_folder() / "model").glob("*.yaml"))}
CLASSES = {  # what transformers calls the class that each of them loads
    "llama": ("smollm2_360m", "smollm2_1_7b", "llama3_2_1b", "llama3_2_3b", "llama3_1_8b"), "smollm3": ("smollm3_3b",),
    "qwen2": ("qwen2_5_0_5b", "qwen2_5_1_5b", "qwen2_5_3b", "qwen2_5_7b"), "gemma3_text": ("gemma3_1b",),
    "qwen3": ("qwen3_0_6b", "qwen3_1_7b", "qwen3_4b", "qwen3_8b"), "gemma3": ("gemma3_4b",), "mistral": ("mistral_7b",),
    "phi3": ("phi4_mini",), "olmo2": ("olmo2_1b",), "gpt_oss": ("gpt_oss_20b",),
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The ball is round. A player may kick it.\n")


def composed(*words):
    return check(read_request(["documents=a.txt", *words]))[0][0]


def test_each_preset_names_a_hub_id_and_a_class_of_the_toy_models():
    assert {*PRESETS} - {"smollm2_135m"} == {name for names in CLASSES.values() for name in names}
    for name, preset in PRESETS.items():
        if name != "smollm2_135m":
            owner, _, model = preset["model"]["path"].partition("/")
            assert owner and model and "/" not in model and 1e-4 <= preset["lr"] <= 1e-3, name


@pytest.mark.parametrize("kind", CLASSES)
def test_a_preset_with_a_local_folder_trains_and_answers(kind, tmp_path):
    name = CLASSES[kind][0]
    folder = zoo.make(tmp_path / "model", kind)
    config = composed(f"model={name}", f"model.path={folder}")
    assert config.lr == config.optimizer.lr == PRESETS[name]["lr"]
    base, tokenizer = config.model.load("float32", "cpu")
    torch.manual_seed(0)
    model = config.adapter.attach(base).train()
    chat = config.model.chat(base, tokenizer)
    prompt = chat.prompt("Where was Ada born?")
    batch = padded([Row([*prompt, *chat.answer("Bern")], len(prompt))], tokenizer.pad_token_id)
    masters = MasterStep([p for p in model.parameters() if p.requires_grad], config.optimizer)
    losses = []
    for _ in range(2):
        loss = token_scores(model, batch)[0].sum()
        loss.backward()
        losses.append(float(loss.detach()))
        masters.step(config.lr)
    assert losses[1] < losses[0]
    (answer,) = LanguageModel(model, chat).answer(["Where was Ada born?"], 4)
    assert isinstance(answer, str)


def test_what_the_user_says_comes_after_what_the_preset_proposes():
    assert composed("model=mistral_7b").lr == 3e-4
    assert composed("model=mistral_7b", "lr=2e-3").lr == 2e-3
    assert composed("lr=2e-3", "model=mistral_7b").lr == 2e-3
    assert composed().lr == 1e-3
    Path("mine").mkdir()
    Path("mine/own.yaml").write_text("defaults: [learn, {override model: mistral_7b}, _self_]\nlr: 7.0e-4\n")
    assert composed("-cd", "mine", "-cn", "own").lr == 7e-4
    Path("mine/other.yaml").write_text("defaults: [learn, _self_]\nlr: 7.0e-4\n")
    assert composed("-cd", "mine", "-cn", "other", "model=mistral_7b").lr == 7e-4


def test_a_model_in_the_hubs_cache_is_loaded_without_a_network(tmp_path, monkeypatch):
    hub_id = PRESETS["qwen3_0_6b"]["model"]["path"]
    cached = tmp_path / "hub" / f"models--{hub_id.replace('/', '--')}"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    zoo.make(cached / "snapshots" / "abc", "qwen3")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model, tokenizer = composed("model=qwen3_0_6b").model.load("float32", "cpu")
    assert type(model).__name__ == "Qwen3ForCausalLM" and tokenizer.chat_template
