"""Training on another device than the CPU, without one: on torch's `meta` device, whose tensors have a device and no values.

An operation on tensors of two devices fails there as it does on a GPU.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM

from byheart.model import random_state as states
from byheart.model.adapters.adapter import Full, Lora
from byheart.model.random_state import kept_random_state
from byheart.training.agreement import find_path
from byheart.training.checkpoint import load_checkpoint, save_checkpoint
from byheart.training.job import Paused, TrainJob
from byheart.training.layout import Row, SoftTargets
from byheart.training.module import SFTModule
from byheart.training.multi_lora.job import GO_ON, PAUSE, PackedHooks, PackedJob
from byheart.training.multi_lora.trainer import PackedTrainer
from byheart.training.optimizer import AdamW, MasterStep, base_of
from byheart.training.state import TrainState
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

META, CPU = torch.device("meta"), torch.device("cpu")
SOFT = SoftTargets([[5, 6, 7]] * 3, [[0.5, 0.3, 0.1]] * 3)
ROWS = [Row([1, 2, 3, *(5 + (i * k) % 40 for k in range(1, 3 + i % 5)), 2], 3) for i in range(8)]
ROWS += [Row([1, 9, 8, 7], 1, SOFT)]
CHOOSE = [Row([1, 2, 4, 5 + i, 7 + i, 2], 4) for i in range(3)]


class Readable(TorchDispatchMode):
    """Values of meta tensors may be read: they are ones, and zeros where an index is copied. A GPU waits for each such read: `reads` counts them."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, aten = kwargs or {}, torch.ops.aten
        if args and isinstance(args[0], torch.Tensor) and args[0].is_meta:
            to_host = func is aten._to_copy.default and kwargs.get("device") == CPU
            self.reads += to_host or func in (aten._local_scalar_dense.default, aten.nonzero.default)
            if to_host:
                return torch.full(
                    args[0].shape, float(args[0].is_floating_point()), dtype=kwargs.get("dtype") or args[0].dtype
                )
            if func is aten._local_scalar_dense.default:
                return torch.ones((), dtype=args[0].dtype).item()
            if func is aten.allclose.default:
                return True
        return func(*args, **kwargs)


@pytest.fixture
def elsewhere(monkeypatch):
    """Readable meta tensors, for which fused AdamW is allowed, as it is on CUDA."""
    from torch.fx.experimental import _config
    from torch.optim import optimizer

    known = optimizer._get_fused_kernels_supported_devices()
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: [*known, "meta"])
    with _config.patch(meta_nonzero_assume_all_nonzero=True), Readable() as mode:
        yield mode


def tiny(dtype=torch.float32, device=META, dropout=0.0):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, attn_implementation="sdpa", attention_dropout=dropout,
    )  # fmt: skip
    return LlamaForCausalLM(config).to(dtype).to(device)


def optimizer_of(model):
    trained = [p for p in model.parameters() if p.requires_grad]
    return MasterStep(trained, AdamW(clip=1.0), base_of(model))


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from tensors_in(each)


def all_elsewhere(*values):
    found = list(tensors_in(values))
    return bool(found) and all(tensor.is_meta for tensor in found)


def test_tensors_of_two_devices_do_not_mix(elsewhere):
    """What the tests below rest on."""
    with pytest.raises(RuntimeError):
        torch.ones(2, device=META) + torch.ones(2)


@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize(("adapter", "dtype"), [(Lora(rank=2), torch.bfloat16), (Full(), torch.float32)])
def test_a_step_and_a_validation_keep_to_the_models_device(elsewhere, tmp_path, layout, adapter, dtype):
    model = adapter.attach(tiny(dtype))
    masters = optimizer_of(model)
    train_job = TrainJob(ROWS, CHOOSE, len(ROWS), 2, 0, "constant", "row_mean", 0)
    path = find_path(model, ROWS, layout, 0)
    assert path.layout == layout and not path.notes
    module = SFTModule(model, masters, TrainState(train_job, AdamW(), Stopping(), tmp_path), path, 3).to(META)
    module.manual_backward = lambda loss: loss.backward()
    assert module.training_step(ROWS, 0).is_meta
    elsewhere.reads = 0
    module.training_step(ROWS, 1)
    parts = 3
    assert elsewhere.reads <= 2 + 3 * parts, "each read waits for the GPU"
    with masters.measured():
        assert module.validate(CHOOSE).loss > 0
    masters.conclude()
    assert all_elsewhere(masters.masters, masters.means, masters.state_dict(), list(model.parameters()))


