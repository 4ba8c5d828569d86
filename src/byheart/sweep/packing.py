"""Which trials train together: packs of those that share a base model and its targets, the others one at a time."""

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from byheart.config.compose import Config
from byheart.errors import Diverged, Problem, UserError
from byheart.model.adapter import Lora
from byheart.model.language import LanguageModel
from byheart.plan import Plan
from byheart.store import content_key
from byheart.sweep.conductor import Conductor
from byheart.sweep.hydra_job import make_job
from byheart.sweep.shared import lend
from byheart.sweep.study import Asked
from byheart.sweep.trial import Prepared, Trials
from byheart.training.packed.job import Job
from byheart.training.packed.trainer import PackedTrainer
from byheart.training.trainer import Learned

MOST_SLOTS = {"cpu": 8, "cuda": 32}  # more train no faster: measured in docs/findings.md
SHARE = 0.5  # of the free memory that adapters may take; activations need the rest


@dataclass(frozen=True)
class Planned:
    """A trial whose config is composed, before anything costly."""

    asked: Asked
    config: Config
    folder: Path
    plan: Plan

    @property
    def pack(self) -> str | None:
        """What trials of one pack share; None for those that train by themselves."""
        adapter = self.plan.adapter
        if not isinstance(adapter, Lora) or adapter.dropout:
            return None
        return content_key(self.plan.model, self.plan.trainer, adapter.targets)


