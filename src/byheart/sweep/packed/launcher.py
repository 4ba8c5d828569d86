"""Which trials train together: packs of those that share a base model and its targets, the others one at a time."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import filter_overrides
from hydra.types import HydraContext
from omegaconf import OmegaConf, open_dict, read_write

from byheart.config.compose import Config, hydra_node
from byheart.model.adapter import Lora
from byheart.pipeline.run_config import RunConfig
from byheart.store import content_key
from byheart.sweep.packed.memory import PackSettings, choose_slots
from byheart.sweep.packed.slots import Pack
from byheart.sweep.run.scheduler import Scheduler
from byheart.sweep.run.shared import detach_adapter
from byheart.sweep.run.trial import PreparedTrial, TrialTask


@dataclass(frozen=True)
class Planned:
    """A trial whose config is composed, before anything costly."""

    number: int
    folder: Path
    run_config: RunConfig

    @property
    def pack(self) -> str | None:
        """What trials of one pack share; None for those that train by themselves."""
        adapter = self.run_config.adapter
        if not isinstance(adapter, Lora) or adapter.dropout:
            return None
        return content_key(self.run_config.model, self.run_config.trainer, adapter.targets)


class PackLauncher:
    """`options` are those of conf/hydra/launcher/packed.yaml."""

    def __init__(self, options: Mapping[str, int | None], context: HydraContext, task: TrialTask, config: Config):
        self.slots, self.tokens_at_once = options.get("slots"), options.get("tokens_at_once")
        self.context, self.task, self.config = context, task, config
        self.waiting: deque[Planned] = deque()

    def stream(self, scheduler: Scheduler) -> None:
        """Until the scheduler has no trial for this process at present."""
        while (first := self.waiting.popleft() if self.waiting else self._planned(scheduler)) is not None:
            if first.pack is None:
                self._alone(first, scheduler)
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

    def _alone(self, planned: Planned, scheduler: Scheduler) -> None:
        try:
            prepared = self.task.prepare(planned.run_config, planned.folder)
            outcome = self.task.finish(prepared, self.task.fit(prepared))
        except Exception as error:
            scheduler.failed(planned.number, error)
        else:
            scheduler.ended(planned.number, outcome)

    def _together(self, planned: Planned, scheduler: Scheduler) -> None:
        """A pack around one trial, joined by others of its kind as slots become free."""
        first = self._prepared(planned, scheduler)
        if first is None:
            return
        detach_adapter(first.session)
        adapter = first.run_config.adapter
        assert isinstance(adapter, Lora)
        space = scheduler.setup.space
        rank = max(int(space.ends("adapter.rank")[1]), adapter.rank)
        settings = PackSettings(first, rank, adapter.targets, self.tokens_at_once)
        own = first.train_job.batch_size
        least, most = map(int, space.ends("batch_size"))
        slots, worker = self.slots, scheduler.worker
        if slots is not None and worker.trials is not None:
            slots = min(slots, worker.trials)
        wanted, batches = worker.trials or scheduler.study.wanted, (least or own, max(most, own))
        count = choose_slots(settings, slots, wanted, batches, worker.processes)
        Pack(self.task, scheduler, lambda: self._of_kind(planned.pack, count, scheduler), settings).run(count)

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
