"""The trials that train together on one base model: their slots, pauses, results, and what to do when memory is full."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from byheart.errors import UserError
from byheart.model.adapters.adapter import Lora
from byheart.model.memory import is_out_of_memory, release_memory
from byheart.progress import Said
from byheart.records import CurvePoint
from byheart.sweep.packed.checkpoints import load_paused, save_paused
from byheart.sweep.packed.memory import PackSettings, packed_job
from byheart.sweep.report.events import TrialChanged
from byheart.sweep.run.scheduler import Scheduler
from byheart.sweep.run.trial import PreparedTrial, TrialTask
from byheart.training.curve import write_curve
from byheart.training.hardware import forget_peak, peak_memory_gib
from byheart.training.job import Paused, TrainResult
from byheart.training.multi_lora.job import GO_ON, PAUSE, PackedHooks, PackedJob
from byheart.training.stopping import best_by

if TYPE_CHECKING:
    from byheart.training.multi_lora.answers import PackAnswers
    from byheart.training.multi_lora.trainer import PackedTrainer

SAVE_S = 300.0  # a killed trial loses at most this; pausing and resuming changes no bit


@dataclass
class SlotState:
    """A trial in a slot, or one that is paused."""

    prepared: PreparedTrial
    paused: Paused | None = None
    train_result: TrainResult | None = None  # while it is paused: the result so far
    epochs: int = 0  # ended
    saved: float = 0.0  # time.monotonic() of its last checkpoint
    memory: float = 0.0  # GiB: the model, and this trial's share of the rest


class Pack:
    """`supply` gives the next trial of this kind; `scheduler` takes the results."""

    def __init__(
        self, task: TrialTask, scheduler: Scheduler, supply: Callable[[], PreparedTrial | None], settings: PackSettings
    ):
        self.task, self.scheduler, self.supply, self.settings = task, scheduler, supply, settings
        self.in_slots: dict[str, SlotState] = {}
        self.paused_trials: dict[int, SlotState] = {}  # at a rung of halving
        self.joining = [SlotState(settings.first)]
        self.trainer: PackedTrainer
        self.base = 0.0  # GiB before the first step

    def run(self, slots: int) -> None:
        """Until no trial of this kind is left. Where memory is full, the same trials continue in half the slots."""
        while True:
            try:
                self._stream(slots)
                return
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                slots = self._free_memory(error, slots)

    def unfinished(self) -> list[PreparedTrial]:
        """The trials that have no result, after an error."""
        waiting = [*self.in_slots.values(), *self.joining, *self.paused_trials.values()]
        return sorted((each.prepared for each in waiting), key=lambda prepared: prepared.number)

    def _stream(self, slots: int) -> None:
        self.slots = slots
        forget_peak()
        self.base = peak_memory_gib()
        recall = self._recall if self.settings.first.measures else None
        hooks = PackedHooks(self._on_check, recall, self.task.watch.stop_requested, self._on_step, self._on_note)
        with self.settings.trainer(slots) as self.trainer:
            self.trainer.stream(self._next_job, self._on_result, hooks)
        for number, each in self.paused_trials.items():  # Ctrl-C: they are saved, and the same command continues them
            assert each.train_result is not None
            self.scheduler.ended(number, self.task.finish(each.prepared, each.train_result))

    def _free_memory(self, error: BaseException, slots: int) -> int:
        """How many slots to continue with. A trial that is too large alone fails; the others continue from their checkpoints."""
        interrupted = list(self.in_slots.values()) or self.joining[:slots]
        self.in_slots.clear()
        self.trainer = None  # type: ignore[assignment]  # and what the failed step made hangs on the traceback's frames
        error.__traceback__ = None
        release_memory()
        if len(interrupted) == 1 and (self.joining[:1] != interrupted or slots == 1):
            self.joining = [each for each in self.joining if each is not interrupted[0]]
            self.scheduler.failed(interrupted[0].prepared.number, error)
        else:
            self.joining = [*interrupted, *(each for each in self.joining if each not in interrupted)]
        fewer = max(1, min(slots, len(interrupted)) // 2)
        if fewer < slots:
            self.scheduler.progress(Said(f"out of memory with {slots} slots: continuing with {fewer}"))
        return fewer

    def _next_job(self) -> PackedJob | None:
        while (each := self._next()) is not None:
            number = each.prepared.number
            begun = each.paused is None  # now, or by a command that was interrupted
            if begun:
                each.paused = load_paused(each.prepared.folder)
            job = packed_job(each.prepared, each.paused)
            if problems := self.trainer.problems(job):
                self.scheduler.failed(number, UserError(*problems))
                continue
            if each.paused is not None:
                each.epochs = sum(float(point.epoch).is_integer() for point in each.paused.curve)
            if begun and each.paused is not None and not self.scheduler.resumes(number, each.paused.curve):
                each.train_result = _so_far(each)
                self.paused_trials[number] = each
                continue
            each.paused, each.saved = None, time.monotonic()
            self.in_slots[job.id] = each
            return job
        return None

    def _next(self) -> SlotState | None:
        if self.joining:
            return self.joining.pop(0)
        if (number := self.scheduler.promoted(self.paused_trials)) is not None:
            return self.paused_trials.pop(number)
        found = self.supply()
        if found is None and not self.in_slots and not self.task.watch.stop_requested():
            for number, each in list(self.paused_trials.items()):  # no trial is left that could make them good enough
                del self.paused_trials[number]
                self._end_at_rung(each)
        return SlotState(found) if found is not None else None

    def _on_check(self, job: PackedJob, point: CurvePoint, curve: Sequence[CurvePoint]) -> str:
        each = self.in_slots[job.id]
        each.memory = max(each.memory, self._share(job))
        answer = self.task.checked(each.prepared, replace(point, peak_memory=round(each.memory, 3)), curve)
        if answer == GO_ON and time.monotonic() - each.saved > SAVE_S:
            return PAUSE
        return answer

    def _on_result(self, job: PackedJob, result: TrainResult) -> None:
        each = self.in_slots.pop(job.id)
        number = each.prepared.number
        if result.state in ("paused", "stopped"):
            each.paused, each.train_result = self.trainer.paused(job.id), result
            save_paused(each.prepared.folder, each.paused)
            if number in self.scheduler.rungs.paused:  # else it is paused only to be saved
                self.paused_trials[number] = each
                self.scheduler.progress(TrialChanged(number, "paused"))
                return
            if result.state == "paused":
                self.joining.append(each)
                return
        self._ends(each, replace(result, curve=_with_memory(result.curve, each.memory)))

    def _ends(self, each: SlotState, result: TrainResult, halved: str = "") -> None:
        number = each.prepared.number
        try:
            write_curve(each.prepared.folder / "curve.csv", result.curve)
            outcome = self.task.finish(each.prepared, result, halved)
        except Exception as error:
            self.scheduler.failed(number, error)
        else:
            self.scheduler.ended(number, outcome)

    def _end_at_rung(self, each: SlotState) -> None:
        """Ends a trial that stays at its rung with what it reached, and saves the adapter of its best epoch."""
        from byheart.training.multi_lora.adapters import save

        assert each.paused is not None and each.train_result is not None
        adapter = each.prepared.run_config.adapter
        assert isinstance(adapter, Lora)
        model, stack = each.prepared.session.model, self.trainer.stack
        weights = each.paused.tensors.get("best", each.paused.tensors["masters"].to(stack.weights.dtype))
        save(adapter, model, stack.matrices_of(weights, adapter.rank), each.prepared.folder / "adapter")
        result = replace(each.train_result, state="pruned", curve=_with_memory(each.train_result.curve, each.memory))
        self._ends(each, result, self.scheduler.rungs.reason(each.prepared.number))

    def _recall(self, jobs: Sequence[PackedJob], answers: "PackAnswers") -> list[float | None]:
        """What is measured of trials that end an epoch together: the sample is asked of all in one batch."""
        language = self.settings.first.session.language_model(answers.model)
        samples = {}
        for job in jobs:
            each = self.in_slots[job.id]
            each.epochs += 1
            samples[job.id] = each.prepared.recall
            if each.prepared.forgets:
                with answers.alone(job.id):
                    each.prepared.measure_forgetting(language, each.epochs)
        found: dict[str, float] = {}
        for limit in {sample.member.max_new_tokens for sample in samples.values() if sample}:
            alike = {job: own for job, own in samples.items() if own and own.member.max_new_tokens == limit}
            replies = answers.answer(language, {job: own.questions for job, own in alike.items()}, limit)
            found |= {job: own.value(replies[job]) for job, own in alike.items()}
        return [found.get(job.id) for job in jobs]

    def _on_step(self, steps: dict[str, tuple[int, int]]) -> None:
        for name, (step, of) in steps.items():
            self.task.watch.on_step(int(name), step, of)

    def _on_note(self, line: str) -> None:
        self.scheduler.progress(Said(line))

    def _share(self, job: PackedJob) -> float:
        """GiB that this trial would take alone: the model, its adapter, its rows' part of the activations."""
        adapter = self.trainer.bytes_per_slot() / 2**30
        rows = sum(each.prepared.train_job.batch_size for each in self.in_slots.values())
        active = max(0.0, peak_memory_gib() - self.base - adapter * self.slots)
        return self.base + adapter + active * job.train_job.batch_size / max(1, rows)


def _so_far(each: SlotState) -> TrainResult:
    """The result so far of a trial that an earlier command paused at a rung."""
    paused = each.paused
    assert paused is not None
    last = paused.curve[-1]
    monitor = each.prepared.run_config.stopping.monitor
    chosen = best_by(monitor, paused.curve), best_by("val_loss", paused.curve)
    return TrainResult("paused", paused.curve, paused.steps, last.rows_seen, last.epoch, *chosen, paused.seconds, ())


def _with_memory(curve: Sequence[CurvePoint], memory: float) -> tuple[CurvePoint, ...]:
    """The curve with the memory of this trial in place of the whole pack's peak."""
    return tuple(replace(point, peak_memory=round(memory, 3)) if memory else point for point in curve)
