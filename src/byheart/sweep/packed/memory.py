"""How many trials train at a time: as many as fit in memory, measured on one step, and fewer where that is faster."""

import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.errors import Problem, UserError
from byheart.model.adapters.adapter import Lora
from byheart.model.memory import free_bytes
from byheart.model.random_state import kept_random_state
from byheart.sweep.run.trial import PreparedTrial
from byheart.sweep.run.workers import SHARE
from byheart.training.hardware import forget_peak, peak_memory_gib
from byheart.training.job import Paused
from byheart.training.layout import Row
from byheart.training.multi_lora.job import PackedHooks, PackedJob
from byheart.training.optimizer import AdamW

if TYPE_CHECKING:
    from byheart.training.multi_lora.trainer import PackedTrainer

MOST = {"cpu": 16, "cuda": 32}  # what was measured: docs/results.md
MEASURED_STEPS = 3
SPENT = 0.02  # share of the sweep's steps that may be spent on measuring how many slots are fastest
SLOWER = 0.95  # half the slots must take less than this share of the time for each row, else all are kept


@dataclass(frozen=True)
class PackSettings:
    """The settings of a pack but for the number of its slots."""

    first: PreparedTrial
    rank: int
    targets: str | tuple[str, ...]
    tokens_at_once: int | None

    def trainer(self, slots: int) -> "PackedTrainer":
        from byheart.training.multi_lora.trainer import PackedTrainer  # imports torch

        return PackedTrainer(self.first.session.model, slots, self.rank, self.targets, self.tokens_at_once)


@dataclass(frozen=True)
class StepCost:
    seconds: float  # of one step of all slots
    taken: int  # bytes that the slots took
    adapter: int  # bytes of one slot without its activations
    validation: int = 0  # bytes of one pass of a validation, whatever the slots


def choose_slots(
    pack: PackSettings, asked: int | None, wanted: int, batches: tuple[int, int], processes: int = 1
) -> int:
    """The number that the user asks for, if it fits in memory; else as measured, at most `wanted`. `batches`: the lowest
    and the highest batch size of the sweep. `processes` share the memory."""
    device = pack.first.session.device
    if asked is None and wanted == 1:
        return 1
    one = measure_step(pack, 1, batches[1] if asked is None else batches[0], steps=1)
    fit = _slots_that_fit(one, pack.tokens_at_once, free_bytes(device) // processes)
    if asked is not None and asked > fit:
        size = (one.adapter if pack.tokens_at_once else one.taken) / 2**20
        what = f"memory holds {fit} slots of {size:.0f} MiB, as one step of a trial took"
        fix = f"hydra.launcher.slots={fit}, or bound a step: hydra.launcher.tokens_at_once=4096"
        raise UserError(Problem(what, "hydra.launcher.slots", str(asked), fix))
    return asked or _quickest(pack, min(wanted, fit, MOST.get(device, 8)), wanted)


def measure_step(pack: PackSettings, slots: int, batch: int, steps: int = MEASURED_STEPS + 1) -> StepCost:
    """Measures a step of `slots` copies of a trial on its longest rows; changes nothing."""
    train_job = pack.first.train_job
    rows: Sequence[Row] = sorted(train_job.train, key=lambda row: len(row.tokens))[-batch:]
    short = replace(train_job, train=list(rows), validate=[], batch_size=batch, epochs=steps)
    job, marks = packed_job(pack.first), [time.monotonic()]
    forget_peak()
    before = peak_memory_gib()
    with tempfile.TemporaryDirectory() as scratch, kept_random_state(), pack.trainer(slots) as trainer:
        jobs = [replace(job, id=str(i), train_job=short, folder=Path(scratch)) for i in range(slots)]
        hooks = PackedHooks(
            stop_requested=lambda: len(marks) > steps, on_step=lambda done: marks.append(time.monotonic())
        )
        trainer.stream(lambda: jobs.pop() if jobs else None, lambda job, result: None, hooks)
        each, moments = trainer.bytes_per_slot(), trainer.bytes_of_moments()
        validation = trainer.bytes_of_validation(pack.first.train_job.validate, MOST.get(pack.first.session.device, 8))
    warm = [later - earlier for earlier, later in itertools.pairwise(marks[1:])]  # the first step warms up
    took = int((peak_memory_gib() - before) * 2**30)
    if not warm:  # no second step has measured the optimizer moments together with the activations
        took += moments * slots
    return StepCost(min(warm, default=marks[-1] - marks[0]), max(each * slots, took), each, validation)


def packed_job(prepared: PreparedTrial, paused: Paused | None = None) -> PackedJob:
    config, adapter = prepared.run_config, prepared.run_config.adapter
    assert isinstance(adapter, Lora) and isinstance(config.optimizer, AdamW)
    options = adapter, config.optimizer, config.stopping
    return PackedJob(str(prepared.number), prepared.train_job, *options, prepared.folder, paused)


def _slots_that_fit(one: StepCost, tokens_at_once: int | None, free: int) -> int:
    """Where a step is computed in parts of bounded size, its activations are there once, whatever the slots; those of a
    validation, which a step's have made room for, are there once anyway."""
    shared, each = (one.taken - one.adapter, one.adapter) if tokens_at_once else (0, one.taken)
    trained, validated = (SHARE * free - shared) / max(1, each), (SHARE * free - one.validation) / max(1, one.adapter)
    return max(1, int(min(trained, validated)))


def _quickest(pack: PackSettings, most: int, wanted: int) -> int:
    """Halves the slots while that makes a row faster; where measuring would take too long, takes them all."""
    train_job, batch = pack.first.train_job, pack.first.train_job.batch_size
    steps = wanted * train_job.epochs * train_job.steps_per_epoch
    if most == 1 or 1.5 * MEASURED_STEPS * most > SPENT * steps:
        return most
    slots, pace = most, measure_step(pack, most, batch).seconds / most
    while slots > 1:
        fewer = slots // 2
        found = measure_step(pack, fewer, batch).seconds / fewer
        if found > SLOWER * pace:
            break
        slots, pace = fewer, found
    return slots
