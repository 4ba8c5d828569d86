"""Errors with an exit code of their own: the user can fix them, or a batch is still running."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One error with all that the user needs to fix it."""

    what: str  # "the file is empty"
    where: str = ""  # a config path ("batch_size"), or a file and line ("exam.jsonl:3")
    value: str = ""  # what was received
    fix: str = ""  # what to do next

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        if self.value:
            head += f" (got {self.value})"
        return f"{head}\n    {self.fix}" if self.fix else head


class UserError(Exception):
    """All problems that the user should fix, reported together. The command line prints them and exits with 2."""

    def __init__(self, *problems: Problem):
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class Unfinished(UserError):
    """No error: a batch is still running at the teacher, and the same command collects it later. Exit code 75."""


class Diverged(Exception):
    """Training became NaN or exploded; the message says what to change."""


Check = tuple[str, Callable[[float], bool]]  # words that complete "must be ...", and whether a number is right
AT_LEAST_0: Check = "at least 0", lambda number: number >= 0
AT_LEAST_1: Check = "at least 1", lambda number: number >= 1
ABOVE_0: Check = "above 0", lambda number: number > 0


def wrong_numbers(options: object, where: str, checks: Mapping[str, Check]) -> list[Problem]:
    """A problem for each field of `options` that fails its check; None passes. `where`: the config path of `options`."""
    values = {name: getattr(options, name) for name in checks}
    return [
        Problem(f"must be {words}", f"{where}.{name}", str(values[name]))
        for name, (words, is_right) in checks.items()
        if values[name] is not None and not is_right(values[name])
    ]


def missing_package(package: str, where: str, value: str) -> list[Problem]:
    """A problem where the package is not installed; it is not imported."""
    if importlib.util.find_spec(package):
        return []
    return [Problem(f"the package {package} is not installed", where, value, f"pip install {package}")]


def gather(problems: Sequence[Problem]) -> None:
    """Raise one UserError with all the problems, if there are any."""
    if problems:
        raise UserError(*problems)
