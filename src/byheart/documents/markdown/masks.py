"""Parts of a text hidden behind signs of their own while the rest is read, and put back as they were."""

import re
from collections.abc import Callable
from dataclasses import dataclass

# Signs of the private use area: letters to every other pattern, and found in no prose.
_OPEN, _CLOSE, _ZERO = "\ue000", "\ue001", 0xE100
HIDDEN = re.compile(f"{_OPEN}([\ue100-\ue109]+){_CLOSE}")
_FENCE = re.compile(r"[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$")
# Bounded: a lone tick may not search the whole text for its partner.
SPAN = re.compile(
    r"(?<!`)(?P<ticks>`{1,3})(?!`)(?P<code>(?:[^`\n]|\n(?![ \t]*\n)){1,400}?|[^\n]{1,400}?)(?<!`)(?P=ticks)(?!`)"
)


@dataclass(frozen=True)
class Fence:
    """Fenced code: `text[start:end]` with its fences, its lines of code, and what is said behind the opening fence."""

    start: int
    end: int
    info: str
    code: str


def find_fences(text: str) -> list[Fence]:
    """Fenced code, in order. A fence that is never closed is none."""
    found: list[Fence] = []
    at, opening, mark, body, info = 0, 0, "", 0, ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match and not mark:
            opening, mark, body, info = at, match["fence"], at + len(line) + 1, match["info"].strip()
        elif match and match["fence"].startswith(mark) and not match["info"].strip():
            found.append(Fence(opening, at + len(line), info, text[body:at]))
            mark = ""
        at += len(line) + 1
    return found


class Masks:
    """Remembers what it hides. `show` undoes every `hide`."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, part: str) -> str:
        """The sign that stands for the part."""
        self._kept.append(part)
        return _OPEN + "".join(chr(_ZERO + int(digit)) for digit in str(len(self._kept) - 1)) + _CLOSE

    def hide(self, pattern: re.Pattern[str], text: str, change: Callable[[re.Match[str]], str] | None = None) -> str:
        """The text with a sign for each match; `change` gives what is put back, "" for what is no match after all."""

        def sign(match: re.Match[str]) -> str:
            part = change(match) if change else match[0]
            return self.keep(part) if part else match[0]

        return pattern.sub(sign, text)

    def hide_code(self, text: str) -> str:
        """The text without its fenced and its inline code."""
        out, last = [], 0
        for fence in find_fences(text):
            out += [text[last : fence.start], self.keep(text[fence.start : fence.end])]
            last = fence.end
        return self.hide(SPAN, "".join([*out, text[last:]]))

    def show(self, text: str) -> str:
        while True:  # what was hidden may hold signs itself
            shown = HIDDEN.sub(lambda match: self._at(match[1]) or match[0], text)
            if shown == text:
                return text
            text = shown

    def _at(self, digits: str) -> str:
        index = int("".join(str(ord(digit) - _ZERO) for digit in digits[:9]))
        return self._kept[index] if index < len(self._kept) else ""
