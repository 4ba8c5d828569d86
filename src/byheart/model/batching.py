"""Asks a loaded model once what it may read together: a batch must give what each row gives alone.

State spaces, convolutions and some position codes take left padding for text, and some caches cannot be repeated.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from byheart.model.chat import Chat
from byheart.model.language import ALONE, EQUAL, PADDED, SHARED, Batching, LanguageModel

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

TEXT = "The oldest of these towns lies on a hill by the river, where two of the roads meet."
LENGTH, MORE = 5, 3  # tokens of a prompt, and of a longer one beside it

SAID = {
    EQUAL: "this model answers otherwise beside padding: only questions of the same length are answered together",
    ALONE: "this model answers otherwise in a batch: questions are answered one at a time",
}
REREAD = "this model cannot go on from one reading of a question: it is read again with each option"


def find_batching(model: "PreTrainedModel | PeftModel", chat: Chat) -> tuple[Batching, list[str]]:
    """What this model may read together, and a line for each plainer way. Some five forward passes of a few tokens."""
    words = [token % (chat.vocabulary or len(chat.tokenizer)) for token in chat.tokens(TEXT) * (3 * LENGTH)]
    prompt, said, other = words[:LENGTH], words[LENGTH : LENGTH + 2], words[2 * LENGTH :]
    alone = LanguageModel(model, chat)

    def generates(length: int) -> "torch.Tensor":
        """Predicted by `generate`, with another prompt beside it, where it is made to say these words."""
        import torch

        prompts = [prompt, other[:length]]
        longest = max(LENGTH, length)
        options: dict[str, object] = {
            "prefix_allowed_tokens_fn": lambda row, seen_T: [said[len(seen_T) - longest]],
            "output_logits": True,
            "return_dict_in_generate": True,
        }
        return torch.stack(alone.generate_batch(prompts, len(said), None, options).logits, dim=1)[0]

    def scores(way: str) -> "torch.Tensor":
        """Predicted where these words are scored, with another option beside them."""
        return LanguageModel(model, chat, Batching(options=way)).option_logits(prompt, [said, other[:MORE]])[0]

    with alone.reading():
        expected_TV = alone.whole_rows(prompt, [said])[0]
        beside = {PADDED: LENGTH + MORE, EQUAL: LENGTH}
        prompts = next(
            (way for way, n in beside.items() if _agrees(partial(generates, n), expected_TV, model.dtype)), ALONE
        )
        options = next(
            (way for way in (SHARED, PADDED) if _agrees(partial(scores, way), expected_TV, model.dtype)), ALONE
        )
    lines = [SAID[prompts]] if prompts in SAID else []
    return Batching(prompts, options), [*lines, *([REREAD] if options != SHARED else [])]


def _agrees(predict: Callable[[], "torch.Tensor"], expected_TV: "torch.Tensor", dtype: "torch.dtype") -> bool:
    """Whether this way predicts what is expected, but for the dtype's rounding."""
    import torch

    try:
        found_TV = predict()
    except Exception:  # whatever a class raises that cannot do it
        return False
    expected_TV, found_TV = expected_TV.cpu(), found_TV.cpu()  # Apple's GPUs know no float64
    off = (found_TV - expected_TV).double().pow(2).mean().sqrt()
    return bool(off <= torch.finfo(dtype).eps ** 0.5 * expected_TV.double().std())
