"""Token counts that do not depend on the model that is trained: one tokenizer file travels with the package."""

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LONGEST_TOKEN = 128  # characters, at most


@cache
def packaged_tokenizer() -> "Tokenizer":
    """The packaged `tokenizers.Tokenizer` (see NOTICE), loaded once, on first use."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(gzip.decompress((Path(__file__).parent / "tokenizer.json.gz").read_bytes()))
    tokenizer.encode_special_tokens = True  # a document may quote "<|im_start|>"; here that is text like any other
    return tokenizer


def count_tokens(texts: Sequence[str]) -> list[int]:
    """The number of tokens of each text."""
    encodings = packaged_tokenizer().encode_batch_fast(list(texts), add_special_tokens=False)
    return [len(encoding) for encoding in encodings]


def token_starts(text: str) -> list[int]:
    """The character at which each token of the text begins."""
    return [start for start, _ in packaged_tokenizer().encode(text, add_special_tokens=False).offsets]
