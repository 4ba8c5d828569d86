"""Is it written in the language of the document? A simple rule: its script, and its commonest words."""

import unicodedata
from collections import Counter
from functools import lru_cache

from byheart.expansion.gates.words import stopword_hits

SURE = 3  # common words of another language that settle it


def language_of(text: str) -> str:
    """ "en", "de", ... where one language's common words prevail; empty where none does."""
    hits = sorted(stopword_hits(text).items(), key=lambda each: -each[1])
    (best, most), (_, second) = hits[0], hits[1]
    return best if most >= SURE and most > second else ""


def other_language(written: str, language: str, script: str) -> str:
    """What speaks against `written` being in the document's language; empty where nothing does."""
    own = script_of(written)
    if own and script and own != script:
        return f"it is written in {own.title()} letters"
    if not language:
        return ""
    hits = stopword_hits(written)
    best = max(hits, key=lambda name: hits[name])
    if best != language and hits[best] >= SURE and hits[best] >= 2 * hits[language] + 1:
        return f"its words are those of “{best}”, the document's of “{language}”"
    return ""


def script_of(text: str) -> str:
    """The script of most letters: "LATIN", "CYRILLIC", "CJK", ..."""
    if text.isascii():
        return "LATIN" if any(letter.isalpha() for letter in text) else ""
    counts = Counter(_script(letter) for letter in text[:500] if letter.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name  # Japanese mixes all three
