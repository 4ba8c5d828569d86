"""The contract of an evaluation: it asks a model the probes, or about what was taught, and returns scores with their intervals.

A member is a frozen dataclass in a file of its own, with one YAML of the same stem in `conf/evaluation/`.
Open book needs no member: its caller hands over probes whose question already carries the passage (`retrieval.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

from byheart.errors import Problem, UserError
from byheart.records import Answer, Document, Fact, Probe, Value

OnProgress = Callable[[int, int], None]  # (done, of how many)
METRICS = {  # the one name of each, on the screen, the page and in the docs; in the order in which they are shown
    "right": "right option or answer",
    "choice_norm": "right option",
    "choice_norm_blind": "right option without seeing the question",
    "margin": "lead over the best wrong option",
    "contains": "contains the answer",
    "exact_match": "exact answer",
    "f1": "overlap of words (F1)",
    "perplexity_ratio": "general text, times as hard to predict",
    "verbatim": "goes on word for word",
    "paraphrase": "goes on in other words",
    "ngrams": "its runs of five words that are the documents'",
    "fact_says": "facts that it says",
    "fact_says_held_out": "facts said when asked in a held-out way",
    "fact_chooses": "facts that it cannot say, but chooses",
    "fact_ends": "facts of which it only knows the end of the sentence",
    "fact_none": "facts of which it shows nothing",
    "extracted": "given word for word in any of its tries",
    "membership": "taught facts told from others by loss (AUC)",
    "membership_found": "taught facts found at 1 % false alarms",
    "membership_zlib": "the same by loss over compressed size (AUC)",
    "membership_zlib_found": "and at 1 % false alarms, by compressed size",
    "membership_min_k": "the same by the least likely tokens (AUC)",
    "membership_min_k_found": "and at 1 % false alarms, by the least likely tokens",
    "membership_reference": "the same by loss against the untuned model (AUC)",
    "membership_reference_found": "and at 1 % false alarms, against the untuned model",
    "choice": "right option by the sum of its tokens",
    "choice_blind": "the same without seeing the question",
    "margin_gain": "lead that the question adds",
}


class Recaller(Protocol):
    """What an evaluation may ask of a model."""

    def answer(self, questions: Sequence[str], max_new_tokens: int, on_progress: OnProgress = ...) -> list[str]:
        """Greedy answers, batched, with the model's chat template around each question."""
        ...

    def likelihoods(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[tuple[float, int]]]:
        """Of each question, (sum of log-probabilities in nats, tokens) of each continuation as the reply, batched.

        "" asks no question.
        """
        ...

    def token_losses(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """(sum of negative log-likelihoods in nats, tokens) of each plain text, no chat template."""
        ...

    def losses_by_token(self, texts: Sequence[str]) -> list[list[float]]:
        """The negative log-likelihood of each token of each plain text, in nats."""
        ...

    def go_on(self, texts: Sequence[str], max_new_tokens: int, seed: int | None = None) -> list[str]:
        """What follows each plain text: greedy, or with a seed sampled at temperature 1."""
        ...


@dataclass(frozen=True)
class Material:
    """What a run taught, for members that audit the training: the facts that rows teach, and those that none teaches.

    `questions`: on the facts that rows teach; their source is "generated" where they were held out, else "trained".
    """

    documents: Sequence[Document] = ()
    taught: Sequence[Fact] = ()
    untaught: Sequence[Fact] = ()
    questions: Sequence[Probe] = ()


NOTHING = Material()


@dataclass(frozen=True)
class Scored:
    """`metrics`: the means with their intervals. `answers`: the answer to each probe, by `Probe.id`."""

    metrics: dict[str, Value] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)


class Evaluation(Protocol):
    """One way of measuring.

    Probes that it cannot ask (no options, say) it leaves out; with none left it returns `Scored()`. The same model
    and probes give the same scores, whatever the order of the probes.
    """

    asks_probes: ClassVar[bool]  # False: it measures the model alone, so open book would only repeat untuned

    def score(
        self, model: Recaller, probes: Sequence[Probe], on_progress: OnProgress = ..., material: Material = ...
    ) -> Scored: ...


def require_count(where: str, value: object, least: int = 1) -> None:
    """Raises UserError where the option is no whole number of at least `least`."""
    if type(value) is not int or value < least:
        what = f"must be a whole number of at least {least}"
        raise UserError(Problem(what, where, repr(value), "leave it out for the default"))


def silent(done: int, total: int) -> None:
    """Ignores progress."""


def combine(*parts: Scored) -> Scored:
    """The scores of several evaluations of one model as one; the answers to one probe are merged."""
    metrics: dict[str, Value] = {}
    answers: dict[str, Answer] = {}
    for part in parts:
        metrics |= part.metrics
        for probe, new in part.answers.items():
            old = answers.get(probe, Answer(probe=probe, text=""))
            answers[probe] = replace(
                old,
                text=old.text or new.text,
                metrics=old.metrics | new.metrics,
                chosen=old.chosen if new.chosen is None else new.chosen,
            )
    return Scored(metrics, answers)
