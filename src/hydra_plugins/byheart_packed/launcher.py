"""Where Hydra looks for launchers. Hydra 1.3.8 imports this outside sys.modules, so nothing heavy stands here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from byheart.sweep.run.scheduler import Scheduler


class PackedLauncher(Launcher):
    """Trains many trials together on one base model; byheart.sweep.packed.launcher does the work."""

    def __init__(self, **options: int | None):
        self.options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from byheart.sweep.packed.launcher import PackLauncher

        self.packing = PackLauncher(self.options, hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra calls this for a grid. A study calls `stream`."""
        from byheart.errors import Problem, UserError

        fix = "add hydra/sweeper=byheart_optuna: a grid is asked as a whole"
        raise UserError(Problem("only the trials of a study train together", "hydra/launcher", "packed", fix))

    def stream(self, scheduler: "Scheduler") -> None:
        """Takes trials from the scheduler as slots become free, and gives it their results."""
        self.packing.stream(scheduler)
