"""Weights & Biases: online where there is a key, else offline, never a question."""

import importlib.util
import netrc
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from byheart.errors import Problem, UserError
from byheart.records import Json
from byheart.report.loggers.base import About
from byheart.report.probes import accepted, outcome, told
from byheart.store import read_object, write_json
from byheart.training.stopping import MONITORS

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

MODES = ("auto", "online", "offline", "disabled")
REMEMBERED = "wandb.json"  # in the run's folder: the run id, so that a resumed run keeps it
HEADS = ("outcome", "question", "accepted", "before", "after")


@dataclass(frozen=True)
class Wandb:
    """Each run of byheart is a run there; the study is its group, the trial's number its name."""

    project: str = "byheart"
    entity: str | None = None  # null: your default one
    mode: str = "auto"  # auto (online with a key, else offline), online, offline, disabled
    tags: tuple[str, ...] = ()  # beside model, expansion, optimizer and schedule

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            where, fix = "logger.wandb.mode", "logger.wandb.mode=auto"
            raise UserError(Problem(f"must be one of {', '.join(MODES)}", where, str(self.mode), fix))

    @property
    def title(self) -> str:
        """With the mode that it will have."""
        chosen = "" if self.mode == "auto" else self.mode
        return f"W&B {chosen or os.environ.get('WANDB_MODE') or ('online' if has_key() else 'offline')}"

    def problems(self) -> list[str]:
        if importlib.util.find_spec("wandb") is None:
            return ["wandb is not installed: pip install wandb"]
        if self.mode == "online" and not has_key():
            return ["online needs a key: export WANDB_API_KEY, run `wandb login`, or set logger.wandb.mode=offline"]
        return []

    def open(self, about: About) -> "WandbLog":
        import wandb

        mode = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
        settings = wandb.Settings(
            console="off",
            silent=True,
            disable_git=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,  # the command line, the machine's name and its list of packages stay here
            x_disable_machine_info=True,
            x_save_requirements=False,
            init_timeout=30,
        )
        file = about.folder / REMEMBERED
        known = read_object(file)["id"] if file.is_file() else None
        while known and list(about.folder.glob(f"wandb/*run-{time.strftime('%Y%m%d_%H%M%S')}-{known}")):
            time.sleep(0.1)  # opened twice in a second, the second file would replace the first
        options: dict[str, Any] = {
            "project": self.project,
            "entity": self.entity,
            "dir": str(about.folder),
            "id": known,
            # The scoring of a sweep's best trial is logged under the trial's name, in its study's group.
            "name": None if known else about.name,
            "group": None if known else about.group,
            "tags": [tag[:64] for tag in (*about.tags, *self.tags)],
            "config": dict(about.config),
            "resume": "allow" if known else None,
            "reinit": "create_new",  # packed trials are several runs in one process
            "settings": settings,
        }
        try:
            run = wandb.init(mode=mode if self.mode == "auto" else self.mode, **options)  # type: ignore[arg-type]
        except (wandb.errors.CommError, wandb.errors.UsageError):  # a key, but no network
            if self.mode == "online":
                raise
            run = wandb.init(mode="offline", **options)
        write_json(file, {"id": run.id, "project": self.project})
        return WandbLog(run)


class WandbLog:
    def __init__(self, run: "Run"):
        self.run = run
        for name, direction in MONITORS.items():
            run.define_metric(name, summary=direction[:3])

    def check(self, values: Mapping[str, float], step: int) -> None:
        self.run.log(dict(values), step=step)

    def scored(self, scores: Mapping[str, float], probes: Sequence[Json], report: Path) -> None:
        import wandb

        rows = [
            [outcome(row), row.get("question"), accepted(row), told(row, "untuned"), told(row, "tuned")]
            for row in probes
        ]
        self.run.summary.update(dict(scores))
        self.run.log({"probes": wandb.Table(columns=list(HEADS), data=rows)})
        if report.is_file():
            page = wandb.Artifact(f"report-{self.run.id}", type="report")
            page.add_file(str(report))
            self.run.log_artifact(page)

    def close(self, failed: bool = False) -> None:
        self.run.finish(exit_code=int(failed))


def has_key() -> bool:
    """Whether W&B could log in without asking."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or "api.wandb.ai"
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
