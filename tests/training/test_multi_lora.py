"""Training together is training alone: against stock peft with torch's AdamW, and slot by slot to the bit."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.errors import UserError
from byheart.model.adapters.adapter import Lora
from byheart.training.job import TrainJob, stream
from byheart.training.layout import Row, padded
from byheart.training.loss import row_weights
from byheart.training.multi_lora.job import GO_ON, PAUSE, PRUNE, PackedHooks, PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

ROWS = [Row([1, 2, 3, *(5 + (i * k) % 40 for k in range(1, 3 + i % 5)), 2], 3 + i % 2) for i in range(20)]
CHOOSE = [Row([1, 2, 4, 5 + i, 7 + i, 2], 4) for i in range(5)]


def tiny(dtype=torch.float64):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, attn_implementation="eager",
    )  # fmt: skip
    return LlamaForCausalLM(config).to(dtype).eval()


def job(
    folder, name="a", rank=4, alpha=8, lr=1e-2, size=2, seed=0, epochs=2, reduction="row_mean", rows=ROWS, **options
):
    optimizer = options.pop("optimizer", AdamW(lr=lr))
    stopping = options.pop("stopping", Stopping(patience=None))
    train_job = TrainJob(rows, options.pop("validate", CHOOSE), size, epochs, seed, "constant", reduction, 0)
    return PackedJob(name, train_job, Lora(rank=rank, alpha=alpha), optimizer, stopping, folder / name, **options)


def train(model, jobs, slots=4, max_rank=8, **options):
    waiting, results = list(jobs), {}
    with PackedTrainer(model, slots, max_rank, tokens_at_once=options.pop("tokens_at_once", None)) as trainer:
        trainer.stream(
            lambda: waiting.pop(0) if waiting else None,
            lambda j, train_result: results.update({j.id: train_result}),
            PackedHooks(**options),
        )
    return results


def alone(one, dtype=torch.float64):
    """Stock peft, one padded batch a step, torch's AdamW and clip_grad_norm_: losses, A and B of each layer in the mean."""
    base = tiny(dtype)
    base.set_attn_implementation("sdpa")  # eager attention takes its softmax in float32, whatever the model's dtype
    torch.manual_seed(one.train_job.seed)
    model = one.adapter.attach(base)
    trained = [p for p in model.parameters() if p.requires_grad]
    o = one.optimizer
    adamw = torch.optim.AdamW(trained, lr=o.lr, betas=o.betas, eps=o.eps, weight_decay=o.weight_decay)
    train_job, losses = one.train_job, []
    means = [torch.zeros_like(p) for p in trained]
    for batch in stream(len(train_job.train), train_job.batch_size, train_job.epochs, train_job.seed):
        laid = padded([train_job.train[i] for i in batch], 0)
        logits = model(input_ids=laid.tokens).logits.flatten(0, 1)[laid.predicted_at]
        each = torch.nn.functional.cross_entropy(logits, laid.targets, reduction="none")
        loss = (
            each * torch.cat(row_weights([train_job.train[i] for i in batch], train_job.reduction)).to(each.dtype)
        ).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, o.clip or math.inf)
        adamw.step()
        adamw.zero_grad()
        losses.append(loss.item())
        newest = min(1, 1 / (o.averaging * len(losses))) if o.averaging else 1
        means = [(1 - newest) * mean + newest * p.detach() for mean, p in zip(means, trained, strict=True)]
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    shares = [1 - o.toward_base if "lora_B" in name else 1 for name in names]
    return losses, [share * mean for share, mean in zip(shares, means, strict=True)]


def unlike(folder, epochs=5, **options):
    """Four unlike adapters that take 50 steps at least."""
    return [
        job(folder, "a", 4, 8, 1e-2, 2, 0, epochs, "row_mean", **options),
        job(folder, "b", 8, 4, 3e-3, 1, 1, epochs, "token_mean", optimizer=AdamW(3e-3, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, clip=0.5), **options),
        job(folder, "c", 2, 2, 1e-3, 4, 2, 2 * epochs, "sum", optimizer=AdamW(1e-3, clip=None, averaging=0), **options),
        job(folder, "d", 1, 3, 5e-3, 3, 3, 2 * epochs, "row_mean", rows=ROWS[:14], **options),
    ]  # fmt: skip


def each_step(count):
    return Stopping(patience=None, checks_per_epoch=count)


def adapters(folder, names):
    from safetensors.torch import load_file

    return {name: load_file(folder / name / "adapter" / "adapter_model.safetensors") for name in names}


@pytest.fixture(scope="module")
def stock():
    """What stock peft makes of each of the unlike jobs."""
    return {one.id: alone(one) for one in unlike(Path())}


