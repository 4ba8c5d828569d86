"""Each optimizer learns, is scheduled and resumes as AdamW does; so does each adapter with it."""

import importlib.util
from dataclasses import replace

import pytest
import torch
from test_fit import CHOOSE, ROWS, numbers

import zoo
from byheart.model.adapters.adapter import Full, Lora
from byheart.model.adapters.variants import Dora, Pissa
from byheart.training.job import Hooks, TrainJob
from byheart.training.optimizer import AdamW
from byheart.training.optimizer_choices import Adafactor, AdamW8bit, Muon, ScheduleFree, Sgd
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer, _recomputing

LORA = Lora(rank=2, alpha=4)
DORA, PISSA = Dora(rank=2, alpha=4), Pissa(rank=2, alpha=4)
PACKAGES = {ScheduleFree: "schedulefree", AdamW8bit: "bitsandbytes"}
PAIRS = [
    (Adafactor(lr=1e-2), LORA), (Muon(lr=3e-2), DORA), (Sgd(lr=1.0), LORA), (ScheduleFree(lr=3e-2), LORA),
    (AdamW8bit(lr=1e-2), Full()), (AdamW(lr=1e-2), DORA), (AdamW(lr=1e-2), PISSA), (Adafactor(lr=1e-3), Full()),
]  # fmt: skip


def fit(folder, optimizer, adapter, epochs=4, schedule="constant", **hooks):
    train_job = TrainJob(ROWS, CHOOSE, 4, epochs, 0, schedule, "row_mean", 0)
    model = zoo.build("llama", initializer_range=0.5, num_hidden_layers=1)
    torch.manual_seed(1)
    model = adapter.attach(model)
    options = train_job, optimizer, Stopping(patience=None, checks_per_epoch=1), folder, Hooks(**hooks)
    return Trainer(device="cpu", precision="float32").fit(model, *options), model


@pytest.mark.parametrize(("optimizer", "adapter"), PAIRS, ids=lambda each: type(each).__name__)
def test_it_learns_and_a_killed_training_goes_on_bit_for_bit_to_its_end_and_beyond(tmp_path, optimizer, adapter):
    if (package := PACKAGES.get(type(optimizer))) and not importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed")
    whole, whole_model = fit(tmp_path / "whole", optimizer, adapter)
    assert whole.curve[-1].train_loss < 0.8 * whole.curve[0].train_loss

    class Killed(Exception):
        pass

    def die(step, steps):
        if step == 9:
            raise Killed

    with pytest.raises(Killed):
        fit(tmp_path / "cut", optimizer, adapter, epochs=2, on_step=die)
    assert fit(tmp_path / "cut", optimizer, adapter, epochs=2)[0].state == "finished"
    resumed, model = fit(tmp_path / "cut", optimizer, adapter)
    assert numbers(resumed.curve) == numbers(whole.curve)
    for a, b in zip(whole_model.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_schedule_and_warm_up_reach_every_optimizer():
    for optimizer in (Adafactor(warmup=0.5), Muon(warmup=0.5), Sgd(warmup=0.5)):
        weights = [torch.ones(3, 3, requires_grad=True), torch.ones(3, requires_grad=True)]
        built = optimizer.build(weights)
        assert [optimizer.rate(step, 4, "linear") for step in range(4)] == [5e-4, 1e-3, 1e-3, 5e-4]
        before = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        for group in built.param_groups:
            group["lr"] = 0.0
        built.step()
        assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True)), type(optimizer)


@pytest.mark.parametrize("package", ["schedulefree", "bitsandbytes"])
def test_a_package_that_is_not_installed_is_named_with_its_command(monkeypatch, package):
    kind = next(kind for kind, name in PACKAGES.items() if name == package)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (problem,) = kind().problems()
    assert f"pip install {package}" in problem.fix and problem.where == "optimizer"
    monkeypatch.undo()
    assert AdamW().problems() == [] == Sgd().problems()


def test_what_schedule_free_keeps_is_its_own_mean(tmp_path):
    schedulefree = pytest.importorskip("schedulefree")
    torch.manual_seed(0)
    own, stock = (torch.ones(4, requires_grad=True) for _ in range(2))
    from byheart.training.optimizer import MasterStep

    masters = MasterStep([own], ScheduleFree(lr=0.1, clip=None, toward_base=0))
    other = schedulefree.AdamWScheduleFree([stock], lr=0.1)
    other.train()
    for target in torch.randn(9, 4):
        for weight in (own, stock):
            ((weight - target) ** 2).sum().backward()
        masters.step(0.1)
        other.step()
        other.zero_grad()
    other.eval()
    with masters.measured():
        assert torch.allclose(own, stock, atol=1e-6)
    assert not torch.allclose(own, stock, atol=1e-3), "training goes on from its own weights"


def test_only_lora_with_adamw_and_without_dropout_or_experts_packs():
    together = [(LORA, AdamW()), (replace(LORA, targets="mlp"), AdamW())]
    apart = [(LORA, optimizer) for optimizer, _ in PAIRS[:5]]
    apart += [(adapter, AdamW()) for adapter in (DORA, PISSA, Full(), replace(LORA, dropout=0.1), Lora(experts=True))]
    assert not any(adapter.alone or optimizer.alone for adapter, optimizer in together)
    assert all(adapter.alone or optimizer.alone for adapter, optimizer in apart)


def test_gradient_checkpointing_computes_layers_twice_and_changes_nothing(tmp_path):
    passes, found = {}, {}
    for recompute in (False, True):
        passes[recompute] = 0

        def count(layer, given, output, recompute=recompute):
            passes[recompute] += layer.training and torch.is_grad_enabled()  # not while the model is asked

        model = zoo.build("llama", initializer_range=0.5, num_hidden_layers=1)
        torch.manual_seed(1)
        model = Lora(rank=2, alpha=4, dropout=0.3).attach(model)  # its random numbers must come again too
        model.get_submodule("base_model.model.model.layers.0.mlp.up_proj").register_forward_hook(count)
        job = TrainJob(ROWS, CHOOSE, 4, 1, 0, "constant", "row_mean", 0)
        trainer = Trainer(device="cpu", precision="float32", gradient_checkpointing=recompute)
        result = trainer.fit(model, job, AdamW(lr=1e-2), Stopping(patience=None), tmp_path / str(recompute))
        found[recompute] = numbers(result.curve), [p.clone() for p in model.parameters()]
        assert not model.is_gradient_checkpointing, "validation and answers use the cache again"
    assert passes[True] - passes[False] == result.steps
    assert found[True][0] == found[False][0]
    assert all(torch.equal(a, b) for a, b in zip(found[True][1], found[False][1], strict=True))


@pytest.mark.parametrize("kind", ["gemma2", "gpt_oss", "lfm2", "opt"])
def test_gradients_of_recomputed_layers_are_equal(kind):
    gradients = []
    for wanted in (False, True):
        torch.manual_seed(0)
        model = LORA.attach(zoo.build(kind)).train()
        with _recomputing(model, wanted):
            torch.manual_seed(1)  # OPT has dropout
            model(input_ids=torch.arange(4, 24)[None]).logits.square().mean().backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    assert any(float(gradient.norm()) > 0 for gradient in gradients[0])
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(*gradients, strict=True))
