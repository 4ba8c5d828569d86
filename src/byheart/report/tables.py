"""What the terminal and the page both show of a run: scores with intervals, and probes by outcome.

`scores` is the content of scores.json, `rows` are the lines of answers.jsonl.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from byheart.evaluation.base import METRICS
from byheart.records import Json, Value

Row = Json
Scores = Json

MODELS = {"untuned": "untuned", "open_book": "open book", "tuned": "tuned", "retrained": "retrained"}
FOUND_BY = {"support": "its section", "paragraph": "its paragraph", "fact": "its fact", "lexical": "words in common"}
OUTCOMES = ("learned", "still wrong", "forgotten", "known")
EXPLAINED = {
    "right": "the likeliest option is the right one, or the answer contains an accepted one",
    "choice_norm": "the right option has the highest likelihood per token",
    "choice": "the right option has the highest likelihood, summed over its tokens",
    "margin": "log-likelihood per token of the right option, minus that of the best wrong one",
    "choice_norm_blind": "the same, with the options shown without their question",
    "choice_blind": "the same, with the options shown without their question",
    "margin_gain": "the margin minus the margin without the question: what the question itself adds",
    "exact_match": "the answer is an accepted one, word for word",
    "f1": "words shared with the accepted answer",
    "contains": "the answer contains an accepted one",
    "perplexity_ratio": "perplexity of general text, tuned divided by untuned; 1 is no change",
}
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    """The text without control characters, changes of direction and lone surrogates, which a terminal would follow."""
    return UNPRINTABLE.sub("\ufffd", str(text))


def finalize(value: object) -> object:
    """What Jinja does with a value before it is escaped."""
    return printable(value) if type(value) is str else value


# -- scores -----------------------------------------------------------------------------------------------------------


def value(entry: object) -> Value | None:
    """One entry of scores.json as a Value, or None where it is absent, malformed or not a number."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("value"), int | float):
        return None
    at = float(entry["value"])
    low, high = (float(at if entry.get(end) is None else entry[end]) for end in ("low", "high"))
    return Value(at, int(entry.get("count") or 0), low, high) if math.isfinite(at + low + high) else None


@dataclass(frozen=True)
class Line:
    """One metric with what each model reached; a model that was not asked is absent."""

    metric: str
    values: dict[str, Value]

    @property
    def label(self) -> str:
        return METRICS.get(self.metric) or self.metric.replace("_", " ")

    @property
    def share(self) -> bool:
        """Whether the metric lies between 0 and 1 and reads as a percentage."""
        return not self.metric.endswith(("margin", "_gain", "_ratio", "_gap"))

    @property
    def count(self) -> int:
        return max((value.count for value in self.values.values()), default=0)


def lines(scores: Scores) -> list[Line]:
    """One line for each metric, with the scores of untuned, open book and tuned; in the order of METRICS."""
    named = {name for model in MODELS for name in scores.get(model) or {} if name != "perplexity"}
    order = [*METRICS, *sorted(named - METRICS.keys())]
    found = [Line(name, {m: at for m in MODELS if (at := entry(scores, m, name))}) for name in order]
    return [line for line in found if line.values]


def headline(scores: Scores) -> Line | None:
    """The headline metric of the run: the one named in the scores, else choice, else contains."""
    by_name = {line.metric: line for line in lines(scores)}
    order = (scores.get("headline"), "choice_norm", "choice", "contains", "exact_match")
    return next((by_name[name] for name in order if name in by_name), None)


def breakdown(scores: Scores, name: str) -> dict[str, Line]:
    """`by_angle`, `by_document` or `halves`: each member with its headline metric."""
    blocks = scores.get(name) or {}
    found = {member: headline({**block, "headline": scores.get("headline")}) for member, block in blocks.items()}
    return {member: line for member, line in found.items() if line}


def entry(scores: Scores, block: str, metric: str) -> Value | None:
    """One value of one block ("tuned", "paired"), or None."""
    return value((scores.get(block) or {}).get(metric))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def points(share: float) -> str:
    """A difference of two shares, in percentage points with its sign."""
    return f"{100 * share:+.0f}".replace("-", "−")


def number(at: float, share: bool) -> str:
    return percent(at) if share else f"{at:.2f}".replace("-", "−")


def interval(at: Value, share: bool) -> str:
    if share:
        return f"{100 * at.low:.0f} to {100 * at.high:.0f}"
    return f"{at.low:.2f} to {at.high:.2f}".replace("-", "−")


# -- probes -----------------------------------------------------------------------------------------------------------


def outcome(row: Row) -> str:
    before, after = bool(row.get("untuned_right")), bool(row.get("tuned_right"))
    return {(False, True): "learned", (True, True): "known", (True, False): "forgotten"}.get(
        (before, after), "still wrong"
    )


def said(row: Row, model: str) -> str:
    """What `model` answered: the option it picked, with its letter, where there are options; else its words."""
    options, picked = list(row.get("options") or ()), row.get(f"{model}_option")
    return _option(options, options.index(picked)) if picked in options else str(row.get(model) or "")


def _option(options: Sequence[object], index: int) -> str:
    return f"{chr(65 + index)}. {options[index]}" if index < 26 else str(options[index])


def accepted(row: Row) -> str:
    """The right option with its letter, or the accepted answers."""
    options, answers = list(row.get("options") or ()), [str(answer) for answer in row.get("accepted") or ()]
    return _option(options, options.index(answers[0])) if answers[:1] and answers[0] in options else " / ".join(answers)


def exam(rows: Sequence[Row]) -> list[Row]:
    """The user's questions, or the generated ones where the user gave none."""
    taught = [row for row in rows if row.get("source") != "untaught"]
    return [row for row in taught if row.get("source", "questions") == "questions"] or taught


def chance(rows: Sequence[Row]) -> float | None:
    """The share that guessing would get right; None unless every exam question has options."""
    counts = [len(row.get("options") or ()) for row in exam(rows)]
    return sum(1 / count for count in counts) / len(counts) if counts and all(counts) else None


@dataclass(frozen=True)
class Result:
    """The run in one sentence: of `count` questions, how many are right after training, before it, and with open book."""

    count: int
    after: int
    before: int
    open_book: int | None
    noun: str

    @property
    def rest(self) -> str:
        text = f"correctly with the documents closed. The untuned model answered {self.before or 'none'}"
        return text + (f"; with open book, {self.open_book or 'none'}." if self.open_book is not None else ".")

    def __str__(self) -> str:
        return f"The tuned model answered {self.after} of {self.count} {self.noun} {self.rest}"


def result(rows: Sequence[Row]) -> Result | None:
    asked = [row for row in exam(rows) if row.get("tuned_right") is not None]  # a sample leaves the others unasked
    if not asked:
        return None
    opened = [row["open_book_right"] for row in asked if row.get("open_book_right") is not None]
    return Result(
        count=len(asked),
        after=sum(bool(row.get("tuned_right")) for row in asked),
        before=sum(bool(row.get("untuned_right")) for row in asked),
        open_book=sum(map(bool, opened)) if len(opened) == len(asked) else None,
        noun="exam questions" if asked[0].get("source", "questions") == "questions" else "held-out questions",
    )