def test_the_end_of_a_fit_leaves_the_model_on_its_device(elsewhere, tmp_path):
    """Lightning moves it to the CPU, and the next trial of a sweep would train there."""
    model = Lora(rank=2).attach(tiny())
    train_job = TrainJob(ROWS, CHOOSE, 2, 2, 0, "constant", "row_mean", 0)
    state = TrainState(train_job, AdamW(), Stopping(), tmp_path)
    SFTModule(model, optimizer_of(model), state).cpu()
    assert all_elsewhere(list(model.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_optimizer_restored_from_the_host_lies_where_the_weights_lie(elsewhere, dtype):
    here, there = (Lora(rank=2).attach(tiny(dtype, device)) for device in (CPU, META))
    saved = optimizer_of(here)
    for parameter in saved.parameters:
        parameter.grad = torch.ones_like(parameter)
    saved.step(1e-3)
    restored = optimizer_of(there)
    restored.load_state_dict(saved.state_dict())
    assert restored.steps == 1 and all_elsewhere(
        restored.optimizer.state_dict()["state"], restored.masters, restored.means
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_pack_that_pauses_and_goes_on_keeps_to_the_models_device(elsewhere, tmp_path, dtype):
    train_job = TrainJob(ROWS, CHOOSE, 3, 2, 0, "constant", "row_mean", 0)
    stopping = Stopping(patience=None)
    jobs = [
        PackedJob(name, train_job, Lora(rank=rank, alpha=4), AdamW(), stopping, tmp_path / name)
        for name, rank in (("a", 2), ("b", 1))
    ]
    ended, paused = [], []
    with PackedTrainer(tiny(dtype), 2, 2) as trainer:

        def on_check(job, point, curve):
            return PAUSE if job.id == "a" and job.paused is None else GO_ON

        def on_result(job, result):
            if result.state == "paused":
                paused.append(trainer.paused(job.id))
                assert all(tensor.device == CPU for tensor in paused[-1].tensors.values())
                jobs.append(replace(job, paused=paused[-1]))
                return
            ended.append((job.id, result.state))

        def on_step(steps):
            stack = trainer.stack
            assert all_elsewhere(list(stack.adamw.state.values()), stack.masters, stack.means, stack.weights)

        trainer.stream(lambda: jobs.pop() if jobs else None, on_result, PackedHooks(on_check, on_step=on_step))
    assert paused and sorted(ended) == [("a", "finished"), ("b", "finished")]
    assert all((tmp_path / name / "adapter" / "adapter_config.json").is_file() for name in "ab")


class Generator:
    """A GPU's random numbers, as torch.cuda and torch.mps offer their state."""

    def __init__(self):
        self.own = torch.Generator().manual_seed(5)
        self.get_rng_state, self.set_rng_state = self.own.get_state, self.own.set_state

    def draw(self):
        return torch.rand(3, generator=self.own).tolist()


def test_a_checkpoint_has_the_gpus_random_state_too(tmp_path, monkeypatch):
    gpu = Generator()
    monkeypatch.setattr(states, "_gpus", lambda: {"cuda": gpu})
    model = Lora(rank=2).attach(tiny(device=CPU))
    gpu.draw()
    save_checkpoint(tmp_path, Paused(1), optimizer_of(model))
    expected = gpu.draw(), torch.rand(3).tolist()
    assert load_checkpoint(tmp_path, optimizer_of(model)).steps == 1
    assert (gpu.draw(), torch.rand(3).tolist()) == expected
    with kept_random_state():
        before = gpu.draw()
    assert gpu.draw() == before, "what is drawn in between takes nothing away"
    monkeypatch.setattr(states, "_gpus", dict)
    load_checkpoint(tmp_path, optimizer_of(model))  # on a machine without the GPU
    assert torch.rand(3).tolist() == expected[1]


def test_a_checkpoint_from_before_with_the_cpus_random_state_alone_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(states, "_gpus", lambda: {"cuda": Generator()})
    masters = optimizer_of(Lora(rank=2).attach(tiny(device=CPU)))
    save_checkpoint(tmp_path, Paused(1), masters)
    (file,) = tmp_path.glob("step-*/training.pt")
    torch.save({"optimizer": masters.state_dict(), "random": torch.get_rng_state()}, file)
    expected = torch.rand(3)
    assert load_checkpoint(tmp_path, masters).steps == 1 and torch.equal(torch.rand(3), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_dropout_on_the_gpu_goes_on_where_it_was(tmp_path):
    masters = optimizer_of(Lora(rank=2).attach(tiny(device="cuda")))
    ones = torch.ones(1000, device="cuda")
    torch.nn.functional.dropout(ones)
    save_checkpoint(tmp_path, Paused(1), masters)
    expected = torch.nn.functional.dropout(ones)
    torch.nn.functional.dropout(ones)
    load_checkpoint(tmp_path, masters)
    assert torch.equal(torch.nn.functional.dropout(ones), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_the_gpu_a_pause_leaves_no_trace_and_the_model_stays_there(tmp_path, dtype):
    train_job = TrainJob(ROWS[:8], CHOOSE, 3, 2, 0, "constant", "row_mean", 0)
    curves = []
    for pauses in (False, True):
        job = PackedJob("a", train_job, Lora(rank=2, alpha=4), AdamW(), Stopping(patience=None), tmp_path / str(pauses))
        waiting, ended = [job], []
        with PackedTrainer(tiny(dtype, "cuda"), 1, 2) as trainer:

            def on_result(job, result, waiting=waiting, ended=ended, trainer=trainer):
                if result.state == "paused":
                    waiting.append(replace(job, paused=trainer.paused(job.id)))
                else:
                    ended.append(result)

            def on_check(job, point, curve, pauses=pauses):
                return PAUSE if pauses and job.paused is None else GO_ON

            trainer.stream(lambda waiting=waiting: waiting.pop() if waiting else None, on_result, PackedHooks(on_check))
        curves.append([(p.step, p.train_loss, p.val_loss) for p in ended[0].curve])
    assert curves[0] == curves[1]
    model = Lora(rank=2).attach(tiny(dtype, "cuda"))
    assert Trainer(device="cuda").fit(model, train_job, AdamW(), Stopping(), tmp_path / "alone").state == "finished"
    assert {p.device.type for p in model.parameters()} == {"cuda"}
