"""Hydra: compose the config of a command line, and start the run."""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime, setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from byheart.config.folders import conf_folder
from byheart.config.gate import closed_resolvers, refuse_packages
from byheart.config.quoting import quote_overrides
from byheart.errors import Problem, UserError

Config = DictConfig  # so that floors above need not name OmegaConf
VERSION_BASE = "1.3"
PRIMARY = "learn"
PLUGINS = ("hydra/launcher", "hydra/sweeper")  # groups of Hydra's own


def run_name(name: object, documents: str | Iterable[object] | None) -> str:
    """The folder name of a run: what the user called it, else the first document's name without its ending."""
    if name:
        return str(name)
    first = documents if isinstance(documents, str) else next(iter(documents or ()), "")
    if not first:
        return "run"
    path = Path(str(first)).expanduser()
    while path.name and any(sign in path.name for sign in "*?[") and not path.exists():
        path = path.parent  # of a glob, the folder it looks in
    stem = path.resolve().name if path.is_dir() else path.stem
    return re.sub(r"[^\w.-]+", "_", stem).strip("._")[:80] or "run"


OmegaConf.register_new_resolver("run_name", run_name, replace=True)


@dataclass(frozen=True)
class Request:
    """A command line as Hydra's own parser reads it, with file names quoted."""

    flags: argparse.Namespace
    overrides: tuple[str, ...]

    @property
    def config_name(self) -> str:
        return (self.flags.config_name or PRIMARY).removesuffix(".yaml")

    @property
    def only_shows(self) -> bool:
        """Whether Hydra prints something (--cfg, --info, ...) and no run starts."""
        flags = self.flags
        return bool(flags.cfg or flags.info or flags.hydra_help or flags.shell_completion or flags.experimental_rerun)

    def value(self, key: str) -> str | None:
        """The last value given for a plain key, as typed."""
        said = [override.partition("=")[2] for override in self.flags.overrides if override.startswith(f"{key}=")]
        return said[-1] if said else None

    @property
    def words(self) -> list[str]:
        """The command line as it was given."""
        return [*_flags(self.flags), *self.flags.overrides]

    def with_shipped_config(self) -> "Request":
        """The same without the user's folder of configs and its config."""
        return Request(
            argparse.Namespace(**{**vars(self.flags), "config_dir": None, "config_name": None}), self.overrides
        )

    def with_overrides(self, *more: str) -> "Request":
        return Request(self.flags, (*self.overrides, *more))


def read_request(arguments: Sequence[str]) -> Request:
    """Flags and overrides in any order."""

    def refuse(message: str) -> NoReturn:
        flag, _, what = message.removeprefix("argument ").partition(": ")
        fix = "flags: --cfg job, --multirun, -cd DIR, -cn NAME, --info"
        raise UserError(Problem(what or message, flag.partition("/")[0] if what else "", fix=fix))

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    flags = parser.parse_intermixed_args(list(arguments))
    if flags.experimental_rerun:
        fix = "continue a run with resume=DIR"
        raise UserError(Problem("this flag loads a pickle, which runs what is in it", "--experimental-rerun", fix=fix))
    if flags.config_path and not flags.config_dir:
        # -cp would replace our conf/ and with it every group; a user who writes it means "look in my folder too"
        flags.config_dir, flags.config_path = flags.config_path, None
    return Request(flags, tuple(quote_overrides(flags.overrides, flags.multirun)))


