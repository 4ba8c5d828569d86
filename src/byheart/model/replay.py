"""Replay: conversations and plain text that the base model generates itself, trained together with the new rows.

Replayed rows keep the rest of the model's knowledge (pseudo-rehearsal, Robins 1995; with a language model's own words:
arXiv 2403.01244). No corpus is needed: given a template's head, a chat model continues with a user's question (arXiv
2406.08464), and answers it as it always would; given any first token, it continues with plain text (arXiv 2305.17888).
A row keeps not only its tokens but also the untuned model's predictions at each of them (arXiv 1606.09282).
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.model.chat import Chat, Stops
from byheart.model.memory import in_batches
from byheart.model.random_state import kept_random_state
from byheart.store import cache_folder, content_key, read_jsonl, read_records, write_jsonl

if TYPE_CHECKING:
    from byheart.model.language import LanguageModel

AT_ONCE = 32  # conversations sampled together; part of what decides them, so of the cache's key
QUESTION_TOKENS, ANSWER_TOKENS, TEXT_TOKENS = 48, 48, 72
LIKELIEST = 20  # tokens that are kept of an expectation; the others count as one
DISTINCT = 128  # rows sampled at most, each replayed as often as it takes: sampling that many takes a minute or two
OnProgress = Callable[[int, int], None]
BARREN = 3  # batches in a row without a usable question: this model makes up none
_VERSION = 2  # raise when the sampling changes


@dataclass(frozen=True)
class Conversation:
    question: str
    answer: str
    finished: bool  # false: cut at ANSWER_TOKENS, so that its end must not be learned


@dataclass(frozen=True)
class _Batch:
    said: tuple[Conversation, ...]


def _no_progress(done: int, total: int) -> None:
    pass


def _no_limit() -> float:
    return math.inf


def converse(
    model: "LanguageModel",
    count: int,
    on_progress: OnProgress = _no_progress,
    seconds_left: Callable[[], float] = _no_limit,
) -> list[Conversation]:
    """`count` conversations, always the same ones for the same model (fewer where it makes up no questions).

    Greedy answers to questions sampled at temperature 1. The cache holds whole batches, empty ones too: what a batch says
    depends on those before it alone, so that a full cache, an empty one and a killed run's give the same. A batch that
    ran out of `seconds_left` is returned as far as it came, and not kept.
    """
    kept = _cached(model, QUESTION_TOKENS, ANSWER_TOKENS)
    batches = read_jsonl(kept, _Batch) if kept.is_file() else []
    found: dict[str, Conversation] = {}  # by question
    barren = number = 0
    while len(found) < count and barren < BARREN and (number < len(batches) or seconds_left() > 0):
        if number == len(batches):
            said = _sample(model, len(found) + number * 1_000_003, seconds_left)
            batches.append(_Batch(tuple(said)))
            if seconds_left() > 0:
                write_jsonl(kept, batches)
        new = [c for c in batches[number].said if c.question not in found]
        found |= {c.question: c for c in new}
        number, barren = number + 1, 0 if new else barren + 1
        on_progress(min(len(found), count), count)
    return list(found.values())[:count]


def plain_texts(
    model: "LanguageModel",
    count: int,
    on_progress: OnProgress = _no_progress,
    seconds_left: Callable[[], float] = _no_limit,
) -> list[list[int]]:
    """`count` token sequences that the model wrote after a first token drawn at random, always the same ones.

    A batch that ran out of `seconds_left` is returned as far as it came, and not kept.
    """
    import torch

    kept = _cached(model, "texts", TEXT_TOKENS)
    found = [text["tokens"] for text in read_records(kept)] if kept.is_file() else []
    tokenizer = model.chat.tokenizer
    never = {*tokenizer.all_special_ids, *model.chat.stops.tokens}
    words = torch.tensor([token for token in range(len(tokenizer)) if token not in never])
    options = {"do_sample": True, "temperature": 1.0, "suppress_tokens": sorted(never)}

    def write(some: Sequence[list[int]]) -> list[list[int]]:
        return model.generate(some, TEXT_TOKENS - 1, options=options | _within(seconds_left))

    while len(found) < count and seconds_left() > 0:
        with kept_random_state(), model.reading():
            torch.manual_seed(len(found))
            drawn = words[torch.randint(len(words), (AT_ONCE, 1))].tolist()
            first = [[*model.chat.text_start, *word] for word in drawn]
            for some, rest in in_batches(first, AT_ONCE, write):
                found += [[*start, *more] for start, more in zip(some, rest, strict=True)]
        if seconds_left() > 0:
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


def question_start(chat: Chat, prompt: Sequence[int]) -> int:
    """Where the user's words begin in a prompt's tokens, at least 1: what stands before is the template's."""
    pairs = enumerate(zip(chat.head, prompt, strict=False))
    return max(1, next((i for i, (a, b) in pairs if a != b), len(chat.head)))


def _cached(model: "LanguageModel", *limits: str | int) -> Path:
    """The cache's file, by what decides the sample: the weights, where they compute, and the template.

    Not by the folder or hub id, which stay the same when what lies there is changed.
    """
    weights = hashlib.sha256()
    for name, parameter in sorted(model.model.named_parameters()):
        # The first numbers of each matrix: reading gigabytes would take longer than it saves.
        weights.update(f"{name} {parameter.dtype} {tuple(parameter.shape)} {parameter.device.type}".encode())
        weights.update(str(parameter.detach().flatten()[:16].tolist()).encode())
    chat = model.chat
    said = chat.prompt("Q"), chat.answer("A"), chat.stops, chat.question_stops, chat.text_start, len(chat.tokenizer)
    key = content_key("replay", _VERSION, AT_ONCE, *limits, weights.hexdigest(), chat.head, said)
    return cache_folder() / "replay" / f"{key}.jsonl"


def _within(seconds_left: Callable[[], float]) -> dict[str, float]:
    """The option of `generate` that ends it when time is up, after the token under way."""
    left = seconds_left()
    return {"max_time": max(0.0, left)} if left < math.inf else {}


def _sample(model: "LanguageModel", seed: int, seconds_left: Callable[[], float]) -> list[Conversation]:
    """Up to AT_ONCE conversations. The random state is left as it was found."""
    import torch

    chat = model.chat
    with kept_random_state():
        torch.manual_seed(seed)
        sampling = {"do_sample": True, "temperature": 1.0, **_within(seconds_left)}
        said = _continue(model, [chat.head] * AT_ONCE, QUESTION_TOKENS, chat.question_stops, **sampling)
    questions = [text for text, finished in said if finished and len(text.split()) >= 4]
    if not questions:
        return []
    prompts = [chat.prompt(question) for question in questions]
    answers = _continue(model, prompts, ANSWER_TOKENS, chat.stops, **_within(seconds_left))
    return [Conversation(q, text, finished) for q, (text, finished) in zip(questions, answers, strict=True) if text]


def _continue(
    model: "LanguageModel", prompts: Sequence[Sequence[int]], limit: int, stops: Stops, **options: object
) -> list[tuple[str, bool]]:
    """Each prompt's continuation, and whether it ended within `limit` tokens."""
    with model.reading():
        said = in_batches(prompts, AT_ONCE, lambda some: model.reply(some, limit, stops, **options))
        return [each for _, found in said for each in found]
