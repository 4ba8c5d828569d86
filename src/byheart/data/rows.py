"""Examples as tokens: what the model reads, and which tokens the loss is taken on."""

from collections.abc import Sequence
from dataclasses import dataclass

from byheart.model.chat import Chat
from byheart.records import Example

LOSS_ON = ("answer", "all")
REDUCTIONS = ("row_mean", "token_mean", "sum")


@dataclass(frozen=True)
class TokenizedExample:
    """`loss_from`: the index of the first token that carries loss."""

    example: str  # Example.id
    tokens: list[int]
    loss_from: int


@dataclass(frozen=True)
class Rows:
    """How examples become rows and how a batch's loss is formed from its rows."""

    loss_on: str = "answer"  # answer | all
    reduction: str = "row_mean"  # row_mean | token_mean | sum
    max_tokens: int = 1024  # a longer row is left out and counted: half an answer teaches to stop in mid-sentence
    replay: float = 0.2  # share of the training rows that replay the model's own conversations and texts

    def __post_init__(self) -> None:
        if self.loss_on not in LOSS_ON:
            raise ValueError(f"loss_on must be one of {', '.join(LOSS_ON)}, got {self.loss_on}")
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {self.reduction}")
        if not 0 <= self.replay < 1:
            raise ValueError(f"replay must be at least 0 and below 1, got {self.replay}")
        if self.max_tokens < 8:
            raise ValueError(f"max_tokens must be at least 8, got {self.max_tokens}")

    def replayed(self, taught: int) -> int:
        """The number of replayed rows for a number of rows that teach."""
        return round(taught * self.replay / (1 - self.replay))

    def build(self, examples: Sequence[Example], chat: Chat) -> list[TokenizedExample]:
        """Each example as tokens, whatever its length.

        The end-of-turn token carries loss: without it the model would learn the answer but not where it ends.
        """
        found = []
        for example in examples:
            prompt = chat.prompt(example.question)
            tokens = [*prompt, *chat.answer(example.answer)]
            # The first token is never predicted: nothing stands before it.
            found.append(TokenizedExample(example.id, tokens, len(prompt) if self.loss_on == "answer" else 1))
        return found
