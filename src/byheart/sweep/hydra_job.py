"""A job's config and folder as Hydra's own launchers make them, for a launcher that does not call the task."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import filter_overrides
from hydra.types import HydraContext
from omegaconf import OmegaConf, open_dict, read_write

from byheart.config.compose import Config, hydra_node


def make_job(context: HydraContext, config: Config, overrides: Sequence[str], number: int) -> tuple[Config, Path]:
    """The job's config without its `hydra` node, which is saved in `.hydra` of the folder with it (see Hydra's run_job)."""
    whole = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(whole):
        whole.hydra.job.id = whole.hydra.job.num = number
    with hydra_node(whole):
        folder = Path(str(OmegaConf.select(whole, "hydra.sweep.dir"))) / str(
            OmegaConf.select(whole, "hydra.sweep.subdir")
        )
        with read_write(whole.hydra.runtime), open_dict(whole.hydra.runtime):
            whole.hydra.runtime.output_dir = str(folder.absolute())
        job = OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"])
        saved = folder / str(whole.hydra.output_subdir or ".hydra")
        saved.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(job, saved / "config.yaml")
        OmegaConf.save(HydraConfig.instance().cfg, saved / "hydra.yaml")
        OmegaConf.save(OmegaConf.create(list(filter_overrides(list(overrides)))), saved / "overrides.yaml")
    return job, folder.absolute()