class Packing:
    """`options` are those of conf/hydra/launcher/packed.yaml."""

    def __init__(self, options: dict[str, Any], context: Any, task: Any, config: Config):
        self.slots, self.tokens_at_once = options.get("slots"), options.get("tokens_at_once")
        self.context, self.task, self.config = context, task, config
        self.waiting: deque[Planned] = deque()

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra's way, which blocks until the batch is done: one job after another, since only a study's are packed."""
        if not isinstance(self.task, Trials):
            fix = "add hydra/sweeper=byheart_optuna: a grid is asked as a whole"
            raise UserError(Problem("only the trials of a study train together", "hydra/launcher", "packed", fix))
        returns = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            job, folder = make_job(self.context, self.config, overrides, number)
            result = JobReturn(overrides=list(overrides), cfg=job, status=JobStatus.COMPLETED)
            try:
                prepared = self.task.prepare(job, folder)
                result.return_value = self.task.finish(prepared, self.task.fit(prepared))
            except Exception as error:
                result.status, result.return_value = JobStatus.FAILED, error
            returns.append(result)
        return returns

    def stream(self, source: Conductor) -> None:
        """Until the source has no trial for us at present."""
        while (first := self.waiting.popleft() if self.waiting else self._planned(source)) is not None:
            if first.pack is None:
                self._alone(first, source)
            else:
                self._together(first, source)

    # -- within -------------------------------------------------------------------------------------------------------

    def _planned(self, source: Conductor) -> Planned | None:
        """The source's next trial; one whose config is at fault is told as failed."""
        while (asked := source.next()) is not None:
            try:
                config, folder = make_job(self.context, self.config, source.overrides(asked), asked.number)
                plan, problems = self.task.plan_of(config)
                if problems:
                    raise UserError(*problems)
                return Planned(asked, config, folder, plan)
            except Exception as error:
                source.failed(asked.number, error)
        return None

    def _prepared(self, planned: Planned, source: Conductor) -> Prepared | None:
        try:
            prepared: Prepared = self.task.prepare(planned.config, planned.folder)
            return prepared
        except Exception as error:
            source.failed(planned.asked.number, error)
            return None

    def _alone(self, planned: Planned, source: Conductor) -> None:
        prepared = self._prepared(planned, source)
        if prepared is None:
            return
        try:
            source.ended(prepared.number, self.task.finish(prepared, self.task.fit(prepared)))
        except Diverged as error:
            source.ended(prepared.number, self.task.finish_diverged(prepared, str(error)))
        except Exception as error:
            source.failed(prepared.number, error)

    def _together(self, planned: Planned, source: Conductor) -> None:
        """A pack around one trial, joined by others of its kind as slots become free."""
        first = self._prepared(planned, source)
        if first is None:
            return
        lend(first.opened)
        pack, rank = planned.pack, max(source.most("adapter.rank"), first.plan.adapter.rank)  # type: ignore[attr-defined]
        targets = first.plan.adapter.targets  # type: ignore[attr-defined]
        slots = self._room(first, rank, targets, source.wanted)
        source.board.slots = slots
        aboard: dict[str, Prepared] = {}
        epochs: dict[str, int] = {}
        joining = [first]
        with PackedTrainer(first.opened.model, slots, rank, targets, self.tokens_at_once) as trainer:

            def next_job() -> Job | None:
                while (prepared := joining.pop() if joining else self._of_kind(pack, slots, source)) is not None:
                    job = _job(prepared)
                    if problems := trainer.tests(job):
                        source.failed(prepared.number, UserError(*problems))
                        continue
                    aboard[job.id] = prepared
                    epochs[job.id] = 0
                    return job
                return None

            def on_result(job: Job, learned: Learned) -> None:
                prepared = aboard.pop(job.id)
                try:
                    if learned.state == "diverged":
                        outcome = self.task.finish_diverged(prepared, "; ".join(learned.notes))
                    else:
                        outcome = self.task.finish(prepared, learned)
                except Exception as error:
                    source.failed(prepared.number, error)
                else:
                    source.ended(prepared.number, outcome)

            def recall(job: Job, model: Any) -> float:
                prepared = aboard[job.id]
                epochs[job.id] += 1
                assert prepared.measure is not None
                found = prepared.measure(LanguageModel(model, prepared.opened.tokenizer), epochs[job.id])
                return float("nan") if found is None else found

            def on_tick(steps: dict[str, tuple[int, int]]) -> None:
                for name, (step, of) in steps.items():
                    self.task.watch.on_step(int(name), step, of)

            trainer.stream(
                next_job,
                on_result,
                lambda job, point, curve: self.task.checked(aboard[job.id], point, curve),
                recall if first.measure else None,
                self.task.watch.stop_requested,
                on_tick,
            )

    def _of_kind(self, pack: str | None, slots: int, source: Conductor) -> Prepared | None:
        """A trial for this pack: one that waited, else the source's next. Those of another kind wait for their own pack,
        and so do those whose rows are not made yet: that takes the base model, which the pack has on loan."""
        for _ in range(len(self.waiting)):
            planned = self.waiting.popleft()
            if planned.pack == pack and self.task.is_ready(planned.plan):
                if (prepared := self._prepared(planned, source)) is not None:
                    return prepared
            else:
                self.waiting.append(planned)
        while len(self.waiting) < slots and (found := self._planned(source)) is not None:
            if found.pack != pack or not self.task.is_ready(found.plan):
                self.waiting.append(found)
            elif (prepared := self._prepared(found, source)) is not None:
                return prepared
        return None

    def _room(self, first: Prepared, rank: int, targets: Any, wanted: int) -> int:
        """How many slots: as said, if memory bears them; else as memory and the device bear, and no more than trials."""
        with PackedTrainer(first.opened.model, 1, rank, targets) as probe:
            each = probe.bytes_per_slot()
        device = first.opened.device
        bears = max(1, int(SHARE * _free_bytes(device) / max(1, each)))
        if self.slots is None:
            return min(wanted, bears, MOST_SLOTS.get(device, 8))
        if self.slots > bears:
            what = f"memory bears {bears} slots of {each / 2**20:.0f} MiB beside the activations"
            raise UserError(Problem(what, "hydra.launcher.slots", str(self.slots), f"hydra.launcher.slots={bears}"))
        return int(self.slots)


def _job(prepared: Prepared) -> Job:
    plan, adapter = prepared.plan, prepared.plan.adapter
    assert isinstance(adapter, Lora)
    return Job(str(prepared.number), prepared.lesson, adapter, plan.optimizer, plan.stopping, prepared.folder)


def _free_bytes(device: str) -> int:
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not told by this system
        return 4 * 2**30
