"""Does a held-out example give itself away among the training rows?"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from byheart.documents.languages.language import UNSPACED
from byheart.records import Example

ALIKE = 90  # rapidfuzz ratio, 0 to 100
TAIL = 8  # words of the prompt that precede the answer
_SHORTER = ALIKE / (200 - ALIKE)  # texts can only be that alike where the shorter has this share of the longer's length
_CONTINUES = "a training row contains the end of its prompt followed by its answer"
_RESEMBLES = f"its question and answer match a training row at {ALIKE} or more"
MOST_PAIRS = 20_000_000  # held-out examples times training rows up to which every pair is compared
COMPARED = 100  # held-out examples that a training row is compared with beyond that
_LEAF = 8  # needles that begin alike and are compared one by one
_DEEPEST = 60  # words from which needles that begin alike are compared one by one, however many they are

Needle = tuple[str, ...]


class ContaminationFinder:
    """Looks examples up among many: by their continuation (verbatim), and by likeness of question and answer.

    A completion's prompt and answer together are the recitation, so a held-out prompt whose last words and answer stand
    in a row of a trained question and answer has been trained. Paraphrases of a template are look-alikes.

    Up to `MOST_PAIRS` all pairs are compared. Beyond, so that the time grows with the rows, a row meets the `COMPARED`
    held-out examples that have its answer or its rarest words, or where those are more, a share of them that changes
    from row to row. Few look-alikes of a kind share a rare word; of many, one is met.
    """

    def __init__(self, train: Sequence[Example]):
        self._train = train

    def reasons(self, examples: Sequence[Example]) -> dict[str, str]:
        """Example id -> why it may not be held out, for those that may not. The training rows are read once for all."""
        continued = {held for held, _ in self._continued(examples)}
        found = {example.id: _CONTINUES for example in examples if example.id in continued}
        rest = [example for example in examples if example.id not in found]
        if len(rest) * len(self._train) <= MOST_PAIRS:
            alike = {example.id for example in rest if any(self._alike(example))}
        else:
            alike = self._alike_by_words(rest)
        return found | {example.id: _RESEMBLES for example in rest if example.id in alike}

    def gives_away(self, examples: Sequence[Example]) -> set[str]:
        """The ids of the training rows because of which `reasons` would refuse one of these."""
        found = {row for _, row in self._continued(examples)}
        pairs = {pair for example in examples for pair in self._alike(example)}
        return found | {row.id for row in self._train if (_plain(row.answer), _subject(row)) in pairs}

    def _continued(self, examples: Sequence[Example]) -> Iterator[tuple[str, str]]:
        """(its id, the row's id) where an example's prompt's last words, followed by its answer, stand in a training row."""
        needles: dict[Needle, set[str]] = defaultdict(set)
        for example in examples:
            answer = _split(example.answer)
            for prompt in {example.subject, example.question} - {""}:
                needles[tuple([*_split(prompt)[-TAIL:], *answer])].add(example.id)
        # Needles by their first words: only where those stand is the rest compared.
        heads: dict[Needle, list[Needle]] = defaultdict(list)
        for needle in needles:
            heads[needle[:3]].append(needle)
        short = any(len(head) < 3 for head in heads)
        branches = {head: _branch(group, 3) for head, group in heads.items()}
        for row in self._train:
            text = _split(f"{row.question} {row.answer}")
            for start, head in _heads(text, short):
                branch = branches.get(head)
                at = start + 3
                while branch:
                    group, deeper = branch
                    for needle in group:
                        if text[start : start + len(needle)] == [*needle]:
                            yield from ((held, row.id) for held in needles[needle])
                    branch = deeper.get(tuple(text[at : at + 3])) if deeper else None
                    at += 3

    @cached_property
    def _subjects(self) -> dict[str, list[str]]:
        """The subjects of each answer, sorted by length."""
        by_answer: dict[str, set[str]] = defaultdict(set)
        for example in self._train:
            by_answer[_plain(example.answer)].add(_subject(example))
        return {answer: sorted(sorted(subjects), key=len) for answer, subjects in by_answer.items()}

    @cached_property
    def _answers(self) -> list[str]:
        return sorted(self._subjects, key=len)

    def _alike(self, example: Example) -> Iterator[tuple[str, str]]:
        """The (answer, subject) of training rows that match this example."""
        from rapidfuzz import fuzz, process

        answer, subject = _plain(example.answer), _subject(example)
        near = _as_long_as(answer, self._answers)
        for found, _, _ in process.extract(answer, near, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=None):
            likely = _as_long_as(subject, self._subjects[found])
            matching = process.extract_iter(subject, likely, scorer=fuzz.ratio, score_cutoff=ALIKE)
            yield from ((found, other) for other, _, _ in matching)

    def _alike_by_words(self, examples: Sequence[Example]) -> set[str]:
        from rapidfuzz import fuzz

        held = [(_plain(example.answer), _subject(example)) for example in examples]
        by_answer: dict[str, list[int]] = defaultdict(list)
        by_word: dict[str, list[int]] = defaultdict(list)
        for at, (answer, subject) in enumerate(held):
            by_answer[answer].append(at)
            for word in _keys(answer, subject):
                by_word[word].append(at)
        found: set[int] = set()
        for number, row in enumerate(self._train):
            answer, subject = _plain(row.answer), _subject(row)
            known = (word for word in _keys(answer, subject) if word in by_word)
            rarest = sorted(known, key=lambda word: (len(by_word[word]), word))
            tried: set[int] = set()
            for group in (by_answer.get(answer, ()), *(by_word[word] for word in rarest)):
                step = -(-len(group) // COMPARED)
                tried.update(group[number % step :: step] if step > 1 else group)
                if len(tried) >= COMPARED:
                    break
            for at in tried - found:
                other, about = held[at]
                if fuzz.ratio(answer, other, score_cutoff=ALIKE) and fuzz.ratio(subject, about, score_cutoff=ALIKE):
                    found.add(at)
        return {examples[at].id for at in found}


def _branch(needles: Sequence[Needle], known: int) -> tuple[list[Needle], dict[Needle, Any]]:
    """Needles whose first `known` words are the same: those to compare, and the others by their next three words."""
    if len(needles) <= _LEAF or known > _DEEPEST:
        return list(needles), {}
    ended = [needle for needle in needles if len(needle) < known + 3]
    deeper: dict[Needle, list[Needle]] = defaultdict(list)
    for needle in needles:
        if len(needle) >= known + 3:
            deeper[needle[known : known + 3]].append(needle)
    return ended, {head: _branch(group, known + 3) for head, group in deeper.items()}


def _subject(example: Example) -> str:
    """What of a question differs from those of its template."""
    return _plain(example.subject or example.question)


def _keys(answer: str, subject: str) -> set[str]:
    """The words that look-alikes are looked up by; of a script without blanks, pairs of letters."""
    words = {*answer.split(), *subject.split()}
    runs = {word for word in words if UNSPACED.search(word)}
    return (words - runs) | {word[at : at + 2] for word in runs for at in range(len(word))}


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
