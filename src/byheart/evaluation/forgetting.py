"""Forgetting: how much worse the model predicts general text that it was not trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp
from typing import TYPE_CHECKING, ClassVar

from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, silent
from byheart.evaluation.intervals import bootstrap
from byheart.records import Answer, Probe, Value

if TYPE_CHECKING:
    import numpy as np

OVERFLOW = 700.0  # nats per token: exp() of more is no number that JSON knows


@dataclass(frozen=True)
class Forgetting:
    """perplexity on a few paragraphs of old prose (`general.txt`, sources in `NOTICE`); it asks no probes.

    Small and well known: it detects a model that has collapsed, and is no benchmark of general knowledge.
    `ratio` compares two models. Each paragraph's loss stands in `answers` as "general-<n>".
    """

    asks_probes: ClassVar[bool] = False

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        texts = general_paragraphs()
        answers: dict[str, Answer] = {}
        for text in texts:
            ((nats, tokens),) = model.token_losses([text])
            name = f"general-{len(answers)}"
            answers[name] = Answer(name, "", {"nats": nats, "tokens": float(tokens)})
            on_progress(len(answers), len(texts))
        losses = _losses(answers)
        perplexity = _exponential(lambda rows: _per_token(losses, rows), len(losses))
        return Scored({"perplexity": perplexity}, answers)


def ratio(untuned: Scored, tuned: Scored) -> Value:
    """Tuned perplexity over untuned: 1 means that nothing was forgotten. The interval pairs the paragraphs."""
    before, after = _losses(untuned.answers), _losses(tuned.answers)
    if len(before) != len(after):
        raise ValueError(f"the two models read different texts: {len(before)} and {len(after)} paragraphs")
    return _exponential(lambda rows: _per_token(after, rows) - _per_token(before, rows), len(before))


def general_paragraphs() -> list[str]:
    """The bundled text, one paragraph each."""
    text = files("byheart.evaluation").joinpath("general.txt").read_text(encoding="utf-8")
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def _exponential(statistic: "Callable[[np.ndarray], np.ndarray]", paragraphs: int) -> Value:
    import numpy as np

    value = float(statistic(np.arange(paragraphs)[None, :])[0])
    low, high = bootstrap(statistic, paragraphs)
    value, low, high = (exp(min(nats, OVERFLOW)) for nats in (value, min(low, value), max(high, value)))
    return Value(value, paragraphs, low, high)


def _losses(answers: dict[str, Answer]) -> "np.ndarray":
    import numpy as np

    metrics = [answer.metrics for name, answer in answers.items() if name.startswith("general-")]
    return np.array([(each["nats"], each["tokens"]) for each in metrics], dtype=float)


def _per_token(losses: "np.ndarray", rows: "np.ndarray") -> "np.ndarray":
    drawn = losses[rows].sum(axis=1)  # [draws, (nats, tokens)]
    return drawn[:, 0] / drawn[:, 1]
