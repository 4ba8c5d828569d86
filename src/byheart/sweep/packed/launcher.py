"""Which trials train together: packs of those that share a base model and its targets, the others one at a time."""

import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import filter_overrides
from hydra.types import HydraContext
from omegaconf import OmegaConf, open_dict, read_write

from byheart.config.compose import Config, hydra_node
from byheart.errors import UserError
from byheart.model.adapters.adapter import Lora
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Said
from byheart.store import content_key, write_text
from byheart.sweep.packed.memory import PackSettings, choose_slots
from byheart.sweep.packed.slots import Pack
from byheart.sweep.run.scheduler import Scheduler, reason_of
from byheart.sweep.run.trial import PreparedTrial, TrialTask

ERROR = "error.txt"  # in the sweep's folder: the traceback of a pack that failed


@dataclass(frozen=True)
class Planned:
    """A trial whose config is composed, before anything costly."""

    number: int
    folder: Path
    run_config: RunConfig

    @property
    def pack(self) -> str | None:
        """What trials of one pack share; None for those whose options keep them out of any."""
        adapter = self.run_config.adapter
        if self.run_config.alone:
            return None
        assert isinstance(adapter, Lora)
        return content_key(self.run_config.model, self.run_config.trainer, adapter.targets)


class PackLauncher:
    """`options` are those of conf/hydra/launcher/packed.yaml."""

    def __init__(self, options: Mapping[str, int | None], context: HydraContext, task: TrialTask, config: Config):
        self.slots, self.tokens_at_once = options.get("slots"), options.get("tokens_at_once")
        self.context, self.task, self.config = context, task, config
        self.waiting: deque[Planned] = deque()
        self.alone: dict[str, str] = {}  # pack -> why its trials train alone after all
        self.can_pack: set[str] = set()  # packs that were asked: asking again would cost some seconds
        self.told: set[str] = set()  # the reasons that were said

    def stream(self, scheduler: Scheduler) -> None:
        """Until the scheduler has no trial for this process at present."""
        while (first := self.waiting.popleft() if self.waiting else self._planned(scheduler)) is not None:
            if first.pack is None or first.pack in self.alone:
                if (prepared := self._prepared(first, scheduler)) is not None:
                    self._alone(prepared, first.run_config.alone or self.alone[str(first.pack)], scheduler)
            else:
                self._together(first, scheduler)

    def _planned(self, scheduler: Scheduler) -> Planned | None:
        """The scheduler's next trial; one with a wrong config fails at once."""
        while (trial := scheduler.next()) is not None:
            try:
                config, folder = make_job(self.context, self.config, scheduler.overrides(trial), trial.number)
                return Planned(trial.number, folder, self.task.read(config))
            except Exception as error:
                scheduler.failed(trial.number, error)
        return None

    def _prepared(self, planned: Planned, scheduler: Scheduler) -> PreparedTrial | None:
        try:
            return self.task.prepare(planned.run_config, planned.folder)
        except Exception as error:
            scheduler.failed(planned.number, error)
            return None

    def _alone(self, prepared: PreparedTrial, why: str, scheduler: Scheduler) -> None:
        if why not in self.told:
            self.told.add(why)
            scheduler.progress(Said(f"trial {prepared.number} and its like train alone, not packed: {why}"))
        try:
            outcome = self.task.finish(prepared, self.task.fit(prepared))
        except Exception as error:
            scheduler.failed(prepared.number, error)
        else:
            scheduler.ended(prepared.number, outcome)

    def _together(self, planned: Planned, scheduler: Scheduler) -> None:
        """A pack around one trial, joined by others of its kind as slots become free."""
        first, kind = self._prepared(planned, scheduler), str(planned.pack)
        if first is None:
            return
        if kind not in self.can_pack and (why := _why_alone(first)) is not None:
            self.alone[kind] = why
            self._alone(first, why, scheduler)
            return
        self.can_pack.add(kind)
        adapter = first.run_config.adapter
        assert isinstance(adapter, Lora)
        rank = max(int(scheduler.setup.space.ends("adapter.rank")[1]), adapter.rank)
        settings = PackSettings(first, rank, adapter.targets, self.tokens_at_once)
        count = self._count(settings, scheduler)
        pack = Pack(self.task, scheduler, lambda: self._of_kind(kind, count, scheduler), settings)
        try:
            pack.run(count)
        except UserError:  # a full disk, for example
            raise
        except Exception as error:
            self.alone[kind] = f"their pack ended in {type(error).__name__}: {reason_of(error)}"
            write_text(scheduler.setup.folder / ERROR, "".join(traceback.format_exception(error)))
            for prepared in pack.unfinished():
                self._alone(prepared, self.alone[kind], scheduler)

    def _count(self, settings: PackSettings, scheduler: Scheduler) -> int:
        """How many slots the pack has."""
        own, worker = settings.first.train_job.batch_size, scheduler.worker
        least, most = map(int, scheduler.setup.space.ends("batch_size"))
        slots = self.slots
        if slots is not None and worker.trials is not None:
            slots = min(slots, worker.trials)
        wanted, batches = worker.trials or scheduler.study.wanted, (least or own, max(most, own))
        try:
            return choose_slots(settings, slots, wanted, batches, worker.processes)
        except UserError:  # more slots were asked for than fit
            raise
        except Exception as error:
            count, why = slots or 1, reason_of(error)
            error.__traceback__ = None  # what the failed step made hangs on its frames
            what = f"how many trials can train at a time could not be measured ({why})"
            scheduler.progress(Said(f"{what}, so it is {count}. Set it with hydra.launcher.slots"))
            return count

    def _of_kind(self, pack: str | None, slots: int, scheduler: Scheduler) -> PreparedTrial | None:
        """A trial for this pack: one that waited, else the scheduler's next. Trials of another kind wait for their own
        pack, and so do those whose rows are not made yet: that needs the base model, which the pack is using."""
        for _ in range(len(self.waiting)):
            planned = self.waiting.popleft()
            if planned.pack == pack and self.task.is_ready(planned.run_config):
                if (prepared := self._prepared(planned, scheduler)) is not None:
                    return prepared
            else:
                self.waiting.append(planned)
        while len(self.waiting) < slots and (found := self._planned(scheduler)) is not None:
            if found.pack != pack or not self.task.is_ready(found.run_config):
                self.waiting.append(found)
            elif (prepared := self._prepared(found, scheduler)) is not None:
                return prepared
        return None


