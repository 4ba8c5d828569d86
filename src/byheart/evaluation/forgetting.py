"""Forgetting: what the model has lost of what it could do, and whether the documents show where nobody asked for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp
from typing import TYPE_CHECKING, ClassVar

from byheart.errors import Problem, UserError, missing_package
from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.general import General, neutral_exchanges, problems
from byheart.evaluation.intervals import bootstrap, means, wilson
from byheart.evaluation.priming import Marks
from byheart.records import Answer, Probe, Value

if TYPE_CHECKING:
    import numpy as np

OVERFLOW = 700.0  # nats per token: exp() of more is no number that JSON knows
TEXT, NEUTRAL, SAYS = "general-", "neutral-", "says "
REPLY_TOKENS = 24  # of an answer to a neutral question


@dataclass(frozen=True)
class Forgetting:
    """perplexity, trivia, cloze, divergence and priming, on packaged texts (sources in `NOTICE`); it asks no probes.

    perplexity: on a few paragraphs of old prose. trivia and cloze: general questions by the likeliest option, and
    general facts by the greedy continuation, `sample` in all; `probes` takes a file of either kind in their place. divergence: KL to the
    untuned model on packaged answers to everyday questions, in nats a token. priming: the share of answers to these
    questions that have names of the documents, or six of their words in a row. `lm_eval`: tasks of that package.
    `forgotten` compares two models. Small and well known: it detects damage, and is no benchmark of knowledge.
    """

    probes: str | None = None
    sample: int = 40
    lm_eval: tuple[str, ...] = ()
    asks_probes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_count("evaluation.forgetting.sample", self.sample)
        tasks = (self.lm_eval,) if isinstance(self.lm_eval, str) else tuple(self.lm_eval or ())
        object.__setattr__(self, "lm_eval", tasks)  # YAML gives a list
        if not all(isinstance(task, str) for task in tasks):
            fix = "evaluation.forgetting.lm_eval=[hellaswag]"
            raise UserError(Problem("must be names of tasks", "evaluation.forgetting.lm_eval", str(self.lm_eval), fix))

    def problems(self) -> list[Problem]:
        """What is wrong with the file, and whether a package is missing."""
        where = "evaluation.forgetting.lm_eval"
        missing = missing_package("lm_eval", where, ", ".join(self.lm_eval)) if self.lm_eval else []
        return [*(problems(self.probes) if self.probes else []), *missing]

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        general = General.load(self.probes, self.sample)
        marks, asked = Marks.of(material.taught), neutral_exchanges()
        known = [*general.trivia, *general.cloze]
        texts = general_paragraphs()
        total = len(texts) + len(known) + 2 * len(asked)
        text = general_text(model, lambda done, _: on_progress(done, total))
        answers = general.ask(model)
        on_progress(len(texts) + len(known), total)
        everyday = _neutral(model, asked, marks if material.taught else None)
        on_progress(total, total)
        metrics = text.metrics | means(known, answers) | _divergence(everyday)
        if material.taught:
            metrics["priming"] = _share([answer.metrics["priming"] for answer in everyday.values()])
        if self.lm_eval:
            from byheart.evaluation.harness import run_tasks

            metrics |= run_tasks(model, self.lm_eval)
        return Scored(metrics, text.answers | answers | everyday)


def general_text(model: Recaller, on_progress: OnProgress = silent) -> Scored:
    """perplexity alone. Each paragraph's loss stands in `answers` as "general-<n>"."""
    texts = general_paragraphs()
    answers: dict[str, Answer] = {}
    for text in texts:
        ((nats, tokens),) = model.token_losses([text])
        name = f"{TEXT}{len(answers)}"
        answers[name] = Answer(name, "", {"nats": nats, "tokens": float(tokens)})
        on_progress(len(answers), len(texts))
    losses = _losses(answers)
    return Scored({"perplexity": _exponential(lambda rows: _per_token(losses, rows), len(losses))}, answers)


