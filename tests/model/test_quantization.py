"""A base in four or eight bits: learned on, answered with, and what cannot be had on it is said before."""

import importlib.util
from pathlib import Path

import pytest
import torch

import zoo
from byheart.config.compose import read_request
from byheart.errors import UserError
from byheart.interface import check
from byheart.model.adapters.adapter import Lora
from byheart.model.base_model import BaseModel
from byheart.model.language import LanguageModel
from byheart.pipeline.model_session import ModelSession
from byheart.store import content_key
from byheart.training.job import TrainJob
from byheart.training.layout import Row
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

ROWS = [Row([1, 2, 3, 5 + i, 7 + i, 9 + i, 2], 4) for i in range(8)]
installed = pytest.mark.skipif(not importlib.util.find_spec("bitsandbytes"), reason="bitsandbytes is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return zoo.make(
        tmp_path_factory.mktemp("model") / "llama",
        "llama",
        hidden_size=64,
        intermediate_size=128,
        initializer_range=0.3,
    )


@installed
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_it_is_trained_with_float32_masters_saved_and_loaded_again(folder, kind, dtype, tmp_path):
    base = BaseModel(path=str(folder), quantization=kind)
    session = ModelSession(base, dtype, "cpu")
    plain, _ = BaseModel(path=str(folder)).load(dtype, "cpu")
    assert session.model.get_memory_footprint() < plain.get_memory_footprint()
    assert session.model.num_parameters() == plain.num_parameters()
    model = session.attach(Lora(rank=4, alpha=8), seed=0)
    job = TrainJob(ROWS, ROWS[:2], 4, 8, 0, "constant", "row_mean", 0)
    trainer = Trainer(device="cpu", precision=dtype)
    result = trainer.fit(model, job, AdamW(lr=1e-2), Stopping(patience=None, checks_per_epoch=1), tmp_path)
    assert result.curve[-1].train_loss < 0.8 * result.curve[0].train_loss
    saved = torch.load(next(tmp_path.glob("checkpoint/step-*/training.pt")), weights_only=True)
    assert {master.dtype for master in saved["optimizer"]["masters"]} == {torch.float32}
    tokens = torch.tensor([ROWS[0].tokens])
    with torch.no_grad():
        tuned = model.eval()(tokens).logits.float()
        session.save(tmp_path / "adapter")
        loaded = session.trained(tmp_path / "adapter")
        again = loaded.model(tokens).logits.float()
    assert isinstance(loaded, LanguageModel) and (again - tuned).abs().max() < 0.05 * tuned.abs().max()
    (answer,) = loaded.answer(["Where was Ada born?"], 3)
    assert isinstance(answer, str)


@installed
@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_an_answer_leaves_the_gradients_as_they_were(folder, kind):
    """On a CPU with bfloat16 bitsandbytes packs weights when it answers, and packed weights pass no gradients on."""
    base = BaseModel(path=str(folder), quantization=kind)
    loaded, tokenizer = base.load("bfloat16", "cpu")  # a session would let it answer at once
    model = Lora(rank=4, alpha=8).attach(loaded)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.01)
    gradients = []
    for answers in (False, True):
        if answers:
            LanguageModel(model, base.chat(loaded, tokenizer)).answer(["Where was Ada born?"], 2)
        model.train().zero_grad()
        model(torch.tensor([ROWS[0].tokens])).logits.float().square().mean().backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    assert all(torch.allclose(a, b, rtol=0.02, atol=1e-4) for a, b in zip(*gradients, strict=True))
    assert all(float(gradient.norm()) > 0 for gradient in gradients[0])


def problems(*words):
    with pytest.raises(UserError) as caught:
        check(read_request(["documents=a.txt", *words]))
    return {problem.where: problem for problem in caught.value.problems}


def test_what_cannot_be_had_on_it_is_said_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("The ball is round.\n")
    assert problems("model.quantization=int4")["model.quantization"].fix == "model.quantization=nf4"
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "bitsandbytes" else find(name, *more)
    )
    assert "pip install bitsandbytes" in problems("model.quantization=nf4")["model.quantization"].fix
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: True if name == "bitsandbytes" else find(name, *more)
    )
    for adapter, kind in (("full", "nf4"), ("pissa", "int8"), ("dora", "int8")):
        assert "adapter=lora" in problems(f"adapter={adapter}", f"model.quantization={kind}")["model.quantization"].fix
    (config, *_), *_ = check(read_request(["documents=a.txt", "adapter=dora", "model.quantization=nf4"]))
    assert "quantized" in config.alone


def test_plain_weights_have_the_key_that_they_had():
    assert content_key(BaseModel(quantization=None)) == content_key(BaseModel())
    assert content_key(BaseModel(quantization="nf4")) != content_key(BaseModel())


def test_the_experts_of_gpt_oss_are_unpacked_to_be_trained(tmp_path):
    """The hub's weights are in MXFP4: 32 numbers of four bits with one scale, for which there is no backward pass."""
    import json

    from safetensors.torch import load_file, save_file

    folder = zoo.make(tmp_path / "model", "gpt_oss", intermediate_size=64)
    weights = load_file(folder / "model.safetensors")
    for name in [name for name in weights if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, inner, outer = weights.pop(name).shape
        torch.manual_seed(0)
        weights[f"{name}_blocks"] = torch.randint(0, 256, (experts, outer, -(-inner // 32), 16), dtype=torch.uint8)
        weights[f"{name}_scales"] = torch.full((experts, outer, -(-inner // 32)), 122, dtype=torch.uint8)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}
    (folder / "config.json").write_text(json.dumps(config))
    model, _ = BaseModel(path=str(folder)).load("bfloat16", "cpu")
    expert = next(p for name, p in model.named_parameters() if name.endswith("experts.gate_up_proj"))
    assert expert.dtype == torch.bfloat16 and expert.ndim == 3 and float(expert.abs().max()) > 0
    trained = Lora(rank=2, alpha=4, experts=True).attach(model).train()
    trained(input_ids=torch.arange(4, 16)[None]).logits.float().square().mean().backward()
    assert any(p.grad is not None and p.grad.any() for name, p in trained.named_parameters() if "experts" in name)
    with pytest.raises(UserError, match="quantized already"):
        BaseModel(path=str(folder), quantization="nf4").load("bfloat16", "cpu")
