"""Does a held-out example give itself away among the training rows?"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from byheart.types import Example

ALIKE = 90  # rapidfuzz ratio, 0 to 100
TAIL = 8  # words of the prompt that precede the answer


class LeakFinder:
    """Looks one example up among many: by its continuation (verbatim), and by likeness of question and answer.

    A completion's prompt and answer together are the recitation, so a held-out prompt whose last words and answer stand
    in a row of a trained question and answer has been trained. Paraphrases of a template are look-alikes.
    """

    def __init__(self, train: Sequence[Example]):
        self._texts = [_words(f"{e.question} {e.answer}") for e in train]
        self._places: dict[tuple[str, ...], list[tuple[int, int]]] | None = None
        self._by_answer: dict[str, list[str]] = defaultdict(list)
        for example in train:
            self._by_answer[" ".join(_words(example.answer))].append(
                " ".join(_words(example.subject or example.question))
            )

    def reason(self, example: Example) -> str:
        """Why the example may not be held out; empty where it may."""
        answer = _words(example.answer)
        for prompt in {example.subject, example.question} - {""}:
            if self._contains([*_words(prompt)[-TAIL:], *answer]):
                return "a training row contains the end of its prompt followed by its answer"
        subject = " ".join(_words(example.subject or example.question))
        if self._alike(subject, " ".join(answer)):
            return f"its question and answer match a training row at {ALIKE} or more"
        return ""

    def _contains(self, needle: list[str]) -> bool:
        head = tuple(needle[:3])
        if len(head) < 3:
            return any(_follows(text, start, needle) for text in self._texts for start in range(len(text)))
        if self._places is None:
            self._places = _trigrams(self._texts)
        return any(_follows(self._texts[row], start, needle) for row, start in self._places.get(head, ()))

    def _alike(self, subject: str, answer: str) -> bool:
        from rapidfuzz import fuzz, process

        for near, _, _ in process.extract_iter(answer, self._by_answer.keys(), scorer=fuzz.ratio, score_cutoff=ALIKE):
            if process.extractOne(subject, self._by_answer[near], scorer=fuzz.ratio, score_cutoff=ALIKE):
                return True
        return False


def _follows(text: Sequence[str], start: int, needle: Sequence[str]) -> bool:
    return list(text[start : start + len(needle)]) == list(needle)


def _trigrams(texts: Iterable[Sequence[str]]) -> dict[tuple[str, ...], list[tuple[int, int]]]:
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for row, text in enumerate(texts):
        for start in range(len(text) - 2):
            places[tuple(text[start : start + 3])].append((row, start))
    return places


def _words(text: str) -> list[str]:
    """Lower-case words without marks; a blank counts as nothing, so that a gapped sentence meets its source."""
    return re.findall(r"[^\W_]+", text.lower())
