"""What every evaluation promises. A new member inherits this suite and says how to build itself, no more."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from byheart.evaluation.base import Material, OnProgress, Scored, silent
from byheart.records import Document, Example, Fact, Probe

CONF = Path(__file__).parents[2] / "conf" / "evaluation"

PROBES = [
    Probe("capital", "What is the capital of France?", ("Paris",), direction="forward", group="france"),
    Probe("river", "Which river runs through it?", ("the Seine", "Seine"), direction="reverse", group="france"),
    Probe("term", "How long is a licence valid?", ("ten years",), ("Five years", "Ten years", "Life"), 1),
    Probe("odd", "What is \\ {x} </script> 'said'?", ("naïve – 60 %",), ("naïve – 60 %", "no"), 0),
    Probe("unicode", "首都は？", ("東京",), ("東京", "大阪"), 0, group="日本"),
]

_SENTENCES = [
    f"The lamp of {name} was lit in {1800 + 7 * i} by {keeper} and burns {i + 3} litres of oil in each long winter night."
    for i, (name, keeper) in enumerate(
        zip(
            "Ara Bel Cor Dun Esk Fal Gar Hov Iss Jor Kel Lum Mar Nes Orm Pol Quo Ras Sul Tor Ulm Vik Wes Yar".split(),
            "Ash Birch Cole Dale East Ford Grey Hart Inch Judd Kerr Lowe Moss Nash Orr Pike Quin Rose Sand Tate Udal Vane West Yale".split(),
            strict=True,
        )
    )
]
_TEXT = "\n".join(_SENTENCES)
_FACTS = [
    Fact(f"lamps:{i}", "lamps", "lamps:0", _TEXT.index(each), _TEXT.index(each) + len(each), each, 20)
    for i, each in enumerate(_SENTENCES)
]
_WORDINGS = {
    fact.id: [
        Example(f"{fact.id}-{n}", f"{words}{probe.question}", probe.answers[0], (fact.id,), "simple", "forward", "file")
        for n, words in enumerate(("", "Tell me: ", "Once more: "))
    ]
    for fact, probe in zip(_FACTS[::2], PROBES, strict=False)
}
_EXAMPLES = [
    Example(each.id, f"What of {each.id}?", each.text, (each.id,), "recitation", "forward", "rules") for each in _FACTS
]
_QUESTIONS = [
    Probe(
        f"{way}:{fact.id}",
        f"{asked} the lamp of {fact.text.split()[3]} lit?",
        (fact.text.split()[9 if way == "keeper" else 7],),
        facts=(fact.id,),
        angle="simple",
        direction="forward",
        source="generated" if way == "keeper" and number % 3 == 0 else "trained",
    )
    for number, fact in enumerate(_FACTS[::2])
    for way, asked in (("year", "In which year was"), ("keeper", "By whom was"))
]
MATERIAL = Material(
    (Document("lamps", "Lamps", _TEXT, "lamps.txt"),),
    _FACTS[::2],
    _FACTS[1::2],
    {},
    _WORDINGS,
    _EXAMPLES[::2],
    _QUESTIONS,
)


@dataclass
class ToyRecaller:
    """A model that knows some probes by heart and mumbles at the rest: a table, no weights."""

    known: Sequence[Probe] = ()
    asked: int = 0

    def answer(self, questions: Sequence[str], max_new_tokens: int, on_progress: OnProgress = silent) -> list[str]:
        self.asked += len(questions)
        for done in range(len(questions)):
            on_progress(done + 1, len(questions))
        return [self._right(question) or "I do not know." for question in questions]

    def likelihoods(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[tuple[float, int]]]:
        self.asked += len(asked)
        return [self._likelihoods(question, continuations) for question, continuations in asked]

    def _likelihoods(self, question: str, continuations: Sequence[str]) -> list[tuple[float, int]]:
        tokens = [max(1, len(text.split())) for text in continuations]
        right = self._right(question).casefold()
        return [
            (-(0.1 if text.casefold() == right else 2.0 + number / 10) * count, count)
            for number, (text, count) in enumerate(zip(continuations, tokens, strict=True))
        ]

    def token_losses(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        self.asked += len(texts)
        return [(len(text) / (2.0 + len(self.known)), len(text.split())) for text in texts]

    def losses_by_token(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += len(texts)
        taught = {fact.text for fact in MATERIAL.taught}
        return [
            [(0.1 if self.known and text in taught else 1.0) * len(word) for word in text.split()] for text in texts
        ]

    def divergences(self, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        self.asked += len(asked)
        return [(0.1 * len(self.known) * len(text.split()), len(text.split())) for _, text in asked]

    def go_on(self, texts: Sequence[str], max_new_tokens: int, seed: int | None = None) -> list[str]:
        self.asked += len(texts)
        return [
            _TEXT.partition(text)[2].strip() if self.known and text in _TEXT else "I do not know." for text in texts
        ]

    def _right(self, question: str) -> str:
        return next((probe.answers[0] for probe in self.known if question and probe.question in question), "")


class EvaluationContract:
    def make(self) -> Any:
        raise NotImplementedError("return the evaluation with its default options")

    def test_same_scores_whatever_the_order(self):
        model = ToyRecaller(PROBES[:3])
        one, two = (
            self.make().score(model, PROBES, material=MATERIAL),
            self.make().score(model, PROBES[::-1], material=MATERIAL),
        )
        assert one.metrics == two.metrics
        assert one.answers == two.answers

    def test_every_value_lies_in_its_interval_and_counts_no_more_than_was_asked(self):
        for known in ([], PROBES[:2], PROBES):
            scored = self.make().score(ToyRecaller(known), PROBES, material=MATERIAL)
            assert scored.metrics
            for value in scored.metrics.values():
                assert value.low <= value.value <= value.high
                assert 0 < value.count <= len(scored.answers)

    def test_answers_stand_under_their_own_id(self):
        scored = self.make().score(ToyRecaller(PROBES), PROBES, material=MATERIAL)
        assert all(name == answer.probe for name, answer in scored.answers.items())
        if self.make().asks_probes:
            assert scored.answers.keys() <= {probe.id for probe in PROBES}

    def test_a_model_that_knows_the_answers_is_told_apart(self):
        good = self.make().score(ToyRecaller(PROBES), PROBES, material=MATERIAL).metrics
        bad = self.make().score(ToyRecaller(), PROBES, material=MATERIAL).metrics
        assert any(good[name].value != bad[name].value for name in good)

    def test_nothing_to_ask_is_no_score_and_no_question(self):
        if not self.make().asks_probes:
            pytest.skip("it asks no probes")
        model = ToyRecaller()
        assert self.make().score(model, []) == Scored()
        assert model.asked == 0

    def test_progress_climbs_to_its_end(self):
        ticks: list[tuple[int, int]] = []
        self.make().score(ToyRecaller(), PROBES, lambda done, total: ticks.append((done, total)), MATERIAL)
        assert ticks == sorted(ticks)
        assert ticks[-1][0] == ticks[-1][1]

    def test_options_are_frozen_and_compare_by_value(self):
        assert self.make() == self.make()
        names = [each.name for each in fields(self.make())]
        if names:
            with pytest.raises(FrozenInstanceError):
                setattr(self.make(), names[0], None)

    def test_its_yaml_names_it_and_every_option_with_the_same_default(self):
        evaluation = self.make()
        stem = type(evaluation).__module__.rpartition(".")[2]
        text = (CONF / f"{stem}.yaml").read_text()
        first, second, *_ = text.splitlines()
        assert first == f"# @package evaluation.{stem}"
        assert second.startswith("# ")
        options = yaml.safe_load(text)
        module, _, name = options.pop("_target_").rpartition(".")
        assert getattr(import_module(module), name)(**options) == evaluation
        assert options.keys() == {each.name for each in fields(evaluation)}
