"""Replay: conversations and plain text that the base model generates itself, trained together with the new rows.

Replayed rows keep the rest of the model's knowledge (pseudo-rehearsal, Robins 1995; with a language model's own words:
arXiv 2403.01244). No corpus is needed: given a template's head, a chat model continues with a user's question (arXiv
2406.08464), and answers it as it always would; given any first token, it continues with plain text (arXiv 2305.17888).
A row keeps not only its tokens but also the untuned model's predictions at each of them (arXiv 1606.09282).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.model.chat import end_of_turn, prompt_tokens
from byheart.store import cache_folder, content_key, read_jsonl, read_records, write_jsonl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from byheart.model.language import LanguageModel

AT_ONCE = 32  # conversations sampled together; part of what decides them, so of the cache's key
QUESTION_TOKENS, ANSWER_TOKENS, TEXT_TOKENS = 48, 48, 72
LIKELIEST = 20  # tokens that are kept of an expectation; the others count as one
DISTINCT = 128  # rows sampled at most, each replayed as often as it takes: sampling that many takes a minute or two
BARREN = 3  # batches in a row without a usable question: this model makes up none
_VERSION = 1  # raise when the sampling changes


@dataclass(frozen=True)
class Conversation:
    question: str
    answer: str
    finished: bool  # false: cut at ANSWER_TOKENS, so that its end must not be learned


def converse(
    model: "LanguageModel", folder: str, count: int, on_progress: Callable[[int, int], None] = lambda done, all: None
) -> list[Conversation]:
    """`count` conversations, always the same ones for the model in `folder` (fewer where it makes up no questions).

    Greedy answers to questions sampled at temperature 1. Kept in the cache: the next run takes them from there.
    """
    kept = cache_folder() / "replay" / f"{_key(model, folder)}.jsonl"
    found = read_jsonl(kept, Conversation) if kept.is_file() else []
    batch = barren = 0
    while len(found) < count and barren < BARREN:
        asked = {conversation.question for conversation in found}
        new = [c for c in _batch(model, seed=len(found) + batch * 1_000_003) if c.question not in asked]
        batch, barren = batch + 1, 0 if new else barren + 1
        found += new
        if new:
            write_jsonl(kept, found)
        on_progress(min(len(found), count), count)
    return found[:count]


def plain_texts(
    model: "LanguageModel", folder: str, count: int, on_progress: Callable[[int, int], None] = lambda done, all: None
) -> list[list[int]]:
    """`count` token sequences that the model in `folder` wrote after a first token drawn at random, always the same ones."""
    import torch

    kept = cache_folder() / "replay" / f"{_key(model, folder, 'texts', TEXT_TOKENS)}.jsonl"
    found = [text["tokens"] for text in read_records(kept)] if kept.is_file() else []
    tokenizer = model.tokenizer
    never = {*tokenizer.all_special_ids, *end_of_turn(tokenizer)}
    words = torch.tensor([token for token in range(len(tokenizer)) if token not in never])
    while len(found) < count:
        with torch.random.fork_rng(), model.reading():
            torch.manual_seed(len(found))
            first = words[torch.randint(len(words), (AT_ONCE, 1))].tolist()
            options = {"do_sample": True, "temperature": 1.0, "suppress_tokens": sorted(never)}
            rest = model.generate(first, TEXT_TOKENS - 1, **options).tolist()
            found += [[*start, *more] for start, more in zip(first, rest, strict=True)]
        write_jsonl(kept, [{"tokens": tokens} for tokens in found])
        on_progress(min(len(found), count), count)
    return found[:count]


def expectations(
    model: "LanguageModel", tokens: Sequence[int], start: int
) -> tuple[list[list[int]], list[list[float]]]:
    """What the model expects at each of tokens[start:]: its likeliest tokens and their probabilities, (T, K) both."""
    import torch

    with model.reading():
        device = next(model.model.parameters()).device
        logits_TV = model.model(input_ids=torch.tensor([list(tokens)], device=device), use_cache=False).logits[0]
        likely_TK = logits_TV[start - 1 : -1].float().softmax(-1).topk(min(LIKELIEST, logits_TV.shape[-1]))
    return likely_TK.indices.tolist(), [[round(p, 5) for p in row] for row in likely_TK.values.tolist()]


def question_start(tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[int]) -> int:
    """Where the user's words begin in a prompt's tokens, at least 1: what stands before is the template's."""
    head = tokenizer(_head(tokenizer), add_special_tokens=False).input_ids
    return max(1, next((i for i, (a, b) in enumerate(zip(head, prompt, strict=False)) if a != b), len(head)))


def _key(model: "LanguageModel", folder: str, *what: str | int) -> str:
    """Of the weights by name, size and date, not by their bytes: reading gigabytes would take longer than it saves."""
    weights = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(Path(folder).glob("*.safetensors"))]
    dtype = str(next(model.model.parameters()).dtype)
    limits = what or (QUESTION_TOKENS, ANSWER_TOKENS)
    return content_key("replay", _VERSION, AT_ONCE, *limits, folder, weights, dtype)


def _batch(model: "LanguageModel", seed: int) -> list[Conversation]:
    """Up to AT_ONCE conversations. The random state is left as it was found."""
    import torch

    tokenizer = model.tokenizer
    head = tokenizer(_head(tokenizer), add_special_tokens=False).input_ids
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        said = _continue(model, [head] * AT_ONCE, QUESTION_TOKENS, do_sample=True, temperature=1.0)
    questions = [text for text, finished in said if finished and len(text.split()) >= 4]
    if not questions:
        return []
    answers = _continue(model, [prompt_tokens(tokenizer, question) for question in questions], ANSWER_TOKENS)
    return [Conversation(q, text, finished) for q, (text, finished) in zip(questions, answers, strict=True) if text]


def _continue(
    model: "LanguageModel", prompts: Sequence[Sequence[int]], limit: int, **options: object
) -> list[tuple[str, bool]]:
    """Each prompt's continuation, and whether it ended within `limit` tokens."""
    tokenizer = model.tokenizer
    stops = {*end_of_turn(tokenizer)[-1:], tokenizer.eos_token_id}
    with model.reading():
        rows = model.generate(prompts, limit, eos_token_id=sorted(stops), **options).tolist()
    return [
        (str(tokenizer.decode(row, skip_special_tokens=True)).strip(), any(token in stops for token in row))
        for row in rows
    ]


def _head(tokenizer: "PreTrainedTokenizerBase") -> str:
    """The template up to where the user begins to speak."""
    mark = "\u2063here\u2063"
    text = str(tokenizer.apply_chat_template([{"role": "user", "content": mark}], tokenize=False))
    return text[: text.index(mark)]