@pytest.mark.parametrize("tokens_at_once", [None, 24])
def test_unlike_adapters_equal_stock_peft_alone(tmp_path, tokens_at_once, stock):
    jobs = unlike(tmp_path, stopping=each_step(20), validate=[])
    results = train(tiny(), jobs, tokens_at_once=tokens_at_once)
    for one in jobs:
        losses, trained = stock[one.id]
        train_result = results[one.id]
        assert len(losses) == train_result.steps >= 50 and train_result.state == "finished"
        assert [p.train_loss for p in train_result.curve] == pytest.approx(losses, rel=1e-9)
        saved = list(adapters(tmp_path, [one.id])[one.id].items())
        wrapped = one.adapter.attach(tiny())
        names = [name.replace(".default", "") for name, p in wrapped.named_parameters() if p.requires_grad]
        ours = dict(saved)
        for name, expected in zip(names, trained, strict=True):
            assert (ours[name] - expected).norm() <= 1e-9 * expected.norm(), name


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def twins(folder, **neighbour):
    """Two jobs; what the second one learns may change, but not the shape of its rows."""
    return [job(folder, "a"), job(folder, "b", **neighbour)]


OTHER_WORDS = [replace(row, tokens=[(t * 7) % 60 for t in row.tokens]) for row in ROWS]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_the_neighbours_learn_changes_no_bit(tmp_path, dtype):
    found = []
    for i, neighbour in enumerate([{}, {"lr": 0.3, "rows": OTHER_WORDS, "alpha": 99, "reduction": "sum"}]):
        train(tiny(dtype), twins(tmp_path / str(i), **neighbour), slots=2)
        found.append(adapters(tmp_path / str(i), "ab"))
    assert same(found[0]["a"], found[1]["a"]) and not same(found[0]["b"], found[1]["b"])


def test_neighbours_of_other_shapes_change_nothing_that_counts(tmp_path):
    train(tiny(), twins(tmp_path / "0"), slots=2)
    train(tiny(), [job(tmp_path / "1", "a"), job(tmp_path / "1", "b", size=5, seed=9, rank=7)], slots=2)
    one, other = (adapters(tmp_path / folder, "a")["a"] for folder in "01")
    assert all((one[name] - other[name]).norm() <= 1e-9 * one[name].norm() for name in one)


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_neighbour_that_becomes_no_number_changes_no_bit(tmp_path, dtype, grid, monkeypatch):
    from byheart.training.multi_lora import attention

    if grid:  # there the places without a token lie beside somebody's rows
        monkeypatch.setattr(attention, "choose_attention", lambda *asked: (None, "are not wanted"))
    wild = AdamW(lr=1e30, clip=None)
    # The wild one sits in the first slot, whose rows lie first.
    results = train(tiny(dtype), twins(tmp_path / "wild", optimizer=wild, reduction="sum")[::-1], slots=2)
    assert (results["a"].state, results["b"].state) == ("finished", "diverged")
    assert "Lower lr" in results["b"].notes[0] and not (tmp_path / "wild/b/adapter").exists()
    # The calm neighbour leaves at the same step, so that the shapes stay equal.
    left_at = results["b"].steps

    def leave(j, point, curve):
        return PRUNE if j.id == "b" and point.step == left_at else GO_ON

    calm = twins(tmp_path / "calm", stopping=each_step(20), validate=[])
    train(tiny(dtype), calm[::-1], slots=2, on_check=leave)
    assert same(*(adapters(tmp_path / folder, "a")["a"] for folder in ("wild", "calm")))


@pytest.mark.parametrize("grid", [False, True])
def test_no_place_of_a_slot_holds_what_lies_in_a_neighbours_row(grid):
    from byheart.training.multi_lora.batch import PackedRow, lay_out

    rows = [PackedRow(slot, row, torch.ones(len(row.tokens) - row.loss_from)) for slot, row in enumerate(ROWS[3:5])]
    part, slots = lay_out(rows, 2, 0, grid, "cpu")
    tokens = part.batch.tokens.numel()
    spoilt = tokens // 2 if grid else len(ROWS[3].tokens)  # padding sees the row that it stands behind
    flat = torch.ones(tokens, 1)
    flat[:spoilt] = math.nan
    (grouped,) = slots.gather(flat)
    assert grouped[0].isnan().any() and grouped[1].isfinite().all()


def first_step(folder, together):
    """Losses and gradients of two slots with unlike numbers of rows, and how many tokens were read."""
    rows = [replace(row, tokens=[9, 8, 7, 6, *row.tokens], loss_from=row.loss_from + 4) for row in ROWS]
    tokens = []
    with PackedTrainer(tiny(), 2, 8) as trainer:
        trainer.together = together
        trainer._join(job(folder, "a", size=6, rows=rows))
        trainer._join(job(folder, "b", size=3, rows=rows[3:]))
        trainer.stack.weights.normal_(generator=torch.Generator().manual_seed(1))
        count = lambda module, inputs, output: tokens.append(output.shape[1])  # noqa: E731
        hook = trainer.model.get_input_embeddings().register_forward_hook(count)
        losses, _ = trainer._losses([row for state in trainer._active.values() for row in state.next_rows()])
        hook.remove()
        return losses, [matrix.grad for matrix in trainer.stack.matrices], tokens[0]


