"""`byheart cache`: the answers of teachers so far, listed, exported as JSONL, or deleted."""

import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from byheart.errors import Problem, UserError
from byheart.store import write_jsonl
from byheart.teacher.cache import AnswerCache, Shelf

KEYS = ("export", "prune", "teacher")
HOW = "byheart cache [export=FILE | prune=30d | prune=all] [teacher=TEXT]"
A_TEACHER = "teacher=openai teacher.model=NAME expansion=ladder estimate=true"
UNITS_S = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
WIDTH = 100  # of the table where there is no terminal


def cache(words: Sequence[str]) -> int:
    """Carries out one `byheart cache ...`; gives the exit code."""
    said = _read(words)
    age = _seconds(said.get("prune", ""))
    older_than = None if age is None else time.time() - age
    place = Path(said["export"]).expanduser() if "export" in said else None
    if place is not None and place.exists():
        raise UserError(
            Problem("this file exists already", "export", str(place), "choose another name, or remove the file")
        )
    file = AnswerCache().path
    if not file.is_file():  # looking makes no file
        print(f"no teacher has answered yet; its answers will be kept in {file}")
        _next("See what a teacher's examples would cost:", f"byheart expand documents=handbook.pdf {A_TEACHER}")
        return 0
    teacher = said.get("teacher")
    with AnswerCache() as answers:
        shelves = answers.shelves()
        if teacher and not any(teacher in shelf.teacher for shelf in shelves):
            known = ", ".join(sorted({shelf.teacher for shelf in shelves})) or "none: the cache is empty"
            raise UserError(
                Problem("no teacher in the cache has this name", "teacher", teacher, f"the cache has: {known}")
            )
        chosen = [shelf for shelf in shelves if not teacher or teacher in shelf.teacher]
        if place is not None:
            write_jsonl(place, (each for each in answers.export() if not teacher or teacher in str(each["teacher"])))
            print(f"{sum(shelf.answers for shelf in chosen):,} answers are in {place}")
            _next("Delete what is over 30 days old:", _line("prune=30d", teacher))
        elif "prune" in said:
            gone = answers.prune(older_than, teacher)
            left = sum(shelf.answers for shelf in answers.shelves())
            print(f"{gone:,} answers deleted, {left:,} left in {file}")
            _next("See what is left:", "byheart cache")
        else:
            _show(chosen, file)
            _next("Keep a copy of each answer with its request:", _line(f"export={_new_file()}", teacher))
    return 0


def _next(why: str, line: str) -> None:
    print(f"\n  {why}\n    {line}")


def _line(word: str, teacher: str | None) -> str:
    return shlex.join(["byheart", "cache", word, *([f"teacher={teacher}"] if teacher else [])])


def _new_file() -> str:
    """A name that no file here has."""
    names = ("answers.jsonl", *(f"answers-{number}.jsonl" for number in range(2, 1000)))
    return next(name for name in names if not Path(name).exists())


def _read(words: Sequence[str]) -> dict[str, str]:
    """The words by their key; or one UserError with all that is wrong with them."""
    said: dict[str, str] = {}
    problems = []
    for word in _with_signs(words):
        key, _, value = word.partition("=")
        if key not in KEYS:
            problems.append(Problem("`byheart cache` has no such option", value=word, fix=HOW))
        elif key in said:
            problems.append(Problem("this is given twice", key, value, "give it once"))
        elif not value.strip():
            problems.append(Problem("this option needs a value", key, fix=HOW))
        else:
            said[key] = value
            if key == "prune" and value != "all" and _seconds(value) is None:
                fix = "prune=30d deletes answers that are older (units: h, d, w); prune=all deletes every answer"
                problems.append(Problem("this is not an age", key, value, fix))
    if "export" in said and "prune" in said:
        problems.append(Problem("these cannot be combined", "export, prune", fix="export first, then prune"))
    if problems:
        raise UserError(*problems)
    return said


def _with_signs(words: Sequence[str]) -> list[str]:
    """`--prune 30d`, `prune 30d` and `--prune=30d` as `prune=30d`."""
    made: list[str] = []
    for word in words:
        name = word.removeprefix("--")
        if made and made[-1] in KEYS and "=" not in word and name not in KEYS:
            made[-1] += f"={word}"
        else:
            made.append(name if name.partition("=")[0] in KEYS else word)
    return made


def _seconds(age: str) -> float | None:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([hdw])", age)
    return float(found[1]) * UNITS_S[found[2]] if found else None


def _show(shelves: Sequence[Shelf], file: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("teacher", overflow="fold")
    table.add_column("prompt", overflow="fold")
    for name in ("answers", "tokens out", "first", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    for shelf in shelves:
        counts = f"{shelf.answers:,}", f"{shelf.output_tokens:,}"
        table.add_row(
            escape(shelf.teacher), escape(shelf.prompt_version) or "-", *counts, _day(shelf.first), _day(shelf.last)
        )
    if len(shelves) > 1:
        table.add_section()
        sums = sum(shelf.answers for shelf in shelves), sum(shelf.output_tokens for shelf in shelves)
        table.add_row("all", "", *(f"{number:,}" for number in sums), "", "", style="bold")
    console.print(table if shelves else "no answers")
    print(f"\n{_size(file)}  {file}")


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def _size(file: Path) -> str:
    """Of the file and of what SQLite has not yet moved into it."""
    parts = [file, file.with_name(f"{file.name}-wal")]
    count = sum(part.stat().st_size for part in parts if part.is_file())
    return f"{count / 1e3:,.1f} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"
