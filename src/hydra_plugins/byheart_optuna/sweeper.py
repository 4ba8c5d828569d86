"""Where Hydra looks for sweepers. Hydra 1.3.8 imports this outside sys.modules, so nothing heavy stands here."""

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class ByheartOptuna(Sweeper):
    """An Optuna study by ask and tell; byheart.sweep.run.sweep does the work."""

    def __init__(self, **options: object):
        self.options = options  # read from the config again: Hydra would have resolved `_target_`s below

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from byheart.sweep.run.sweep import sweep

        sweep(self.task_function, self.launcher, self.config)