def test_rows_behind_one_prefix_have_the_losses_and_gradients_of_rows_by_themselves(tmp_path):
    apart, gradients, tokens = first_step(tmp_path, together=1)
    joined, others, fewer = first_step(tmp_path, together=4)
    assert joined == pytest.approx(apart, rel=1e-12) and fewer < 0.8 * tokens
    for one, other in zip(gradients, others, strict=True):
        assert one.norm() > 0 and (one - other).norm() <= 1e-6 * one.norm()  # Llama's norms compute in float32


@pytest.mark.parametrize(("dtype", "together"), [(torch.float64, 1), (torch.float32, 1), (torch.bfloat16, 4)])
def test_rows_share_a_prefix_only_where_rounding_hides_it(dtype, together):
    with PackedTrainer(tiny(dtype), 1, 8) as trainer:
        assert trainer.together == together


def test_a_slot_that_was_used_is_as_good_as_new(tmp_path):
    before = job(tmp_path, "before", rank=8, lr=0.5, seed=5, optimizer=AdamW(0.5, weight_decay=0.3))
    train(tiny(torch.float32), [before, job(tmp_path / "used", "a")], slots=1)
    train(tiny(torch.float32), [job(tmp_path / "fresh", "a")], slots=1)
    assert same(*(adapters(tmp_path / folder, "a")["a"] for folder in ("used", "fresh")))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_pause_leaves_no_trace(tmp_path, dtype):
    model, jobs = tiny(dtype), [job(tmp_path / "paused", "a", stopping=each_step(4))]
    with PackedTrainer(model, 1, 8) as trainer:
        pause = lambda j, point, curve: PAUSE if point.step == 15 else GO_ON  # noqa: E731
        seen = []
        trainer.stream(lambda: jobs.pop() if jobs else None, lambda *result: seen.append(result), PackedHooks(pause))
        ((paused, train_result),) = seen
        assert (train_result.state, train_result.steps) == ("paused", 15) and not (paused.folder / "adapter").exists()
        state = trainer.paused("a")
    # Another pack, with room for a higher rank, goes on; a neighbour has used its slot.
    again = train(tiny(dtype), [job(tmp_path, "x", lr=0.3), replace(paused, paused=state)], slots=1, max_rank=8)["a"]
    whole = train(tiny(dtype), [job(tmp_path / "whole", "a", stopping=each_step(4))], slots=1)["a"]
    assert [replace(p, seconds=0, peak_memory=0) for p in again.curve] == [
        replace(p, seconds=0, peak_memory=0) for p in whole.curve
    ]
    assert same(*(adapters(tmp_path / folder, "a")["a"] for folder in ("paused", "whole")))


def test_a_stop_can_be_gone_on_from(tmp_path):
    jobs, results, steps = [job(tmp_path, "a"), job(tmp_path, "b", seed=3)], {}, []
    with PackedTrainer(tiny(), 2, 8) as trainer:
        trainer.stream(
            lambda: jobs.pop() if jobs else None,
            lambda j, train_result: results.update({j.id: train_result}),
            PackedHooks(stop_requested=lambda: len(steps) == 7, on_step=steps.append),
        )
        assert {r.state for r in results.values()} == {"stopped"} and trainer.paused("b").steps == 7
    assert steps[-1] == {"a": (7, 20), "b": (7, 20)}


def test_a_stop_while_one_leaves_saves_the_others(tmp_path):
    jobs, results = [job(tmp_path, "a", epochs=1), job(tmp_path, "b", epochs=4)], {}
    with PackedTrainer(tiny(), 2, 8) as trainer:
        trainer.stream(
            lambda: jobs.pop() if jobs else None,
            lambda j, train_result: results.update({j.id: train_result}),
            PackedHooks(stop_requested=lambda: bool(results)),  # Ctrl-C comes while a's result is written
        )
        assert results["a"].state == "finished" and results["b"].state == "stopped"
        assert trainer.paused("b").steps >= results["a"].steps


