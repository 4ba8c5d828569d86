"""What the terminal, the page and W&B show of the probes: what the model picked, what it said, and what changed.

`rows` are the lines of answers.jsonl.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from byheart.records import Json

Row = Json

APART = ("untaught", "trained")  # sources: facts that no row teaches, and trained rows. Neither shows what was learned
LEARNED, WRONG, FORGOTTEN, KNOWN, UNASKED = "learned", "still wrong", "forgotten", "known before", "not asked"
OUTCOMES = (WRONG, FORGOTTEN, LEARNED, KNOWN, UNASKED)  # in the order in which probes are read


@dataclass(frozen=True)
class Reply:
    """One answer of a model to a probe: the option that it finds likeliest, or its own words."""

    how: str  # "picked" or "said"
    text: str
    right: bool | None  # None where it was not judged

    @property
    def mark(self) -> str:
        return {True: "✓", False: "✗", None: ""}[self.right]

    def __str__(self) -> str:
        told = f"picked {self.text}" if self.how == "picked" else f"said: {self.text or 'nothing'}"
        return f"{told} {self.mark}".rstrip()


def replies(row: Row, model: str) -> list[Reply]:
    """What `model` answered: the option that it picked, with its letter, and what it said. Either may not have been asked."""
    options, option, metrics = list(row.get("options") or ()), row.get(f"{model}_option"), _metrics(row, model)
    found = []
    if option in options:
        found.append(Reply("picked", _option(options, options.index(option)), row.get(f"{model}_right")))
    if row.get(model) or "contains" in metrics:
        judged = metrics["contains"] >= 1 if "contains" in metrics else None if found else row.get(f"{model}_right")
        found.append(Reply("said", str(row.get(model) or ""), judged))
    return found


def right(row: Row, model: str) -> bool | None:
    """By the picked option where the probe has options, else by the words; None where neither was asked for."""
    verdict: bool | None = row.get(f"{model}_right")
    if verdict is None:
        verdict = next((reply.right for reply in replies(row, model) if reply.right is not None), None)
    return verdict


def outcome(row: Row) -> str:
    after = right(row, "tuned")
    if after is None:
        return UNASKED
    if right(row, "untuned"):
        return KNOWN if after else FORGOTTEN
    return LEARNED if after else WRONG


def told(row: Row, model: str, width: int | None = None) -> str:
    """The replies in one line: "picked B ✓ · said: the mate ✗". In `width` columns the option's text is left out."""
    each = replies(row, model)
    if width is None or not each:
        return " · ".join(map(str, each))
    *picked, last = each
    start = "".join(f"{replace(reply, text=reply.text.partition('.')[0])} · " for reply in picked)
    end = f" {last.mark}".rstrip()
    return start + cut(str(replace(last, right=None)), width - len(start) - len(end)) + end


def cut(text: object, width: int) -> str:
    """The text in one line of at most so many characters."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def specimen(rows: Sequence[Row]) -> Row | None:
    """The shortest probe that was learned, and said rightly only since; from the exam if there is one."""
    learned = [
        row
        for row in rows
        if outcome(row) == LEARNED and _verdict(row, "tuned", "said") and not _verdict(row, "untuned", "said")
    ]
    return min(exam(learned), key=lambda row: len(f"{row.get('question')}{row.get('tuned')}"), default=None)


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many of the exam's questions have each outcome, in the order of OUTCOMES; those with none are absent."""
    kinds = [outcome(row) for row in exam(list(rows))]
    return {kind: kinds.count(kind) for kind in OUTCOMES if kind in kinds}


def by_section(placed: Iterable[tuple[Row, str]]) -> list[tuple[str, int, int]]:
    """(section, right, asked) of the probes on taught facts, the least learned first; from each probe and its section."""
    counts: dict[str, list[int]] = {}
    for row, name in placed:
        if name and row.get("source") not in APART and outcome(row) != UNASKED:
            counts.setdefault(name, [0, 0])[0] += outcome(row) in (LEARNED, KNOWN)
            counts[name][1] += 1
    found = [(name, hits, asked) for name, (hits, asked) in counts.items()]
    return sorted(found, key=lambda each: (each[1] / each[2], -each[2]))


