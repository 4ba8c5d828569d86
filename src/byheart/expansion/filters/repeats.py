"""Near copies: questions on one fact that differ in punctuation only, or little, with almost the same answer."""

import re
from collections import defaultdict

from byheart.expansion.filters.words import plain

ANSWERS_ALIKE = 75.0
_WH = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b")
_NUMBER = re.compile(r"\d+")


class Repeats:
    """The kept pairs of each fact. `alike` is rapidfuzz' token_sort_ratio, 0 to 100; None: refuse exact copies only."""

    def __init__(self, alike: float | None):
        self.alike = alike
        self._kept: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)

    def like(self, fact: str, direction: str, question: str, answer: str) -> str:
        """The kept question that this one repeats; empty where it is new."""
        from rapidfuzz import fuzz

        asked, said = plain(question), plain(answer)
        for other, other_answer in self._kept[fact, direction]:
            if asked == other:
                return other
            if self.alike is None or _asks_otherwise(asked, other):
                continue
            if fuzz.token_sort_ratio(asked, other) >= self.alike and fuzz.ratio(said, other_answer) >= ANSWERS_ALIKE:
                return other
        return ""

    def keep(self, fact: str, direction: str, question: str, answer: str) -> None:
        self._kept[fact, direction].append((plain(question), plain(answer)))


def _asks_otherwise(one: str, other: str) -> bool:
    """ "When was it built" and "Where was it built" differ in a word and in all."""
    return any(set(pattern.findall(one)) != set(pattern.findall(other)) for pattern in (_WH, _NUMBER))
