"""From a command line that was read to its result: checked, then started, resumed, or scored again."""

import shlex
import shutil
from collections.abc import Callable
from contextlib import chdir
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from byheart.checked import Checked, check, config_of, folder_is_given, is_given
from byheart.choosing.records import BasesResult, Plan
from byheart.config.compose import (
    Composer,
    Config,
    Request,
    job_folder,
    job_title,
    run_hydra,
    stay_where_started,
)
from byheart.config.quoting import quoted, unquoted
from byheart.config.saved import (
    CHANGEABLE,
    MADE_WITH,
    change_resumed,
    change_saved,
    latest_run,
    overrides_in,
    save_settings,
    saved_config,
    started_in,
)
from byheart.config.trust import secrets_in_overrides
from byheart.errors import Problem, UserError
from byheart.pipeline import learn as stages
from byheart.pipeline import train_on
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Progress, Said
from byheart.report.next_steps import TYPED_IN, changed
from byheart.results import FINISHED, UNFINISHED, EvaluateResult, ExpandResult, LearnResult, SweepResult, is_finished
from byheart.store import FULL

if TYPE_CHECKING:
    from byheart.sweep.search.config import SweepConfig

Result = LearnResult | ExpandResult
STAGES: dict[str, Callable[[RunConfig, Path, Progress], Result]] = {"learn": stages.learn, "expand": stages.expand}


class Job:
    """The task that Hydra runs once for each job: a stage with the job's RunConfig and folder.

    In a single run an error is kept in `failure`, since Hydra would print a line of its own before ours. Where several
    runs follow each other, `show` gets the result of each.
    """

    def __init__(self, stage: str, progress: Progress, show: Callable[[Result], None] | None = None):
        self.stage, self.progress, self.show = stage, progress, show
        self.failure: Exception | None = None
        self.result: Result | None = None  # of the last job

    def __call__(self, config: Config) -> None:
        stay_where_started()
        try:
            run_config, problems = config_of(config)
            if problems:
                raise UserError(*problems)
            if self.show:
                self.progress(Said(f"\n{job_title()}"))
            self.result = STAGES[self.stage](run_config, job_folder(), self.progress)
            if self.show:
                self.show(self.result)
        except KeyboardInterrupt as stop:
            stop.__dict__.setdefault("run_folder", str(job_folder()))
            raise
        except Exception as error:
            error.__dict__.setdefault("run_folder", str(job_folder()))
            if self.show:
                raise
            self.failure = error


def run_one(stage: str, request: Request, progress: Progress, checked: Checked | None = None) -> Result:
    """One run, new or resumed. `checked`: what `check` found, where it was called before."""
    if is_given(request, "resume"):
        return resume(stage, resumable(request, stage), progress)
    checked = checked or check(request)
    if checked.multirun:
        raise UserError(
            Problem(
                "this asks for several runs", "--multirun", fix="call this function once for each run, or use sweep"
            )
        )
    job = Job(stage, progress)
    start(request, checked, job)
    assert job.result is not None
    return job.result


def start(request: Request, checked: Checked, job: Job) -> None:
    """Runs a checked request with Hydra, in a new folder."""
    folder, multirun = checked.folder, checked.multirun
    _claim(folder, multirun, folder_is_given(request))
    if not folder_is_given(request):  # the clock may have moved on; the folder that was claimed is the one to use
        key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
        request = request.with_overrides(f"{key}={quoted(str(folder))}")
    try:
        run_hydra(request, job)
    except OSError as error:  # Hydra writes the config before our job begins, in pieces
        if error.errno not in FULL or (folder / "run.json").exists():
            raise
        shutil.rmtree(
            folder / ".hydra", ignore_errors=True
        )  # an incomplete config is no run, and would block the folder
        fix = "make room or choose another folder, then run the same command again"
        raise UserError(Problem(f"{FULL[error.errno]}; no run was started", str(folder), fix=fix)) from None
    if job.failure is not None:
        raise job.failure


def run_sweep(request: Request, setup: "SweepConfig", progress: Progress) -> SweepResult | None:
    """None in one of the processes that a sweep starts."""
    from byheart.sweep.run.command import sweep

    return sweep(request, setup, config_of, progress)


def compare_bases(plan: Plan, progress: Progress) -> BasesResult:
    """What `bases` does, once its words are read."""
    from byheart.choosing.compare import compare, estimate

    return estimate(plan, progress) if plan.config.estimate else compare(plan, progress)


