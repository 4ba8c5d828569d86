"""The sweep itself, from the first trial to the best adapter: what `hydra/sweeper=byheart_optuna` does."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from byheart.config.compose import Config
from byheart.errors import Problem, UserError
from byheart.report.screen import Screen
from byheart.store import write_text
from byheart.sweep.board import Board
from byheart.sweep.conductor import Conductor
from byheart.sweep.crew import (
    ALONE,
    Crew,
    Processes,
    budget,
    end_with_the_first,
    muster,
    told,
    weights_on_disk,
)
from byheart.sweep.ending import conclude
from byheart.sweep.outcome import Outcome
from byheart.sweep.setup import TOKENWISE, Setup
from byheart.sweep.shared import Silent
from byheart.sweep.study import Asked, Study, opened
from byheart.sweep.trial import Trials
from byheart.writing import Texts

PAUSE_S = 0.5  # between two looks at whether the neighbours are done
IN_PROCESS = ("BasicLauncher", "PackedLauncher")


def sweep(trials: Trials, launcher: Any, config: Config) -> None:
    """Called by the sweeper plugin. Keeps an error in `trials.failure`, since Hydra would print a line of its own first."""
    try:
        run_sweep(trials.setup, trials, launcher, config, Screen())
    except Exception as error:
        trials.failure = error


def run_sweep(setup: Setup, trials: Trials, launcher: Any, config: Config, screen: Screen) -> None:
    """Trains what the study asks for through the launcher, then tells what was found."""
    if setup.sweep.prunes and type(launcher).__name__ not in IN_PROCESS:
        what = "a pruner needs a launcher that trains in this process"
        fix = "hydra/launcher=packed or basic, or leave the pruner out"
        raise UserError(Problem(what, "hydra.sweeper.pruner", str(setup.sweep.pruner["_target_"]), fix))
    if setup.sweep.halved and not hasattr(launcher, "stream"):
        what = "only trials that train together can wait for each other"
        raise UserError(Problem(what, "hydra.sweeper.halving", str(setup.sweep.halving), "hydra/launcher=packed"))
    options = launcher.options if hasattr(launcher, "stream") else {"processes": 1}
    crew = told()
    setup.folder.mkdir(parents=True, exist_ok=True)
    if not setup.only_their_probes:  # else each trial writes its own examples
        trials.share(screen)
        _refuse_unmeasurable(setup, trials.shared.texts(setup.plan))
    trials.share(Silent(screen.warn))
    with opened(setup.name, setup.sweep, setup.space, setup.folder, setup.fingerprint) as study:
        if crew is not None:
            _join(setup, study, trials, launcher, crew, screen)
            return
        write_text(setup.folder / "multirun.yaml", OmegaConf.to_yaml(config))
        board = _board(setup, study, screen)
        with Processes(trials.words, study.locks.folder, board.say) as processes:
            crew = _begun(setup, study, trials, options, processes, screen)
            conductor = Conductor(setup, study, board, crew)
            conductor.on_stop, trials.watch = processes.let_go, conductor.watch()
            conductor.on_look = lambda: _share_anew(conductor, trials, processes)
            with conductor.interruptible(), board, _threads(setup, trials, crew):
                _train(conductor, launcher)
            processes.let_go()
            if conductor.failure is not None:
                raise conductor.failure
            if conductor.stop:
                processes.wait()
                screen.say(f"Stopped; the same command goes on. What was finished is in {setup.folder}")
                raise KeyboardInterrupt
            conclude(setup, study, trials, screen)


def _begun(
    setup: Setup, study: Study, trials: Trials, options: dict[str, Any], processes: Processes, screen: Screen
) -> Crew:
    """Starts the other processes, which takes them seconds, and meanwhile makes the rows on all threads."""
    if options.get("processes") == 1 or not trials.words or study.complete():
        return ALONE
    weights = weights_on_disk(setup)
    if weights is None:  # the model must be fetched or converted, once
        weights = _make_rows(setup, trials)
    crew = muster(setup, options, study, weights)
    processes.start(crew)
    if crew.processes > 1:
        threads = f" of {crew.threads} thread{'s' * (crew.threads > 1)}" if crew.threads else ""
        screen.say(f"  in {crew.processes} processes{threads}; {processes.folder} tells what the others say")
        _make_rows(setup, trials)
    return crew


def _make_rows(setup: Setup, trials: Trials) -> int:
    """The rows of the first trial; gives the bytes of the base model. What goes wrong is told by the trial itself."""
    try:
        trials.shared.rows(setup.plan)
        model = trials.shared.opened(setup.plan).model
        return sum(p.numel() * p.element_size() for p in model.parameters())
    except Exception:
        return 0


def _join(setup: Setup, study: Study, trials: Trials, launcher: Any, crew: Crew, screen: Screen) -> None:
    """Another process of a sweep: trains what it gets, until nothing is left or the first process ends."""
    conductor = Conductor(setup, study, _board(setup, study, screen), crew)
    trials.watch = conductor.watch()
    conductor.on_look = lambda: _share_anew(conductor, trials, None)
    end_with_the_first(lambda: setattr(conductor, "stop", True))
    with conductor.interruptible(), _threads(setup, trials, crew):
        _train(conductor, launcher)
    if conductor.failure is not None:
        raise conductor.failure


def _share_anew(conductor: Conductor, trials: Trials, processes: Processes | None) -> None:
    """Where another process died, those that are left have its part; the last trials have the cores of who is idle."""
    crew, shared = conductor.crew, trials.shared
    if conductor.stop or conductor.failure is not None:
        return
    if processes is not None and processes.lost():
        here = 1 + len(processes.running)
        threads = max(1, budget(conductor.setup) // here) if crew.threads else None
        conductor.crew = Crew(1, here, threads, crew.trials if here > 1 else None)
    if crew.threads is None:  # on a GPU, or alone
        return
    others = conductor.study.others_at_work()
    threads = conductor.crew.threads if others is None else max(1, budget(conductor.setup) // (1 + others))
    if threads != shared.threads:
        shared.threads = threads
        shared.keep_threads()


@contextmanager
def _threads(setup: Setup, trials: Trials, crew: Crew) -> Iterator[None]:
    """The cores are shared out while trials train; the end has them all."""
    if crew.threads is None:
        yield
        return
    import torch

    trials.shared.threads = crew.threads
    trials.shared.keep_threads()
    try:
        yield
    finally:
        trials.shared.threads = None
        torch.set_num_threads(budget(setup))


def _refuse_unmeasurable(setup: Setup, texts: Texts) -> None:
    """Said before the first trial, since every trial would fail of it."""
    chooses = bool(texts.split.choose)
    by_token = [name for name in TOKENWISE if name in setup.sweep.objectives]
    if by_token and not chooses:
        what = "no example was held out, so it cannot be measured"
        fix = "hold more out (split.share=0.5), or write more examples of each fact"
        raise UserError(Problem(what, "hydra.sweeper.objective", by_token[0], fix))
    if "recall" in setup.sweep.objectives and not chooses and not setup.plan.dev:
        what, fix = "no probe may choose, so no recall can be measured", "add questions=FILE dev=0.3"
        raise UserError(Problem(what, "hydra.sweeper.objective", "recall", fix))


def _train(conductor: Conductor, launcher: Any) -> None:
    waited = False
    while not conductor.stop and conductor.failure is None:
        before = len(conductor.study.known())
        if hasattr(launcher, "stream"):
            launcher.stream(conductor)
        else:
            _launch(conductor, launcher)
        if conductor.asked or len(conductor.study.known()) > before or conductor.stop or conductor.failure:
            continue
        others = conductor.study.others_running()
        if not others and conductor.study.complete():
            conductor.look(now=True)
            return
        if others and not waited:
            conductor.board.say(f"waiting for trials that another process trains: {', '.join(map(str, others))}")
            waited = True
        time.sleep(PAUSE_S if others or conductor.waiting else 0.0)
        conductor.look()


def _launch(conductor: Conductor, launcher: Any) -> None:
    """Hydra's own way: batches that block. Trials in this process are watched, the others are told of when they end."""
    while True:
        batch: list[Asked] = []
        while len(batch) < conductor.setup.sweep.n_jobs and (asked := conductor.next()) is not None:
            batch.append(asked)
        if not batch:
            return
        results: Sequence[JobReturn] = launcher.launch(
            [conductor.overrides(asked) for asked in batch], initial_job_idx=batch[0].number
        )
        for asked, result in zip(batch, results, strict=True):
            found = result._return_value  # return_value would print a line of Hydra's own
            if result.status == JobStatus.COMPLETED and isinstance(found, Outcome):
                conductor.ended(asked.number, found)
            else:
                conductor.failed(asked.number, found if isinstance(found, BaseException) else RuntimeError(str(found)))


def _board(setup: Setup, study: Study, screen: Screen) -> Board:
    name = setup.sweep.objectives[0]
    board = Board(screen, name, setup.sweep.directions[0] == "maximize", study.wanted)
    known = [trial for trial in study.known() if trial.state in ("complete", "failed")]
    for trial in known:
        board.remember(trial)
    screen.say(f"Sweep {setup.name}: {study.wanted} trials over {', '.join(setup.space.distributions)}")
    if (asked := setup.sweep.n_trials) and asked > study.wanted:
        screen.say(f"  n_trials={asked}, but there are no more than {study.wanted} combinations")
    if known:
        screen.say(f"  {len(known)} of them are there already: the study goes on")
    return board
