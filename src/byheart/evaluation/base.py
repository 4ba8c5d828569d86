"""The contract of an evaluation: it asks a model the probes, or about what was taught, and returns scores with their intervals.

A member is a frozen dataclass in a file of its own, with one YAML of the same stem in `conf/evaluation/`.
Open book needs no member: its caller hands over probes whose question already carries the passage (`retrieval.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

from byheart.errors import Problem, UserError
from byheart.records import Answer, Document, Example, Fact, Probe, Value
from byheart.teacher.base import Estimate

OnProgress = Callable[[int, int], None]  # (done, of how many)
METRICS = {  # the one name of each, on the screen, the page and in the docs; in the order in which they are shown
    "right": "right option or answer",
    "choice_norm": "right option",
    "choice_norm_blind": "right option without seeing the question",
    "margin": "lead over the best wrong option",
    "contains": "contains the answer",
    "exact_match": "exact answer",
    "f1": "overlap of words (F1)",
    "rouge_l": "words in the answer's order (ROUGE-L)",
    "probability": "probability of the answer, per token",
    "judged_correct": "correct, by the judge",
    "judged_incorrect": "incorrect, by the judge",
    "judged_not_attempted": "not attempted, by the judge",
    "consistent": "same answer in every wording",
    "wordings_mean": "right, over all wordings",
    "wordings_worst": "right in every wording",
    "perplexity_ratio": "general text, times as hard to predict",
    "trivia": "general questions, right option",
    "cloze": "general facts, completed",
    "general_kept": "of those right before, still right",
    "divergence": "nats a token away from the untuned model",
    "priming": "unrelated answers with the documents in them",
    "verbatim": "goes on word for word",
    "paraphrase": "goes on in other words",
    "ngrams_4": "its runs of four words that are the documents'",
    "ngrams": "its runs of five words that are the documents'",
    "ngrams_6": "its runs of six words that are the documents'",
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
    "reversal_forward": "right where the subject is given (forward)",
    "reversal_reverse": "right where what is said is given (reverse)",
    "reversal_gap": "forward minus reverse, same kind of answer",
    "reversal_forward_choice": "right answer likelier than random ones, forward",
    "reversal_reverse_choice": "right answer likelier than random ones, reverse",
    "reversal_choice_gap": "forward minus reverse, right answer likelier than random ones",
    "reversal_margin": "lead of the right name over random names, reverse",
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

    def divergences(self, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """(sum of KL(untuned || this model) in nats, tokens) of the reply to each question; empty without an adapter."""
        ...

    def go_on(self, texts: Sequence[str], max_new_tokens: int, seed: int | None = None) -> list[str]:
        """What follows each plain text: greedy, or with a seed sampled at temperature 1."""
        ...


@dataclass(frozen=True)
class Material:
    """What a run taught, for members that audit the training: the facts that rows teach, and those that none teaches.

    `asked`: the probes by id, each with its bare question. `wordings`: Fact.id -> the examples on a taught fact.
    `questions`: on the facts that rows teach; their source is "generated" where they were held out, else "trained".
    """

    documents: Sequence[Document] = ()
    taught: Sequence[Fact] = ()
    untaught: Sequence[Fact] = ()
    asked: Mapping[str, Probe] = field(default_factory=dict)
    wordings: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    examples: Sequence[Example] = ()  # that were trained
    questions: Sequence[Probe] = ()


NOTHING = Material()


@dataclass(frozen=True)
class Scored:
    """`metrics`: the means with their intervals. `answers`: the answer to each probe, by `Probe.id`."""

    metrics: dict[str, Value] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what the user is to be warned of
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # member -> what scores.json says of it, as JSON
    whole: bool = True  # False: a part failed, and the next command scores again


class Evaluation(Protocol):
    """One way of measuring.

    Probes that it cannot ask (no options, say) it leaves out; with none left it returns `Scored()`. The same model
    and probes give the same scores, whatever the order of the probes.
    """

    asks_probes: ClassVar[bool]  # False: it measures the model alone, so open book would only repeat untuned

    def score(
        self, model: Recaller, probes: Sequence[Probe], on_progress: OnProgress = ..., material: Material = ...
    ) -> Scored: ...


@runtime_checkable
class Paid(Protocol):
    """An evaluation that sends the answers to a server: it can say beforehand what is wrong, and what it may cost."""

    def problems(self) -> Sequence[Problem]: ...

    def expected(self, probes: Sequence[Probe], models: int) -> Estimate:
        """The most that the answers of so many models would take. Nothing is sent."""
        ...


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
    accounts: dict[str, dict[str, Any]] = {}
    for part in parts:
        metrics |= part.metrics
        accounts |= part.accounts
        for probe, new in part.answers.items():
            old = answers.get(probe, Answer(probe=probe, text=""))
            answers[probe] = replace(
                old,
                text=old.text or new.text,
                metrics=old.metrics | new.metrics,
                chosen=old.chosen if new.chosen is None else new.chosen,
            )
    notes = tuple(note for part in parts for note in part.notes)
    return Scored(metrics, answers, notes, accounts, all(part.whole for part in parts))


class AskedOnce:
    """A model that is asked each question once: members that want the same answers share them."""

    def __init__(self, model: Recaller):
        self.model = model
        self.said: dict[tuple[str, int], str] = {}

    def answer(self, questions: Sequence[str], max_new_tokens: int, on_progress: OnProgress = silent) -> list[str]:
        new = [each for each in dict.fromkeys(questions) if (each, max_new_tokens) not in self.said]
        known = len(questions) - len(new)
        texts = self.model.answer(new, max_new_tokens, lambda done, _: on_progress(known + done, len(questions)))
        self.said |= {(question, max_new_tokens): text for question, text in zip(new, texts, strict=True)}
        return [self.said[question, max_new_tokens] for question in questions]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)
