"""General knowledge: questions with options and texts to be completed, packaged or from the user's file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from byheart.errors import Problem, UserError
from byheart.evaluation.base import Recaller
from byheart.evaluation.choice import Choice
from byheart.evaluation.questions import check_questions, load_questions
from byheart.evaluation.recall import normalise
from byheart.evaluation.sampling import sampled
from byheart.evaluation.verbatim import words_of
from byheart.records import Answer, Probe

TRIVIA, CLOZE = "trivia-", "cloze-"
WHERE = "evaluation.forgetting.probes"
MORE = 4  # tokens that a completion may have beside its answer's, of about three bytes each


@dataclass(frozen=True)
class General:
    """Probes with options, and probes whose question is a text to be completed by one of their answers."""

    trivia: tuple[Probe, ...]
    cloze: tuple[Probe, ...]

    @classmethod
    def load(cls, path: str | None, count: int) -> "General":
        """A sample of the user's file, always the same one, or all that is packaged."""
        if path and (wrong := problems(path)):
            raise UserError(*wrong)
        if path is None:
            path = str(files("byheart.evaluation").joinpath("general_questions.jsonl"))
        probes = sampled(load_questions(path), count)
        cloze = [_named(CLOZE, probe, str(probe.tags["prompt"]).rstrip()) for probe in probes if not probe.options]
        trivia = [_named(TRIVIA, probe, probe.question) for probe in probes if probe.options]
        return cls(tuple(trivia), tuple(cloze))

    def ask(self, model: Recaller) -> dict[str, Answer]:
        """`trivia` by the likeliest option per token; `cloze`: the greedy continuation begins with an answer."""
        answers = {
            name: Answer(name, "", {"trivia": answer.metrics["choice_norm"]}, answer.chosen)
            for name, answer in Choice(blind=False).score(model, self.trivia).answers.items()
        }
        longest = max((len(text.encode()) for probe in self.cloze for text in probe.answers), default=0)
        said = model.go_on([probe.question for probe in self.cloze], MORE + longest // 3) if self.cloze else []
        for probe, text in zip(self.cloze, said, strict=True):
            answers[probe.id] = Answer(probe.id, text, {"cloze": float(begins_with(text, probe.answers))})
        return answers


def problems(path: str) -> list[Problem]:
    """All that is wrong with the user's file."""
    found = [replace(each, where=WHERE) if each.where == "questions" else each for each in check_questions(path)]
    if found:
        return found
    neither = [probe for probe in load_questions(path) if not probe.options and "prompt" not in probe.tags]
    what, fix = (
        "neither a question with options nor a text to complete",
        'give "options" and "gold", or "prompt" and "answers"',
    )
    return [Problem(what, WHERE, probe.question[:80], fix) for probe in neither[:10]]


def begins_with(said: str, answers: Sequence[str]) -> bool:
    """Whether one of the answers is the first words of what was said; case, punctuation and articles do not count."""
    words = words_of(normalise(said))
    golds = [words_of(normalise(answer)) for answer in answers]
    return any(gold and words[: len(gold)] == gold for gold in golds)


def neutral_exchanges() -> list[tuple[str, str, str]]:
    """(id, question, answer) of the packaged everyday questions, on no subject of anybody's documents."""
    text = files("byheart.evaluation").joinpath("neutral.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return [(row["id"], row["question"], row["answer"]) for row in rows]


def _named(kind: str, probe: Probe, question: str) -> Probe:
    return replace(probe, id=kind + probe.id.removeprefix(kind), question=question, group="")