def _metrics(row: Row, model: str) -> Mapping[str, float]:
    return row.get(f"{model}_metrics") or {}


def _option(options: Sequence[object], index: int) -> str:
    return f"{chr(65 + index)}. {options[index]}" if index < 26 else str(options[index])


def accepted(row: Row) -> str:
    """The right option with its letter, or the accepted answers."""
    options, answers = list(row.get("options") or ()), [str(answer) for answer in row.get("accepted") or ()]
    return _option(options, options.index(answers[0])) if answers[:1] and answers[0] in options else " / ".join(answers)


def exam(rows: Sequence[Row]) -> list[Row]:
    """The user's questions, or the generated ones where the user gave none."""
    held_out = [row for row in rows if row.get("source") not in APART]
    return [row for row in held_out if row.get("source", "questions") == "questions"] or held_out


def chance(rows: Sequence[Row]) -> float | None:
    """The share that guessing would get right; None unless every exam question has options."""
    counts = [len(row.get("options") or ()) for row in exam(rows)]
    return sum(1 / count for count in counts) / len(counts) if counts and all(counts) else None


@dataclass(frozen=True)
class Tally:
    """Of `asked` questions, how many are right after training, before it and with open book; None where one was not asked."""

    asked: int
    after: int
    before: int | None
    open_book: int | None

    @property
    def others(self) -> str:
        """ " (before 12, open book 26)", or nothing."""
        others = (("before", self.before), ("open book", self.open_book))
        known = ", ".join(f"{name} {number}" for name, number in others if number is not None)
        return f" ({known})" if known else ""

    @classmethod
    def of(cls, verdicts: Mapping[str, Sequence[bool | None]]) -> "Tally | None":
        """From each model's verdicts on the same rows."""
        asked = [i for i, verdict in enumerate(verdicts["tuned"]) if verdict is not None]
        if not asked:
            return None

        def count(model: str) -> int | None:
            here = [verdicts[model][i] for i in asked]
            return None if None in here else sum(map(bool, here))

        return cls(len(asked), count("tuned") or 0, count("untuned"), count("open_book"))


@dataclass(frozen=True)
class Result:
    """The run in two sentences: options picked, and answers in its own words."""

    noun: str
    picked: Tally | None
    blind: int | None  # of those picked rightly, how many also without seeing the question
    said: Tally | None

    @property
    def sentences(self) -> list[tuple[str, str, str]]:
        """Each in three parts, of which the middle one is the figure: ("In its own words:", "3 of 37", ".")."""
        found = []
        if self.picked:
            also = "" if self.blind is None else f"; {self.blind} of them also without seeing the question"
            count = f"{self.picked.after} of {self.picked.asked}"
            found.append(("Picked the right option in ", count, f" {self.noun}{self.picked.others}{also}."))
        if self.said:
            count, noun = f"{self.said.after} of {self.said.asked}", "" if self.picked else f" {self.noun}"
            found.append(("In its own words: ", count, f"{noun}{self.said.others}."))
        return found

    def __str__(self) -> str:
        return " ".join("".join(parts) for parts in self.sentences)


def result(rows: Sequence[Row]) -> Result | None:
    asked = exam(rows)

    def tally(how: str) -> Tally | None:
        found = {m: [_verdict(row, m, how) for row in asked] for m in ("untuned", "open_book", "tuned")}
        return Tally.of(found)

    picked, words = tally("picked"), tally("said")
    if not picked and not words:
        return None
    hits = [_metrics(row, "tuned") for row in asked if _verdict(row, "tuned", "picked")]
    blind = None
    if picked and all("choice_norm_blind" in each for each in hits):
        blind = sum(each["choice_norm_blind"] >= 1 for each in hits)
    noun = "exam questions" if asked[0].get("source", "questions") == "questions" else "held-out questions"
    return Result(noun, picked, blind, words)


def _verdict(row: Row, model: str, how: str) -> bool | None:
    return next((reply.right for reply in replies(row, model) if reply.how == how), None)
