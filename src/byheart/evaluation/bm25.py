"""BM25 over a handful of texts (Robertson and Zaragoza 2009), with the idf that never turns negative (Lucene's)."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from math import log

from byheart.documents.languages.language import MARKS

K1, B = 1.2, 0.75
_WORD = re.compile(rf"[\u2e80-\U0003ffff]|[^\W\u2e80-\U0003ffff](?:[^\W\u2e80-\U0003ffff]|[{MARKS}])*")


class BM25:
    """An index of texts, held as postings: a query touches only the texts that share a word with it."""

    def __init__(self, texts: Sequence[str]):
        self.postings: dict[str, list[tuple[int, int]]] = {}
        self.lengths: list[int] = []
        for number, text in enumerate(texts):
            words = terms(text)
            self.lengths.append(len(words))
            for word, count in Counter(words).items():
                self.postings.setdefault(word, []).append((number, count))
        self.average = sum(self.lengths) / max(len(self.lengths), 1) or 1.0

    def best(self, query: str, among: Collection[int] | None = None) -> int | None:
        """The index of the text that fits best, the first of equals; None where no text shares a word."""
        scores: Counter[int] = Counter()
        for word in terms(query):
            found = self.postings.get(word, ())
            rarity = log(1 + (len(self.lengths) - len(found) + 0.5) / (len(found) + 0.5))
            for number, count in found:
                if among is None or number in among:
                    length = 1 - B + B * self.lengths[number] / self.average
                    scores[number] += rarity * count * (K1 + 1) / (count + K1 * length)  # type: ignore[assignment]
        return min(scores, key=lambda number: (-scores[number], number)) if scores else None


def terms(text: str) -> list[str]:
    """The words of a text; each Chinese or Japanese character counts as one. "stations" meets "station"."""
    words = _WORD.findall(text.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words]
