"""The command line: `byheart <command> ...`.

Exit codes: 0 done, 1 a bug in byheart, 2 an error that the user can fix, 75 a batch is still running at the teacher
(give the same command again later), 130 stopped by Ctrl-C, 143 by SIGTERM, 129 because the terminal was closed.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from byheart.errors import Diverged, Problem, Unfinished, UserError
from byheart.help import Command, overview, page
from byheart.interrupt import exit_code, on_signals, stop
from byheart.outside import outside_text

SETTINGS = "[key=value ...]"
COMMANDS = (
    Command(
        "learn",
        "teach a model your documents: from text to the report",
        f"byheart learn {SETTINGS}",
        (
            ("byheart learn documents=handbook.pdf", "train the embedded model on one document"),
            ("byheart learn documents=docs/ questions=exam.jsonl model.path=DIR", "your folder, exam and model"),
            ("byheart learn resume=outputs/handbook/2026-01-31_09-30-00", "continue a run that was stopped"),
            ("byheart learn resume=latest epochs=60", "train a finished run for longer"),
            ("byheart learn -m lr=1e-4,3e-4 documents=handbook.pdf", "one run for each learning rate"),
        ),
    ),
    Command(
        "expand",
        "make the examples only; no model is loaded",
        f"byheart expand {SETTINGS}",
        (("byheart expand documents=handbook.pdf", "see the examples before any training"),),
        keys=("documents", "questions", "name", "resume", "estimate", "chunks"),
        groups=("expansion", "teacher", "split"),
    ),
    Command(
        "check",
        "check every setting, file and group; sends and trains nothing",
        f"byheart check {SETTINGS}",
        (("byheart check documents=handbook.pdf lr=1e-4", "find every problem before a long run"),),
    ),
    Command(
        "sweep",
        "try batch sizes, learning rates and epochs, and keep the best",
        f"byheart sweep NAME {SETTINGS}",
        (
            ("byheart sweep batch_lr_epochs documents=handbook.pdf", "the standard sweep; run it again to continue"),
            ("byheart sweep mine.yaml hydra.sweeper.n_trials=40", "your own sweep, with 40 trials in all"),
            ("byheart sweep lr_ladder documents=handbook.pdf", "the highest learning rate that stays smooth"),
        ),
        settings=False,
        sweeps=True,
    ),
    Command(
        "pick",
        "show a sweep's table; score its best trial, or another",
        "byheart pick FOLDER [trial=N]",
        (("byheart pick outputs/sweeps/batch_lr_epochs-handbook trial=3", "score trial 3 like a run of its own"),),
        settings=False,
        arguments=(
            ("FOLDER", "a sweep, finished or not: outputs/sweeps/NAME"),
            ("trial=N", "the trial to score; without it, the best one"),
        ),
    ),
    Command(
        "bases",
        "rank base models before a training, and recommend one",
        f"byheart bases models=[...] documents=... [questions=FILE] {SETTINGS}",
        (
            (
                "byheart bases models=[smollm2_135m,DIR] documents=docs/ questions=exam.jsonl",
                "which of the two to train; run it again to continue",
            ),
            (
                "byheart bases models=[DIR,OWNER/NAME] documents=docs/ steps=0",
                "without training: only what they know and read",
            ),
        ),
        settings=False,
        arguments=(
            ("models=[...]", "folders, hub ids, and names of shipped models (byheart learn --help --all)"),
            ("documents=...", "a file, a folder, a glob, or a list of them"),
            ("questions=FILE", "JSONL as for learn; without it, wordings that no row teaches are asked"),
            ("steps=50", "optimizer steps of training for each base, on the same rows; 0 trains none"),
            ("sample=40", "questions at most, always the same ones"),
            ("estimate=true", "print the expected time, memory and download of each base, and stop"),
        ),
    ),
    Command(
        "evaluate",
        "score a run again, on its own or on other questions",
        "byheart evaluate run=DIR [questions=FILE] [evaluation... trainer...]",
        (
            ("byheart evaluate run=outputs/handbook/TIME questions=other.jsonl", "score it on other questions"),
            ("byheart evaluate run=outputs/handbook/TIME", "score it again on its own questions"),
        ),
        settings=False,
        groups=("evaluation", "trainer"),
        arguments=(
            ("run=DIR", "the folder of a run: outputs/NAME/TIME"),
            (
                "questions=FILE",
                "JSONL with question and answers, or options and gold; without it, the run's own questions",
            ),
        ),
    ),
    Command(
        "ask",
        "ask a run's model one question; the answer as it is said",
        'byheart ask RUN "question" [--compare] [--sources]',
        (
            ('byheart ask latest "Who may build a station?"', "RUN: a folder, a sweep, a name in outputs/, or latest"),
            ('byheart ask handbook "..." --compare', "beside it the untuned model, and the same with the text open"),
            ('byheart ask handbook "..." --sources', "the fact that the answer most likely comes from"),
        ),
        settings=False,
    ),
    Command(
        "chat",
        "talk with a run's model; without a terminal, one question a line",
        "byheart chat RUN [--compare] [--sources]",
        (("byheart chat latest", "a conversation; /help lists what it understands"),),
        settings=False,
    ),
    Command(
        "cache",
        "list, export or delete the saved answers of teachers",
        "byheart cache [export=FILE | prune=AGE | prune=all] [teacher=TEXT]",
        (
            ("byheart cache", "the number of answers by teacher, and where they are"),
            ("byheart cache export=answers.jsonl", "each answer with its request, one a line"),
            ("byheart cache prune=30d teacher=NAME", "delete what NAME answered over 30 days ago"),
        ),
        settings=False,
        arguments=(
            ("export=FILE", "write all answers to this file, which must be new"),
            ("prune=AGE", "delete answers that are older: 12h, 30d, 8w; prune=all deletes every answer"),
            ("teacher=TEXT", "only answers of teachers whose name contains this"),
        ),
    ),
)
HELP, VERSION = ("help", "--help", "-h", "-help"), ("--version", "-v", "-V", "version")
MEANT = {  # what other programs call our commands
    "learn": ("train", "run", "finetune", "fit", "tune", "teach", "start", "resume", "continue"),
    "expand": ("generate", "prepare", "examples"),
    "check": ("validate", "verify", "lint", "dryrun"),
    "sweep": ("search", "optimize", "tuner", "grid", "hpo"),
    "evaluate": ("eval", "test", "score", "benchmark"),
    "bases": ("base", "models", "rank", "recommend", "choose"),
    "ask": ("predict", "inference", "infer", "query"),
}
COMPLETION = ("-sc", "--shell-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and gives its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else ""
    try:
        with on_signals(stop):
            return _run(words)
    except Unfinished as error:
        _print_problems(command, error.problems, "no error: the batch is not finished yet")
        print(f"\n  later: {shlex.join(['byheart', *words])}", file=sys.stderr)
        return 75
    except UserError as error:
        _print_problems(command, error.problems)
        return 2
    except Diverged as error:
        print(f"\nbyheart: training failed: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("\nbyheart: stopped; finished stages are saved", file=sys.stderr)
            print(f"  continue with: {_again(words, getattr(stopped, 'run_folder', None))}", file=sys.stderr)
        return exit_code()
    except BrokenPipeError:  # `byheart --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from byheart.damage import explain  # late: `--help` is to be quick
        from byheart.model.memory import is_out_of_memory

        if is_out_of_memory(error):
            _print_problems(command, [_memory_is_full(error)])
            return 2
        if problems := explain(error, words):
            _print_problems(command, problems)
            return 2
        _report_bug(words, error)
        return 1


def _run(words: list[str]) -> int:
    names = [command.name for command in COMMANDS]
    asks = [word for word in words if word in HELP[1:]] or words[:1] == ["help"] or words[1:2] == ["help"]
    about = [word for word in words if word not in (*HELP, "--all")]
    if not words or (asks and not about):
        print(overview(COMMANDS))
        return 0
    if words[0] in VERSION or (words[0] in names and VERSION[0] in words):
        from importlib.metadata import version

        print(f"byheart {version('byheart')}")
        return 0
    if words[0] in COMPLETION:
        return _complete(words)
    name, rest = (about[0], []) if asks else (words[0], words[1:])
    command = next((command for command in COMMANDS if command.name == name), None)
    if command is None:
        raise UserError(_unknown_command(name, rest, asks=bool(asks)))
    if asks:
        print(page(command, every="--all" in words))
        return 0
    if name == "cache":
        from byheart.teacher.cache_command import cache

        return cache(rest)
    if name in ("ask", "chat"):
        from byheart.use import command as use  # imports neither Hydra nor torch before it must

        return use.ask(rest) if name == "ask" else use.chat(rest)
    from byheart.commands import carry_out  # imports Hydra

    return carry_out(name, rest, names)


def _complete(words: list[str]) -> int:
    """Tab completion of commands, sweep names and files; the rest is Hydra's, which must not see our command word."""
    line = os.environ.get("COMP_LINE", "")
    if "query=" in " ".join(words) and line:
        from byheart.config.completion import words_of_bases

        before, last = line.split(), ""
        if not line.endswith(" "):
            last = before.pop()
        names = [command.name for command in COMMANDS]
        ours = 2 if before[1:2] == ["sweep"] else 1  # words after "byheart" that Hydra does not know
        if len(before) <= ours:
            found = [name for name in (_sweeps() if len(before) == 2 else names) if name.startswith(last)]
        else:
            found = _files_for(last) or (words_of_bases(last) if before[1] == "bases" else [])
        if found or len(before) < 2 or before[1] not in names:
            print(" ".join(found))
            return 0
        for word in before[1 : 1 + ours]:
            line = line.replace(word, "", 1)
        os.environ["COMP_LINE"] = line
    from byheart.config.compose import read_request, run_hydra

    run_hydra(read_request(words), lambda config: None)
    return 0


