"""What is saved loads elsewhere, what is loaded is whole, and no second model lies in memory."""

import json
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

import zoo
from byheart import cli
from byheart.errors import UserError
from byheart.evaluation.recall import Recall
from byheart.evaluation.summary import summarise
from byheart.model.adapters.adapter import Full, Lora
from byheart.model.base_model import BaseModel
from byheart.pipeline.model_session import ModelSession
from byheart.records import Probe
from byheart.training.multi_lora import adapters
from byheart.training.multi_lora.stack import Stack
from sweep.toy import QUICK, furnished

TOKENS = torch.tensor([[4, 5, 6, 7, 8]])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("llama", "gemma3", "mixtral"):
        zoo.make(folder / name, name)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, models):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(models / "llama", "model")
    return tmp_path


def session(path="model"):
    return ModelSession(BaseModel(path=path), "float32", "cpu")


def logits(model):
    with torch.no_grad():
        return model(input_ids=TOKENS).logits


def spoilt(change, **settings):
    """The model's folder with other weights and other settings."""
    file = Path("model/model.safetensors")
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    config = Path("model/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))


def moved_by_training(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.01 * torch.ones_like(parameter))
    return logits(model)


@pytest.mark.parametrize("packed", [False, True], ids=["single", "packed"])
def test_an_adapter_on_a_model_in_a_relative_folder_is_loaded_from_any_other(here, monkeypatch, packed):
    opened = session()
    if packed:
        matrices = {
            name: (a, torch.full_like(b, 0.01))
            for name, (a, b) in adapters.initial(Lora(rank=2), opened.model, 0).items()
        }
        adapters.save(Lora(rank=2), opened.model, matrices, Path("adapter"))
        expected = logits(opened.trained(Path("adapter")).model)
    else:
        expected = moved_by_training(opened.attach(Lora(rank=2), 0))
        opened.save(Path("adapter"))
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    loaded = AutoPeftModelForCausalLM.from_pretrained(str(here / "adapter"))
    assert torch.allclose(logits(loaded), expected, atol=1e-5)
    assert not torch.allclose(expected, logits(session(str(here / "model")).model), atol=1e-3)


def test_an_adapter_names_the_revision_of_its_base(here, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    hub = here / "hub/models--me--tiny"
    shutil.copytree("model", hub / "snapshots" / commit)
    (hub / "refs").mkdir()
    (hub / "refs/v1").write_text(commit)
    for name, value in (("HF_HUB_CACHE", str(here / "hub")), ("HF_HUB_OFFLINE", True)):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    opened = ModelSession(BaseModel(path="me/tiny", revision="v1"), "float32", "cpu")
    expected = moved_by_training(opened.attach(Lora(rank=2), 0))
    opened.save(Path("adapter"))
    assert torch.allclose(logits(AutoPeftModelForCausalLM.from_pretrained("adapter")), expected, atol=1e-5)


def test_adapters_leave_what_no_text_trains_alone(models):
    """A wrapper's vision tower, though its layers have the names of the language model's."""
    path = str(models / "gemma3")
    single = session(path).attach(Lora(rank=2), 0)
    names = {name.partition(".lora_")[0] for name, p in single.named_parameters() if p.requires_grad}
    own = {name.removeprefix("base_model.model.") for name in names}
    assert own and all("language_model.layers" in name for name in own)
    assert len(own) == 2 * 7, "all linear layers of both layers"

    stack = Stack(session(path).model, 2, 2, "all-linear")
    assert set(stack.layers) == own
    named = session(path).attach(Lora(rank=2, targets=("q_proj", "fc1")), 0)
    trained = [name for name, p in named.named_parameters() if p.requires_grad]
    assert trained and all("language_model" in name and "q_proj" in name for name in trained)


def test_stock_peft_finds_the_same_layers_again(models, tmp_path):
    path = str(models / "gemma3")
    opened = session(path)
    expected = moved_by_training(opened.attach(Lora(rank=2), 0))
    opened.save(tmp_path / "adapter")
    loaded = PeftModel.from_pretrained(BaseModel(path=path).load("float32", "cpu")[0], str(tmp_path / "adapter"))
    assert torch.allclose(logits(loaded), expected, atol=1e-6)
    assert not [n for n, _ in loaded.named_parameters() if "lora_" in n and "vision" in n]


@pytest.mark.parametrize("name", ["llama", "mixtral"])
def test_the_adapter_of_a_plain_model_is_described_as_before(models, tmp_path, name):
    opened = session(str(models / name))
    opened.attach(Lora(rank=2), 0)
    opened.save(tmp_path / name)
    saved = json.loads((tmp_path / name / "adapter_config.json").read_text())
    stock = get_peft_model(session(str(models / name)).model, LoraConfig(target_modules="all-linear"))
    assert (
        saved["exclude_modules"] is None and set(saved["target_modules"]) == stock.peft_config["default"].target_modules
    )


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        (lambda w: {k: v for k, v in w.items() if "layers.1." not in k}, {}, r"has no weights for model\.layers\.1\."),
        (lambda w: w, {"num_hidden_layers": 3}, r"has no weights for model\.layers\.2\.\S+, .* and 5 more"),
        (lambda w: w, {"num_hidden_layers": 1}, r"more layers than config\.json says: model\.layers\.1\."),
        (lambda w: w, {"intermediate_size": 64}, r"another size for model\.layers\.0\.mlp\.down_proj"),
        (lambda w: {f"x.{k}": v for k, v in w.items()}, {}, r"has no weights for"),
    ],
    ids=["lacks a layer", "config has more", "config has fewer", "other size", "other names"],
)
def test_a_checkpoint_that_is_not_the_models_is_refused(here, change, settings, said):
    spoilt(change, **settings)
    with pytest.raises(UserError, match=said) as error:
        session()
    assert error.value.problems[0].where == "model.path"


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (lambda w: {k: v for k, v in w.items() if "lm_head" not in k}, {"tie_word_embeddings": True}),
        (lambda w: w | {"vision.encoder.layers.0.weight": torch.zeros(2)}, {}),
    ],
    ids=["tied head", "another part"],
)
def test_what_a_checkpoint_may_lack_or_hold_is_not_refused(here, change, settings):
    spoilt(change, **settings)
    assert logits(session().model).isfinite().all()


