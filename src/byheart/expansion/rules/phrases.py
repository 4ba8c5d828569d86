"""What the rules read from a sentence: where it may be cut, its key phrases, a condition and its result."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.documents.languages.language import MARKS
from byheart.expansion.question_generation.wording import WORDS, small

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_LETTERS = rf"[^\W_](?:[^\W_]|[{MARKS}])*"
WORD = re.compile(rf"{_LETTERS}(?:[-'’./,:]{_LETTERS})*%?")
UNITS = (
    r"percent|per cent|million|billion|thousand|MHz|kHz|GHz|km|cm|mm|kg|mg|ml|kW|m|g|W|V|A|°C|°F|years?|months?|weeks?|days?"
    r"|hours?|minutes?|seconds?|square (?:kilometres|kilometers|miles)|words? per minute|wpm|miles|feet"
)
_DIGITS = r"\d+(?:[.,:/]\d+)*"
QUANTITY = re.compile(
    rf"(?:[$€£]\s?)?{_DIGITS}(?:\s?[-–]\s?{_DIGITS})?(?:\s?%|[-\s](?:{UNITS})(?:\s(?:years?|tons?))?(?!\w))?(?![\w])"
)
# A number in any language. "9 000" is one, and so is "1.5"; "1er" and "5km" hold none.
NUMBER = re.compile(r"(?<![\w.,:/§-])\d+(?:[.,:/]\d+|[ \u00a0\u202f]\d{3}(?!\d))*(?![\w-])")
_NUMBERED = re.compile(r"(?:§+|[Ss]ections?|[Pp]art|[Cc]hapter|[Aa]rticle|[Rr]ule)\s?$")
_JOINED = tuple("(.§-–/:_")  # a number behind one of these is part of something longer
_NAME_AFTER = re.compile(r"\s+(?:and|of|de|von|the|&)\s+[A-Z]")
_NAME_BEFORE = re.compile(r"[A-Z]\w*\s+(?:and|of|de|von|van|&)(?:\s+the)?\s+$")
Span = tuple[int, int]
# Parts of speech that a blank neither begins nor ends with.
_NEVER_FIRST = ("DET", "PRON", "PUNCT", "SYM", "ADV", "SPACE", "PART", "CCONJ")
_NEVER_LAST = ("PUNCT", "SYM", "SPACE", "PART", "ADV", "PRON")
_CLOSERS = dict(zip("([«「『《（", ")]»」』》）", strict=True))
CONDITION_WORDS = r"if|when|whenever|unless|where|after|before|once|while|until"
_FRONTED = re.compile(
    rf"^(?P<word>{CONDITION_WORDS})\s+(?P<condition>[^,;]+?(?:,\s(?:and|or)\s[^,;]+?)?),\s+(?P<result>[^;]+)$", re.I
)
# "If a player catches the ball in the end zone it's a touchdown.": no comma, the result opens with a pronoun and verb.
_FRONTED_BARE = re.compile(
    rf"^(?P<word>{CONDITION_WORDS})\s+(?P<condition>\S.+?)\s+(?P<result>(?:then\s+)?(?:it|they|he|she|you|we|there|this|that)"
    r"(?:['’](?:s|re|ll|d)|\s+(?:is|are|was|were|will|shall|must|may|can|has|have|does|do|gets?|becomes?|counts?))\b.*)$",
    re.I,
)
_TRAILING = re.compile(r"^(?P<result>.+?\s.+?),?\s+(?P<word>if|when|whenever|unless|until)\s+(?P<condition>.+)$", re.I)
VERBISH = re.compile(r"\b(?:is|are|was|were|be|must|shall|may|can|will|has|have|had|does|do|did)\b", re.I)


def cuts(sentence: str) -> list[int]:
    """Offsets at which a completion may begin, the middle first: before a preposition, conjunction or after a comma,
    else between words. Each leaves at least three words before it and one after it."""
    words = list(WORD.finditer(sentence))
    if len(words) < 4:
        return [words[-1].start()] if len(words) > 1 and is_balanced(sentence[: words[-1].start()]) else []
    # A cut inside a bracket or a quotation would leave half of it in the question.
    # One behind a full stop would part "z. B." and "am 1. Mai".
    places = [i for i in range(3, len(words)) if is_balanced(sentence[: words[i].start()])]
    places = [i for i in places if sentence[words[i - 1].end()] != "."] or places
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
    pairs = {**_CLOSERS, **({"„": "“"} if "„" in text else {"“": "”"})}
    return text.count('"') % 2 == 0 and all(text.count(a) == text.count(b) for a, b in pairs.items())


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


def number_phrases(sentence: str) -> list[Span]:
    """The numbers that stand once in a sentence of any language; those in a row are one: "03342 88120"."""
    found: list[Span] = []
    for match in NUMBER.finditer(sentence):
        if found and match.start() == found[-1][1] + 1 and sentence[match.start() - 1].isspace():
            found[-1] = (found[-1][0], match.end())
        else:
            found.append(match.span())
    counts = Counter(sentence[a:b] for a, b in found)
    return [(a, b) for a, b in found if counts[sentence[a:b]] == 1]


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


@dataclass(frozen=True)
class Condition:
    """`word condition, result` or the other way round; both parts bare, without capital or full stop."""

    word: str  # "if", "when", "unless", ...
    condition: str
    result: str
    fronted: bool  # the source has the condition first


def find_condition(sentence: str) -> Condition | None:
    found = _find_condition(sentence.strip().rstrip(".!;,"))
    if found is None or re.match(
        r"(?:however|but|(?:\w+ )?(?:which|whom?|whose))\b|(?:.*, )?it (?:is|was) not$", found.result, re.I
    ):
        return None
    # "After each election", "until 1978": a time, not a condition, where it holds no verb.
    timed = found.word in ("after", "before", "until", "once") and not re.search(r"\w+(?:ed|ing|es)\b", found.condition)
    return None if timed and not VERBISH.search(found.condition) else found


def _find_condition(bare: str) -> Condition | None:
    for pattern in (_FRONTED, _FRONTED_BARE):
        if match := pattern.match(bare):
            result = re.sub(r"^then\s+", "", match["result"], flags=re.I)
            if len(match["condition"].split()) >= 2 and len(result.split()) >= 2:
                return Condition(match["word"].lower(), match["condition"].strip(), small(result), fronted=True)
    if (match := _TRAILING.match(bare)) and "," not in match["condition"]:
        result = match["result"].strip()
        if len(match["condition"].split()) >= 3 and VERBISH.search(result) and VERBISH.search(match["condition"]):
            return Condition(match["word"].lower(), match["condition"].strip(), small(result), fronted=False)
    return None


def stopped(words: str) -> str:
    """With a full stop, unless they end like a sentence."""
    return words if words.endswith((".", "!", "?", "。")) else f"{words}."


def bare_words(text: str) -> str:
    """The words in lower case without marks, by which two texts are the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))
