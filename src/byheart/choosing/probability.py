"""How probable a model finds the right answers: a finer measure than right or wrong, where few answers are right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from byheart.errors import Problem, UserError
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.recall import accepted
from byheart.records import Answer, Probe

SLICE = 16  # questions between two updates of the progress bar
NAME = "probability"


@dataclass(frozen=True)
class AnswerProbability:
    """The probability of an accepted answer per token (geometric mean), of the likeliest one.

    A token is one of the model's own tokenizer, so that two models of one family can be compared by it, and others roughly.
    """

    asks_probes: ClassVar[bool] = True

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe],
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        asked = sorted((each for each in probes if accepted(each)), key=lambda probe: (len(probe.question), probe.id))
        answers: dict[str, Answer] = {}
        for start in range(0, len(asked), SLICE):
            part = asked[start : start + SLICE]
            found = model.likelihoods([(probe.question, accepted(probe)) for probe in part])
            for probe, pairs in zip(part, found, strict=True):
                logs = [total / max(1, tokens) for total, tokens in pairs]
                if not all(map(math.isfinite, logs)):
                    fix = "copy the model again, or choose another: its weights are damaged, or too large for this precision"
                    raise UserError(Problem("it computes numbers that are not finite", "model.path", fix=fix))
                answers[probe.id] = Answer(probe.id, "", {NAME: math.exp(max(logs))})
            on_progress(len(answers), len(asked))
        return Scored(means(asked, answers), answers)
