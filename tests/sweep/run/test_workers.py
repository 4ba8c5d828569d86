"""One sweep in several processes: the same answers, no curve trained twice, and none outlives the first process."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from byheart import cli
from byheart.progress import no_progress
from byheart.records import CurvePoint
from byheart.report.terminal import Terminal
from byheart.sweep.report.live_table import LiveTable
from byheart.sweep.run import sweep as sweeper
from byheart.sweep.run import workers as crew
from byheart.sweep.run.other_workers import is_covered
from byheart.sweep.run.scheduler import Scheduler
from byheart.sweep.run.workers import Processes, WorkerSettings, plan_workers
from byheart.sweep.search.epochs import Axis
from byheart.sweep.search.locks import StudyLocks
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.results import End, Outcome
from byheart.sweep.search.space import Space
from byheart.sweep.search.study import TrialRecord, open_study
from byheart.training import hardware
from byheart.training.curve import write_curve
from sweep.run.test_sweep import answers, assert_same

PATIENCE_S = 240  # on a machine that has much else to do
TWO = "hydra.launcher.processes=2"


def until(true, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


@pytest.mark.alone
def test_two_processes_find_what_one_finds(here, quick, monkeypatch, capsys):
    words = ["sweep", "batch_lr_epochs", *quick, "epochs=1,2", "batch_size=4,8", "lr=1e-3,3e-3"]
    assert cli.main([*words, "hydra.launcher.processes=1", "name=one"]) == 0
    begun = sweeper._start_workers

    def begun_by_both(study, *rest):
        found = begun(study, *rest)
        until(study.others_running)  # toys would be over before the other process is there
        return found

    monkeypatch.setattr(sweeper, "_start_workers", begun_by_both)
    capsys.readouterr()
    assert cli.main([*words, TWO, "name=two"]) == 0
    shown = capsys.readouterr().out
    assert "in 2 processes of 1 thread" in shown and "goes on without" not in shown
    assert all(f"   {number}  batch_size" in shown for number in range(4)), "what the other trained is shown too"
    one, two = (here / f"outputs/sweeps/batch_lr_epochs-{name}" for name in ("one", "two"))
    assert_same(answers(two), answers(one))
    assert len(owners(two)) == 2 and len(owners(one)) == 1 and len(list(two.glob("*/adapter"))) == 4


def owners(folder):
    import optuna

    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'study.db'}")
    return {trial.user_attrs["owner"] for trial in study.trials if trial.state.name == "COMPLETE"}


SLOW = """
import sys, time
from pathlib import Path
sys.argv[0], sys.executable = "byheart", {python!r}
from byheart.cli import main
from byheart.sweep.packed import slots as pack

tick = pack.Pack._on_step

def slow(self, steps):
    folder = self.scheduler.setup.folder
    while not (Path("go").exists() or self.scheduler.stop) and all((folder / n / "curve.csv").exists() for n in steps):
        time.sleep(0.05)
    time.sleep(0.2)
    tick(self, steps)

