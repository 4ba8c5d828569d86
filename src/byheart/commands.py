"""The commands: each calls the Python interface and shows the result."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap

from byheart import dispatch
from byheart.candidates import read_bases
from byheart.config.checking import show
from byheart.config.compose import Request, read_request
from byheart.config.typed import TRAINING, Typed, read_typed
from byheart.dispatch import Checked, Job, Result
from byheart.documents.composition import describe, with_kinds
from byheart.documents.load import Loaded, find_documents, load_documents
from byheart.errors import Problem, UserError
from byheart.expansion.rules.other_languages import find_other_languages, note_languages
from byheart.interrupt import exit_code
from byheart.pipeline.in_words import details, summary
from byheart.pipeline.learn import learn
from byheart.pipeline.run_config import RunConfig
from byheart.progress import Progress
from byheart.report.asking import estimate_lines
from byheart.report.next_steps import from_here
from byheart.report.tables import printable
from byheart.report.terminal import WIDTH, Terminal
from byheart.results import ESTIMATED, INTERRUPTED, RunEstimate, SweepResult

READ_AHEAD = 400_000  # bytes of documents that `check` reads: hardly a second, of any format
NAMES = 14  # columns of what a line of `check` is about


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
    if command == "bases":
        return _bases(words)
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
        _show_checked(checked, _estimated(checked))
        print(f"  {shlex.join(['byheart', *(word for word in meant if not word.startswith('estimate='))])}")
    elif checked.setup is not None:
        setup = checked.setup
        if checked.run_configs[0].estimate:
            _show_checked(checked, _estimated(checked))
            return 0
        return _sweep(lambda progress: dispatch.run_sweep(request, setup, progress))
    elif checked.multirun:
        terminal = Terminal()
        dispatch.start(request, checked, Job(command, terminal, terminal.result))
    else:
        return _run(lambda progress: dispatch.run_one(command, request, progress, checked))
    return 0


def _other_problems(typed: Typed) -> list[Problem]:
    """What is wrong with the words that were understood, so that one fault hides no other."""
    if typed.command not in (*TRAINING, "bases"):
        return []
    words = typed.words
    try:
        if typed.command == "bases":
            read_bases(words)
            return []
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
    return exit_code() if result.state == INTERRUPTED else 0


def _sweep(run: Callable[[Progress], SweepResult | None]) -> int:
    from byheart.sweep.report.live_table import LiveTable

    terminal = Terminal()
    result = run(LiveTable(terminal))
    if result is not None:
        terminal.result(result)
    return 0


def _bases(words: list[str]) -> int:
    from byheart.choosing.screen import show, show_estimate

    plan, terminal = read_bases(words), Terminal()
    result = dispatch.compare_bases(plan, terminal)
    if result.state == ESTIMATED:
        show_estimate(result, words, terminal)
    else:
        show(result, terminal)
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


def _show_checked(checked: Checked, estimate: RunEstimate | None) -> None:
    run_config, setup = checked.run_configs[0], checked.setup
    loaded = _read_ahead(run_config)
    lines = list(details(run_config, describe(loaded.documents)))
    if setup is not None:
        lines.insert(0, ("sweep", "; ".join(f"{key} {text}" for key, text in setup.space.as_text().items())))
    elif checked.multirun:
        lines.insert(0, ("runs", f"{len(checked.run_configs)}; the first of them:"))
    lines.append(("sweep folder" if checked.multirun else "run folder", str(checked.folder)))
    print(*(["\n"] if estimate else []), "\n".join(_joined(summary(run_config))), "\n", sep="")
    for name, text in lines:
        first, *rest = wrap(text, WIDTH - NAMES, break_long_words=False, break_on_hyphens=False) or [""]
        print(f"{name:<{NAMES}}{printable(first)}", *(f"{'':<{NAMES}}{printable(each)}" for each in rest), sep="\n")
    if estimate is not None:
        print("", *estimate_lines(estimate), sep="\n")
        if checked.multirun:
            print("This is the first run alone. Trials that train together take less than their sum.")
    unknown = run_config.unverified
    for said in (*_other_languages(run_config, loaded), *loaded.warnings, *unknown):
        print("", *wrap(f"! {said}", WIDTH), sep="\n")
    what = "all settings, for every value of this sweep," if checked.multirun else "all settings"
    but = ", but for what stands above" if unknown else ""
    print("", *wrap(f"ready: {what} are valid{but}; no teacher was asked and no model was loaded", WIDTH), sep="\n")


def _read_ahead(run_config: RunConfig) -> Loaded:
    """The documents, so that what is wrong with them is said now; none where to read them takes more than a moment."""
    size = sum(
        path.stat().st_size for path in find_documents(run_config.documents, follow_links=run_config.follow_links)
    )
    if size > READ_AHEAD:
        return Loaded(())
    loaded = load_documents(run_config.documents, follow_links=run_config.follow_links)
    return replace(loaded, documents=tuple(map(with_kinds, loaded.documents)))


def _other_languages(run_config: RunConfig, loaded: Loaded) -> Sequence[str]:
    if "rules" not in run_config.expansion:
        return ()
    if loaded.documents:
        return note_languages(loaded.documents)
    return find_other_languages(find_documents(run_config.documents, follow_links=run_config.follow_links))


def _joined(parts: Sequence[str]) -> list[str]:
    """The parts on lines of at most WIDTH, none of them broken."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) <= WIDTH - 2 or not lines[-1]:
            lines[-1] = longer
        else:
            lines[-1] += " ·"
            lines.append(part)
    return lines


def _estimated(checked: Checked) -> RunEstimate | None:
    """What the (first) run would take, worked out in a folder that is gone afterwards."""
    if not checked.run_configs[0].estimate:
        return None
    with TemporaryDirectory() as scratch:
        return learn(checked.run_configs[0], Path(scratch), Terminal()).estimate
