"""What each adapter trains, saves and gives back, on tiny models of classes that differ in their layers."""

from dataclasses import replace

import pytest
import torch
from peft import PeftModel

import zoo
from byheart.errors import UserError
from byheart.model.adapters.adapter import Lora
from byheart.model.adapters.targets import linear_layers
from byheart.model.adapters.variants import Dora, Pissa
from byheart.training.optimizer import AdamW, MasterStep, base_of

LORA = Lora(rank=4, alpha=8)
EXPERTS = replace(LORA, experts=True)
DORA, PISSA = Dora(rank=4, alpha=8), Pissa(rank=4, alpha=8)
TOKENS = torch.arange(4, 16)[None]
NAMES = {
    "llama": ("self_attn.q_proj", "mlp.up_proj"),
    "gpt2": ("attn.c_attn", "mlp.c_fc"),
    "opt": ("self_attn.out_proj", "fc1"),
    "bloom": ("self_attention.query_key_value", "mlp.dense_4h_to_h"),
    "lfm2": ("conv.in_proj", "feed_forward.w1"),
    "qwen3_5_text": ("linear_attn.out_proj", "mlp.down_proj"),
    "falcon_h1": ("mamba.in_proj", "feed_forward.up_proj"),
    "deepseek_v3": ("self_attn.kv_b_proj", "mlp.shared_experts.up_proj"),
    "gemma3": ("language_model.layers.0.self_attn.o_proj", "language_model.layers.0.mlp.down_proj"),
}


def moved(model):
    """Each trained parameter a little elsewhere."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
    return model.eval()


@pytest.mark.parametrize("kind", NAMES)
def test_attention_and_mlp_are_found_whatever_they_are_called(kind):
    model = zoo.build(kind)
    attention, mlp = linear_layers(model, "attention"), linear_layers(model, "mlp")
    assert not {*attention} & {*mlp} and not any("vision" in name for name in (*attention, *mlp))
    for names, one in zip((attention, mlp), NAMES[kind], strict=True):
        assert [name for name in names if name.endswith(one)], f"{one} is not among {names}"
    other = NAMES[kind][::-1]
    assert not [n for names, one in zip((attention, mlp), other, strict=True) for n in names if n.endswith(one)]
    wrapped = replace(LORA, targets="attention").attach(model)
    trained = {name.partition(".lora_")[0] for name, p in wrapped.named_parameters() if p.requires_grad}
    missed = {f"base_model.model.{name}" for name in attention} - trained
    assert all(name.endswith("mamba.out_proj") for name in missed), "peft adapts all but Mamba's last layer"
    model = replace(LORA, targets="mlp").attach(wrapped.unload())
    trained = {name.partition(".lora_")[0] for name, p in model.named_parameters() if p.requires_grad}
    # peft maps the names of DeepSeek's dense and shared MLPs to the experts, which took the place of such layers.
    assert kind == "deepseek_v3" or trained == {f"base_model.model.{name}" for name in mlp}
    assert trained and not any(name.endswith(NAMES[kind][0]) for name in trained)


@pytest.mark.parametrize("adapter", [LORA, DORA, PISSA, EXPERTS], ids=["lora", "dora", "pissa", "experts"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_oss"])
def test_it_starts_at_the_untuned_model_loads_in_stock_peft_and_leaves_the_base_as_it_was(kind, adapter, tmp_path):
    if adapter is EXPERTS and kind != "gpt_oss":
        with pytest.raises(UserError, match=r"adapter\.experts"):
            adapter.attach(zoo.build(kind))
        return
    base = zoo.build(kind)
    before = {name: p.clone() for name, p in base.named_parameters()}
    with torch.no_grad():
        untuned = base(TOKENS).logits
        model = adapter.attach(base).eval()
        assert torch.allclose(model(TOKENS).logits, untuned, atol=1e-5)
        tuned = moved(model)(TOKENS).logits
        assert (tuned - untuned).abs().max() > 0.1
        adapter.save(model, str(tmp_path))
        loaded = PeftModel.from_pretrained(zoo.build(kind), str(tmp_path)).eval()
        assert torch.allclose(loaded(TOKENS).logits, tuned, atol=1e-5)
    assert not loaded.peft_config["default"].use_rslora
    assert any("experts" in name for name, p in model.named_parameters() if p.requires_grad) == adapter.experts
    unloaded = model.unload()
    assert all(torch.equal(before[name], p) for name, p in unloaded.named_parameters())


@pytest.mark.parametrize("adapter", [LORA, DORA, PISSA, EXPERTS], ids=["lora", "dora", "pissa", "experts"])
def test_the_whole_way_back_to_the_base_is_the_untuned_model(adapter):
    base = zoo.build("gpt_oss")
    with torch.no_grad():
        untuned = base(TOKENS).logits
    model = adapter.attach(base)
    back = AdamW(averaging=0, toward_base=1 - 1e-9)
    masters = MasterStep([p for p in model.parameters() if p.requires_grad], back, base_of(model))
    with torch.no_grad():
        tuned = moved(model)(TOKENS).logits
        with masters.measured():
            kept = model(TOKENS).logits
    assert torch.allclose(kept, untuned, atol=1e-5) and not torch.allclose(tuned, untuned, atol=1e-1)


def test_a_kind_of_layer_that_the_model_has_not_is_told():
    with pytest.raises(UserError, match=r"adapter\.targets.*\n.*lora_experts"):
        replace(LORA, targets="mlp").attach(zoo.build("gpt_oss"))


class Grouped(torch.nn.Linear):
    """A linear layer by its class, which multiplies each half of its input by a matrix of its own (as in DeepSeek V4)."""

    def forward(self, x):
        halves, matrices = x.unflatten(-1, (2, -1)), self.weight.unflatten(0, (2, -1))
        return torch.einsum("...gi,goi->...go", halves, matrices).flatten(-2)


def test_linear_layers_of_a_kind_that_lora_cannot_add_to_are_left_out():
    model = zoo.build("llama")
    model.model.layers[0].self_attn.o_proj = Grouped(16, 32, bias=False)
    wrapped = LORA.attach(model)
    trained = {name.partition(".lora_")[0] for name, p in wrapped.named_parameters() if p.requires_grad}
    assert trained and not any(name.endswith("o_proj") for name in trained)
    wrapped(TOKENS)


def test_layers_that_a_class_computes_without_gradients_are_left_out():
    """As those that choose which tokens are attended to (DeepSeek V3.2)."""
    model = zoo.build("llama")
    attention = model.model.layers[0].self_attn
    attention.indexer, own = torch.nn.Linear(32, 8), attention.forward

    def forward(hidden_states, *given, **more):
        with torch.no_grad():
            attention.indexer(hidden_states)
        return own(hidden_states, *given, **more)

    attention.forward = forward
    trained = [name for name, p in LORA.attach(model).named_parameters() if p.requires_grad]
    assert trained and not any("indexer" in name for name in trained)
