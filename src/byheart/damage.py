"""Files of a run's or a sweep's folder that are damaged: what to do about each, in a line that works when followed."""

import csv
import errno
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from byheart.errors import Problem, UserError

LEARNED = ("adapter", "checkpoint", "rows", "scored")  # folders that only `learn` makes
MADE_BY = "expand", "learn"
SAME = "give the same command again"
SWEEP_AGAIN = "give the command of the sweep again (byheart sweep NAME ...), which goes on with what is trained"
REFUSALS = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "make it readable and writable for you, or choose another place"),
    errno.EROFS: "choose a place that can be written to",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room"),
    errno.EFBIG: "choose a disk, or a limit of the system, that allows larger files",
    errno.ENAMETOOLONG: "choose a shorter name",
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR), "remove what lies in its place"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "look at the disk, or at the connection to it"),
    errno.EMFILE: "allow more open files (ulimit -n)",
}
UNWRITTEN = ("disk I/O error", "disk is full", "attempt to write a readonly database", "unable to open database file")
ROOM = "make room on its disk, and make the file and its folder writable"
LONGEST = 4096  # characters of a path
LARGE = 2_000_000_000  # bytes of a file that is not looked into after an unexpected error


def refused(path: str | Path, error: object, line: int = 0) -> UserError:
    """The error for a file of ours that is not what was written. `line`: counted from 1, where it is known."""
    path = Path(path)
    what = "a folder lies where this file belongs" if path.is_dir() else f"this file is damaged: {_said(error)}"
    return UserError(Problem(what, f"{path}:{line}" if line else str(path), fix=way_out(path)))


def way_out(path: Path) -> str:
    """What makes a damaged file again."""
    path = path.absolute()
    run = run_of(path)
    if path.name == "study.db":
        return f"rename the folder {path.parent} and give the command of the sweep again; no teacher is paid twice"
    if path.name == "multirun.yaml":
        return f"remove it and {SWEEP_AGAIN}"
    if run is None or "evaluations" in path.relative_to(run).parts:
        return f"remove it, then: {SAME}"
    return f"remove it, then: {line_for(run)}"


def line_for(run: Path) -> str:
    """What makes the files again that are missing in a run, or in a trial of a sweep."""
    if not is_trial(run):
        return go_on(run)
    return f'byheart pick "{run.parent}" trial={run.name}' if (run / "scores.json").exists() else SAME


def run_of(path: Path) -> Path | None:
    """The run's folder that a file lies in; None outside of a run."""
    return next((folder for folder in path.absolute().parents if (folder / ".hydra").is_dir()), None)


def is_trial(run: Path) -> bool:
    """Whether this run belongs to a sweep, with whose command it goes on."""
    return any((run.parent / name).exists() for name in ("multirun.yaml", "study.db"))


def go_on(run: Path) -> str:
    """The line that goes on with a run, or makes what is missing of a finished one."""
    learned = any((run / name).is_dir() for name in LEARNED) or _names_a_model(run)
    return f'byheart {MADE_BY[learned]} "resume={run}"'


def find_damage(folder: Path) -> Iterator[Problem]:
    """Every file below that cannot be read as what its name says. For after an error that nobody expected."""
    for path in sorted(folder.rglob("*")):
        look = LOOKS.get(path.suffix)
        if look is None or ".lock" in path.name:
            continue
        try:
            if path.is_dir():
                raise ValueError("a folder")
            if path.stat().st_size < LARGE:
                look(path)
        except (ValueError, KeyError, TypeError, OSError, RecursionError, csv.Error, zipfile.BadZipFile) as error:
            yield refused(path, error).problems[0]


def explain(error: Exception, words: Sequence[str]) -> list[Problem]:
    """What of an unexpected error is the disk's fault: a file that the system refused, or damaged files of the run that
    the words of the command name. Empty where it is ours."""
    if isinstance(error, OSError) and error.errno in REFUSALS:
        where = str(error.filename or error.filename2 or "")
        return [Problem(f"the system refused: {error.strerror}", where, fix=f"{REFUSALS[error.errno]}, then {SAME}")]
    if said := next((text for text in _chain(error) if any(words in text for words in UNWRITTEN)), ""):
        return [Problem(f"a database cannot be written: {_said(said)}", fix=f"{ROOM}, then {SAME}")]
    named = [getattr(error, "run_folder", None) or "", *(word.partition("=")[2] or word for word in words[1:])]
    folders = [Path(name).expanduser() for name in named if name and len(name) < LONGEST]
    runs = [folder for folder in folders if any((folder / sign).exists() for sign in (".hydra", "multirun.yaml"))]
    return [problem for run in dict.fromkeys(runs[:1]) for problem in find_damage(run.absolute())]


def _chain(error: BaseException | None) -> Iterator[str]:
    """What an error says, and each that it was raised from."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def _names_a_model(run: Path) -> bool:
    try:
        return b'"model"' in (run / "run.json").read_bytes()
    except OSError:
        return False


def _said(error: object) -> str:
    """One line of a library's message, which may quote the file."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 160 else f"{words[:157]}..."


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> None:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if not isinstance(json.loads(line), dict):
                raise ValueError(f"line {number} is no record")


def _yaml(path: Path) -> None:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(error) from None
    if not isinstance(found, dict | list):
        raise ValueError("it is empty")


def _table(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        widths = {len(row) for row in csv.reader(file)}
    if len(widths) != 1:
        raise ValueError("its lines have different numbers of columns")


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise ValueError(f"{name} in it does not match its checksum")


def broken_database(path: Path) -> str:
    """Why an SQLite file cannot be used; "" where it can, or where another process has it."""
    import sqlite3

    if path.is_dir():
        return "a folder lies where this file belongs"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            return "" if found == "ok" else str(found)
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) or "readonly" in str(error) else str(error)
    except (sqlite3.Error, TypeError) as error:
        return str(error)


def _weights(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy"):
            pass
    except SafetensorError as error:
        raise ValueError(error) from None


def _database(path: Path) -> None:
    if why := broken_database(path):
        raise ValueError(why)


LOOKS = {
    ".db": _database,
    ".json": _json,
    ".jsonl": _lines,
    ".yaml": _yaml,
    ".csv": _table,
    ".pt": _archive,
    ".safetensors": _weights,
}
