"""The sweep, from the first trial to the best adapter: what `hydra/sweeper=byheart_optuna` does.

Where to find:
    which trial comes next                           scheduler.py, ../search/study.py
    how one trial trains                             trial.py
    how many trials train together                   ../packed/launcher.py, ../packed/memory.py
    when a packed trial is paused, and how it is saved  ../packed/slots.py, ../packed/checkpoints.py
    the live table in the terminal, a listener       ../report/live_table.py
    which trial is the best                          ../report/selection.py
    options, and "did you mean" for a wrong key      ../search/config.py, ../../config/advice.py
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Protocol, runtime_checkable

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from byheart.config.compose import Config
from byheart.errors import Problem, UserError
from byheart.interrupt import Stopped
from byheart.pipeline.library_log import library_log
from byheart.pipeline.prepare_data import PreparedData
from byheart.progress import Said, only_warnings
from byheart.results import SweepResult
from byheart.store import write_text
from byheart.sweep.report.events import SweepBegan, TrialsEnded
from byheart.sweep.run import workers
from byheart.sweep.run.conclude import conclude
from byheart.sweep.run.scheduler import Scheduler
from byheart.sweep.run.trial import TrialTask
from byheart.sweep.run.workers import ALONE, Processes, WorkerSettings, budget
from byheart.sweep.search.config import TOKENWISE, SweepConfig
from byheart.sweep.search.results import Outcome
from byheart.sweep.search.study import Study, open_study

WAIT_S = 0.5  # between two looks at whether the other workers are done
IN_PROCESS = ("BasicLauncher", "PackedLauncher")


@runtime_checkable
class StreamingLauncher(Protocol):
    """A launcher that can do more than Hydra's `launch`: it takes a new trial as soon as a slot is free."""

    options: Mapping[str, int | None]

    def stream(self, scheduler: Scheduler) -> None: ...


def sweep(task: TrialTask, launcher: Launcher, config: Config) -> None:
    """Called by the sweeper plugin. Keeps an error in `task.failure`, since Hydra would print a line of its own first."""
    try:
        with library_log(task.setup.folder):
            task.result = run_sweep(task, launcher, config)
    except Exception as error:
        task.failure = error


def run_sweep(task: TrialTask, launcher: Launcher, config: Config) -> SweepResult | None:
    """Trains the trials of the study through the launcher, then concludes: table, best trial, page. None in a process
    that the first one of the sweep started."""
    setup, progress = task.setup, task.progress
    if setup.sweep.prunes and type(launcher).__name__ not in IN_PROCESS:
        what = "a pruner needs a launcher that trains in this process"
        fix = "hydra/launcher=packed or basic, or leave the pruner out"
        raise UserError(Problem(what, "hydra.sweeper.pruner", str(setup.sweep.pruner["_target_"]), fix))
    if setup.sweep.halving and not isinstance(launcher, StreamingLauncher):
        what = "halving pauses trials, so they must train together"
        raise UserError(Problem(what, "hydra.sweeper.halving", str(setup.sweep.halving), "hydra/launcher=packed"))
    worker = workers.worker_settings()
    setup.folder.mkdir(parents=True, exist_ok=True)
    if not setup.only_user_questions:  # else each trial writes its own examples
        _refuse_unmeasurable(setup, task.shared.prepared(setup.run_config))
    task.shared.progress = only_warnings(progress)

    def say(text: str) -> None:
        progress(Said(text))

    with open_study(setup.name, setup.sweep, setup.space, setup.folder, setup.fingerprint, say) as study:
        if worker is None:
            write_text(setup.folder / "multirun.yaml", OmegaConf.to_yaml(config))
        progress(SweepBegan(setup, study.wanted, study.ended_before))
        if worker is not None:
            scheduler = Scheduler(setup, study, progress, worker)
            workers.end_with_first_process(lambda: setattr(scheduler, "stop", True))
            _train(scheduler, task, launcher)
            return None
        with Processes(task.words, study.locks.folder, say) as processes:
            options = launcher.options if isinstance(launcher, StreamingLauncher) else {"processes": 1}
            worker = _start_workers(study, task, options, processes)
            scheduler = Scheduler(setup, study, progress, worker)
            scheduler.on_stop = processes.release
            _train(scheduler, task, launcher, processes)
            if scheduler.stop:
                processes.wait()
                progress(Said(f"Stopped. The same command continues; finished trials are in {setup.folder}"))
                raise Stopped
            return conclude(study, task)


def _start_workers(
    study: Study, task: TrialTask, options: Mapping[str, int | None], processes: Processes
) -> WorkerSettings:
    """Starts the other processes, which need seconds to start; meanwhile this one makes the rows with all threads."""
    if options.get("processes") == 1 or not task.words or study.complete():
        return ALONE
    weights = workers.weights_on_disk(task.setup)
    if weights is None:  # the model must be fetched or converted, once
        weights = _make_rows(task)
    worker = workers.plan_workers(task.setup, options, study, weights)
    processes.start(worker)
    if worker.processes > 1:
        threads = f" of {worker.threads} thread{'s' * (worker.threads > 1)}" if worker.threads else ""
        text = f"  in {worker.processes} processes{threads}; the others write to {processes.folder}"
        task.progress(Said(text))
        _make_rows(task)
    return worker


