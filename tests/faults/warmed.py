"""Imported by the server of forks: one whole run of a toy, so that its forks find everything imported and in the caches."""

import contextlib
import os
import tempfile
from pathlib import Path

import optuna  # noqa: F401

import byheart.choosing.compare
import byheart.sweep.run.command
import byheart.teacher.openai  # noqa: F401
from byheart.cli import main
from sweep.toy import QUICK, furnished, make_model

with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), Path(os.devnull).open("w") as nowhere:
    os.environ["BYHEART_CACHE"] = folder
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        furnished(Path(folder), make_model(Path(folder) / "toy"))
        assert main(["learn", *QUICK, "questions=exam.jsonl", "epochs=1", "hydra.run.dir=run"]) == 0
