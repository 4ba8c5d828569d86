"""What libraries warn of while a run goes on: each line once in `log.txt` of the run's folder, and none on the screen."""

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from byheart.outside import outside_text

LOG = "log.txt"
_GAP = "  "  # between the time of a line and the rest, by which it is known again


@contextmanager
def library_log(folder: Path, note: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Inside the `with` block warnings, and log records that would be written to the screen, go to `folder`/log.txt.

    Whatever library they come from: handlers are asked where they write, so that one that is imported late is covered
    too. Handlers of the root logger belong to the program that calls us, and go on. Filters, levels and handlers are as
    before afterwards. `note` gets a sentence where a library says that it takes a slower way.
    """
    log, emit, theirs = _Log(folder / LOG, note), logging.StreamHandler.emit, set(logging.root.handlers)
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    levels = [(logger, logger.level) for logger in loggers]

    def write(handler: Any, record: logging.LogRecord) -> None:
        if handler in theirs or not _is_screen(handler.stream):
            emit(handler, record)
        else:
            log.add(record.levelname, record.name, record.getMessage())

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        log.add(category.__name__, f"{filename}:{lineno}", str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        logging.StreamHandler.emit = write  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            logging.StreamHandler.emit = emit  # type: ignore[method-assign]
            for logger, level in levels:
                if logger.level != level:
                    logger.setLevel(level)


def _is_screen(stream: Any) -> bool:
    if stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        return True
    with suppress(OSError, AttributeError, ValueError):
        return stream.fileno() in (1, 2)
    return False


class _Log:
    def __init__(self, file: Path, note: Callable[[str], None]):
        self.file, self.note = file, note
        self.said = set[str]()
        with suppress(OSError):  # of the command that is resumed
            self.said = {line.partition(_GAP)[2] for line in file.read_text(encoding="utf-8").splitlines()}

    def add(self, kind: str, source: str, text: str) -> None:
        line = outside_text(f"{kind} {source}: {' '.join(text.split())}")
        if line in self.said:
            return
        self.said.add(line)
        with suppress(OSError), self.file.open("a", encoding="utf-8", errors="replace") as file:  # it ends no run
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}{_GAP}{line}\n")
        if "slower" in text.lower():
            self.note(f"a part of this model has a faster way, which is not installed: {LOG} names it")