def _why_alone(first: PreparedTrial) -> str | None:
    from byheart.training.multi_lora.packable import why_alone  # imports torch

    adapter, session = first.run_config.adapter, first.session
    assert isinstance(adapter, Lora)
    session.untrained()  # loads the base again, where an adapter that cannot be taken off was trained on it
    try:
        return why_alone(session.model, adapter)
    except Exception as error:
        session.fresh = False  # peft may have replaced some layers
        return f"the model could not be asked ({reason_of(error)})"


def make_job(context: HydraContext, config: Config, overrides: Sequence[str], number: int) -> tuple[Config, Path]:
    """The job's config without its `hydra` node, which is saved in `.hydra` of the folder with it (see Hydra's run_job)."""
    whole = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(whole):
        whole.hydra.job.id = whole.hydra.job.num = number
    with hydra_node(whole):
        folder = Path(*(str(OmegaConf.select(whole, f"hydra.sweep.{key}")) for key in ("dir", "subdir")))
        with read_write(whole.hydra.runtime), open_dict(whole.hydra.runtime):
            whole.hydra.runtime.output_dir = str(folder.absolute())
        job = OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"])
        saved = folder / str(whole.hydra.output_subdir or ".hydra")
        saved.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(job, saved / "config.yaml")
        OmegaConf.save(HydraConfig.instance().cfg, saved / "hydra.yaml")
        OmegaConf.save(OmegaConf.create(list(filter_overrides(list(overrides)))), saved / "overrides.yaml")
    return job, folder.absolute()
