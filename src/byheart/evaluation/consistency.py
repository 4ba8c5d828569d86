"""Consistency: whether the model gives the same answer to every wording of a question, and whether the worst is right too.

A fact that is said in one wording and not in another was learned as a sentence, not as knowledge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from byheart.evaluation.base import NOTHING, Material, OnProgress, Recaller, Scored, require_count, silent
from byheart.evaluation.intervals import means
from byheart.evaluation.recall import contains, normalise
from byheart.evaluation.sampling import dice
from byheart.records import Answer, Example, Probe

PREFIX = "wordings-"


@dataclass(frozen=True)
class Consistency:
    """consistent, wordings_mean and wordings_worst, over `sample` taught facts, always the same ones.

    Wordings are examples on one fact in one direction with equal answers, trained and held out alike. `consistent`: the
    answers to all of them are equal once normalised, right or wrong, and not empty. `wordings_worst`: each contains the answer. A fact
    with one wording only is left out.
    """

    sample: int = 40
    wordings: int = 4
    max_new_tokens: int = 32
    asks_probes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_count("evaluation.consistency.sample", self.sample)
        require_count("evaluation.consistency.wordings", self.wordings, least=2)
        require_count("evaluation.consistency.max_new_tokens", self.max_new_tokens)

    def score(
        self,
        model: Recaller,
        probes: Sequence[Probe] = (),
        on_progress: OnProgress = silent,
        material: Material = NOTHING,
    ) -> Scored:
        groups = list(self._groups(material))
        questions = [example.question for group in groups for example in group]
        if not groups:
            return Scored()
        on_progress(0, len(questions))
        said = iter(model.answer(questions, self.max_new_tokens, on_progress))
        cases, answers = [], {}
        for group in groups:
            texts, answer, name = [next(said).strip() for _ in group], group[0].answer, PREFIX + group[0].facts[0]
            right = [contains(text, answer) for text in texts]
            metrics = {
                "consistent": float(len({normalise(text) for text in texts}) == 1 and any(texts)),
                "wordings_mean": sum(right) / len(right),
                "wordings_worst": float(all(right)),
            }
            cases.append(Probe(name, group[0].question, (answer,), facts=group[0].facts, group=group[0].facts[0]))
            answers[name] = Answer(name, "\n".join(dict.fromkeys(texts)), metrics)
        return Scored(means(cases, answers), answers)

    def _groups(self, material: Material) -> Iterator[list[Example]]:
        """The wordings of each sampled fact: those of the answer that is asked for in most ways."""
        facts = sorted(material.wordings, key=dice)
        found = ((fact, _alike(material.wordings[fact])) for fact in facts)
        several = ((fact, group) for fact, group in found if len(group) > 1)
        for (_, group), _ in zip(several, range(self.sample), strict=False):
            yield sorted(group, key=lambda example: dice(example.id))[: self.wordings]


def _alike(examples: Sequence[Example]) -> list[Example]:
    """Of the examples on one fact, the largest group with equal answers and different questions."""
    groups: dict[tuple[str, str], dict[str, Example]] = {}
    for example in sorted(examples, key=lambda example: example.id):
        if (answer := normalise(example.answer)) and len(example.facts) == 1:
            groups.setdefault((example.direction, answer), {}).setdefault(normalise(example.question), example)
    return list(max(groups.values(), key=len, default={}).values())