class Composer:
    """Composes configs the way the run will, without starting one."""

    def __init__(self, config_dir: str | None = None):
        version.setbase(VERSION_BASE)
        setup_globals()
        JobRuntime.instance().set("name", "byheart")
        path = create_config_search_path(str(conf_folder()))
        self.config_dir = Path(config_dir).absolute() if config_dir else None
        if self.config_dir:
            if not self.config_dir.is_dir():
                raise UserError(Problem("there is no such folder", "--config-dir", str(config_dir)))
            anchor = SearchPathQuery(provider="schema")
            path.prepend(provider="command-line", path=f"file://{self.config_dir}", anchor=anchor)
        self.loader = ConfigLoaderImpl(path)

    def compose(self, name: str, overrides: Sequence[str] = (), multirun: bool = False) -> DictConfig:
        """The whole config, with its `hydra` node."""
        mode = RunMode.MULTIRUN if multirun else RunMode.RUN
        if self.config_dir:
            refuse_packages(self.config_dir / f"{name}.yaml")
        with closed_resolvers():
            return self.loader.load_configuration(name, list(overrides), run_mode=mode)

    def changed(self, config: DictConfig, overrides: Sequence[Override]) -> DictConfig:
        """A copy with other values for some keys. The options of groups and the `hydra.overrides` stay as they are."""
        copied = deepcopy(config)
        values = [override for override in overrides if not self.is_group(override)]
        self.loader._apply_overrides_to_config(values, copied)
        return copied

    def is_group(self, override: Override) -> bool:
        """Whether it chooses an option of a group, ours or Hydra's."""
        return override.key_or_group.partition("@")[0] in (*self.groups, *PLUGINS)

    @cached_property
    def groups(self) -> list[str]:
        return [group for group in self.loader.list_groups("") if group != "hydra"]

    def takes_one(self, group: str) -> bool:
        """Whether one option is chosen of this group; of others, as expansion and evaluation, a list."""
        shipped = OmegaConf.load(conf_folder() / "learn.yaml").defaults
        return group in PLUGINS or any(each != "_self_" and isinstance(each.get(group), str) for each in shipped)

    def options(self, group: str) -> list[str]:
        return sorted(self.loader.get_group_options(group, ObjectType.CONFIG))


@contextlib.contextmanager
def hydra_node(config: DictConfig) -> Iterator[None]:
    """`${hydra:...}` can be resolved inside."""
    holder = HydraConfig.instance()
    before, holder.cfg = holder.cfg, None
    try:
        holder.set_config(config)
        yield
    finally:
        holder.cfg = before


def folder_of(config: DictConfig, multirun: bool) -> Path:
    """The output folder of a composed run (or of all runs of a sweep)."""
    with hydra_node(config):
        return Path(str(OmegaConf.select(config, "hydra.sweep.dir" if multirun else "hydra.run.dir")))


def job_folder() -> Path:
    """The output folder of the job that Hydra runs at this moment."""
    return Path(HydraConfig.get().runtime.output_dir)


def stay_where_started() -> None:
    """Relative paths are meant as on the command line, also with hydra.job.chdir=true. Hydra goes back after the job."""
    os.chdir(str(HydraConfig.get().runtime.cwd))


def job_title() -> str:
    """Which job of a sweep runs at this moment, and what is its own."""
    hydra = HydraConfig.get()
    return f"run {hydra.job.num}: {' '.join(hydra.overrides.task)}"


def run_hydra(request: Request, task: Callable[[DictConfig], object]) -> None:
    """Runs hydra.main with the request. Errors of the task are raised here; Hydra prints no traceback of its own."""
    import hydra

    before_arguments, before_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [sys.argv[0], *_flags(request.flags), *request.overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        if request.flags.config_dir:
            refuse_packages(Path(request.flags.config_dir) / f"{request.config_name}.yaml")
        with closed_resolvers():
            hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder()), config_name=PRIMARY)(task)()
    finally:
        sys.argv = before_arguments
        if before_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before_error


def _flags(flags: argparse.Namespace) -> list[str]:
    words: list[str] = []
    for name in ("hydra_help", "resolve", "run", "multirun", "shell_completion"):
        if getattr(flags, name):
            words.append("--" + name.replace("_", "-"))
    for name in ("cfg", "package", "config_path", "config_name", "config_dir", "experimental_rerun", "info"):
        if getattr(flags, name) is not None:
            words += ["--" + name.replace("_", "-"), getattr(flags, name)]
    return words