def forgotten(untuned: Scored, tuned: Scored) -> dict[str, Value]:
    """What only two models together tell: perplexity_ratio, general_kept, and priming beyond what the untuned model says."""
    found = {}
    if "perplexity" in tuned.metrics and "perplexity" in untuned.metrics:
        found["perplexity_ratio"] = ratio(untuned, tuned)
    kept = [
        tuned.answers[name].metrics[metric]
        for name, answer in untuned.answers.items()
        for metric in ("trivia", "cloze")
        if answer.metrics.get(metric) == 1 and name in tuned.answers
    ]
    if kept:
        found["general_kept"] = _share(kept)
    primed = [bool(set(_says(tuned, name)) - set(_says(untuned, name))) for name in _asked(tuned)]
    if primed and "priming" in untuned.metrics:
        found["priming"] = _share(primed)
    return found


def priming_rows(scored: Mapping[str, Scored]) -> list[dict[str, object]]:
    """Each neutral question with what each model said, and the documents' names and words in it: of `priming.jsonl`."""
    rows: list[dict[str, object]] = []
    for name, question, _ in neutral_exchanges():
        row: dict[str, object] = {"question": question}
        for model, each in scored.items():
            if name in _asked(each):
                row |= {model: each.answers[name].text, f"{model}_names": _says(each, name)}
        rows += [row] if len(row) > 1 else []
    return rows


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


def _neutral(model: Recaller, asked: Sequence[tuple[str, str, str]], marks: Marks | None) -> dict[str, Answer]:
    """Answers to the neutral questions, with `marks`; and how far the model has moved on the packaged answers."""
    said = model.answer([question for _, question, _ in asked], REPLY_TOKENS) if marks else [""] * len(asked)
    moved = model.divergences([(question, answer) for _, question, answer in asked])
    found = {}
    for i, (name, question, _) in enumerate(asked):
        metrics = {"nats": moved[i][0], "tokens": float(moved[i][1])} if moved else {}
        if marks:
            names = marks.found(said[i], question)
            metrics |= {"priming": float(bool(names)), **{SAYS + each: 1.0 for each in names}}
        if metrics:
            found[name] = Answer(name, said[i].strip(), metrics)
    return found


def _divergence(answers: Mapping[str, Answer]) -> dict[str, Value]:
    import numpy as np

    moved = np.array([(a.metrics["nats"], a.metrics["tokens"]) for a in answers.values() if "nats" in a.metrics])
    if not len(moved):
        return {}
    at = float(_per_token(moved, np.arange(len(moved))[None, :])[0])
    low, high = bootstrap(lambda rows: _per_token(moved, rows), len(moved))
    return {"divergence": Value(at, len(moved), min(low, at), max(high, at))}


def _asked(scored: Scored) -> Iterator[str]:
    """The neutral questions that were answered."""
    return (name for name, answer in scored.answers.items() if name.startswith(NEUTRAL) and "priming" in answer.metrics)


def _says(scored: Scored, name: str) -> list[str]:
    answer = scored.answers.get(name)
    return [key.removeprefix(SAYS) for key in answer.metrics if key.startswith(SAYS)] if answer else []


def _share(values: Sequence[float]) -> Value:
    return wilson(sum(values), len(values))


def _exponential(statistic: "Callable[[np.ndarray], np.ndarray]", paragraphs: int) -> Value:
    import numpy as np

    value = float(statistic(np.arange(paragraphs)[None, :])[0])
    low, high = bootstrap(statistic, paragraphs)
    value, low, high = (exp(min(nats, OVERFLOW)) for nats in (value, min(low, value), max(high, value)))
    return Value(value, paragraphs, low, high)


def _losses(answers: dict[str, Answer]) -> "np.ndarray":
    import numpy as np

    metrics = [answer.metrics for name, answer in answers.items() if name.startswith(TEXT)]
    return np.array([(each["nats"], each["tokens"]) for each in metrics], dtype=float)


def _per_token(losses: "np.ndarray", rows: "np.ndarray") -> "np.ndarray":
    drawn = losses[rows].sum(axis=1)  # [draws, (nats, tokens)]
    return drawn[:, 0] / drawn[:, 1]
