"""Text to tokens by the model's own chat template."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def prompt_tokens(tokenizer: "PreTrainedTokenizerBase", question: str) -> list[int]:
    """The conversation up to where the assistant begins to speak."""
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
    )
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def answer_tokens(tokenizer: "PreTrainedTokenizerBase", answer: str, end: bool = True) -> list[int]:
    """The assistant's words, with the template's end-of-turn token unless `end` is false.

    Tokenized apart from the prompt: at the seam the template ends with a newline or a special token, so that no token
    can span it, and generation meets exactly what was trained.
    """
    tokens = list(tokenizer(answer, add_special_tokens=False).input_ids)
    return [*tokens, *end_of_turn(tokenizer)] if end else tokens


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """What the template puts behind an assistant's answer, up to and with the first special token."""
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    whole = str(tokenizer.apply_chat_template(turns, tokenize=False))
    tail = tokenizer(whole[whole.rindex("A") + 1 :], add_special_tokens=False).input_ids
    special = set(tokenizer.all_special_ids)
    for place, token in enumerate(tail):
        if token in special:
            return list(tail[: place + 1])
    return [tokenizer.eos_token_id]


def pad(rows: Sequence[Sequence[int]], filler: int, left: bool = False) -> list[list[int]]:
    longest = max(len(row) for row in rows)
    if left:
        return [[filler] * (longest - len(row)) + list(row) for row in rows]
    return [list(row) + [filler] * (longest - len(row)) for row in rows]
