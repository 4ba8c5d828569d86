"""Code, paths, addresses and short quotations, each one name to the parser.

A parser of prose cuts "`--jobs N`" in pieces and loses its quotes. Each such mark is read as an invented name and is put
back, as it stands, into the questions and answers.
"""

import re
from collections.abc import Iterable

NAME = "Zorvex"  # no word of any language; the parser takes it for a name
SIGN = "zqx"  # begins a word that stands for code or a formula already (`expansion/rules/signs.py`)
_MARK = re.compile(
    r"`[^`\n]{1,80}`|“[^“”.!?]{1,40}”|(?<![\w\"])\"[^\".!?]{1,40}\"(?!\w)"
    r"|(?<![\w/])--?[A-Za-z][\w-]*(?:=[\w./-]+)?(?![\w-])|(?<!\S)(?:https?://|~/|\.{0,2}/)[\w~./?=&%#:+-]*[\w/]"
    r"|(?<![\w@.])[\w.+-]{1,40}@[\w-]{1,40}\.[\w.]{1,20}\w|(?<![\w_])[A-Za-z]{1,40}_[\w_]{0,40}\w(?:\(\))?"
)
_LETTERS = "bdfgklmnprst"
_HELD = re.compile(rf"{NAME}[{_LETTERS}]+", re.I)


class Marks:
    """The marks of a source by the names that stand for them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._held: dict[str, str] = {}

    def hide(self, text: str) -> str:
        return _MARK.sub(lambda found: self._name(found.group()), text)

    def hide_all(self, texts: Iterable[str]) -> list[str]:
        return [self.hide(text) for text in texts]

    def show(self, text: str) -> str:
        return _HELD.sub(lambda found: self._held.get(found.group().lower(), found.group()), text)

    def _name(self, mark: str) -> str:
        if mark not in self._names:
            number, letters = len(self._names), ""
            while number or not letters:
                number, digit = divmod(number, len(_LETTERS))
                letters += _LETTERS[digit]
            self._names[mark] = f"{NAME}{letters}"
            self._held[f"{NAME}{letters}".lower()] = mark
        return self._names[mark]


def is_mark(word: str) -> bool:
    return word.startswith(NAME) or word.lower().startswith(SIGN)