@pytest.mark.parametrize("monitor, states", [
    ("val_loss", {"upturn", "finished"}), ("token_accuracy", {"upturn", "budget"}), ("recall", {"finished"}),
])  # fmt: skip
def test_the_epoch_chosen_and_the_stop_are_those_of_the_single_trainer(tmp_path, monitor, states):
    stopping, rates = Stopping(monitor, patience=2, tolerance=0.0, checks_per_epoch=2), (0.1, 0.02, 1e-5)
    jobs = [job(tmp_path, str(i), lr=lr, size=4, epochs=8, seed=i, stopping=stopping) for i, lr in enumerate(rates)]
    if "budget" in states:  # in the middle of an epoch
        jobs = [replace(one, train_job=replace(one.train_job, most_steps=13)) for one in jobs]
    results = train(tiny(), jobs, slots=2)
    for one in jobs:
        model = tiny()
        torch.manual_seed(one.train_job.seed)
        model = one.adapter.attach(model)
        expected = Trainer(device="cpu", precision="float64").fit(
            model, one.train_job, one.optimizer, one.stopping, tmp_path / "alone" / one.id
        )
        train_result = results[one.id]
        for name in ("state", "steps", "rows", "epochs_run", "chosen_epoch"):
            assert getattr(train_result, name) == getattr(expected, name), name
        for name, rel in (
            ("val_loss", 2e-3),
            ("bounded_loss", 2e-3),
            ("recall", 1e-9),
            ("token_accuracy", 1e-9),
            ("train_recall", 1e-9),
        ):
            told = [[getattr(p, name) for p in each.curve] for each in (train_result, expected)]
            assert told[0] == pytest.approx(told[1], rel=rel), name
        assert (tmp_path / one.id / "curve.csv").is_file()
    assert {r.state for r in results.values()} == states


def test_recall_and_saved_adapters_speak_with_one_adapter(tmp_path):
    from peft import PeftModel

    tokens, heard = torch.tensor([ROWS[0].tokens, ROWS[5].tokens]), {}

    def recall(jobs, answers):
        for j in jobs:
            with answers.alone(j.id) as model:
                heard[j.id] = model(input_ids=tokens).logits.clone()
                torch.rand(3)  # an evaluation that draws random numbers disturbs nobody
        return [0.5] * len(jobs)

    jobs = [job(tmp_path, "a", epochs=1), job(tmp_path, "b", rank=3, alpha=5, seed=4, epochs=1)]
    results = train(tiny(torch.float32), jobs, slots=3, recall=recall)
    for name in "ab":
        assert results[name].curve[-1].recall == 0.5 and results[name].loss_would_choose == 1
        loaded = PeftModel.from_pretrained(tiny(torch.float32), str(tmp_path / name / "adapter")).eval()
        assert torch.allclose(loaded(input_ids=tokens).logits, heard[name], atol=1e-5)


def test_the_model_is_given_back_as_it_was(tmp_path):
    model, before = tiny(), tiny()
    tokens = torch.tensor([ROWS[0].tokens])
    jobs, heard = [job(tmp_path, "a", epochs=1), job(tmp_path, "b", epochs=2)], []
    with PackedTrainer(model, 2, 8) as trainer:
        trainer.stream(
            lambda: jobs.pop() if jobs else None, lambda *result: heard.append(model(input_ids=tokens).logits)
        )
    expected = before(input_ids=tokens).logits
    assert torch.equal(model(input_ids=tokens).logits, expected)
    assert all(torch.equal(one, expected) for one in heard), "a callback sees the bare model"
    assert all(p.requires_grad for p in model.parameters()) and model.config._attn_implementation == "eager"
    assert [name for name, _ in model.named_modules()] == [name for name, _ in before.named_modules()]


def test_a_model_whose_attention_cannot_be_replaced_is_trained_on_a_grid(tmp_path, monkeypatch):
    from byheart.training.multi_lora import attention

    train(tiny(), unlike(tmp_path / "lines", epochs=1))
    monkeypatch.setattr(attention, "choose_attention", lambda *asked: (None, "are not wanted"))
    model = tiny()
    model.set_attn_implementation("sdpa")
    notes = []
    train(model, unlike(tmp_path / "grid", epochs=1), on_note=notes.append)
    assert notes == ["packed rows are not wanted: trials train together in a grid of padded rows, which is slower"]
    for name in "abcd":
        one, other = (adapters(tmp_path / folder, name)[name] for folder in ("lines", "grid"))
        assert all((one[key] - other[key]).norm() <= 1e-9 * one[key].norm() for key in one)


def test_what_cannot_be_packed_is_said_before_anything_is_computed(tmp_path):
    odd = replace(job(tmp_path), adapter=Lora(rank=9, dropout=0.1, targets=("q_proj",)))
    with PackedTrainer(tiny(), 2, 8) as trainer:
        assert [p.where for p in trainer.problems(odd)] == ["adapter.rank", "adapter.dropout", "adapter.targets"]
        with pytest.raises(UserError, match="max_rank"):
            trainer.stream(lambda: odd, lambda *result: None)