def _sweeps() -> list[str]:
    from byheart.config.folders import sweeps_folder

    return sorted({file.stem for folder in (Path("sweeps"), sweeps_folder()) for file in folder.glob("*.yaml")})


def _files_for(word: str) -> list[str]:
    from byheart.config.quoting import PATHS

    key, equals, start = word.partition("=")
    if not equals or not PATHS.match(key):
        return []
    folder, slash, stem = start.rpartition("/")
    found = sorted(Path(f"{folder}{slash}" or ".").expanduser().glob(f"{stem}*"))
    shown = [f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}" for entry in found]
    return [f"{key}={name}" for name in shown if " " not in name]


def _unknown_command(name: str, rest: list[str], asks: bool) -> Problem:
    """With the line that was meant, where it can be told."""
    from byheart.config.near import near
    from byheart.config.typed import WITH_SETTINGS, is_document, read_typed

    names = [command.name for command in COMMANDS]
    plain = name.lower().lstrip("-").replace("-", "").replace("_", "")
    what, fix = "there is no such command", f"the commands are: {', '.join(names)}"
    if (
        "=" in name or name.startswith("-") or is_document(name)
    ):  # a setting, a flag or a file where the command belongs
        what, first = "which command?", next((word for word in rest if word in names), "learn")
        rest = [name, *(word for word in rest if word != first)]
    else:
        other = [command for command, words in MEANT.items() if plain in words and command in names]
        first = next(iter([*other, *near(plain, names, 1)]), "")
    if plain in names:
        first, rest = plain, rest[1:] if rest[:1] == [name] else rest
    if plain in ("resume", "continue") and rest:
        rest = [f"resume={rest[0].removeprefix('run=')}", *rest[1:]]
    if asks and first:
        fix = f"byheart {first} --help"
    elif first and rest:
        fix = read_typed(first, rest, names).copy if first in WITH_SETTINGS else shlex.join(["byheart", first, *rest])
    elif first:
        fix = next(command.examples[0][0] for command in COMMANDS if command.name == first)
    return Problem(what, value=name, fix=fix)


