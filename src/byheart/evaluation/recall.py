"""Closed-book recall: the share of probes that the model answers correctly in its own words."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import ClassVar

from byheart.documents.languages.folding import fold_for_comparison
from byheart.documents.languages.language import MARKS, UNSPACED
from byheart.errors import Problem, UserError
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.sampling import sampled
from byheart.records import Answer, Probe

ON_THE_CURVE = "f1"  # long answers are seldom complete: `contains` stays at 0 while F1 already rises
_LETTER = rf"[\w{MARKS}]"
_WORD = re.compile(rf"(?:[^\W_]|[{MARKS}])+")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")


@dataclass(frozen=True)
class Recall:
    """exact_match, f1, contains and rouge_l of the model's greedy answers, each the best over the accepted answers.

    Normalisation, exact match and F1 are those of SQuAD v1.1 (Rajpurkar et al. 2016), after signs that mean the same are
    folded: quotation marks, dashes, ligatures, full-width forms, digits of any script, thousands separators, "three" and "3".
    ROUGE-L is the F-measure of Lin (2004) without stemming, after the same folding. `probability` adds the probability of
    the accepted answer itself, P(answer | question) ** (1 / tokens) as in TOFU (arXiv 2401.06121), without its end of turn.
    `sample` asks that many probes only, always the same ones, wherever they stand in the file.
    """

    max_new_tokens: int = 32
    sample: int | None = None
    probability: bool = False
    asks_probes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_count("evaluation.recall.max_new_tokens", self.max_new_tokens)
        if not isinstance(self.probability, bool):
            where, value = "evaluation.recall.probability", repr(self.probability)
            raise UserError(Problem("must be true or false", where, value, "write true"))
        if self.sample is not None:
            require_count("evaluation.recall.sample", self.sample)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe],
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        asked = self.asked(probes)
        on_progress(0, len(asked))
        texts = model.answer([probe.question for probe in asked], self.max_new_tokens, on_progress) if asked else []
        scored = self.scored(asked, texts)
        if not self.probability or not asked:
            return scored
        pairs = model.likelihoods([(probe.question, accepted(probe)) for probe in asked])
        for probe, found in zip(asked, pairs, strict=True):
            scored.answers[probe.id].metrics["probability"] = max(exp(total / max(n, 1)) for total, n in found)
        return Scored(means(asked, scored.answers), scored.answers)

    def asked(self, probes: Sequence[Probe]) -> list[Probe]:
        """Those that it asks, in its order."""
        asked = sampled([probe for probe in probes if accepted(probe)], self.sample)
        return sorted(asked, key=lambda probe: (len(probe.question), probe.id))

    def scored(self, asked: Sequence[Probe], texts: Sequence[str]) -> Scored:
        """From the answers to what was asked."""
        answers = {
            probe.id: Answer(probe.id, text.strip(), compare(text, accepted(probe)))
            for probe, text in zip(asked, texts, strict=True)
        }
        return Scored(means(asked, answers), answers)


@dataclass(frozen=True)
class Sample:
    """Probes that a model in training is asked at each epoch's end: recall on the curve is the F1 of its answers."""

    member: Recall
    probes: tuple[Probe, ...]  # as `Recall.asked` gives them

    @property
    def questions(self) -> list[str]:
        return [probe.question for probe in self.probes]

    def value(self, texts: Sequence[str]) -> float:
        """The recall of the answers to `questions`."""
        return self.member.scored(self.probes, texts).metrics[ON_THE_CURVE].value

    def measure(self, model: Recaller) -> float:
        return self.value(model.answer(self.questions, self.member.max_new_tokens))


def accepted(probe: Probe) -> tuple[str, ...]:
    """The answers that count as right: those given, else the right option's text."""
    if probe.answers or probe.gold is None:
        return probe.answers
    return (probe.options[probe.gold],)


def compare(text: str, golds: Sequence[str]) -> dict[str, float]:
    """The metrics of one answer's words."""
    return {
        "exact_match": max(float(normalise(text) == normalise(gold)) for gold in golds),
        "f1": max(token_f1(text, gold) for gold in golds),
        "contains": max(float(contains(text, gold)) for gold in golds),
        "rouge_l": max(rouge_l(text, gold) for gold in golds),
    }


def normalise(text: str) -> str:
    """SQuAD's normal form: lower case, no punctuation, no articles, single spaces; after `fold_for_comparison`.

    SQuAD knows ASCII's punctuation only; here that of all scripts goes.
    """
    text = "".join(character for character in fold_for_comparison(text) if not _is_punctuation(character))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def token_f1(text: str, gold: str) -> float:
    """SQuAD's F1 over the tokens that both have; a letter is a token in scripts without blanks."""
    said, wanted = _spaced(normalise(text)).split(), _spaced(normalise(gold)).split()
    if not said or not wanted:
        return float(said == wanted)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted))


def rouge_l(text: str, gold: str) -> float:
    """The F-measure of the longest common subsequence of words, 0 to 1. Marks part words, so that "don't" is two."""
    from rapidfuzz.distance import LCSseq

    said, wanted = (_WORD.findall(_spaced(fold_for_comparison(each))) for each in (text, gold))
    if not said or not wanted:
        return 0.0
    return 2 * LCSseq.similarity(said, wanted) / (len(said) + len(wanted))


def contains(text: str, gold: str) -> bool:
    """Whether the answer holds the gold as whole words: "10" is not in "2010"."""
    wanted, said = _spaced(normalise(gold)), _spaced(normalise(text))
    if not wanted:  # "A", "The" and "%" normalise to nothing, and nothing is contained in everything
        wanted, said = gold.strip(), text
    if _HANGUL.search(wanted):  # particles stand behind the word without a blank
        return wanted in said
    return re.search(rf"(?<!{_LETTER}){re.escape(wanted)}(?!{_LETTER})", said) is not None


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or (character > "\x7f" and unicodedata.category(character)[0] == "P")


def _spaced(text: str) -> str:
    """Letters of scripts without blanks as words of their own: "船长是李明" is five, and "12" stands alone in "票价12元"."""
    if text.isascii() or not UNSPACED.search(text):
        return text
    return " ".join(UNSPACED.sub(lambda run: f" {' '.join(run[0])} ", text).split())
