"""Where memory does not hold a batch, fewer rows are read at once, to the same weights; where it holds no row, that is said."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM

from byheart import cli
from byheart.errors import UserError
from byheart.model.adapters.adapter import Full, Lora
from byheart.model.memory import in_batches, is_out_of_memory
from byheart.model.sizes import of_model
from byheart.sweep.packed.memory import StepCost, _slots_that_fit
from byheart.training.job import Hooks, TrainJob
from byheart.training.layout import Row
from byheart.training.memory import Pass, training_bytes
from byheart.training.module import COMPUTED_AGAIN
from byheart.training.multi_lora.job import PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW
from byheart.training.optimizer_choices import Adafactor, Muon, Sgd
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

ROWS = [Row([1, 2, 3, 5 + i % 40, 7 + i % 30, 9 + i % 20, 2], 4) for i in range(18)]
CHOOSE = [Row([1, 2, 4, 5 + i, 7 + i, 2], 4) for i in range(5)]
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB."


def tiny(adapter, most=None, after=0):
    """A model with dropout, whose memory holds `most` rows, from the pass `after` of its training on."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, attn_implementation="eager", attention_dropout=0.2 if adapter else 0.0,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    passes = []

    def fill(module, inputs, output):
        if not passes and not torch.is_grad_enabled():
            return  # training has not begun: the model is asked which layout it can read
        passes.append(len(inputs[0]))
        if most is not None and len(passes) > after and passes[-1] > most:
            raise torch.OutOfMemoryError(FULL)

    model.model.layers[0].register_forward_hook(fill)  # the dropout's random numbers are drawn by then
    torch.manual_seed(1)
    model = adapter.attach(model) if adapter else model
    passes.clear()
    torch.manual_seed(2)
    return model, passes


def fit(folder, adapter, most=None, after=0, **options):
    model, passes = tiny(adapter, most, after)
    train_job = TrainJob(ROWS, CHOOSE, 4, 2, 0, "constant", "row_mean", 0)
    said = []
    trainer = Trainer(device="cpu", precision="float32", layout="padded", **options)
    result = trainer.fit(
        model,
        train_job,
        AdamW(lr=1e-2),
        Stopping(patience=None, checks_per_epoch=2),
        folder,
        Hooks(on_note=said.append),
    )
    return result, model, said, passes


@pytest.mark.parametrize("adapter", [Lora(rank=2, alpha=4, dropout=0.1), Full()], ids=["lora", "full"])
@pytest.mark.parametrize("most", [1, 2])
def test_a_batch_that_memory_does_not_hold_is_read_in_halves_to_the_same_weights(tmp_path, adapter, most):
    found, model, said, passes = fit(tmp_path / "full", adapter, most)
    given, other, nothing_said, _ = fit(tmp_path / "given", adapter, rows_at_once=most)
    assert [p.train_loss for p in found.curve] == [p.train_loss for p in given.curve]
    assert [p.val_loss for p in found.curve] == pytest.approx([p.val_loss for p in given.curve], rel=1e-6)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert sum(size > most for size in passes) == {2: 1 + 1, 1: 2 + 2}[most], "each size is tried once"
    assert len(said) == {2: 1, 1: 2}[most] and f"trainer.rows_at_once={most}" in said[-1] and not nothing_said


def test_what_a_half_read_batch_left_is_forgotten(tmp_path):
    """Gradients and random state are those of the step's beginning: the first two rows were read, the next two were not."""
    adapter = Lora(rank=2, alpha=4, dropout=0.1)
    found, model, said, _ = fit(tmp_path / "full", adapter, most=1, after=1, rows_at_once=2)
    given, other, _, _ = fit(tmp_path / "given", adapter, rows_at_once=1)
    assert [p.train_loss for p in found.curve] == [p.train_loss for p in given.curve] and len(said) == 1
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))


