"""Signs that look different and mean the same: folded in documents as they are read, and further where answers are compared."""

import re
import unicodedata

# What a typesetter joins or hides: ligatures, soft hyphens, blanks without width, byte order marks.
# The joiners U+200C and U+200D stay: Persian, Hindi and emoji need them.
LIGATURES = {ord(sign): unicodedata.normalize("NFKC", sign) for sign in "ﬀﬁﬂﬃﬄﬅﬆĳĲ"}  # for str.translate
_TYPESET = LIGATURES | dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"), "")

# Raised and lowered figures, for str.translate.
RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")

_QUOTES = dict.fromkeys("‘’‚‛′´`ʼ＇", "'") | dict.fromkeys("“”„‟″«»‹›「」『』〝〞＂", '"')
_DASHES = dict.fromkeys("‐‑‒–—―−﹣－", "-")
# Vowel signs of Arabic and Hebrew, which writers leave out, with the sign that stretches a word; joiners; and two
# letters that Arabic and Persian keyboards write differently.
_VOWELS = dict.fromkeys([*range(0x064B, 0x0653), 0x0640, 0x0670, *range(0x0591, 0x05BE), 0x200C, 0x200D], "")
# Marks of direction, which have no width: models write them around Latin words and numbers in Arabic and Hebrew.
_DIRECTIONS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "")
_ALIKE = str.maketrans({**_QUOTES, **_DASHES, "…": "...", "ي": "ی", "ك": "ک"}) | _VOWELS | _DIRECTIONS
_SEPARATORS = str.maketrans("٫٬٪", ".,%")  # of Arabic numbers
_OTHER_DIGIT = re.compile(r"[^\D0-9]")  # \d of any script
_THOUSANDS = re.compile(r"(?<![\d.,'])\d{1,3}(?:([,' ])\d{3})(?:\1\d{3})*(?!\d|[,']\d)")
_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_SPELLED = re.compile(rf"\b({'|'.join(_NUMBERS)})\b")


def fold_typesetting(text: str) -> str:
    """The text with letters in place of ligatures, without soft hyphens and blanks that have no width; composed (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_TYPESET))


def fold_digits(text: str) -> str:
    """The text with 0 to 9 in place of the digits of other scripts: "१२" and "١٢" as "12"."""
    if text.isascii():
        return text
    return _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text.translate(_SEPARATORS))


def fold_for_comparison(text: str) -> str:
    """A form in which two answers are equal where a reader sees no difference.

    Compatible signs (NFKC: ligatures, full-width forms, blanks of all kinds, "m²" as "m2"), quotation marks and dashes,
    digits of any script, vowel signs of Arabic and Hebrew, case, thousands separators ("1,500", "1 500"), and numbers in
    words from zero to twelve.
    """
    if not text.isascii():
        text = fold_digits(unicodedata.normalize("NFKC", fold_typesetting(text))).translate(_ALIKE)
    text = " ".join(text.casefold().split())
    text = _THOUSANDS.sub(lambda found: re.sub(r"\D", "", found[0]), text)
    return _SPELLED.sub(lambda found: str(_NUMBERS.index(found[0])), text)
