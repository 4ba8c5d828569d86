"""The language of a document: English by its common words, any other by py3langid and by script."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

ENGLISH = "en"
SHORTEST = 30  # characters; the language of a shorter text is not decided
SURE = 0.9  # probability
SAMPLE = 20_000  # characters of a document from which its language is found
CLASSIFIED = 4000  # of these, how many py3langid reads
LEAST_ENGLISH = 0.04  # share of the words below: 0.05 to 0.2 in English prose
FEW_ENGLISH = 0.02  # in other languages it is lower
LEAST_WORDS = 20  # a shorter text in Latin letters is not called foreign: it may be a list of names
# In English only: "is" and "of" are Dutch too, "for" is Norwegian, "in" and "was" are German.
_COMMON = frozenset(
    "the and with from are this these those which shall when if you your their they its been were would should any each "
    "than other there because must".split()
)
# For texts too short for py3langid: the language that uses the script most.
_BY_SCRIPT = {
    "HANGUL": "ko",
    "ARABIC": "ar",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "THAI": "th",
    "HEBREW": "he",
    "GREEK": "el",
    "BENGALI": "bn",
    "TAMIL": "ta",
}
# So near that py3langid cannot tell them apart in a short text; together they are sure enough.
_RELATED = (
    frozenset(("id", "ms")),
    frozenset(("no", "nb", "nn", "da")),
    frozenset(("hr", "sr", "bs")),
    frozenset(("cs", "sk")),
)
_KANA = re.compile(r"[\u3040-\u30ff]")
# Vowel signs, which are no letters to Python's \w, though words go on behind them: of Latin and Arabic letters, and of
# the Indic scripts, whose blocks are alike; for a class of characters.
MARKS = r"\u0300-\u036f\u064b-\u065f\u0670" + "".join(
    f"{chr(at)}-{chr(at + 3)}{chr(at + 0x3A)}-{chr(at + 0x3C)}{chr(at + 0x3E)}-{chr(at + 0x4F)}{chr(at + 0x51)}-{chr(at + 0x57)}"
    f"{chr(at + 0x62)}{chr(at + 0x63)}"
    for at in range(0x900, 0xE00, 0x80)
)
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{MARKS}])*")
# Scripts that put no blank between words; Korean does.
UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+"
)
LETTERS_PER_WORD = 1.5  # in them; a Chinese word has 1.5 letters in the mean
_SPACED_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*(?:['’.,:/-][^\W_](?:[^\W_]|[{MARKS}])*)*")
_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "gl": "Galician", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "nb": "Norwegian",
    "nn": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


@lru_cache(maxsize=256)
def document_language(text: str) -> str:
    """ "en", "de", "zh", ... of a whole document; empty where it cannot be told.

    English is recognized without py3langid, which takes half a second to load.
    """
    sample = text[:SAMPLE]
    share, words = english_share(sample)
    script = script_of(sample)
    latin = script in ("LATIN", "")
    if latin and (share >= LEAST_ENGLISH or words < LEAST_WORDS):
        return ENGLISH if words and share >= LEAST_ENGLISH else ""
    # Tables and lists of names have no common words, and py3langid is sure of the wrong language.
    found = language_of(sample[:CLASSIFIED])
    if latin:
        return found if share < FEW_ENGLISH or found == ENGLISH else ""
    if script == "CJK":
        return found if found in ("ja", "zh") else "ja" if _KANA.search(sample) else "zh"
    return _BY_SCRIPT.get(script, "") if found in ("", ENGLISH) else found


def is_english(language: str) -> bool:
    """What cannot be told is read as English, as the rules and nupunkt do."""
    return language in (ENGLISH, "")


def language_name(language: str) -> str:
    """ "German" for "de"; the code itself where the language is not among the usual ones."""
    return _NAMES.get(language, f"“{language}”")


def language_names(languages: Sequence[str]) -> str:
    """ "German, Chinese and Arabic"."""
    *others, last = map(language_name, languages)
    return f"{', '.join(others)} and {last}" if others else last


def english_share(text: str) -> tuple[float, int]:
    """(the share of English function words, the number of words). Words of other scripts count too."""
    found = _WORD.findall(text.lower())
    return sum(word in _COMMON for word in found) / max(1, len(found)), len(found)


def count_words(text: str) -> int:
    """Words in any script, numbers included. Where no blanks separate them, 1.5 letters count as a word."""
    unspaced = sum(len(run) for run in UNSPACED.findall(text))
    return len(_SPACED_WORD.findall(UNSPACED.sub(" ", text) if unspaced else text)) + round(unspaced / LETTERS_PER_WORD)


def language_of(text: str) -> str:
    """ "en", "de", ...; empty where the text is too short or no language is probable enough."""
    if len(text) < SHORTEST:
        return ""
    language, probability = _identifier().classify(text)
    if probability < SURE and any(language in group for group in _RELATED):
        probability = sum(each for other, each in _identifier().rank(text) if are_related(other, language))
    return str(language) if probability >= SURE else ""


def are_related(one: str, other: str) -> bool:
    """Whether two languages are the same, or so near that a short text may be either."""
    return one == other or any({one, other} <= group for group in _RELATED)


def script_of(text: str) -> str:
    """The script of most letters: "LATIN", "CYRILLIC", "CJK", ..."""
    if text.isascii():
        return "LATIN" if any(letter.isalpha() for letter in text) else ""
    counts = Counter(_script(letter) for letter in text[:500] if letter.isalpha())
    counts["CJK"] *= 2  # each says as much as two letters of an alphabet, or more
    counts += Counter()  # none is left at zero
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=1 << 14)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name  # Japanese mixes all three


@lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # half a second, and numpy

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
