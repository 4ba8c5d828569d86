"""What a model would say anyway: conversations and plain text that it makes up itself, to be trained among the new rows.

Replayed rows keep the rest of the model's knowledge (pseudo-rehearsal, Robins 1995; with a language model's own words:
arXiv 2403.01244). No corpus is needed: given a template's head, a chat model continues with a user's question (arXiv
2406.08464), and answers it as it always would; given any first token, it continues with plain text (arXiv 2305.17888).
What is kept of a row is not its words alone but what the untuned model expected at each place (arXiv 1606.09282).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byheart.model.chat import end_of_turn, pad, prompt_tokens
from byheart.store import cache_folder, content_key, read_jsonl, write_jsonl

if TYPE_CHECKING:
    import torch

    from byheart.model.language import LanguageModel

AT_ONCE = 32  # conversations sampled together; part of what decides them, so of the cache's key
QUESTION_TOKENS, ANSWER_TOKENS, TEXT_TOKENS = 48, 48, 72
LIKELIEST = 20  # tokens that are kept of an expectation; the others count as one
DISTINCT = 128  # rows sampled at most, each replayed as often as it takes: sampling that many takes a minute or two
BARREN = 3  # batches in a row without a usable question: this model makes up none
_VERSION = 1  # raise when the sampling changes


@dataclass(frozen=True)
class PlainText:
    tokens: list[int]


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
    found = [text.tokens for text in read_jsonl(kept, PlainText)] if kept.is_file() else []
    tokenizer = model.tokenizer
    never = {*tokenizer.all_special_ids, *end_of_turn(tokenizer)}
    words = torch.tensor([token for token in range(len(tokenizer)) if token not in never])
    while len(found) < count:
        with torch.random.fork_rng(), model.reading():
            torch.manual_seed(len(found))
            first = words[torch.randint(len(words), (AT_ONCE, 1))]
            found += _sampled(model, first, TEXT_TOKENS - 1, suppress_tokens=sorted(never)).tolist()
        write_jsonl(kept, [PlainText(tokens) for tokens in found])
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


def question_start(tokenizer: Any, prompt: Sequence[int]) -> int:
    """Where the user's words begin in a prompt's tokens, at least 1: what stands before is the template's."""
    head = tokenizer(_head(tokenizer), add_special_tokens=False).input_ids
    return max(1, next((i for i, (a, b) in enumerate(zip(head, prompt, strict=False)) if a != b), len(head)))


def _key(model: "LanguageModel", folder: str, *what: Any) -> str:
    """Of the weights by name, size and date, not by their bytes: reading gigabytes would take longer than it saves."""
    weights = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(Path(folder).glob("*.safetensors"))]
    dtype = str(next(model.model.parameters()).dtype)
    limits = what or (QUESTION_TOKENS, ANSWER_TOKENS)
    return content_key("replay", _VERSION, AT_ONCE, *limits, folder, weights, dtype)


def _batch(model: "LanguageModel", seed: int) -> list[Conversation]:
    """Up to AT_ONCE conversations. The random state is left as it was found."""
    import torch

    tokenizer = model.tokenizer
    stops = {*end_of_turn(tokenizer)[-1:], tokenizer.eos_token_id}
    head = tokenizer(_head(tokenizer), add_special_tokens=False).input_ids
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        said = _continue(model, torch.tensor([head] * AT_ONCE), QUESTION_TOKENS, stops, do_sample=True, temperature=1.0)
    questions = [text for text, finished in said if finished and len(text.split()) >= 4]
    if not questions:
        return []
    prompts = [prompt_tokens(tokenizer, question) for question in questions]
    tokens = torch.tensor(pad(prompts, tokenizer.pad_token_id, left=True))
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    mask = (torch.arange(tokens.shape[1]) >= tokens.shape[1] - lengths[:, None]).long()
    answers = _continue(model, tokens, ANSWER_TOKENS, stops, mask, do_sample=False, temperature=None)
    return [Conversation(q, text, finished) for q, (text, finished) in zip(questions, answers, strict=True) if text]


def _continue(
    model: "LanguageModel",
    tokens_BT: "torch.Tensor",
    limit: int,
    stops: set[int],
    mask_BT: "torch.Tensor | None" = None,
    **how: Any,
) -> list[tuple[str, bool]]:
    """Each row's continuation, and whether it came to its end within `limit` tokens."""
    with model.reading():
        said = _sampled(model, tokens_BT, limit, mask_BT, eos_token_id=sorted(stops), **how)
    rows = said[:, tokens_BT.shape[1] :].tolist()
    return [
        (str(model.tokenizer.decode(row, skip_special_tokens=True)).strip(), any(token in stops for token in row))
        for row in rows
    ]


def _sampled(
    model: "LanguageModel",
    tokens_BT: "torch.Tensor",
    limit: int,
    mask_BT: "torch.Tensor | None" = None,
    **how: Any,
) -> "torch.Tensor":
    """The tokens with their continuation, at temperature 1 unless `how` says otherwise."""
    device = next(model.model.parameters()).device
    options = {"do_sample": True, "temperature": 1.0, "top_p": None, "top_k": None} | how
    said: torch.Tensor = model.model.generate(
        input_ids=tokens_BT.to(device),
        attention_mask=(tokens_BT.new_ones(tokens_BT.shape) if mask_BT is None else mask_BT).to(device),
        max_new_tokens=limit,
        pad_token_id=model.tokenizer.pad_token_id,
        **options,
    )
    return said


def _head(tokenizer: Any) -> str:
    """The template up to where the user begins to speak."""
    mark = "\u2063here\u2063"
    text = str(tokenizer.apply_chat_template([{"role": "user", "content": mark}], tokenize=False))
    return text[: text.index(mark)]
