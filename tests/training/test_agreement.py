"""Every class of model is read so that its loss is its own, and is trained so."""

import random
from dataclasses import replace

import pytest
import torch

import zoo
from byheart.errors import UserError
from byheart.model.adapters.adapter import Lora
from byheart.training.agreement import OwnLosses, asked_rows, find_path
from byheart.training.job import Hooks, TrainJob
from byheart.training.layout import Row, SoftTargets, lay_out
from byheart.training.loss import EMBEDDING, KEPT, WHOLE, token_scores
from byheart.training.multi_lora.attention import ATTENTION, choose_attention
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

PACKED = {  # of the zoo: those whose attention is plain
    "llama", "qwen2", "qwen3", "gemma", "phi", "phi3", "gpt_neox", "gpt2", "gpt2_dropout", "gptj", "gpt_bigcode", "opt",
    "falcon", "olmo", "olmo2", "olmoe", "granite", "granitemoe", "cohere", "stablelm", "smollm3", "qwen2_moe", "qwen3_moe",
    "mixtral", "phimoe", "nemotron", "helium", "glm", "glm4", "ernie4_5", "hunyuan_v1_dense", "deepseek_v2", "deepseek_v3",
    "apertus", "seed_oss", "diffllama", "persimmon", "biogpt", "codegen", "xglm",
}  # fmt: skip
RANDOM = {"gpt2_dropout", "opt", "phimoe", "seed_oss", "biogpt", "xglm"}  # dropout, or noise on a router's input
ALTERED = {  # a head that caps or scales, or a body that is not found under the prefix
    "gemma2", "gemma4_text", "falcon_h1", "granite", "granitemoe", "cohere", "cohere2", "recurrent_gemma", "llama4_text",
}  # fmt: skip
TRAINED = (  # one of each kind; the others are slow
    "llama", "gemma2", "gemma3", "gpt_oss", "opt", "bloom", "mpt", "falcon_h1", "qwen3_moe", "mamba", "lfm2", "qwen3_5_text",
    "recurrent_gemma", "rwkv", "llama4_text",
)  # fmt: skip


def rows(seed=1):
    """Conversations that begin alike, the longest of them beyond a window, and a plain text."""
    draw = random.Random(seed)
    words = lambda count: [draw.randrange(4, 340) for _ in range(count)]  # noqa: E731
    lengths = ((3 * zoo.WINDOW, 20), (6, 7), (12, 10), (25, 18), (3, 6), (20, 9))
    return [Row([1, 7, 8, 9, 10, *words(n)], loss_from) for n, loss_from in lengths] + [Row([5, *words(24)], 1)]


def own(model, rows):
    """Cross entropy by torch of the model's own logits, one row at a time."""
    found = []
    with torch.no_grad():
        for row in rows:
            tokens = torch.tensor([row.tokens])
            logits = model(input_ids=tokens).logits[0].double()
            found.append(
                torch.nn.functional.cross_entropy(logits[:-1], tokens[0, 1:], reduction="none")[row.loss_from - 1 :]
            )
    return found


@pytest.mark.parametrize("name", zoo.CLASSES)
def test_the_loss_is_the_models_own(name):
    model = zoo.build(name)
    path = find_path(model, rows(), "packed", 0)
    with torch.no_grad():
        found = torch.cat([token_scores(model, each, path.head)[0] for _, each in lay_out(rows(), path.layout, 0, 4)])
    assert found.numpy() == pytest.approx(torch.cat(own(model, rows())).numpy(), abs=1e-5)
    assert (path.layout == "packed") == (name in PACKED), "the plainer layout is taken where it must be, and only there"
    assert path.differs_in_training == (name in RANDOM)
    assert path.head == (KEPT if name in ALTERED else EMBEDDING)
    assert len(path.notes) == (path.layout != "packed")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in TRAINED else pytest.mark.slow) for n in zoo.CLASSES])
