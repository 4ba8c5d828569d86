"""Membership: whether the losses of a model tell the facts that it was taught from facts that it was not.

The attacks of the literature, each a score for every fact: its loss (Yeom et al. 2018), the loss over its compressed size
(Carlini et al. 2021), the mean of its least likely tokens (Shi et al. 2023, Min-K%), and the loss minus that of the
untuned model (reference, `against`). Facts that no row teaches come from `split.heldout_facts`.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import DRAWS, SEED
from byheart.evaluation.sampling import sampled
from byheart.records import Answer, Fact, Probe, Value

if TYPE_CHECKING:
    import numpy as np

SLICE = 8
LOWEST = 0.2  # share of the tokens, of Min-K%
LEAST = 10  # facts of each kind, below which no curve is drawn
PER_FALSE_ALARM = 100  # facts that were not taught, for each that may be taken for taught
PREFIX = "member-"
SCORES = {"membership": "loss", "membership_zlib": "zlib", "membership_min_k": "min_k"}


@dataclass(frozen=True)
class Membership:
    """The area under the ROC curve (AUC) of each attack, and of each the share of taught facts found at 1 % false alarms.

    0.5 is chance. Nothing is measured with fewer than ten facts of a kind: `split.heldout_facts=0.3` holds facts out.
    """

    sample: int = 200  # facts of each kind, at most
    asks_probes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_count("evaluation.membership.sample", self.sample)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        kinds = [(1.0, _some(material.taught, self.sample)), (0.0, _some(material.untaught, self.sample))]
        if any(len(facts) < LEAST for _, facts in kinds):
            return Scored()
        asked = [(taught, fact) for taught, facts in kinds for fact in facts]
        answers: dict[str, Answer] = {}
        on_progress(0, len(asked))
        for start in range(0, len(asked), SLICE):
            part = asked[start : start + SLICE]
            texts = [" ".join(fact.text.split()) for _, fact in part]
            for (taught, fact), text, losses in zip(part, texts, model.losses_by_token(texts), strict=True):
                if losses:
                    name = PREFIX + fact.id
                    answers[name] = Answer(name, "", {"taught": taught, **attacks(text, losses)})
            on_progress(start + len(part), len(asked))
        found = {metric: curve(answers, score) for metric, score in SCORES.items()}
        metrics = {metric: area for metric, (area, _) in found.items()}
        return Scored(metrics | {f"{metric}_found": share for metric, (_, share) in found.items()}, answers)


def attacks(text: str, losses: Sequence[float]) -> dict[str, float]:
    """The scores of a text, low for what the model has seen: nats a token, nats a compressed byte, nats of rare tokens."""
    count = max(1, round(LOWEST * len(losses)))
    mean = sum(losses) / len(losses)
    return {
        "loss": mean,
        "zlib": sum(losses) / len(zlib.compress(text.encode("utf-8", "surrogatepass"))),
        "min_k": sum(sorted(losses)[-count:]) / count,
    }


def against(untuned: Scored, tuned: Scored) -> dict[str, Value]:
    """The reference attack: each fact's loss minus that of the untuned model."""
    before, after = (
        {name: answer.metrics for name, answer in scored.answers.items() if name.startswith(PREFIX)}
        for scored in (untuned, tuned)
    )
    if not after or before.keys() != after.keys():
        return {}
    gains = {
        name: Answer(name, "", {"taught": row["taught"], "gain": row["loss"] - before[name]["loss"]})
        for name, row in after.items()
    }
    area, share = curve(gains, "gain")
    return {"membership_reference": area, "membership_reference_found": share}


def curve(answers: Mapping[str, Answer], score: str) -> tuple[Value, Value]:
    """The area under the ROC curve, and the share of taught facts below the score that 1 % of the others reach.

    Equal scores count half (the Mann-Whitney statistic). Intervals resample facts of each kind.
    """
    import numpy as np

    rows = [answers[name].metrics for name in sorted(answers)]
    scores = np.array([row[score] for row in rows])
    taught, other = (scores[[row["taught"] == kind for row in rows]] for kind in (1.0, 0.0))

    random = np.random.default_rng(SEED)
    draws = [(random.choice(taught, len(taught)), random.choice(other, len(other))) for _ in range(DRAWS)]

    def value(statistic: "Callable[[np.ndarray, np.ndarray], float]") -> Value:
        at = statistic(taught, other)
        low, high = np.percentile([statistic(*drawn) for drawn in draws], (2.5, 97.5))
        return Value(at, len(scores), min(float(low), at), max(float(high), at))

    return value(area_under), value(found_at)


def area_under(taught: "np.ndarray", other: "np.ndarray") -> float:
    """The area under the ROC curve of scores that are lower for what was taught."""
    import numpy as np

    ordered = np.sort(other)
    above = len(other) - np.searchsorted(ordered, taught, side="right")
    equal = np.searchsorted(ordered, taught, side="right") - np.searchsorted(ordered, taught, side="left")
    return float((above + equal / 2).mean() / len(other))


def found_at(taught: "np.ndarray", other: "np.ndarray") -> float:
    """The share of what was taught that is found where 1 % of the others, at most, are taken for it."""
    import numpy as np

    allowed = len(other) // PER_FALSE_ALARM  # so many of the others may lie below the limit
    return float((taught < np.sort(other)[allowed]).mean())


def _some(facts: Sequence[Fact], count: int) -> list[Fact]:
    return sorted(sampled(facts, count), key=lambda fact: fact.id)