def _print_problems(command: str, problems: Sequence[Problem], headline: str = "") -> None:
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} to fix"
    known = f" {command}" if command in {each.name for each in COMMANDS} else ""
    lines = [f"  {line}" for problem in problems for line in str(problem).splitlines()]
    print(f"byheart{known}: {headline or count}\n", *lines, sep="\n", file=sys.stderr)


def _memory_is_full(error: Exception) -> Problem:
    """Training and scoring have taken fewer rows at once before; a model that does not fit at all ends here too."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    fix = "choose a smaller model, end what else uses the memory, or train on another device (trainer.device=cpu)"
    return Problem(f"the memory of the device is full{f': {said[:200]}' if said else ''}", "model.path", fix=fix)


def _again(words: Sequence[str], run_folder: str | None) -> str:
    """The line that goes on with what was started: a run by its folder; a sweep, or what keeps no state, by its words."""
    is_run = run_folder and words[0] in ("learn", "expand")
    return shlex.join(["byheart", words[0], f"resume={run_folder}"] if is_run else ["byheart", *words])


def _report_bug(words: Sequence[str], error: Exception) -> None:
    """One line for the user; the traceback goes to a file of the run, else to the screen."""
    import traceback

    story = outside_text("".join(traceback.format_exception(error)))
    folder = getattr(error, "run_folder", None)
    print(f"\nbyheart: this is a bug in byheart: {type(error).__name__}: {outside_text(str(error))}", file=sys.stderr)
    try:
        if not folder:
            raise OSError("the run has no folder yet")
        place = Path(folder) / "error.txt"
        place.write_text(story, encoding="utf-8")
        print(f"  the traceback is in {place}\n  continue with: {_again(words, folder)}", file=sys.stderr)
    except OSError:
        print(story, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