def _make_rows(task: TrialTask) -> int:
    """Makes the rows of the first trial; gives the bytes of the base model. An error comes again with the trial itself."""
    try:
        task.shared.rows(task.setup.run_config)
        model = task.shared.session(task.setup.run_config).model
        return sum(p.numel() * p.element_size() for p in model.parameters())
    except Exception:
        return 0


def _share_cores_again(scheduler: Scheduler, task: TrialTask, processes: Processes | None) -> None:
    """Shares the trials and cores of a process that died, and gives the last trials the cores of idle processes."""
    worker, shared = scheduler.worker, task.shared
    if scheduler.stop or scheduler.failure is not None:
        return
    if processes is not None and processes.report_dead():
        here = 1 + len(processes.running)
        threads = max(1, budget(scheduler.setup) // here) if worker.threads else None
        scheduler.worker = WorkerSettings(1, here, threads, worker.trials if here > 1 else None)
    if worker.threads is None:  # on a GPU, or alone
        return
    others = scheduler.study.others_at_work()
    threads = scheduler.worker.threads if others is None else max(1, budget(scheduler.setup) // (1 + others))
    if threads != shared.threads:
        shared.use_threads(threads)


@contextmanager
def _threads(task: TrialTask, worker: WorkerSettings) -> Iterator[None]:
    """This process's share of the cores while trials train; then all of them."""
    if worker.threads is None:
        yield
        return
    import torch

    task.shared.use_threads(worker.threads)
    try:
        yield
    finally:
        task.shared.use_threads(None)
        torch.set_num_threads(budget(task.setup))


def _refuse_unmeasurable(setup: SweepConfig, data: PreparedData) -> None:
    """Raises before the first trial what would make every trial fail."""
    has_validation = bool(data.split.validation)
    by_token = [name for name in TOKENWISE if name in setup.sweep.objectives]
    if by_token and not has_validation:
        what = "no example was held out, so it cannot be measured"
        fix = "hold more out (split.share=0.5), or write more examples of each fact"
        raise UserError(Problem(what, "hydra.sweeper.objective", by_token[0], fix))
    if "recall" in setup.sweep.objectives and not has_validation and not setup.run_config.dev:
        what, fix = "no probe is held out for validation, so no recall can be measured", "add questions=FILE dev=0.3"
        raise UserError(Problem(what, "hydra.sweeper.objective", "recall", fix))


def _train(scheduler: Scheduler, task: TrialTask, launcher: Launcher, processes: Processes | None = None) -> None:
    """Trains until no trial is left, or until Ctrl-C. Raises what ended the sweep. `processes`: the other workers."""
    task.watch = scheduler.watch()
    scheduler.on_refresh = lambda: _share_cores_again(scheduler, task, processes)
    try:
        with scheduler.interruptible(), _threads(task, scheduler.worker):
            _train_all(scheduler, launcher)
    finally:
        scheduler.progress(TrialsEnded())
    if processes is not None:
        processes.release()
    if scheduler.failure is not None:
        raise scheduler.failure


def _train_all(scheduler: Scheduler, launcher: Launcher) -> None:
    waited = False
    while not scheduler.stop and scheduler.failure is None:
        before = len(scheduler.study.trials())
        if isinstance(launcher, StreamingLauncher):
            launcher.stream(scheduler)
        else:
            _launch(scheduler, launcher)
        if scheduler.handed_out or len(scheduler.study.trials()) > before or scheduler.stop or scheduler.failure:
            continue
        others = scheduler.study.others_running()
        if not others and scheduler.study.complete():
            scheduler.refresh(now=True)
            return
        if others and not waited:
            numbers = ", ".join(map(str, others))
            scheduler.progress(Said(f"waiting for trials that run in another process: {numbers}"))
            waited = True
        time.sleep(WAIT_S if others or scheduler.waiting else 0.0)
        scheduler.refresh()


def _launch(scheduler: Scheduler, launcher: Launcher) -> None:
    """Hydra's own launchers take a batch and return when it ends. Only trials in this process are shown while they train."""
    while batch := list(islice(iter(scheduler.next, None), scheduler.setup.sweep.n_jobs)):
        overrides = [scheduler.overrides(trial) for trial in batch]
        results: Sequence[JobReturn] = launcher.launch(overrides, initial_job_idx=batch[0].number)
        for trial, result in zip(batch, results, strict=True):
            found = result._return_value  # return_value would print a line of Hydra's own
            if result.status == JobStatus.COMPLETED and isinstance(found, Outcome):
                scheduler.ended(trial.number, found)
            else:
                error = found if isinstance(found, BaseException) else RuntimeError(str(found))
                scheduler.failed(trial.number, error)
