"""Multiple choice by likelihood: the model picks the option whose text is its likeliest reply.

Definitions, against those of lm-evaluation-harness (`process_results` in `lm_eval/api/task.py`):

    choice       argmax of the summed log-probabilities            as its `acc`
    choice_norm  argmax of the sum divided by the option's tokens  its `acc_norm` divides by the option's characters
    margin       mean over probes of (right option - best wrong one), in nats per token; above 0: choice_norm is right
    *_blind      the same with no question asked: what an option's wording alone gives away. The harness uses these
                 likelihoods too, subtracted, in `acc_mutual_info`; here they stand as a control of their own
    margin_gain  mean over probes of the margin less the margin with no question: what the model has from the question
                 itself. Some dozens of questions cannot tell two shares a tenth apart; this has an interval that can

Other differences: the options are replies within the model's chat template, not continuations after a space, and the
prompt does not list them. A tie goes to the first option, as argmax has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from byheart.errors import Problem, UserError
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, silent
from byheart.evaluation.intervals import means
from byheart.records import Answer, Probe

Pairs = Sequence[tuple[float, int]]  # of each option: the sum of its log-probabilities, and its tokens
SLICE = 16  # questions between two updates of the progress bar; the model batches inside it


@dataclass(frozen=True)
class Choice:
    """choice, choice_norm and margin of the probes that have options; `blind` adds the question-blind controls."""

    blind: bool = True
    asks_probes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.blind, bool):
            raise UserError(Problem("must be true or false", "evaluation.choice.blind", repr(self.blind), "write true"))

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe],
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        asked = [probe for probe in probes if probe.options and probe.gold is not None]
        asked.sort(key=lambda probe: (len(probe.question), probe.id))  # like lengths together: less padding
        answers: dict[str, Answer] = {}
        on_progress(0, len(asked))
        for start in range(0, len(asked), SLICE):
            part = asked[start : start + SLICE]
            found = model.likelihoods([(probe.question, probe.options) for probe in part])
            unasked = model.likelihoods([("", probe.options) for probe in part]) if self.blind else [None] * len(part)
            for probe, pairs, blind in zip(part, found, unasked, strict=True):
                answers[probe.id] = _answer(probe, pairs, blind)
            on_progress(len(answers), len(asked))
        return Scored(means(asked, answers), answers)


def _answer(probe: Probe, pairs: Pairs, blind: Pairs | None) -> Answer:
    gold = probe.gold or 0
    sums, per_token = _values(pairs)
    metrics = {
        "choice": float(_best(sums) == gold),
        "choice_norm": float(_best(per_token) == gold),
        "margin": _margin(per_token, gold),
    }
    if blind is not None:
        blind_sums, blind_per_token = _values(blind)
        metrics["choice_blind"] = float(_best(blind_sums) == gold)
        metrics["choice_norm_blind"] = float(_best(blind_per_token) == gold)
        metrics["margin_gain"] = metrics["margin"] - _margin(blind_per_token, gold)
    return Answer(probe.id, "", metrics, chosen=_best(per_token))


def _values(pairs: Pairs) -> tuple[list[float], list[float]]:
    """The sums, and the means over tokens."""
    return [total for total, _ in pairs], [total / max(tokens, 1) for total, tokens in pairs]


def _margin(values: Sequence[float], gold: int) -> float:
    return values[gold] - max(value for i, value in enumerate(values) if i != gold)


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)
