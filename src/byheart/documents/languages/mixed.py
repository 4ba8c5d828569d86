"""The languages of a text in parts: a manual in English and German, a quotation in Chinese."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from byheart.documents.blocks import ITEM, NOTE, SPEECH, TEXT, Block
from byheart.documents.languages.language import (
    ENGLISH,
    LEAST_ENGLISH,
    are_related,
    document_language,
    english_share,
    is_english,
    language_of,
    script_of,
)
from byheart.documents.structure.outline import outline
from byheart.records import Document

TOLD = 12  # words of Latin letters from which a block may be of another language than its document
HEARD = 2 * LEAST_ENGLISH  # share of English function words in a block that is English among others
PROSE = (TEXT, ITEM, NOTE, SPEECH)  # rows, code and names show no language
LEAST_SHARE = 0.05  # of the text's letters, from which a document is said to be in part of a language


def block_languages(text: str, blocks: Sequence[Block]) -> list[str]:
    """The language of each block: the document's, unless the block is plainly of another. "": it cannot be told."""
    own = document_language(text)
    usual = script_of(text[:20_000])
    return [
        block_language(text[block.body : block.end], own, usual) if block.kind in PROSE else own for block in blocks
    ]


@lru_cache(maxsize=1 << 12)
def block_language(block: str, own: str, usual: str) -> str:
    """`own` and `usual`: the document's language, and its usual script."""
    script = script_of(block)
    if script not in (usual, "LATIN", ""):
        return document_language(block) or own
    if script != "LATIN":
        return own
    share, words = english_share(block[:2000])
    if is_english(own):
        foreign = words >= TOLD and share == 0.0
        return (language_of(block) or own) if foreign else own
    if share >= HEARD and words >= TOLD // 2:
        return ENGLISH
    found = language_of(block) if words >= TOLD else ""
    return own if not found or are_related(found, own) else found


def languages_of(document: Document) -> tuple[str, ...]:
    """The document's language, then those of its other parts, the largest first."""
    if document.languages:
        return document.languages
    own = document_language(document.text)
    blocks = outline(document.text, document.title).blocks
    letters: Counter[str] = Counter()
    for block, language in zip(blocks, block_languages(document.text, blocks), strict=True):
        letters[language] += block.end - block.body
    others = [each for each, count in letters.most_common() if count >= LEAST_SHARE * letters.total() and each]
    return own, *(each for each in others if each != own)
