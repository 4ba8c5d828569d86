"""The records that travel through byheart, in the order in which they appear.

documents -> chunks -> facts -> examples -> split -> rows -> adapter -> scores -> report

All are frozen: a stage takes some and returns others. Nothing is imported here but the standard library.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]  # a JSON object as a run's files hold it, to be read only
FORWARD, REVERSE = "forward", "reverse"
_ENDS = tuple(".!?…。！？؟।۔")  # of sentences
ANGLES = ("recitation", "completion", "blank", "simple", "detailed", "scenario", "reverse")


@dataclass(frozen=True)
class LeftOut:
    """What a reader took out of a document because it is no text to learn: 24 "running heads"."""

    kind: str  # in the plural, as it is counted
    count: int
    example: str = ""  # the words of one, so that the reader can see whether it was rightly left out


@dataclass(frozen=True)
class Document:
    """One source text. `text` is exactly what every offset below counts in."""

    id: str  # short, unique in a run, stable for the same path and text
    title: str
    text: str
    path: str  # as the user named it
    left_out: tuple[LeftOut, ...] = ()
    doubts: tuple[
        str, ...
    ] = ()  # what its reader could not do or tell: "the order of reading is in doubt on pages 2-4"
    kinds: dict[str, int] = field(default_factory=dict)  # blocks by kind (`documents/blocks.py`), where counted
    languages: tuple[str, ...] = ()  # its own, then those of its other parts: ("en", "de"); "" where it cannot be told


@dataclass(frozen=True)
class Chunk:
    """A stretch of a document: `document.text[start:end] == text`, at most `max_tokens` tokens."""

    id: str
    document: str  # Document.id
    headings: tuple[str, ...]  # from the outermost heading inward, without '#' marks
    start: int
    end: int
    text: str
    tokens: int
    kinds: dict[str, int] = field(default_factory=dict)  # the blocks in it by kind; one that is cut counts in each part


@dataclass(frozen=True)
class Fact:
    """One statement of a chunk, the unit in which everything is counted: `document.text[start:end] == text`."""

    id: str
    document: str  # Document.id
    chunk: str  # Chunk.id
    start: int
    end: int
    text: str
    tokens: int
    headings: tuple[str, ...] = ()
    label: str = ""  # the marker that a list item stood behind: "(a)", "(b)(2)", "-", "3."; of speech, who says it
    kind: str = ""  # of the block it stands in (`documents/blocks.py`): "text", "item", "row", "pair", ...; "" unknown
    question: str = ""  # of a pair, or the term of a definition or entry
    answer: str = ""  # all of it; of a long answer, `text` has the beginning and the rest are facts by themselves
    language: str = ""  # "en", "de", ...; "" where it cannot be told
    cells: tuple[tuple[str, str], ...] = ()  # of a row or record: (column, value), the one that names it first
    labels: str = ""  # the number of its clause, with those around it: "3.3.1", "3.4(a)", "(a)(3)(ii)"; no bullets
    closing: str = ""  # the words behind the list that end this item's sentence: "shall be void."

    @property
    def paired(self) -> bool:
        """Whether it is a question with its answer or a term with its meaning, as the document itself gives them."""
        return bool(self.question)

    @property
    def statement(self) -> str:
        """The words that say it all, on one line: of a pair the question too, which may be a heading above `text`; of a row
        each value with the name of its column."""
        words = " ".join(self.text.split())
        if self.cells:
            return row_in_words(self.cells)
        if self.kind == "speech":
            return f"{self.label}: {words}"
        if not self.paired:
            return words
        return " ".join(f"{self.question}{'' if self.kind == 'pair' else ':'} {self.answer}".split())


@dataclass(frozen=True)
class Example:
    """One training row before tokens: a question, its answer, and what it teaches."""

    id: str
    question: str
    answer: str
    facts: tuple[str, ...]  # Fact.id of each fact it teaches; empty where the author named none
    angle: str  # one of ANGLES
    direction: str  # FORWARD or REVERSE
    expansion: str  # who wrote it: "rules", "file", ...
    chunk: str = ""  # Chunk.id, where facts are several or none
    rung: float | None = None  # temperature, where a teacher wrote it
    subject: str = ""  # the question without its template: what makes it differ from its siblings

    @property
    def form(self) -> tuple[str, str, str]:
        """What is held out whole or not at all."""
        return (self.facts[0] if len(self.facts) == 1 else f"chunk:{self.chunk}", self.angle, self.direction)


@dataclass(frozen=True)
class Rejection:
    """An example that was written and refused, with the reason in words."""

    example: Example
    reason: str  # the same words for the same fault, so that they can be counted
    detail: str = ""  # what it was in this one: "1913 stands nowhere in the text"


@dataclass(frozen=True)
class Split:
    """Which examples are trained, which are validated on (they stop training and pick epochs), which are only scored at the end.

    All are example ids. `validation` and `test` never share a fact. `refused` maps the id of an example, that was
    neither trained nor held out, to the reason. `untaught` ask about `heldout_facts`, which no row teaches.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    heldout_facts: tuple[str, ...] = ()
    untaught: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    note: str = ""  # said on the screen, e.g. that no held-out phrasing exists


