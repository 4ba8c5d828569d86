"""The result of a training in a few sentences: held-out recall, exposures of each fact, and whether to train longer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from byheart.records import CurvePoint, Example, Json
from byheart.training.stopping import WORDS, Stopping, ends

FEW = 30  # exposures of a fact, below which a fact counts as seldom seen
GROUP = 8  # held-out questions that a group must have before its share is reported
SHOWN = 8  # epochs of the way
UNWATCHED = "No held-out question watched this training: nothing tells after which epoch it began to overfit."


@dataclass(frozen=True)
class Learning:
    """`way`: (epoch, recall, token accuracy) at the epochs' ends. Exposures are those of a taught fact until the epoch that is kept.

    `few` and `many`: (questions, share answered) of held-out questions on facts with fewer than FEW exposures and the others.
    """

    kept: float
    held_out: int | None  # None in records of an older byheart
    way: tuple[tuple[float, float, float], ...]
    exposures: tuple[int, float, int]  # least, median, most
    few: tuple[int, float]
    many: tuple[int, float]
    state: str
    improving: bool
    monitor: str
    more: str  # the override that trains twice as long
    by_round: str = ""  # where training had rounds: recall after each

    @property
    def lines(self) -> list[str]:
        """At most six, for the screen and the page."""
        found = (
            self._unwatched(), self.by_round, self._recall(), self._exposures(), self._by_exposures(), self._more()
        )  # fmt: skip
        return [line for line in found if line]

    @property
    def rising(self) -> bool:
        """Whether more epochs, or a larger budget, may teach more."""
        return self.cut_short or (self.state in ("finished", "budget") and self.improving)

    @property
    def cut_short(self) -> bool:
        return self.state == "budget" and self.kept < 1

    def _unwatched(self) -> str:
        return UNWATCHED if self.held_out == 0 else ""

    def _recall(self) -> str:
        at = {epoch: (recall, tokens) for epoch, recall, tokens in self.way}
        if self.kept not in at or not self.held_out:
            return ""
        recall, tokens = at[self.kept]
        said = f"The model gives {round(recall * self.held_out)} of {self.held_out} held-out answers word for word, and predicts {tokens:.0%} of their tokens"
        shown = [self.way[i] for i in sorted({round(k * (len(self.way) - 1) / (SHOWN - 1)) for k in range(SHOWN)})]
        if len(shown) < 2:
            return f"{said}."
        way = ", ".join(f"{epoch:.2g}: {tokens:.0%}" for epoch, _, tokens in shown)
        return f"{said} (tokens by epoch: {way})."

    def _exposures(self) -> str:
        least, middle, most = self.exposures
        if not most:
            return ""
        how = (
            "in all rounds up to the one that is kept"
            if self.by_round
            else f"its examples times {self.kept:.3g} epochs"
        )
        return f"Each fact was seen {middle:.0f} times in the median ({least} to {most}): {how}."

    def _by_exposures(self) -> str:
        (few, low), (many, high) = self.few, self.many
        if few < GROUP or many < GROUP or low > 0.75 * high:
            return ""
        return (
            f"Held-out questions on facts seen fewer than {FEW} times are answered less often ({low:.2f} of {few}) than the"
            f" others ({high:.2f} of {many}): write more examples, or train for more epochs."
        )

    def _more(self) -> str:
        if self.state == "upturn":
            return f"More epochs would not help: training ended because {WORDS[self.monitor]} stopped improving."
        if not self.rising:
            return ""
        if self.cut_short:
            return f"The budget ended the training within its first epoch: {self.more} may teach more."
        return (
            f"{WORDS[self.monitor].capitalize()} was still improving when training ended: {self.more} may teach more."
        )


def learning(
    curve: Sequence[CurvePoint],
    stopping: Stopping,
    training: Json,
    taught: Sequence[Example],
    answers: Sequence[Json],
    more: str,
    seen: Mapping[str, int] | None = None,
    by_round: str = "",
) -> Learning:
    """`training`: its account in run.json; `taught`: the examples trained on; `answers`: the rows of answers.jsonl.

    `seen`: Fact.id -> exposures, where they are not the taught examples times the epochs.
    """
    kept = training.get("chosen_epoch") or training.get("epochs_run") or 0.0
    counts = Counter(fact for example in taught for fact in example.facts)
    seen = seen or {fact: round(count * kept) for fact, count in counts.items()}
    groups: dict[bool, list[float]] = {True: [], False: []}
    for row in answers:
        if row.get("source") == "generated" and row.get("facts") and "contains" in row.get("tuned_metrics", {}):
            groups[min(seen.get(fact, 0) for fact in row["facts"]) < FEW].append(row["tuned_metrics"]["contains"])
    numbers = sorted(seen.values()) or [0]
    return Learning(
        kept,
        training.get("held_out"),
        tuple(
            (p.epoch, p.recall, p.token_accuracy)
            for p in ends(curve, True)
            if p.recall is not None and p.token_accuracy is not None
        ),
        (numbers[0], median(numbers), numbers[-1]),
        _share(groups[True]),
        _share(groups[False]),
        str(training.get("state")),
        stopping.still_improving(curve),
        stopping.monitor,
        more,
        by_round,
    )


def _share(values: Sequence[float]) -> tuple[int, float]:
    return len(values), sum(values) / len(values) if values else 0.0
