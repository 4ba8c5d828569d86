"""Whether trials can share a pass of a model: asked of tiny models of many classes, and never of their names."""

import pytest
import torch

import zoo
from byheart.model.adapters.adapter import Lora
from byheart.training.multi_lora import trainer
from byheart.training.multi_lora.packable import why_alone


def why(name, dtype=torch.float32, targets="all-linear", **changes):
    torch.manual_seed(0)
    return why_alone(zoo.build(name, **changes).to(dtype), Lora(rank=2, alpha=4, targets=targets))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "gpt_oss", "lfm2", "bloom", "falcon"])
def test_plain_layers_pack_whatever_the_attention(name, dtype):
    assert why(name, dtype) is None


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("gpt2", {}, "Conv1D"),
        ("mixtral", {}, "linear layers only"),
        ("opt", {}, "random numbers"),
        ("llama", {"attention_dropout": 0.1}, "random numbers"),
        ("llama", {"targets": ("lm_head", "q_proj")}, "other losses or gradients"),
        ("llama", {"targets": ("lm_head",), "tie_word_embeddings": True}, "other losses or gradients"),
        ("llama", {"targets": ("embed_tokens",)}, "linear layers only"),
        ("llama", {"targets": r".*\.(q|v)_proj"}, None),
    ],
)
def test_what_cannot_share_a_pass_says_why(name, changes, said):
    found = why(name, **changes)
    assert found is None if said is None else said in found


def test_asking_leaves_the_model_and_the_random_numbers_as_they_were():
    model = zoo.build("llama").train()
    model.lm_head.weight.requires_grad_(False)
    before, names = {k: v.clone() for k, v in model.state_dict().items()}, [n for n, _ in model.named_modules()]
    torch.manual_seed(3)
    why_alone(model, Lora(rank=2, alpha=4))
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2)) and [n for n, _ in model.named_modules()] == names
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items()) and model.training
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == ["lm_head.weight"]


def test_asking_attaches_one_adapter_and_the_packs_of_a_model_ask_no_more(monkeypatch):
    asked = []

    def count(place, name):
        own = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given: asked.append(name) or own(*given))

    count(Lora, "attach")
    count(trainer, "find_path")
    model, lora = zoo.build("llama"), Lora(rank=2, alpha=4)
    assert why_alone(model, lora) is None
    for slots in (1, 2):
        with trainer.PackedTrainer(model, slots, 4):
            pass
    assert sorted(asked) == ["attach", "find_path"]


def test_a_model_is_given_back_as_it_was_found_part_by_part():
    model = zoo.build("llama").train()
    model.model.layers[0].eval()
    model.model.embed_tokens.weight.requires_grad_(False)
    before = [part.training for part in model.modules()], [p.requires_grad for p in model.parameters()]
    why_alone(model, Lora(rank=2, alpha=4))
    with trainer.PackedTrainer(model, 1, 2):
        assert not any(part.training for part in model.modules())
    with pytest.raises(ValueError, match="no_such_layer"):
        trainer.PackedTrainer(model, 1, 2, ("no_such_layer",))
    assert ([part.training for part in model.modules()], [p.requires_grad for p in model.parameters()]) == before


class EightBit(torch.nn.Linear):
    """As the layers of bitsandbytes: a linear layer by its class, whose weight is stored in eight bits."""

    def __init__(self, own):
        super().__init__(own.in_features, own.out_features, bias=False)
        self.scale = own.weight.detach().abs().max() / 127
        self.weight = torch.nn.Parameter((own.weight.detach() / self.scale).round().char(), requires_grad=False)

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight.to(x) * self.scale)


def test_trials_on_a_quantized_model_train_alone_and_say_so():
    model = zoo.build("llama")
    for layer in model.model.layers:
        layer.self_attn.q_proj = EightBit(layer.self_attn.q_proj)
    found = why_alone(model, Lora(rank=2, alpha=4))
    assert found == "a pack computes with the base's weights, and model.layers.0.self_attn.q_proj is quantized (int8)"
    assert not model.model.layers[0].self_attn.q_proj.weight.requires_grad
