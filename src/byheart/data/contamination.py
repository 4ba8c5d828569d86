"""Does a held-out example give itself away among the training rows?"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from byheart.documents.languages.language import UNSPACED
from byheart.records import Example

ALIKE = 90  # rapidfuzz ratio, 0 to 100
TAIL = 8  # words of the prompt that precede the answer
_SHORTER = ALIKE / (200 - ALIKE)  # texts can only be that alike where the shorter has this share of the longer's length
_CONTINUES = "a training row contains the end of its prompt followed by its answer"
_RESEMBLES = f"its question and answer match a training row at {ALIKE} or more"


class ContaminationFinder:
    """Looks examples up among many: by their continuation (verbatim), and by likeness of question and answer.

    A completion's prompt and answer together are the recitation, so a held-out prompt whose last words and answer stand
    in a row of a trained question and answer has been trained. Paraphrases of a template are look-alikes.
    """

    def __init__(self, train: Sequence[Example]):
        self._train = train
        by_answer: dict[str, list[str]] = defaultdict(list)
        for example in train:
            answer, subject = _pair(example)
            by_answer[answer].append(subject)
        self._answers = sorted(by_answer, key=len)
        self._subjects = {answer: sorted(set(subjects), key=len) for answer, subjects in by_answer.items()}

    def reasons(self, examples: Sequence[Example]) -> dict[str, str]:
        """Example id -> why it may not be held out, for those that may not. The training rows are read once for all."""
        continued, found = {held for held, _ in self._continued(examples)}, dict[str, str]()
        for example in examples:  # in their order: that of a set differs from process to process
            if example.id in continued:
                found[example.id] = _CONTINUES
            elif any(self._alike(example)):
                found[example.id] = _RESEMBLES
        return found

    def gives_away(self, examples: Sequence[Example]) -> set[str]:
        """The ids of the training rows because of which `reasons` would refuse one of these."""
        found = {row for _, row in self._continued(examples)}
        pairs = {pair for example in examples for pair in self._alike(example)}
        return found | {row.id for row in self._train if _pair(row) in pairs}

    def _continued(self, examples: Sequence[Example]) -> Iterator[tuple[str, str]]:
        """(its id, the row's id) where an example's prompt's last words, followed by its answer, stand in a training row."""
        # Needles by their first words: only where those stand is the rest compared.
        heads: dict[tuple[str, ...], list[tuple[list[str], str]]] = defaultdict(list)
        for example in examples:
            answer = _split(example.answer)
            for prompt in {example.subject, example.question} - {""}:
                needle = [*_split(prompt)[-TAIL:], *answer]
                heads[tuple(needle[:3])].append((needle, example.id))
        short = any(len(head) < 3 for head in heads)
        for row in self._train:
            text = _split(f"{row.question} {row.answer}")
            for start, head in _heads(text, short):
                for needle, i in heads.get(head, ()):
                    if text[start : start + len(needle)] == needle:
                        yield i, row.id

    def _alike(self, example: Example) -> Iterator[tuple[str, str]]:
        """The (answer, subject) of training rows that match this example."""
        from rapidfuzz import fuzz, process

        answer, subject = _pair(example)
        near = _as_long_as(answer, self._answers)
        for found, _, _ in process.extract(answer, near, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=None):
            likely = _as_long_as(subject, self._subjects[found])
            matching = process.extract_iter(subject, likely, scorer=fuzz.ratio, score_cutoff=ALIKE)
            yield from ((found, other) for other, _, _ in matching)


def _as_long_as(text: str, others: list[str]) -> list[str]:
    """Of texts sorted by length, those that are long enough, and short enough, to be look-alikes of this one."""
    first = bisect_left(others, int(len(text) * _SHORTER), key=len)
    return others[first : bisect_right(others, -int(-len(text) // _SHORTER), key=len)]


def _heads(text: Sequence[str], short: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every place of a text with the three words that stand there, and with one and two where `short` asks for them."""
    yield from enumerate(zip(text, text[1:], text[2:], strict=False))
    if short:
        yield from enumerate(pairwise(text))
        yield from enumerate((word,) for word in text)


def _pair(example: Example) -> tuple[str, str]:
    return _plain(example.answer), _plain(example.subject or example.question)


def _plain(text: str) -> str:
    return " ".join(_words(text))


def _split(text: str) -> list[str]:
    """The words, each letter of a script without blanks by itself: a completion begins in the midst of a run there."""
    return _words(UNSPACED.sub(lambda run: f" {' '.join(run[0])} ", text)) if UNSPACED.search(text) else _words(text)


@lru_cache(maxsize=1 << 16)
def _words(text: str) -> list[str]:
    """Lower-case words without marks; a blank counts as nothing, so that a gapped sentence meets its source."""
    return re.findall(r"[^\W_]+", text.lower())
