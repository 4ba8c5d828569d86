"""Closed-book recall: the share of probes that the model answers correctly in its own words."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from byheart.documents.folding import fold_for_comparison
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.records import Answer, Probe

ON_THE_CURVE = "f1"  # long answers are seldom complete: `contains` stays at 0 while F1 already rises
SLICE = 64  # questions between two updates of the progress bar; the model batches inside it


@dataclass(frozen=True)
class Recall:
    """exact_match, f1 and contains of the model's greedy answers, each the best over the accepted answers.

    Normalisation, exact match and F1 are those of SQuAD v1.1 (Rajpurkar et al. 2016), after signs that mean the same are
    folded: quotation marks, dashes, ligatures, full-width forms, thousands separators, "three" and "3".
    `sample` asks that many probes only, always the same ones, wherever they stand in the file.
    """

    max_new_tokens: int = 32
    sample: int | None = None
    asks_probes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_count("evaluation.recall.max_new_tokens", self.max_new_tokens)
        if self.sample is not None:
            require_count("evaluation.recall.sample", self.sample)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe],
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        asked = sampled([probe for probe in probes if accepted(probe)], self.sample)
        asked.sort(key=lambda probe: (len(probe.question), probe.id))  # like lengths together: less padding
        answers: dict[str, Answer] = {}
        on_progress(0, len(asked))
        for start in range(0, len(asked), SLICE):
            part = asked[start : start + SLICE]
            texts = model.answer([probe.question for probe in part], self.max_new_tokens)
            for probe, text in zip(part, texts, strict=True):
                answers[probe.id] = Answer(probe.id, text.strip(), compare(text, accepted(probe)))
            on_progress(len(answers), len(asked))
        return Scored(means(asked, answers), answers)


def accepted(probe: Probe) -> tuple[str, ...]:
    """The answers that count as right: those given, else the right option's text."""
    if probe.answers or probe.gold is None:
        return probe.answers
    return (probe.options[probe.gold],)


def sampled(probes: Sequence[Probe], count: int | None) -> list[Probe]:
    """A sample that depends on the probes' ids alone, so that two models are asked the same."""
    if count is None or count >= len(probes):
        return list(probes)
    return sorted(probes, key=lambda probe: sha256(probe.id.encode()).digest())[:count]


def compare(text: str, golds: Sequence[str]) -> dict[str, float]:
    """The three metrics of one answer."""
    return {
        "exact_match": max(float(normalise(text) == normalise(gold)) for gold in golds),
        "f1": max(token_f1(text, gold) for gold in golds),
        "contains": max(float(contains(text, gold)) for gold in golds),
    }


def normalise(text: str) -> str:
    """SQuAD's normal form: lower case, no ASCII punctuation, no articles, single spaces; after `fold_for_comparison`."""
    text = "".join(character for character in fold_for_comparison(text) if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def token_f1(text: str, gold: str) -> float:
    """SQuAD's F1 over the tokens that both have."""
    said, wanted = normalise(text).split(), normalise(gold).split()
    if not said or not wanted:
        return float(said == wanted)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))


def contains(text: str, gold: str) -> bool:
    """Whether the answer holds the gold as whole words: "10" is not in "2010"."""
    wanted, said = normalise(gold), normalise(text)
    if not wanted:  # "A", "The" and "%" normalise to nothing, and nothing is contained in everything
        wanted, said = gold.strip(), text
    if any(character >= "\u2e80" for character in wanted):  # Chinese, Japanese: no spaces to stand between
        return wanted in said
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", said) is not None
