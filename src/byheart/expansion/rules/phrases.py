"""Where a sentence may be cut, and which of its phrases are worth asking for."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.wording import WORDS

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

WORD = re.compile(r"[^\W_]+(?:[-'’./,:][^\W_]+)*%?", re.UNICODE)
UNITS = (
    r"percent|per cent|million|billion|thousand|MHz|kHz|GHz|km|cm|mm|kg|mg|ml|kW|m|g|W|V|A|°C|°F|years?|months?|weeks?|days?"
    r"|hours?|minutes?|seconds?|square (?:kilometres|kilometers|miles)|words? per minute|wpm|miles|feet"
)
_DIGITS = r"\d+(?:[.,:/]\d+)*"
QUANTITY = re.compile(
    rf"(?:[$€£]\s?)?{_DIGITS}(?:\s?[-–]\s?{_DIGITS})?(?:\s?%|[-\s](?:{UNITS})(?:\s(?:years?|tons?))?(?!\w))?(?![\w])"
)
_NUMBERED = re.compile(r"(?:§+|[Ss]ections?|[Pp]art|[Cc]hapter|[Aa]rticle|[Rr]ule)\s?$")
_JOINED = tuple("(.§-–/:_")  # a number behind one of these is part of something longer
_NAME_AFTER = re.compile(r"\s+(?:and|of|de|von|the|&)\s+[A-Z]")
_NAME_BEFORE = re.compile(r"[A-Z]\w*\s+(?:and|of|de|von|van|&)(?:\s+the)?\s+$")
Span = tuple[int, int]
# Parts of speech that a blank neither begins nor ends with.
_NEVER_FIRST = ("DET", "PRON", "PUNCT", "SYM", "ADV", "SPACE", "PART", "CCONJ")
_NEVER_LAST = ("PUNCT", "SYM", "SPACE", "PART", "ADV", "PRON")
_CLOSERS = {"(": ")", "[": "]", "“": "”"}


def cuts(sentence: str) -> list[int]:
    """Offsets at which a completion may begin, the middle first: before a preposition, conjunction or after a comma,
    else between words. Each leaves at least three words before it and one after it."""
    words = list(WORD.finditer(sentence))
    if len(words) < 4:
        return [words[-1].start()] if len(words) > 1 and is_balanced(sentence[: words[-1].start()]) else []
    # A cut inside a bracket or a quotation would leave half of it in the question.
    places = [i for i in range(3, len(words)) if is_balanced(sentence[: words[i].start()])]
    if not places:
        return []
    natural = [i for i in places if words[i].group().lower() in WORDS["cuts"] or sentence[words[i - 1].end()] in ",;:"]
    chosen: list[int] = []
    for share in (0.5, 0.25, 0.75, 0.4, 0.6, 0.15, 0.85):
        aim = share * len(words)
        near = [i for i in natural if abs(i - aim) <= max(2, 0.12 * len(words))]
        place = min(near or places, key=lambda i: (abs(i - aim), i))
        if all(abs(place - other) > 1 for other in chosen):
            chosen.append(place)
    return [words[i].start() for i in chosen]


def is_balanced(text: str) -> bool:
    """Are its brackets and quotation marks closed?"""
    return text.count('"') % 2 == 0 and all(text.count(a) == text.count(b) for a, b in _CLOSERS.items())


def key_phrases(doc: "Doc") -> list[Span]:
    """The phrases of a parsed sentence worth blanking, the best first: quantities, names, then noun phrases.

    None occurs twice in the sentence, which would answer the question; none overlaps another.
    """
    sentence = doc.text
    worth: dict[Span, float] = {match.span(): 4.0 for match in quantities(sentence)}
    for start, end in _noun_phrases(doc):
        words = WORD.findall(sentence, start, end)
        # The first word of a sentence has a capital anyway.
        named = any(word[:1].isupper() if start else word[1:] != word[1:].lower() for word in words)
        if words and (named or len(words) > 1 or len(words[0]) >= 4):
            worth[start, end] = max(worth.get((start, end), 0), 1.0 + 0.6 * min(len(words), 4) + named)
    kept: list[Span] = []
    for start, end in sorted(worth, key=lambda span: (-worth[span], span[0])):
        once = len(re.findall(rf"(?<!\w){re.escape(sentence[start:end])}(?!\w)", sentence, re.I)) == 1
        if once and end - start < 0.7 * len(sentence) and all(end <= first or start >= last for first, last in kept):
            kept.append((start, end))
    return kept


def quantities(sentence: str) -> Iterator[re.Match[str]]:
    """Numbers with their units: years, counts, shares; not the numbers of sections, names or list marks."""
    for match in QUANTITY.finditer(sentence):
        before = sentence[: match.start()]
        if not _NUMBERED.search(before) and not before[-1:].isalnum() and not before.endswith(_JOINED):
            yield match


def _noun_phrases(doc: "Doc") -> Iterator[tuple[int, int]]:
    """The spans of the parser's noun phrases without determiners and half names, of at most five words."""
    for chunk in doc.noun_chunks:
        words = _trimmed(list(chunk))
        if len(words) > 5:
            words = _trimmed(words[-3:])
        if all(word.pos_ == "NUM" for word in words) or any(set("()[]") & set(word.text) for word in words):
            continue
        start, end = words[0].idx, words[-1].idx + len(words[-1])
        # "National Aeronautics and Space Administration", "University of Oslo": half a name is no answer.
        goes_on = words[-1].text[:1].isupper() and _NAME_AFTER.match(doc.text, end)
        if not goes_on and not (words[0].text[:1].isupper() and _NAME_BEFORE.search(doc.text[:start])):
            yield start, end


def _trimmed(words: "list[Token]") -> "list[Token]":
    """Without the words that carry no fact at either end."""
    while words and (words[0].lower_ in WORDS["function"] or words[0].pos_ in _NEVER_FIRST):
        words = words[1:]
    while words and words[-1].pos_ in _NEVER_LAST:
        words = words[:-1]
    return words