@dataclass(frozen=True)
class Probe:
    """One test item: a question with accepted answers, or with options and the index of the right one."""

    id: str
    question: str
    answers: tuple[str, ...]
    options: tuple[str, ...] = ()
    gold: int | None = None  # 0-based index into options
    document: str = ""  # Document.id, where known
    support: str = ""  # a section label ("97.1(c)") or other locator, as the author gave it
    paragraph: int | None = None  # 0-based, as the author gave it
    facts: tuple[str, ...] = ()
    angle: str = ""
    direction: str = ""
    # "questions" (the user's), "generated" (held-out forms), "untaught" (on facts held out whole), "trained" (a row)
    source: str = "questions"
    group: str = ""  # bootstrap resamples whole groups: the fact or section behind the probe
    tags: dict[str, Any] = field(default_factory=dict)  # e.g. {"half": "A"}
    kind: str = ""  # one of `evaluation.kinds.KINDS`: what of it the training rows hold; "" not told


@dataclass(frozen=True)
class Value:
    """A metric with the number of items behind it and its 95 % interval."""

    value: float
    count: int
    low: float
    high: float


@dataclass(frozen=True)
class Answer:
    """What a model said to one probe, and how it was judged. Unasked metrics are absent from `metrics`."""

    probe: str  # Probe.id
    text: str
    metrics: dict[str, float] = field(default_factory=dict)
    chosen: int | None = None  # the option that length-normalised likelihood picks


@dataclass(frozen=True)
class CurvePoint:
    """One line of curve.csv: a validation check, several times an epoch. None where it was not measured.

    val_loss, bounded_loss, recall and token_accuracy are those of `training.validation.Validation`, unless a sweep
    measures recall otherwise.
    """

    step: int
    epoch: float  # 0.25 after a quarter of the first epoch
    rows_seen: int
    train_loss: float | None
    val_loss: float | None
    recall: float | None
    lr: float
    seconds: float
    peak_memory: float  # GiB
    token_accuracy: float | None = None  # share of the held-out answers' tokens that are the model's first choice
    bounded_loss: float | None = None  # val_loss where no token counts for more than 3 nats
    train_recall: float | None = None  # share of the rows since the last check that were said word for word


def row_in_words(cells: Sequence[tuple[str, str]], whole: bool = True) -> str:
    """ "Model: Aster 100; Flow (l/min): 20; Price: 149 EUR." A `whole` row of two cells without names is "Depth: 42 m." """
    full = [(column, value) for column, value in cells if value]
    if whole and len(full) == 2 and not full[0][0] and not full[1][0]:
        full = [(full[0][1], full[1][1])]
    parts = [f"{column}: {value}" if column else value for column, value in full]
    words = "".join(f"{part} " if part.endswith(_ENDS) else f"{part}; " for part in parts).rstrip(" ;")
    return words if words.endswith(_ENDS) else f"{words}."


_PREPOSITION = re.compile(r"(?= (?:of|in|on|around|behind|without) )")


def counted(count: int, noun: str) -> str:
    """ "1 fact", "1,200 facts"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def all_left_out(counts: Mapping[str, int]) -> list[LeftOut]:
    """What was counted under nouns in the singular, where there is any: "line of tags" becomes "lines of tags"."""
    found = []
    for noun, count in counts.items():
        head, *rest = _PREPOSITION.split(noun, maxsplit=1)
        found += [LeftOut(counted(2, head).removeprefix("2 ") + "".join(rest), count)] if count else []
    return found


def counted_of(count: int, nouns: str) -> str:
    """The same for a noun in the plural: "1 running head", "1 line of tags", "1 entry", "2 entries"."""
    head, *rest = _PREPOSITION.split(nouns, maxsplit=1)
    if count == 1 and head.endswith("s"):
        head = f"{head[:-3]}y" if head.endswith("ies") else head[: -2 if head.endswith("xes") else -1]
    return f"{count:,} {head}{''.join(rest)}"