def test_a_saved_training_that_is_not_whole_is_refused(here):
    opened = session()
    opened.attach(Lora(rank=2), 0)
    opened.save(Path("adapter"))
    file = Path("adapter/adapter_model.safetensors")
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if "layers.1." not in k}, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"it has no weights for \S+layers\.1\."):
        session().trained(Path("adapter"))
    spoilt(lambda w: {k: v for k, v in w.items() if "layers.1." not in k}, num_hidden_layers=1)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"it has weights for other layers: \S+layers\.1\."):
        session().trained(Path("adapter"))

    opened = session()
    opened.attach(Full(), 0)
    opened.save(Path("whole"))
    file = Path("whole/model.safetensors")
    save_file({k: v for k, v in load_file(file).items() if "layers.0." not in k}, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"has no weights for model\.layers\.0\."):
        session().trained(Path("whole"))


@pytest.fixture
def alive(monkeypatch):
    """The models that were loaded. When one is loaded none of the others may be left."""
    alive, load = [], BaseModel.load

    def counted(self, dtype, device):
        assert not [model for model in alive if model() is not None], "another base is in memory"
        model, tokenizer = load(self, dtype, device)
        alive.append(weakref.ref(model))
        return model, tokenizer

    monkeypatch.setattr(BaseModel, "load", counted)
    return alive


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_run_holds_one_model_at_a_time(tmp_path, monkeypatch, toy_model, alive, adapter):
    monkeypatch.chdir(tmp_path)
    furnished(tmp_path, toy_model)
    words = [word for word in QUICK if adapter == "lora" or "adapter" not in word]
    assert cli.main(["learn", *words, f"adapter={adapter}", "budget=2", "retrain=constant"]) == 0
    assert len(alive) >= 3


def test_an_adapter_that_was_never_trained_scores_as_the_untuned_model(here):
    opened, words = session(), ("Ada", "Otto", "Bern", "tower")
    probes = [
        Probe(f"{kind}{i}", f"where was {word} ?", (words[i - 1],), source=source, group=word, kind=kind)
        for kind, source in (("trained_wording", "trained"), ("heldout_wording", "generated"))
        for i, word in enumerate(words)
    ]
    recall = Recall(max_new_tokens=4)
    untuned = recall.score(opened.untrained(), probes)
    opened.attach(Lora(rank=2), 0)
    opened.save(Path("adapter"))
    scores = summarise(probes, {"untuned": untuned, "tuned": recall.score(opened.trained(Path("adapter")), probes)})
    assert scores["tuned"] == scores["untuned"] and scores["unknown"]["tuned"]["value"] == 0
    for kind in scores["kinds"].values():
        test = kind["tests"]["tuned_vs_untuned"]
        assert (test["value"], test["better"], test["worse"], test["p"]) == (0, 0, 0, 1) and test["low"] < 0 < test[
            "high"
        ]
    gap = scores["derived"]["overfit_gap"]["tuned"]
    assert gap == scores["derived"]["overfit_gap"]["untuned"] and gap["low"] <= 0 == gap["value"] <= gap["high"]


@pytest.mark.parametrize("adapter", [Lora(rank=2), Full()], ids=["lora", "full"])
def test_what_is_loaded_again_computes_the_same(here, alive, adapter):
    opened = session()
    untrained = logits(opened.untrained().model)
    tuned = moved_by_training(opened.attach(adapter, 0))
    opened.save(Path("adapter"))
    assert torch.equal(logits(opened.trained(Path("adapter")).model), tuned)
    assert torch.equal(logits(opened.untrained().model), untrained) and not torch.equal(tuned, untrained)
    opened.attach(adapter, 0)
    assert len(alive) == 3
