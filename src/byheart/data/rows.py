"""Examples as tokens: what the model reads, and which tokens the loss is taken on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.model.chat import answer_tokens, prompt_tokens
from byheart.records import Example
from byheart.store import said_if_unwritten

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

LOSS_ON = ("answer", "all")
REDUCTIONS = ("row_mean", "token_mean", "sum")


@dataclass(frozen=True)
class Rows:
    """How examples become rows and how a batch's loss is formed from its rows."""

    loss_on: str = "answer"  # answer | all
    reduction: str = "row_mean"  # row_mean | token_mean | sum
    max_tokens: int = 1024  # a longer row is cut at its end, and counted
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

    def build(self, examples: Sequence[Example], tokenizer: "PreTrainedTokenizerBase", folder: Path) -> "Dataset":
        """A dataset with `tokens` and `loss_from` (the index of the first token that carries loss), kept in `folder`.

        The end-of-turn token carries loss: without it the model would learn the answer but not where it ends.
        """
        from datasets import Dataset, disable_progress_bars
        from datasets.utils.logging import set_verbosity_error

        disable_progress_bars()
        set_verbosity_error()
        texts = {name: [getattr(e, name) for e in examples] for name in ("id", "question", "answer")}

        def tokenize(row: dict[str, str]) -> dict[str, object]:
            prompt = prompt_tokens(tokenizer, row["question"])
            answer = answer_tokens(tokenizer, row["answer"])
            tokens = [*prompt, *answer]
            # The first token is never predicted: nothing stands before it.
            start = len(prompt) if self.loss_on == "answer" else 1
            return {"tokens": tokens[: self.max_tokens], "loss_from": start, "cut": len(tokens) > self.max_tokens}

        # A row whose prompt alone fills the limit carries no loss and is left out.
        rows = Dataset.from_dict(texts).map(tokenize, load_from_cache_file=False, keep_in_memory=True)
        rows = rows.filter(
            lambda row: row["loss_from"] < len(row["tokens"]), load_from_cache_file=False, keep_in_memory=True
        )
        with said_if_unwritten(folder):
            rows.save_to_disk(str(folder))
        return rows