def pack(folder, most=None, after=0, **options):
    """Two adapters trained together; from the pass `after` on the flat sequence of one may have `most` tokens."""
    model, _ = tiny(None)
    passes, results, waiting = [], {}, []

    def fill(module, inputs, output):
        passes.append(output.shape[1])
        if most is not None and len(passes) > after and output.shape[1] > most:
            raise torch.OutOfMemoryError(FULL)

    for name, rank in (("a", 2), ("b", 1)):
        train_job = TrainJob(ROWS[:16], CHOOSE, 4, 2, 0, "constant", "row_mean", 0)
        stopping = Stopping(patience=None, checks_per_epoch=2)
        waiting.append(PackedJob(name, train_job, Lora(rank=rank, alpha=4), AdamW(lr=1e-2), stopping, folder / name))
    with PackedTrainer(model, 2, 2, **options) as trainer:
        model.model.layers[0].register_forward_hook(fill)
        trainer.stream(lambda: waiting.pop() if waiting else None, lambda job, found: results.update({job.id: found}))
    files = [load_file(folder / name / "adapter/adapter_model.safetensors") for name in "ab"]
    return [[p.train_loss for p in results[name].curve] for name in "ab"], files, passes


def test_a_pack_reads_a_step_in_parts_where_memory_is_full_and_keeps_its_slots(tmp_path):
    found, files, passes = pack(tmp_path / "full", most=32)
    given, others, _ = pack(tmp_path / "given", tokens_at_once=28)  # half of a step: 2 x 4 rows of 7 tokens
    assert found == given
    for one, other in zip(files, others, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert sum(size > 32 for size in passes) == 2, "once in training, once in validation"


def test_what_a_half_read_step_of_a_pack_left_is_forgotten(tmp_path):
    found, files, _ = pack(tmp_path / "full", most=16, after=1, tokens_at_once=28)
    given, others, _ = pack(tmp_path / "given", tokens_at_once=14)
    assert found == given
    for one, other in zip(files, others, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("words", [
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "CUDA error: out of memory\nCUDA kernel errors",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "MPS backend out of memory (MPS allocated: 18 GB, max allowed: 18.13 GB)",
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
])  # fmt: skip
def test_full_memory_is_known_by_what_each_library_says(words):
    assert is_out_of_memory(RuntimeError(words))


def test_full_memory_is_no_other_error():
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(torch.OutOfMemoryError(FULL))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60)
    assert is_out_of_memory(refused.value), "torch's own words on this machine"
    assert not is_out_of_memory(UserError()) and not is_out_of_memory(ValueError("the model is out of memory"))
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_a_step_that_no_memory_holds_is_an_error_of_the_user_and_the_checkpoint_stays(tmp_path):
    adapter = Lora(rank=2, alpha=4)
    with pytest.raises(UserError, match="even with one row at a time") as refused:
        fit(tmp_path, adapter, most=0, after=5)  # the first check is after two steps
    assert "rows.max_tokens below 7" in str(refused.value) and "adapter.rank" in str(refused.value)
    kept = max((tmp_path / "checkpoint").glob("step-*"))
    assert fit(tmp_path, adapter)[0].state == "finished" and not kept.exists()


def test_another_error_of_a_step_is_not_taken_for_full_memory(tmp_path):
    model, _ = tiny(Lora(rank=2, alpha=4))
    model.get_base_model().model.layers[0].register_forward_hook(lambda *all: 1 / 0)
    train_job = TrainJob(ROWS, CHOOSE, 4, 2, 0, "constant", "row_mean", 0)
    with pytest.raises(ZeroDivisionError):
        Trainer(device="cpu", precision="float32").fit(model, train_job, AdamW(), Stopping(), tmp_path)


def test_batches_become_smaller_once_and_keep_their_order():
    asked = []

    def work(batch):
        asked.append(len(batch))
        if len(batch) > 3:
            raise RuntimeError(FULL)
        return [2 * each for each in batch]

    found = [
        (each, twice)
        for batch, made in in_batches(range(20), 16, work)
        for each, twice in zip(batch, made, strict=True)
    ]
    assert found == [(i, 2 * i) for i in range(20)]
    assert asked == [16, 8, 4, *[2] * 10]
    with pytest.raises(RuntimeError):
        list(in_batches([9, 9, 9, 9], 4, lambda batch: torch.empty(2**60)))


def test_a_model_that_memory_does_not_hold_ends_with_exit_code_2(monkeypatch, capsys):
    def load(words):
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(cli, "_run", load)
    assert cli.main(["learn"]) == 2
    said = capsys.readouterr().err
    assert "Tried to allocate" in said and "smaller model" in said and "bug" not in said


class Peak(TorchDispatchMode):
    """The most bytes that tensors made within it held at a time."""

    def __init__(self):
        super().__init__()
        self.bytes, self._live = 0, {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                kept = StorageWeakRef(tensor.untyped_storage())
                self._live[kept.cdata] = kept, tensor.untyped_storage().nbytes()
        self._live = {key: each for key, each in self._live.items() if not each[0].expired()}
        self.bytes = max(self.bytes, sum(size for _, size in self._live.values()))
        return made


@pytest.mark.parametrize(("vocabulary", "width"), [(32000, 16), (64, 256)], ids=["logits", "activations"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_validations_memory_is_estimated(tmp_path, vocabulary, width, dtype):
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True, attn_implementation="eager",
    )  # fmt: skip
    rows = [Row([1 + i % 50, *range(2, 42)], 20) for i in range(30)]
    train_job = TrainJob(ROWS, rows, 2, 1, 0, "constant", "row_mean", 0)
    jobs = [PackedJob(str(i), train_job, Lora(rank=2), AdamW(), Stopping(), tmp_path / str(i)) for i in range(2)]
    with PackedTrainer(LlamaForCausalLM(config).to(dtype), 2, 2) as trainer:
        for job in jobs:
            trainer._join(job)
        packed_rows = [row for state in trainer._active.values() for row in state.validation_rows()]
        with trainer._borrowed(trainer.attention), Peak() as peak:
            trainer._validated(packed_rows)
        estimate = trainer.bytes_of_validation(rows, slots=2)
    assert 0.9 * peak.bytes < estimate < 2 * peak.bytes


def test_a_validation_that_needs_more_than_the_steps_bounds_the_slots():
    step = StepCost(1.0, taken=10 * 2**20, adapter=2**20)
    assert _slots_that_fit(step, None, 100 * 2**20) == 8
    assert _slots_that_fit(replace(step, validation=74 * 2**20), None, 100 * 2**20) == 6
    assert _slots_that_fit(replace(step, validation=2**40), None, 100 * 2**20) == 1


def test_rows_that_memory_does_not_hold_together_are_read_one_at_a_time(tmp_path):
    model, _ = tiny(Lora(rank=2, alpha=4))

    def fill(module, inputs, output):
        if len(inputs[0]) > 1:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")

    model.get_base_model().model.layers[0].register_forward_hook(fill)
    said, train_job = [], TrainJob(ROWS, CHOOSE, 4, 1, 0, "constant", "row_mean", 0)
    trainer = Trainer(device="cpu", precision="float32", layout="padded")
    result = trainer.fit(model, train_job, AdamW(), Stopping(), tmp_path, Hooks(on_note=said.append))
    assert result.state == "finished" and said == [
        "padded rows need more memory than there is: rows are read one at a time instead"
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_batch_that_the_gpu_does_not_hold_is_read_in_parts(tmp_path):
    config = LlamaConfig(
        vocab_size=32000, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True,
    )  # fmt: skip
    model = Lora(rank=2).attach(LlamaForCausalLM(config).to("cuda"))
    rows = [
        Row([1 + i % 50, *range(2, 42)], 2) for i in range(64)
    ]  # their logits take 320 MB, and their gradient as much
    said, train_job = [], TrainJob(rows, rows[:4], 64, 2, 0, "constant", "row_mean", 0)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 400 * 2**20) / total)
    try:
        trainer = Trainer(device="cuda", layout="padded")
        result = trainer.fit(model, train_job, AdamW(), Stopping(), tmp_path, Hooks(on_note=said.append))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert result.state == "finished" and "memory does not hold 64 rows at once" in said[0]


def needs_little(model):
    """From now on a forward pass finds the memory full, but where layers are computed again in the backward pass."""

    def fill(module, inputs, output):
        if torch.is_grad_enabled() and model.training and not module.gradient_checkpointing:
            raise torch.OutOfMemoryError(FULL)

    model.get_submodule("base_model.model.model.layers.0").register_forward_hook(fill)


def fit_by_need(folder, setting="auto", full=False):
    model, _ = tiny(Lora(rank=2, alpha=4, dropout=0.1))
    model.base_model.model.model.layers[0]._forward_hooks.clear()
    if full:
        needs_little(model)
    said = []
    train_job = TrainJob(ROWS, CHOOSE, 4, 2, 0, "constant", "row_mean", 0)
    trainer = Trainer(device="cpu", precision="float32", layout="padded", gradient_checkpointing=setting)
    result = trainer.fit(model, train_job, AdamW(lr=1e-2), Stopping(patience=None), folder, Hooks(on_note=said.append))
    assert not model.is_gradient_checkpointing
    return [p.train_loss for p in result.curve], [p.detach().clone() for p in model.parameters()], said


def test_gradient_checkpointing_begins_where_one_row_is_too_many_to_the_same_weights(tmp_path):
    losses, weights, said = fit_by_need(tmp_path / "full", full=True)
    usual, others, nothing_said = fit_by_need(tmp_path / "usual")
    assert losses == usual and not nothing_said
    assert all(torch.equal(one, two) for one, two in zip(weights, others, strict=True))
    assert "memory does not hold one row: layers are computed again" in said[-1]
    assert len(said) == 3, "first with two rows, then with one"
    with pytest.raises(UserError, match="even with one row") as refused:
        fit_by_need(tmp_path / "never", setting=False, full=True)
    assert "trainer.gradient_checkpointing=true" in str(refused.value)


def wide():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2000, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True, attn_implementation="eager",
    )  # fmt: skip
    return LlamaForCausalLM(config)


@pytest.mark.parametrize(("free", "wanted"), [(2**40, False), (2_000_000, True)])
def test_gradient_checkpointing_is_used_where_the_estimate_asks_for_it(tmp_path, monkeypatch, free, wanted):
    monkeypatch.setattr("byheart.training.trainer.free_bytes", lambda device: free)
    losses, said = {}, []
    for setting in ("auto", False):
        train_job = TrainJob(ROWS, CHOOSE, 4, 1, 0, "constant", "row_mean", 0)
        trainer = Trainer(device="cpu", precision="float32", gradient_checkpointing=setting)
        folder, hooks = tmp_path / str(setting), Hooks(on_note=said.append)
        result = trainer.fit(Lora().attach(wide()), train_job, AdamW(), Stopping(), folder, hooks)
        losses[setting] = [p.train_loss for p in result.curve]
    assert said == ([f"memory would not suffice otherwise: {COMPUTED_AGAIN}"] if wanted else [])
    assert losses["auto"] == losses[False]


@pytest.mark.parametrize("adapter", [Lora(), Full()], ids=["lora", "full"])
@pytest.mark.parametrize(
    ("optimizer", "batch", "recompute"),
    [(AdamW(), 8, False), (AdamW(), 8, True), (AdamW(), 1, False), (Sgd(), 8, False)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_trainings_memory_is_estimated(tmp_path, adapter, optimizer, batch, recompute, dtype):
    rows = [Row([1 + (7 * i + j) % 1900 for j in range(40)], 20) for i in range(3 * batch)]
    train_job = TrainJob(rows, rows[:batch], batch, 1, 0, "constant", "row_mean", 0)
    model = wide().to(dtype)
    with Peak() as peak:
        model = adapter.attach(model)
        trainer = Trainer("cpu", "float32", "padded", gradient_checkpointing=recompute)
        trainer.fit(model, train_job, optimizer, Stopping(checks_per_epoch=1), tmp_path)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    sizes = of_model(model)
    assert trained == sizes.trained(adapter)
    read = Pass.of(rows[:batch], packed=False)
    weights = sizes.weight_bytes(dtype.itemsize, None)  # seen through their transposes
    estimate = weights + training_bytes(sizes, trained, optimizer, read, dtype.itemsize, "cpu", recompute)
    assert 0.85 * peak.bytes < estimate < 1.2 * peak.bytes


@pytest.mark.parametrize("optimizer", [AdamW(), Sgd(), Adafactor(), Muon()], ids=lambda each: type(each).__name__)
def test_what_an_optimizer_keeps_for_each_weight_is_known_without_torch(optimizer):
    weight = torch.randn(64, 64, requires_grad=True)
    built = optimizer.build([weight])
    weight.grad = torch.randn(64, 64)
    built.step()
    kept = sum(each.nbytes for own in built.state.values() for each in own.values() if isinstance(each, torch.Tensor))
    assert kept / weight.numel() == pytest.approx(optimizer.moment_bytes, abs=0.5)