def test_it_is_trained_and_validated_by_that_loss(name, tmp_path):
    torch.manual_seed(0)
    model = Lora(rank=4, targets="all-linear").attach(zoo.build(name))
    train_job = TrainJob(rows(), rows(2), 3, 2, 0, "constant", "row_mean", 0)
    notes = []
    options = AdamW(lr=1e-2, averaging=0, toward_base=0), Stopping(patience=None, checks_per_epoch=1), tmp_path
    before = sum(each.mean() for each in own(model.eval(), rows()))
    result = Trainer("cpu", "float32").fit(model, train_job, *options, Hooks(on_note=notes.append), keep_best=False)
    assert len(notes) == (name not in PACKED)
    assert sum(each.mean() for each in own(model, rows())) < before - 0.1
    expected = float(torch.stack([each.mean() for each in own(model, rows(2))]).mean())
    assert result.curve[-1].val_loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma3_text", "lfm2", "qwen3_next", "gemma4_text", "mamba2"])
def test_in_bfloat16_the_same_is_found_although_the_losses_are_rounded(name):
    whole, rounded = (
        find_path(zoo.build(name).to(dtype), rows(), "packed", 0) for dtype in (torch.float32, torch.bfloat16)
    )
    assert rounded.layout == whole.layout
    assert rounded.head == whole.head or rounded.head == KEPT


@pytest.mark.parametrize("name", ["llama", "phi", "olmo2", "qwen3_moe"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_line_attention_is_taken_where_it_agrees(name, dtype):
    assert choose_attention(zoo.build(name).to(dtype), rows(), EMBEDDING, 0, 1) == (ATTENTION, "")


@pytest.mark.parametrize("name", ["llama4_text", "gemma3_text", "gpt_oss", "lfm2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_line_attention_is_refused_with_the_reason_where_rows_reach_beyond_a_window_or_leak(name, dtype):
    found, why = choose_attention(zoo.build(name).to(dtype), rows(), WHOLE, 0, 1)
    assert found is None and why.endswith(("nats", "in this model"))


def test_a_row_within_the_window_may_be_packed():
    model = zoo.build("gemma3_text", sliding_window=64)
    assert find_path(model, rows(), "packed", 0).layout == "packed"
    assert find_path(zoo.build("gemma3_text"), rows(), "packed", 0).notes[0].startswith("packed rows change the loss")


def test_asking_leaves_the_model_and_the_random_state_as_they_were():
    model = zoo.build("opt").train()
    state, weights = torch.get_rng_state(), {name: p.clone() for name, p in model.named_parameters()}
    assert find_path(model, rows(), "packed", 0).differs_in_training
    assert torch.equal(torch.get_rng_state(), state) and model.training
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())


def test_a_model_that_does_not_agree_with_itself_is_refused():
    model = zoo.build("llama")
    model.model.norm.register_forward_hook(lambda module, given, output: torch.nn.functional.dropout(output, 0.1))
    with pytest.raises(UserError, match="although the model is in eval mode"):
        find_path(model, rows(), "packed", 0)


def test_a_model_that_reads_its_batch_is_read_one_row_at_a_time():
    model = zoo.build("llama")
    mixed = lambda module, given, output: output + 0.1 * (output.mean(0, keepdim=True) - output)  # noqa: E731
    model.model.layers[0].mlp.register_forward_hook(mixed)
    path = find_path(model, rows(), "padded", 0)
    assert path.layout == "single" and "one at a time" in path.notes[0]


def test_asked_are_the_longest_row_and_two_that_begin_alike():
    text = Row([5] * 60, 1)
    asked = asked_rows([*rows(), text])
    assert [len(row.tokens) for row in asked] == [60, 11, 8] and {row.loss_from for row in asked[1:]} == {5}
    soft = [replace(row, soft=SoftTargets([], [])) for row in rows()]
    assert len(asked_rows(soft)) == 2 and all(row.soft is None for row in asked_rows(soft)), (
        "the losses are cross entropies"
    )
    assert [len(each) for each in OwnLosses(zoo.build("llama"), asked).losses] == [59, 6, 3]
