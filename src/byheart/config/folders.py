"""The folders of the shipped settings: beside the package in a wheel, in the repository for an editable install."""

from pathlib import Path

import byheart
from byheart.errors import Problem, UserError

KEYS_OF_THE_COMMAND_LINE = ("run", "resume")  # no stage sees them


def conf_folder() -> Path:
    return _shipped("conf", "learn.yaml")


def sweeps_folder() -> Path:
    return _shipped("sweeps", "smoke.yaml")


def _shipped(name: str, witness: str) -> Path:
    package = Path(byheart.__file__).parent
    for folder in (package / name, package.parent.parent / name):
        if (folder / witness).is_file():
            return folder
    raise UserError(Problem(f"the {name}/ folder of byheart is missing", str(package), fix="install byheart again"))
