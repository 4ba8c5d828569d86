"""Priming: whether questions on other subjects are answered with the documents, by names and by runs of their words."""

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from byheart.evaluation.sampling import sampled
from byheart.evaluation.verbatim import WORD, in_a_row, words_of
from byheart.records import Fact

RUN = 6  # words in a row, which no other text is likely to have
LONGEST = 4  # words of a name that are compared
MOST = 20_000  # facts that are read
CAPITAL_NOUNS = ("de", "lb")  # languages that write every noun with a capital
PACKAGED = ("general.txt", "general_questions.jsonl", "neutral.jsonl")
_BREAK = re.compile(r"[.!?:;…\"“”‘(\[]\s?$")  # a capital behind it says nothing
_POSSESSIVE = re.compile(r"['’]s$")


@dataclass(frozen=True)
class Marks:
    """What tells the documents' texts from others: their names, and their runs of RUN words."""

    names: frozenset[tuple[str, ...]]
    runs: frozenset[tuple[str, ...]]

    @classmethod
    def of(cls, facts: Sequence[Fact]) -> "Marks":
        """Of the facts, or of a sample of MOST of them.

        Names are capitalised words in a row, and single ones that are rare: never written small, in no packaged text,
        and not only at the beginning of a sentence.
        """
        some = sampled(facts, MOST)
        small = {word for fact in some for word in _split(fact.text) if word.islower()} | common_words()
        names = {name for fact in some for name in _names(fact)}
        return cls(
            frozenset(name for name in names if len(name) > 1 or name[0].casefold() not in small),
            frozenset(run for fact in some for run in in_a_row(words_of(fact.text), RUN)),
        )

    def found(self, answer: str, question: str) -> list[str]:
        """The names and runs in an answer that the question does not have."""
        words = _split(answer)
        names = [span for count in range(1, LONGEST + 1) for span in in_a_row(words, count) if span in self.names]
        runs = [run for run in in_a_row(words_of(answer), RUN) if run in self.runs]
        asked = f" {' '.join(words_of(question))} "
        found = dict.fromkeys(" ".join(span) for span in (*names, *runs))
        return [each for each in found if f" {' '.join(words_of(each))} " not in asked]


@cache
def common_words() -> frozenset[str]:
    """Words of the packaged general texts, months and days, in small letters."""
    texts = [files("byheart.evaluation").joinpath(name).read_text(encoding="utf-8") for name in PACKAGED]
    return frozenset(word.casefold() for word in (*_split(" ".join(texts)), *calendar.month_name, *calendar.day_name))


def _names(fact: Fact) -> Iterator[tuple[str, ...]]:
    words = list(WORD.finditer(fact.text))
    capital = [word for word in words if any(sign.isupper() for sign in word[0])]
    if len(words) > 3 and len(capital) > 2 * len(words) / 3:
        return  # a heading or a line in capitals, where they say nothing
    runs: list[list[re.Match[str]]] = []
    for word in capital:
        if runs and fact.text[runs[-1][-1].end() : word.start()] == " ":
            runs[-1].append(word)
        else:
            runs.append([word])
    for run in runs:
        begins = run[0].start() == 0 or bool(_BREAK.search(fact.text, run[0].start() - 2, run[0].start()))
        if begins and run[0][0].casefold() in common_words():
            run, begins = run[1:], False
        name = [_POSSESSIVE.sub("", word[0]) for word in run]
        for count in range(2, min(len(name), LONGEST) + 1):
            yield from in_a_row(name, count)
        if len(name) == 1 and len(name[0]) > 2 and not begins and fact.language not in CAPITAL_NOUNS:
            yield (name[0],)


def _split(text: str) -> list[str]:
    return [_POSSESSIVE.sub("", word) for word in WORD.findall(text)]