pack.Pack._on_step = slow
sys.exit(main())
"""


@pytest.fixture
def slowly(here):
    """Starts a sweep as a terminal does, in a group; its processes wait at their first check for a file `go`."""
    program, python = here / "slow.py", here / "python"
    program.write_text(SLOW.format(python=str(python)))
    python.write_text(f'#!/bin/sh\nshift 3\nexec "{sys.executable}" "{program}" "$@"\n')
    python.chmod(0o755)
    started = []

    def start(words):
        command = [sys.executable, str(program), *words]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


LONG = ["sweep", "batch_lr_epochs", "epochs=3", "batch_size=4,8", "lr=1e-3,3e-3", "stopping.patience=null"]
LONG += ["hydra.launcher.slots=2"]


@pytest.mark.alone
@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
def test_no_process_outlives_the_first_and_the_same_command_finishes(here, quick, slowly):
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    first = slowly([*LONG, *quick, TWO])
    until(lambda: len(list(folder.glob("*/curve.csv"))) == 4)
    (here / "go").touch()
    until(lambda: list(folder.glob("*/outcome.json")))
    first.kill()
    first.wait()
    until(lambda: StudyLocks(folder).other_sweepers() == 0)
    done = {file: file.stat().st_mtime_ns for file in folder.glob("*/outcome.json")}
    assert 0 < len(done) < 4, "some are left to be gone on with"
    assert cli.main([*LONG, *quick, "hydra.launcher.processes=1"]) == 0
    assert all(file.stat().st_mtime_ns == when for file, when in done.items()), "a finished trial was trained again"
    assert len(answers(folder)) == 4 * 3 and len(list(folder.glob("*/outcome.json"))) == 4


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_what_both_train(number, code, here, quick, slowly):
    folder = here / "outputs/sweeps/batch_lr_epochs-a"
    first = slowly([*LONG, *quick, TWO])
    until(lambda: len(list(folder.glob("*/curve.csv"))) == 4)
    os.killpg(first.pid, number)  # as a terminal or a cluster sends it: to both
    assert first.wait(PATIENCE_S) == code
    assert StudyLocks(folder).other_sweepers() == 0, "the other has ended too"
    assert len(list(folder.glob("[0-3]/checkpoint/packed.pt"))) == 4, "all was saved"


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Python")
def test_a_process_that_dies_is_reported_once_and_ends_no_sweep(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no luck; exit 3\n")
    script.chmod(0o755)
    said = []
    for program in (str(script), str(tmp_path / "nowhere")):
        monkeypatch.setattr(sys, "executable", program)
        with Processes(["x"], tmp_path / "logs", said.append) as processes:
            processes.start(WorkerSettings(1, 2, 1, 3))
            until(lambda: said, 5) if program.endswith("nowhere") else until(processes.report_dead, 5)
            assert not processes.report_dead() and len(said) == 1
        assert "goes on" in said[0] and ("no luck" in said[0] or "cannot be started" in said[0])
        said.clear()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.launcher.processes=0"], "hydra.launcher.processes: must be a whole number"),
        (["hydra.launcher.slots=many"], "hydra.launcher.slots: must be a whole number"),
        ([TWO, "hydra.sweeper.halving={after:[1],keep:0.5}"], "compares trials within one process"),
    ],
)
def test_numbers_that_cannot_be_are_said(here, quick, words, said, capsys):
    assert cli.main(["sweep", "batch_lr_epochs", *quick, *words]) == 2
    assert said in capsys.readouterr().err


SPACE = Space.read(["lr=choice(1,2,3)", "batch_size=choice(1,2)"])[0]


@pytest.mark.parametrize(
    ("options", "device", "threads", "halving", "beside", "expected"),
    [
        ({}, "cpu", None, False, 0, WorkerSettings(1, 4, 1, 2)),
        ({}, "cpu", 2, False, 0, WorkerSettings(1, 2, 1, 3)),  # threads that were said are cores that may be used
        ({}, "cpu", 1, False, 0, WorkerSettings()),
        ({}, "cuda", None, False, 0, WorkerSettings()),
        ({}, "cpu", None, True, 0, WorkerSettings()),
        ({}, "cpu", None, False, 4, WorkerSettings(1, 1, 1, 2)),  # a sweep in another terminal has all cores
        ({"processes": 1}, "cpu", None, False, 0, WorkerSettings()),
        ({"processes": 2}, "cpu", None, False, 0, WorkerSettings(1, 2, 2, 3)),
        ({"processes": 9}, "cuda", None, False, 0, WorkerSettings(1, 6, None, 1)),
    ],
)
def test_how_many_processes(tmp_path, monkeypatch, options, device, threads, halving, beside, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(crew, "cores", lambda: 4)
    monkeypatch.setattr(crew, "free_bytes", lambda device: 100 * 2**30)
    trainer = SimpleNamespace(threads=threads, place=lambda: (device, "float32"))
    setup = SimpleNamespace(sweep=SimpleNamespace(halving=halving), run_config=SimpleNamespace(trainer=trainer))
    with open_study("study", SweepOptions(), SPACE, tmp_path, {}) as study:
        monkeypatch.setattr(study.locks, "other_sweepers", lambda: beside)
        assert plan_workers(setup, options, study, 0) == expected
        monkeypatch.setattr(crew, "free_bytes", lambda device: 2 * 2**30)
        assert options or plan_workers(setup, options, study, 2**29).processes == 1, "memory bears one"


def test_a_containers_quota_counts_as_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "QUOTA", tmp_path)
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert hardware.cores() == 16
    (tmp_path / "cpu.max").write_text("350000 100000\n")
    assert hardware.cores() == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert hardware.cores() == 16


def schedulers(folder, first, second):
    """Two sweepers of one study in which every number of epochs is read off one curve."""
    axis = Axis(Space.read(["epochs=choice(1,2)", "lr=choice(1,2)"])[0], 2, 2, (1, 2))
    setup = SimpleNamespace(axis=axis, space=axis.space, folder=folder, sweep=SweepOptions())
    return [Scheduler(setup, study, no_progress) for study in (first, second)]


def test_a_curve_that_another_process_trains_is_not_trained_twice(tmp_path):
    space = Space.read(["epochs=choice(1,2)", "lr=choice(1,2)"])[0]
    with (
        open_study("study", SweepOptions(), space, tmp_path, {}) as one,
        open_study("study", SweepOptions(), space, tmp_path, {}) as two,
    ):
        mine, theirs = schedulers(tmp_path, one, two)
        first, second = mine.next(), theirs.next()
        assert (first.params["lr"], second.params["lr"]) == (1, 2), "epochs=1,2 at one rate is one curve"
        assert mine.next() is None and theirs.next() is None and len(mine.waiting) + len(theirs.waiting) == 2
        for each, suggestion in ((mine, first), (theirs, second)):
            ends = tuple(End(epoch, 3.0 - epoch, None, None, 1.0) for epoch in (1, 2))
            each.ended(suggestion.number, Outcome("finished", "", 2, ends, ((1.0, 2.0), (2.0, 1.0)), 1.0, 0.1))
        for each in (mine, theirs):
            each.refresh(now=True)
        assert one.complete() and not mine.waiting and not theirs.waiting
        assert sorted(trial.values[0] for trial in one.trials()) == [1.0, 1.0, 2.0, 2.0]


def test_what_others_train_is_shown_with_its_curve(tmp_path):
    space = Space.read(["lr=choice(1,2)"])[0]
    with (
        open_study("study", SweepOptions(), space, tmp_path, {}) as one,
        open_study("study", SweepOptions(), space, tmp_path, {}) as two,
    ):
        setup = SimpleNamespace(axis=Axis(space, 2), space=space, folder=tmp_path, sweep=SweepOptions(max_failures=1))
        shown = LiveTable(Terminal())
        mine = Scheduler(setup, one, shown)
        suggestion = two.ask()
        points = [CurvePoint(n, n / 2, n, 3.0, 3.0 - n / 2, None, 0.1, float(n), 0.5) for n in (1, 2)]
        (tmp_path / "0").mkdir()
        write_curve(tmp_path / "0" / "curve.csv", points)
        mine.refresh(now=True)
        line = shown.lines[0]
        assert line.state == "running" and line.losses == [2.5, 2.0] and line.share == 0.5
        two.fail(suggestion.number, "it was too much")
        assert mine.failure is None
        mine.refresh(now=True)
        assert line.state == "failed" and line.reason == "it was too much" and mine.failure is not None


def test_of_one_curve_no_two_wait_for_each_other():
    axis = Axis(Space.read(["epochs=choice(1,2)", "lr=choice(1,2)"])[0], 2, 2, (1, 2))
    known = [TrialRecord(n, {"epochs": 1 + n % 2, "lr": 1}, "running", (), None, "") for n in range(4)]
    assert [is_covered(each, known, axis) for each in known] == [False, True, True, True]
