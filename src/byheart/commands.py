"""The commands: each calls the Python interface and shows the result."""

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap

from byheart import dispatch
from byheart.config.checking import show
from byheart.config.compose import Request, read_request
from byheart.config.typed import TRAINING, Typed, read_typed
from byheart.dispatch import Checked, Job, Result
from byheart.documents.load import find_documents
from byheart.errors import Problem, UserError
from byheart.expansion.rules.other_languages import find_other_languages
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Progress
from byheart.report.next_steps import from_here
from byheart.report.terminal import Terminal
from byheart.results import INTERRUPTED, SweepResult


def carry_out(command: str, words: Sequence[str], commands: Sequence[str] = ()) -> int:
    """One command with its words as they were typed; gives the exit code. `commands`: the names of all."""
    typed = read_typed(command, words, commands)
    if typed.problems:
        raise UserError(*typed.problems, *_other_problems(typed))
    if typed.copy != shlex.join(["byheart", command, *words]):
        print(f"read as: {typed.copy}", file=sys.stderr)
    command, words, meant = typed.command, typed.words, (typed.command, *typed.words)
    if command in ("sweep", "pick"):
        from byheart.sweep.run.command import pick, sweep_words

        if command == "pick":
            return _sweep(lambda progress: pick(words, dispatch.config_of, progress))
        words, command = sweep_words(words), "learn"
    if typed.dry_run or command == "check":
        command, meant = "check", ("learn", *meant[1:]) if meant[0] == "check" else meant
    request = read_request(words)
    if request.only_shows:
        show(request)
        return 0
    if command == "evaluate":
        terminal = Terminal()
        terminal.result(dispatch.score_again(request, terminal))
        return 0
    if dispatch.is_given(request, "resume"):
        return _resume(command, request)
    checked = dispatch.check(request)
    if command == "check":
        _show_checked(checked)
        print(f"  {shlex.join(['byheart', *meant])}")
    elif checked.setup is not None:
        setup = checked.setup
        return _sweep(lambda progress: dispatch.run_sweep(request, setup, progress))
    elif checked.multirun:
        terminal = Terminal()
        dispatch.start(request, checked, Job(command, terminal, terminal.result))
    else:
        return _run(lambda progress: dispatch.run_one(command, request, progress, checked))
    return 0


def _other_problems(typed: Typed) -> list[Problem]:
    """What is wrong with the words that were understood, so that one fault hides no other."""
    if typed.command not in TRAINING:
        return []
    words = typed.words
    try:
        if typed.sweep:
            from byheart.sweep.run.command import sweep_words

            words = sweep_words(words)
        dispatch.check(read_request(words if typed.command != "sweep" or typed.sweep else ["--multirun", *words]))
    except UserError as error:
        named = any(word.startswith("documents=") for word in typed.words)  # else a wrong word may be the document
        return [problem for problem in error.problems if named or problem.where != "documents"]
    return []


def _run(run: Callable[[Progress], Result]) -> int:
    terminal = Terminal()
    result = run(terminal)
    terminal.result(result)
    return 130 if result.state == INTERRUPTED else 0


def _sweep(run: Callable[[Progress], SweepResult | None]) -> int:
    from byheart.sweep.report.live_table import LiveTable

    terminal = Terminal()
    result = run(LiveTable(terminal))
    if result is not None:
        terminal.result(result)
    return 0


def _resume(command: str, request: Request) -> int:
    found = dispatch.resumable(request, command)
    folder, page = found.folder, found.folder / "report.html"
    if found.run_config is None:
        print(f"this run is finished: {page if page.is_file() else folder}")
    elif command == "check":
        print(f"ready to continue {folder}\n  {shlex.join(['byheart', 'learn', f'resume={from_here(folder)}'])}")
    else:
        return _run(lambda progress: dispatch.resume(command, found, progress))
    return 0


def _show_checked(checked: Checked) -> None:
    for line in _findings(checked.run_configs[0]):
        print(line)
    print(f"  {'sweep folder' if checked.multirun else 'run folder'}   {checked.folder}")
    what = "all settings, for every value of this sweep," if checked.multirun else "all settings"
    print(f"\nready: {what} are valid; no request was sent and no model was loaded")


def _findings(run_config: RunConfig) -> list[str]:
    files = find_documents(run_config.documents)
    lines = ["documents", *(f"  {_size(path.stat().st_size):>9}  {path}" for path in files)]
    if "rules" in run_config.expansion:
        for note in find_other_languages(files):
            lines += wrap(f"note: {note}", 80, initial_indent="  ", subsequent_indent="        ")
    if run_config.questions:
        with Path(run_config.questions).open("rb") as file:
            lines.append(f"questions\n  {sum(1 for line in file if line.strip()):>9}  {run_config.questions}")
    lines.append("settings")
    for name in ("model", "expansion", "teacher", "split", "adapter", "optimizer", "trainer", "evaluation"):
        value = getattr(run_config, name)
        lines.append(f"  {name:<12} {', '.join(value) if isinstance(value, dict) else _brief(value)}")
    budget = "" if run_config.budget is None else f" budget={run_config.budget}"
    lines.append(
        f"  training     batch_size={run_config.batch_size} lr={run_config.lr:g} epochs={run_config.epochs}{budget} seed={run_config.seed}"
    )
    lines.append(f"  stopping     {_brief(run_config.stopping)}")
    return lines


def _brief(option: object) -> str:
    said = [f"{key}={value}" for key, value in vars(option).items() if value is not None]
    text = f"{type(option).__name__}  {' '.join(said)}".rstrip()
    return text if len(text) <= 64 else text[:61] + "..."


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
