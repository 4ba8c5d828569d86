"""Token counts that do not depend on the model that is trained: one tokenizer file travels with the package."""

import gzip
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LONGEST_TOKEN = 128  # characters, at most
BATCH = 1_000_000  # characters that are counted at once


@cache
def packaged_tokenizer() -> "Tokenizer":
    """The packaged `tokenizers.Tokenizer` (see NOTICE), loaded once, on first use."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(gzip.decompress((Path(__file__).parent / "tokenizer.json.gz").read_bytes()))
    tokenizer.encode_special_tokens = True  # a document may quote "<|im_start|>"; here that is text like any other
    return tokenizer


def count_tokens(texts: Sequence[str]) -> list[int]:
    """The number of tokens of each text."""
    counts: list[int] = []
    for batch in batches(texts):  # an encoding takes a hundred bytes a token
        counts += map(len, packaged_tokenizer().encode_batch_fast(batch, add_special_tokens=False))
    return counts


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in groups of at most `BATCH` characters, or of one text."""
    batch: list[str] = []
    length = 0
    for text in texts:
        if batch and length + len(text) > BATCH:
            yield batch
            batch, length = [], 0
        batch.append(text)
        length += len(text)
    if batch:
        yield batch


def token_starts(text: str) -> list[int]:
    """The character at which each token of the text begins."""
    return [start for start, _ in packaged_tokenizer().encode(text, add_special_tokens=False).offsets]
