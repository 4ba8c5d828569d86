"""What the terminal shows of an answer and beside it. In a pipe the same, as plain text."""

import os
import shutil
import sys
from textwrap import fill
from typing import TextIO

WIDTH = 80


class Writer:
    """Shows an answer as it comes. On a terminal a word that reaches its edge is taken back and begins the next line."""

    def __init__(self) -> None:
        self.width = shutil.get_terminal_size().columns if _moves(sys.stdout) else 0
        self.column, self.word = 0, ""

    def __call__(self, piece: str) -> None:
        print("".join(map(self._placed, plain(piece))), end="", flush=True)

    def _placed(self, letter: str) -> str:
        if letter.isspace():
            over = letter == "\n" or (self.width and self.column + 1 >= self.width)
            self.column, self.word = 0 if over else self.column + 1, ""
            return "\n" if over else letter
        before = ""
        if self.width and self.column + 1 >= self.width:
            word = self.word if len(self.word) < self.column else ""
            before = f"\033[{len(word)}D\033[K\n{word}" if word else "\n"
            self.column, self.word = len(word), word
        self.column, self.word = self.column + 1, self.word + letter
        return before + letter


def note(text: str) -> None:
    sys.stdout.flush()
    print(dim(fill(f"! {text}", WIDTH, subsequent_indent="  "), sys.stderr), file=sys.stderr, flush=True)


def plain(text: str) -> str:
    from byheart.report.tables import printable

    return printable(text)


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if _colours(sys.stdout) else text


def dim(text: str, stream: TextIO | None = None) -> str:
    return f"\033[2m{text}\033[0m" if _colours(stream or sys.stdout) else text


def _colours(stream: TextIO) -> bool:
    return _moves(stream) and "NO_COLOR" not in os.environ


def _moves(stream: TextIO) -> bool:
    """Whether it is a terminal that knows colours and a cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
