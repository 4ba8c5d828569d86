"""What the adapters of a pack answer: the rows of all in one batch, each row through its own adapter.

Whether a model can do that is found by asking it once: two random adapters must predict in one batch what each predicts
alone. Where it cannot, one adapter answers after the other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byheart.model.batching import agrees, forced_logits
from byheart.model.language import ALONE, EQUAL, LanguageModel
from byheart.model.quantization import rounding_of
from byheart.training.multi_lora.grouping import RowGroups

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from byheart.training.multi_lora.stack import Stack

PROMPTS = (5, 6, 7, 8, 9), (12, 11, 10, 9, 8, 7, 6, 5)  # tokens: any will do, and every vocabulary has them
SAID = [6, 9]
ONE_BY_ONE = "in a batch of several adapters this model answers otherwise: each adapter answers by itself"


class PackAnswers:
    """The adapters of a pack's jobs, asked between two steps."""

    def __init__(
        self,
        model: "PreTrainedModel",
        stack: "Stack",
        slot_of: Callable[[str], int],
        measured: Callable[[Sequence[int]], AbstractContextManager[None]],
        on_note: Callable[[str], None],
    ):
        """`slot_of`: by a job's id. `measured`: inside that `with` block the model may use the averaged weights of slots."""
        self.model, self.stack, self.slot_of = model, stack, slot_of
        self.measured, self.on_note = measured, on_note
        self._can_route: bool | None = None  # None: not asked yet

    @contextmanager
    def alone(self, job: str) -> "Iterator[PreTrainedModel]":
        """Inside the `with` block the model computes with this job's adapter alone."""
        slot = self.slot_of(job)
        with self.measured([slot]):
            self.stack.routing = slot
            yield self.model

    def answer(
        self, language: LanguageModel, asked: Mapping[str, Sequence[str]], max_new_tokens: int
    ) -> dict[str, list[str]]:
        """The replies of each job's adapter to its questions. `language`: how the pack's model is spoken to."""
        slots = {job: self.slot_of(job) for job, questions in asked.items() if questions}
        if len(slots) < 2 or not self._routes(language, [*slots.values()]):
            return {job: self._answer_alone(language, job, asked[job], max_new_tokens) for job in asked}
        rows = [(job, question) for job, questions in asked.items() for question in questions]

        def route(batch: Sequence[int]) -> None:
            self.stack.routing = RowGroups([slots[rows[i][0]] for i in batch], self.stack.scale.device)

        several = replace(language, rows_wanted=language.rows_at_once * len(slots))
        with self.measured([*slots.values()]):
            texts = several.answer([question for _, question in rows], max_new_tokens, on_rows=route)
        replies: dict[str, list[str]] = {job: [] for job in asked}
        for (job, _), text in zip(rows, texts, strict=True):
            replies[job].append(text)
        return replies

    def _answer_alone(
        self, language: LanguageModel, job: str, questions: Sequence[str], max_new_tokens: int
    ) -> list[str]:
        with self.alone(job):
            return language.answer(questions, max_new_tokens)

    def _routes(self, language: LanguageModel, slots: Sequence[int]) -> bool:
        if self._can_route is None:
            self._can_route = language.batching.prompts != ALONE and self._agree(language, slots[:2])
            if not self._can_route:
                self.on_note(ONE_BY_ONE)
        return self._can_route

    def _agree(self, language: LanguageModel, slots: Sequence[int]) -> bool:
        """Whether two slots with random adapters predict in one batch what each predicts alone, and not what the other does."""
        one, other = slots
        prompts = [PROMPTS[0], PROMPTS[0 if language.batching.prompts == EQUAL else 1]]
        rounding = rounding_of(self.model)

        def alone(slot: int, prompt: tuple[int, ...]) -> Tensor:
            self.stack.routing = slot
            return language.whole_rows([(prompt, SAID)])[0]

        def together() -> Tensor:
            self.stack.routing = RowGroups([one, other, other], self.stack.scale.device)  # reads otherwise backwards
            return forced_logits(language, [prompts[0], prompts[1], prompts[0]], SAID)

        with self.measured(slots), self.stack.random(slots), language.reading():
            expected = [alone(one, prompts[0]), alone(other, prompts[1]), alone(other, prompts[0])]
            told_apart = not agrees(lambda: expected[2], expected[0], rounding)
            return told_apart and agrees(lambda: torch.cat(list(together())), torch.cat(expected), rounding)