def _claim(folder: Path, multirun: bool, is_given: bool) -> None:
    """Creates the output folder, or refuses: a run never writes into the folder of another."""
    fix = f'"resume={folder}" continues that run; for a new run choose another name= or hydra.run.dir='
    if _is_half_begun(folder):  # neither can be continued nor holds any work
        shutil.rmtree(folder / ".hydra", ignore_errors=True)
    holds_run = any((folder / name).exists() for name in (".hydra", "run.json", "multirun.yaml"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError:
        if holds_run or not folder.is_dir():
            raise UserError(Problem("this folder contains a run already", "hydra.run.dir", str(folder), fix)) from None
        if not is_given:  # another process made it in the same second
            fix = "run the same command again"
            raise UserError(
                Problem("another run has just started in this folder", "hydra.run.dir", str(folder), fix)
            ) from None
    except OSError as error:
        key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
        what = f"cannot make the output folder: {error.strerror}"
        raise UserError(Problem(what, key, str(folder), f"choose another: {key}=DIR")) from None


def _is_half_begun(folder: Path) -> bool:
    """Whether a process was killed in it while Hydra wrote the config, of which overrides.yaml is the last file."""
    return (
        (folder / ".hydra").is_dir()
        and not (folder / ".hydra" / "overrides.yaml").exists()
        and all(path.name == ".hydra" or path.suffix == ".log" for path in folder.iterdir())
    )


class Resumable(NamedTuple):
    """A run that may go on. `run_config` is None where it is finished; `saved` holds its new settings, if there are any."""

    folder: Path
    run_config: RunConfig | None = None
    saved: tuple[Config, list[str]] | None = None  # its new config and overrides


def resume(stage: str, found: Resumable, progress: Progress) -> Result:
    """Goes on with a run that was stopped, or with a finished one for longer. Else returns the result of a finished one."""
    folder, run_config, saved = found
    if run_config is None:
        return LearnResult.read(folder) if stage == "learn" else ExpandResult(FINISHED, folder)
    typed_in = TYPED_IN.set(Path.cwd())
    try:
        if saved:
            save_settings(train_on.place_of_changes(folder), *saved)
        with chdir(started_in(folder)):
            return STAGES[stage](run_config, folder, progress)
    except BaseException as error:
        error.__dict__.setdefault("run_folder", str(folder))
        raise
    finally:
        TYPED_IN.reset(typed_in)


def resumable(request: Request, stage: str = "learn") -> Resumable:
    """The run that `resume` names, with the settings that were given beside it. Raises one UserError with every problem."""
    folder = _folder_given(request, "resume")
    if folder.name == UNFINISHED and (folder.parent / ".hydra").is_dir():
        folder = folder.parent  # a message has named a file in it
    place = train_on.result_of(folder)  # where a run that is trained on has its newer settings
    place = place if (place / ".hydra" / "config.yaml").is_file() else folder
    before = saved_config(place, "resume")
    config, changes, problems = change_resumed(deepcopy(before), request, folder)
    if stage == "expand" and changes:
        fix = f'byheart learn "resume={folder}" {shlex.join(changes)}'
        problems.append(Problem("no setting changes where only examples are made", "resume", ", ".join(changes), fix))
    finished = is_finished(folder) and place == folder
    if not problems and not changes and finished:
        return Resumable(folder)
    with chdir(started_in(folder)):
        (was, _), (run_config, found) = config_of(before), config_of(config)
    if (folder / "split.json").exists():  # its texts are with it; the documents may be gone
        found = [problem for problem in found if _key(problem) not in ("documents", "expansion")]
    secrets = secrets_in_overrides(request.overrides)
    given = [each for each in request.overrides if not each.startswith("resume=") and each not in secrets]
    if fixed := [place for place, problem in enumerate(problems) if problem.what.startswith(MADE_WITH)]:
        fix = f"remove it; {CHANGEABLE}\n    or start a new run: {train_on.new_run(folder, given)}"
        problems[fixed[-1]] = replace(problems[fixed[-1]], fix=fix)
    if changes and not found:
        problems += train_on.problems(folder, was, run_config, lambda: train_on.new_run(folder, given))
    problems += found
    if problems:
        raise UserError(*problems)
    if not changes:
        return Resumable(folder, run_config)
    return Resumable(folder, run_config, (config, changed(overrides_in(place), changes)))


def score_again(request: Request, progress: Progress) -> EvaluateResult:
    """What `evaluate` does, once its arguments are read."""
    problems, folder = list[Problem](), _folder_given(request, "run")
    try:
        if not request.value("run"):
            newest = latest_run(with_adapter=True) or Path("outputs/NAME/TIME")
            raise UserError(Problem("which run?", "run", fix=shlex.join(["byheart", "evaluate", f"run={newest}"])))
        config = saved_config(folder, "run")
        if not (folder / "adapter").is_dir():
            fix = f"finish it first: {shlex.join(['byheart', 'learn', f'resume={folder}'])}"
            problems.append(Problem("this run has no trained adapter yet", "run", str(folder), fix))
    except UserError as error:  # the other words are checked on the shipped config
        problems += error.problems
        config = Composer().compose("learn")
    try:
        config = change_saved(config, request)
    except UserError as error:
        problems += error.problems
    questions = config.questions
    if request.value("questions"):
        config.questions = str(Path(questions).expanduser().absolute()) if questions else None
    with chdir(started_in(folder)):
        run_config, found = config_of(config)
        problems += [each for each in found if _key(each) in ("questions", "evaluation", "trainer")]
        if problems:
            raise UserError(*problems)
        return stages.evaluate(
            run_config, folder, run_config.questions if request.value("questions") else None, progress
        )


def _folder_given(request: Request, key: str) -> Path:
    given = request.value(key) or ""
    if given == "latest" and not Path(given).exists():
        if (latest := latest_run()) is None:
            raise UserError(Problem("there is no run in outputs/ here", key, given, f"{key}=DIR names its folder"))
        return latest.absolute()
    return Path(given if Path(given).exists() else unquoted(given)).expanduser().absolute()


def _key(problem: Problem) -> str:
    return problem.where.partition(".")[0]
