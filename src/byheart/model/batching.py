"""Asks a loaded model once what it may read together: a batch must give what each row gives alone.

State spaces, convolutions and some position codes take left padding for text, and some caches cannot be repeated.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from byheart.errors import Problem, UserError
from byheart.model.chat import Chat
from byheart.model.files.folder import ANOTHER
from byheart.model.language import ALONE, EQUAL, PADDED, SHARED, TOGETHER, Batching, LanguageModel
from byheart.model.memory import is_out_of_memory
from byheart.model.quantization import rounding_of

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

WHERE = "model.path"
TEXT = "The oldest of these towns lies on a hill by the river, where two of the roads meet."
LENGTH, MORE = 5, 3  # tokens of a prompt, and of a longer one beside it

SAID = {
    EQUAL: "this model answers otherwise beside padding: only questions of the same length are answered together",
    ALONE: "this model answers otherwise in a batch: questions are answered one at a time",
}
REREAD = "this model cannot go on from one reading of a question: it is read again with each option"


def find_batching(model: "PreTrainedModel | PeftModel", chat: Chat) -> tuple[Batching, list[str]]:
    """What this model may read together, and a line for each plainer way. Some six forward passes of a few tokens.

    Raises UserError where it cannot read text, or reads it in both directions.
    """
    words = [token % (chat.vocabulary or len(chat.tokenizer)) for token in chat.tokens(TEXT) * (3 * LENGTH)]
    prompt, said, other = tuple(words[:LENGTH]), words[LENGTH : LENGTH + 2], words[2 * LENGTH :]
    alone = LanguageModel(model, chat)

    def generates(length: int) -> "torch.Tensor":
        """Predicted by `generate`, with another prompt beside it, where it is made to say these words."""
        return forced_logits(alone, [prompt, other[:length]], said)[0]

    def scores(way: str) -> "torch.Tensor":
        """Predicted where these words are scored, with another option beside them, and another prompt with one."""
        beside = tuple(other[: LENGTH + (MORE if way == TOGETHER else 0)])
        rows = [(prompt, said), (prompt, other[:MORE]), (beside, said)]
        return LanguageModel(model, chat, Batching(options=way)).option_logits(rows)[0]

    rounding = rounding_of(model)
    with alone.reading():
        expected_TV = _own(alone, prompt, said)
        beside = {PADDED: LENGTH + MORE, EQUAL: LENGTH}
        prompts = next(
            (way for way, n in beside.items() if agrees(partial(generates, n), expected_TV, rounding)), ALONE
        )
        options = next(
            (way for way in (TOGETHER, SHARED, PADDED) if agrees(partial(scores, way), expected_TV, rounding)),
            ALONE,
        )
        if prompts == ALONE and not agrees(
            lambda: alone.whole_rows([(prompt, other[: len(said)])])[0][:1], expected_TV[:1], rounding
        ):  # what follows a token changes what is predicted at it
            raise UserError(
                Problem("it reads a text in both directions: it is no causal language model", WHERE, fix=ANOTHER)
            )
    lines = [SAID[prompts]] if prompts in SAID else []
    return Batching(prompts, options), [*lines, *([REREAD] if options in (PADDED, ALONE) else [])]


def _own(alone: LanguageModel, prompt: tuple[int, ...], said: list[int]) -> "torch.Tensor":
    """What the model itself predicts. Raises UserError where it cannot read text alone."""
    try:
        return alone.whole_rows([(prompt, said)])[0]
    except Exception as error:  # whatever a class raises that wants more than tokens
        if is_out_of_memory(error):
            raise
        said_by_it = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
        raise UserError(Problem(f"it cannot read a row of text ({said_by_it})", WHERE, fix=ANOTHER)) from error


def forced_logits(model: LanguageModel, prompts: Sequence[Sequence[int]], said: Sequence[int]) -> "torch.Tensor":
    """Predicted by `generate` in one batch, where it is made to say these words behind each prompt: (prompts, words, V)."""
    import torch

    longest = max(map(len, prompts))
    options: dict[str, object] = {
        "prefix_allowed_tokens_fn": lambda row, seen_T: [said[len(seen_T) - longest]],
        "output_logits": True,
        "return_dict_in_generate": True,
    }
    return torch.stack(model.generate_batch(prompts, len(said), None, options).logits, dim=1)


def agrees(predict: Callable[[], "torch.Tensor"], expected_TV: "torch.Tensor", rounding: float) -> bool:
    """Whether this way predicts what is expected, but for the relative `rounding` of what the model computes with."""
    try:
        found_TV = predict()
    except Exception:  # whatever a class raises that cannot do it
        return False
    expected_TV, found_TV = expected_TV.cpu(), found_TV.cpu()  # Apple's GPUs know no float64
    off = (found_TV - expected_TV).double().pow(2).mean().sqrt()
    return bool(off <= rounding**0.5 * expected_TV.double().std())
