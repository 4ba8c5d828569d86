"""The weights that are measured and kept are a running mean of those that are trained, a little way back to the base."""

from copy import deepcopy

import pytest
import test_fit
import torch
from test_equality import ROWS, tiny

from byheart.training.layout import padded
from byheart.training.loss import token_scores
from byheart.training.optimizer import AdamW, MasterStep, base_of


def trained(options, steps, then=lambda masters, parameters: None):
    """A small adapter after so many steps; `then` is called after each."""
    torch.manual_seed(0)
    model = tiny()
    parameters = [p for p in model.parameters() if p.requires_grad]
    masters = MasterStep(parameters, options)
    for step in range(steps):
        token_scores(model, padded([ROWS[step % len(ROWS)]], 0))[0].sum().backward()
        masters.step(options.lr)
        then(masters, parameters)
    return masters, parameters


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_mean_over_all_steps_is_the_plain_mean(dtype):
    seen = []
    torch.manual_seed(0)
    weight = torch.randn(5, dtype=dtype).requires_grad_()
    masters = MasterStep([weight], AdamW(lr=0.1, averaging=1.0))
    for _ in range(7):
        (weight.float() ** 2).sum().backward()
        masters.step(0.1)
        seen.append(masters.masters[0].detach().clone())
    assert torch.allclose(masters.means[0], torch.stack(seen).mean(0))
    before = weight.detach().clone()
    with masters.measured():
        assert torch.equal(weight, masters.means[0].to(dtype)) and not torch.equal(weight, before)
    assert torch.equal(weight, before), "training goes on from its own weights"


def test_each_step_counts_by_its_place_whatever_comes_after():
    """An eighth of the steps so far: the first eight are the last step's weights, and the newest of 80 counts a tenth."""
    options = AdamW(averaging=0.125)
    assert [options.newest(step) for step in (1, 8, 16, 80)] == [1, 1, 0.5, 0.1]
    assert AdamW(averaging=0).newest(50) == 1


def test_training_does_not_depend_on_the_mean():
    kept, ways = [], {}
    for averaging in (0.0, 0.125, 1.0):
        masters, _ = trained(AdamW(lr=1e-2, averaging=averaging), 20)
        ways[averaging] = [master.detach().clone() for master in masters.masters]
        kept.append([mean.detach().clone() for mean in masters.means])
    assert all(torch.equal(a, b) for a, b in zip(ways[0.0], ways[1.0], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(ways[0.0], ways[0.125], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(kept[0], ways[0.0], strict=True)), "0: the last step's weights"
    assert not any(torch.equal(a, b) for a, b in zip(kept[1], ways[0.0], strict=True))


def test_a_saved_state_goes_on_with_its_mean():
    options, saved = AdamW(lr=1e-2), {}

    def save(masters, parameters):
        if masters.steps == 12:
            saved.update(deepcopy(masters.state_dict()))

    trained(options, 20, save)
    again = MasterStep([torch.zeros_like(t).requires_grad_() for t in saved["masters"]], options)
    again.load_state_dict(saved)
    assert again.steps == 12
    with again.measured():
        assert all(torch.equal(p, mean) for p, mean in zip(again.parameters, saved["means"], strict=True))
    assert all(torch.equal(p, own) for p, own in zip(again.parameters, saved["masters"], strict=True))


def test_what_lora_adds_is_made_smaller_by_the_share_and_nothing_else():
    model = test_fit.tiny()
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    masters = MasterStep(list(parameters.values()), AdamW(lr=1e-2, averaging=0, toward_base=0.2), base_of(model))
    for row in test_fit.ROWS[:6]:
        token_scores(model, padded([row], 0))[0].sum().backward()
        masters.step(1e-2)
    downs = [name for name in parameters if "lora_A" in name]
    own = {name: (parameters[name.replace("lora_A", "lora_B")] @ parameters[name]).detach() for name in downs}
    with masters.measured():
        for name, product in own.items():
            kept = (parameters[name.replace("lora_A", "lora_B")] @ parameters[name]).detach()
            assert product.norm() > 0 and torch.allclose(kept, 0.8 * product, atol=1e-7)


def test_whole_weights_go_back_towards_those_they_began_with():
    weight = torch.full((3,), 5.0, requires_grad=True)
    model = torch.nn.ParameterDict({"weight": torch.nn.Parameter(weight.detach().clone())})
    masters = MasterStep(list(model.parameters()), AdamW(lr=1.0, averaging=0, toward_base=0.25), base_of(model))
    (model["weight"] ** 2).sum().backward()
    masters.step(1.0)
    assert model["weight"].tolist() == pytest.approx([4.0] * 3)
    masters.conclude()
    assert model["weight"].tolist() == pytest.approx([4.25] * 3)
