"""What each command does once its words are known: compose, check everything, claim a folder, call the stage."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from byheart.config.compose import Composer, Config, Request, folder_of, job_folder, job_title, read_request, run_hydra
from byheart.config.faults import compose_checked, show
from byheart.config.plan import plan_values
from byheart.config.quoting import quoted
from byheart.config.saved import change_saved, refuse_other_overrides, saved_config, started_in
from byheart.documents.load import find_documents
from byheart.errors import Problem, UserError
from byheart.plan import Plan
from byheart.store import FULL, read_json

if TYPE_CHECKING:
    from byheart.sweep.setup import Setup


def carry_out(command: str, words: Sequence[str]) -> int:
    """One command with its overrides; gives the exit code."""
    if command in ("sweep", "pick"):
        from byheart.sweep.command import pick, sweep_words

        if command == "pick":
            return pick(words, _plan)
        words, command = sweep_words(words), "learn"
    request = read_request(words)
    if request.only_shows:
        show(request)
        return 0
    if command == "evaluate":
        return _evaluate(request)
    if request.value("resume") not in (None, "", "null"):
        return _resume(command, request)
    return _check(request) if command == "check" else _start(command, request)


class Job:
    """The task that Hydra runs once for each job: it calls a stage with the plan and the job's folder.

    In a single run what goes wrong is kept in `failure`, since Hydra would print a line of its own before ours.
    """

    def __init__(self, stage: str, single: bool):
        self.stage = stage
        self.single = single
        self.failure: Exception | None = None

    def __call__(self, config: Config) -> None:
        try:
            plan, problems = _plan(config)
            if problems:
                raise UserError(*problems)
            if not self.single:
                print(f"\n{job_title()}")
            _stage(self.stage)(plan, job_folder(), _screen())
        except KeyboardInterrupt as stop:
            stop.__dict__.setdefault("run_folder", str(job_folder()))
            raise
        except Exception as error:
            error.__dict__.setdefault("run_folder", str(job_folder()))
            if not self.single:
                raise
            self.failure = error


def _start(stage: str, request: Request) -> int:
    _, folder, multirun, setup = _checked(request)
    if setup is not None:
        from byheart.sweep.command import sweep

        return sweep(request, setup, _plan)
    said_where = _said_where(request)
    _claim(folder, multirun, said_where)
    if not said_where:  # the clock may have moved on; the folder that was claimed is the one to use
        key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
        request = request.with_overrides(f"{key}={quoted(str(folder))}")
    job = Job(stage, single=not multirun)
    try:
        run_hydra(request, job)
    except OSError as error:  # Hydra writes the config before our job begins, in pieces
        if error.errno not in FULL or (folder / "run.json").exists():
            raise
        shutil.rmtree(folder / ".hydra", ignore_errors=True)  # half a config is no run, and bars the folder
        fix = "make room or choose another place, then give the same command again"
        raise UserError(Problem(f"{FULL[error.errno]}; nothing was begun", str(folder), fix=fix)) from None
    if job.failure is not None:
        raise job.failure
    return _exit_code(folder)


def _check(request: Request) -> int:
    plans, folder, multirun, _ = _checked(request)
    plan = plans[0]
    for line in _findings(plan):
        print(line)
    print(f"  {'sweep folder' if multirun else 'run folder'}   {folder}")
    print(f"\nready{', and so is each value of this sweep' if multirun else ''}: nothing was spent")
    return 0


def _findings(plan: Plan) -> list[str]:
    lines = ["documents"]
    lines += [f"  {_size(path.stat().st_size):>9}  {path}" for path in find_documents(plan.documents)]
    if plan.questions:
        with Path(plan.questions).open("rb") as file:
            lines.append(f"questions\n  {sum(1 for line in file if line.strip()):>9}  {plan.questions}")
    lines.append("settings")
    for name in ("model", "expansion", "teacher", "split", "adapter", "optimizer", "trainer", "evaluation"):
        value = getattr(plan, name)
        lines.append(f"  {name:<12} {', '.join(value) if isinstance(value, dict) else _brief(value)}")
    budget = "" if plan.budget is None else f" budget={plan.budget}"
    lines.append(
        f"  training     batch_size={plan.batch_size} lr={plan.lr:g} epochs={plan.epochs}{budget} seed={plan.seed}"
    )
    lines.append(f"  stopping     {_brief(plan.stopping)}")
    return lines


def _brief(option: Any) -> str:
    said = [f"{key}={value}" for key, value in vars(option).items() if value is not None]
    text = f"{type(option).__name__}  {' '.join(said)}".rstrip()
    return text if len(text) <= 64 else text[:61] + "..."


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


class Checked(NamedTuple):
    """A command line that is well: a plan for each variant, and where they go."""

    plans: list[Plan]
    folder: Path
    multirun: bool
    setup: "Setup | None" = None  # where our own sweeper is asked for


def _checked(request: Request) -> Checked:
    """What a command line asks for; or one UserError with every problem."""
    composer = Composer(request.flags.config_dir)
    composed = compose_checked(composer, request)
    problems, plans = list(composed.problems), list[Plan]()
    if request.value("run") not in (None, "", "null"):
        fix = "to go on with a run say resume=DIR; `byheart evaluate run=DIR` scores it"
        problems.append(Problem("this key is for evaluate", "run", request.value("run") or "", fix))
    for config in composed.configs:
        if any("may not run this code" in problem.what for problem in problems):
            break
        plan, found = _plan(config, composer)
        places = {problem.where for problem in problems}
        problems += [problem for problem in found if problem.where not in places]
        plans.append(plan)
    setup, found = _set_up(request, composed.configs, plans) if composed.multirun and plans else (None, [])
    problems += found
    if problems:
        raise UserError(*dict.fromkeys(problems))
    folder = setup.folder if setup is not None else folder_of(composed.configs[0], composed.multirun)
    return Checked(plans, folder, composed.multirun, setup)


def _set_up(request: Request, configs: Sequence[Config], plans: Sequence[Plan]) -> "tuple[Setup | None, list[Problem]]":
    """What our own sweeper would do; nothing where another one sweeps."""
    from byheart.sweep.setup import is_study, set_up, study_folder

    config = configs[0]
    if not is_study(config):
        return None, []
    folder = folder_of(config, True) if _said_where(request) else study_folder(config).absolute()
    arguments = [override for override in request.overrides if not override.lstrip("+~").startswith("hydra")]
    return set_up(config, arguments, plans[0], folder)


def _said_where(request: Request) -> bool:
    return any(override.startswith(("hydra.run.dir=", "hydra.sweep.dir=")) for override in request.overrides)


def _plan(config: Config, composer: Composer | None = None) -> tuple[Plan, list[Problem]]:
    """The plan and what is wrong with it; what is at fault is replaced by its default, so that the rest is seen."""

    def shipped() -> Config:
        return (composer or Composer()).compose("learn")

    values, problems = plan_values(config, shipped)
    if any(value is None for key, value in values.items() if key not in ("questions", "name", "budget")):
        defaults, _ = plan_values(shipped(), shipped)
        values = {key: defaults.get(key) if value is None else value for key, value in values.items()}
    for family in ("expansion", "evaluation", "logger"):
        values[family] = {key: part for key, part in (values.get(family) or {}).items() if part is not None}
    plan = Plan(**{field.name: values[field.name] for field in fields(Plan) if field.name in values})
    places = {problem.where for problem in problems}
    # "expansion: nothing would be written" is no news where expansion.rules could not be built.
    news = [
        problem
        for problem in plan.problems()
        if not any(place == problem.where or place.startswith(f"{problem.where}.") for place in places)
    ]
    return plan, problems + news


def _claim(folder: Path, multirun: bool, said_where: bool) -> None:
    """Make the output folder ours, or refuse: no run ever writes into another's folder."""
    fix = f'"resume={folder}" goes on with that run; else choose another name= or hydra.run.dir='
    holds_run = any((folder / name).exists() for name in (".hydra", "run.json", "multirun.yaml"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError:
        if holds_run or not folder.is_dir():
            raise UserError(Problem("a run is in this folder already", "hydra.run.dir", str(folder), fix)) from None
        if not said_where:  # another process was quicker, in the same second
            fix = "another run began in this very second; start again"
            raise UserError(Problem("this folder was just taken", "hydra.run.dir", str(folder), fix)) from None
    except OSError as error:
        key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
        what = f"cannot make the output folder: {error.strerror}"
        raise UserError(Problem(what, key, str(folder), f"choose another: {key}=DIR")) from None


def _resume(stage: str, request: Request) -> int:
    refuse_other_overrides(request, "resume")
    folder = _folder_said(request, "resume")
    config = saved_config(folder, "resume")
    if _state(folder) == "finished":
        said = folder / "report.html"
        print(f"this run is finished: {said if said.is_file() else folder}")
        return 0
    os.chdir(started_in(folder))
    plan, problems = _plan(config)
    if (folder / "split.json").exists():  # its texts are with it; the documents may be gone
        problems = [
            problem for problem in problems if problem.where.partition(".")[0] not in ("documents", "expansion")
        ]
    if problems:
        raise UserError(*problems)
    if stage == "check":
        print(f"ready to go on with {folder}")
        return 0
    try:
        _stage(stage)(plan, folder, _screen())
    except BaseException as error:
        error.__dict__.setdefault("run_folder", str(folder))
        raise
    return _exit_code(folder)


def _evaluate(request: Request) -> int:
    if not request.value("run"):
        raise UserError(Problem("which run?", "run", fix="byheart evaluate run=outputs/NAME/TIME"))
    folder = _folder_said(request, "run")
    config = change_saved(saved_config(folder, "run"), request)
    questions = config.questions
    if request.value("questions"):
        config.questions = str(Path(questions).expanduser().absolute()) if questions else None
    if not (folder / "adapter").is_dir():
        fix = f'first let it finish: byheart learn "resume={folder}"'
        raise UserError(Problem("this run has nothing trained yet", "run", str(folder), fix))
    os.chdir(started_in(folder))
    plan, problems = _plan(config)
    problems = [
        problem for problem in problems if problem.where.partition(".")[0] in ("questions", "evaluation", "trainer")
    ]
    if problems:
        raise UserError(*problems)
    _stage("evaluate")(plan, folder, plan.questions if request.value("questions") else None, _screen())
    return 0


def _folder_said(request: Request, key: str) -> Path:
    said = request.value(key) or ""
    if len(said) > 1 and said[0] == said[-1] and said[0] in "'\"" and not Path(said).exists():
        said = said[1:-1]
    return Path(said).expanduser().absolute()


def _exit_code(folder: Path) -> int:
    return 130 if _state(folder) == "interrupted" else 0


def _state(folder: Path) -> str:
    record = folder / "run.json"
    state = read_json(record).get("state", "") if record.is_file() else ""
    return state if state != "finished" or (folder / "scores.json").is_file() else "expanded"


def _stage(name: str) -> Callable[..., Any]:
    from byheart import stages

    verbs: dict[str, Callable[..., Any]] = {"learn": stages.learn, "expand": stages.expand, "evaluate": stages.evaluate}
    return verbs[name]


def _screen() -> Any:
    from byheart.report.screen import Screen

    return Screen()
