"""Where a sentence may be cut, and which of its phrases are worth asking for. Rules only, no model."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

WORD = re.compile(r"[^\W_]+(?:[-'’./,:][^\W_]+)*%?", re.UNICODE)
NUMBER = re.compile(r"(?:[$€£]\s?)?\d[\d,.\-–/:]*\d%?|\d%?")
UNITS = r"%|percent|per cent|million|billion|thousand|MHz|kHz|GHz|km|m|cm|mm|kg|g|mg|ml|W|kW|V|A|°C|°F|years?|months?|weeks?|days?|hours?|minutes?|seconds?|square (?:kilometres|kilometers|miles)|words? per minute|wpm|miles|feet"
QUANTITY = re.compile(rf"(?:[$€£]\s?)?\d[\d,.]*(?:\s?[-–]\s?\d[\d,.]*)?-?\s?(?:{UNITS})?(?![\w])", re.UNICODE)

# Words that carry no fact of their own; a phrase neither starts nor ends with one.
FUNCTION_WORDS = frozenset(
    """
    a an the this that these those such any all each every some no not nor neither either both only also than
    then and or but if when while where whether because since unless until although though as at by for from
    in into of off on onto out over per through to toward towards under upon up via with within without about
    above after against along among around before behind below between during except like near is are was were
    be been being am do does did has have had having will would shall should may might must can could it its
    he she they them their his her him we us our you your i my me who whom whose which what how there here so
    too very more most much many other another same own however therefore thus hence
    """.split()
)
PREPOSITIONS = frozenset(
    """
    at by for from in into of on over per through to toward under upon via with within without about after
    against along among around before between during except near unless until if when while where because and
    or but that which who whose than
    """.split()
)


@dataclass(frozen=True)
class Span:
    """`sentence[start:end]`, with how much a reader would learn from being asked for it (higher is better)."""

    start: int
    end: int
    worth: float


def cuts(sentence: str) -> list[int]:
    """Offsets at which a completion may begin, the middle first: before a preposition, conjunction or after a comma,
    else between words. Each leaves at least three words before it and one after it."""
    words = list(WORD.finditer(sentence))
    if len(words) < 4:
        return [words[-1].start()] if len(words) > 1 else []
    places = range(3, len(words))
    natural = {i for i in places if words[i].group().lower() in PREPOSITIONS or sentence[words[i - 1].end()] in ",;:"}
    chosen: list[int] = []
    for share in (0.5, 0.25, 0.75, 0.4, 0.6, 0.15, 0.85):
        aim = share * len(words)
        near = [i for i in natural if abs(i - aim) <= max(2, 0.12 * len(words))]
        place = min(near or places, key=lambda i: (abs(i - aim), i))
        if all(abs(place - other) > 1 for other in chosen):
            chosen.append(place)
    return [words[i].start() for i in chosen]


def key_phrases(sentence: str) -> list[Span]:
    """The phrases worth blanking, the best first: quantities, names, then runs of two to five content words."""
    spans = [Span(m.start(), m.end(), 4.0) for m in _quantities(sentence)]
    for start, end, words in _runs(sentence):
        named = sum(w[:1].isupper() for w in words) if start > 0 else sum(w.isupper() for w in words)
        size = min(len(words), 4)
        spans.append(Span(start, end, 1.0 + 0.6 * size + (1.0 if named else 0.0)))
        if len(words) > 5:
            tail = list(WORD.finditer(sentence, start, end))[-3:]
            spans.append(Span(tail[0].start(), end, 2.0))
    spans = [s for s in spans if s.end - s.start < 0.7 * len(sentence) and s.end - s.start > 1]
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.worth, s.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return kept


def _quantities(sentence: str) -> Iterator[re.Match[str]]:
    for match in QUANTITY.finditer(sentence):
        inside_word = match.start() > 0 and (
            sentence[match.start() - 1].isalnum() or sentence[match.start() - 1] in "(.§"
        )
        if match.group().strip() and not inside_word and len(match.group().strip()) > 0:
            yield match


def _runs(sentence: str) -> Iterator[tuple[int, int, list[str]]]:
    """Maximal stretches of content words with nothing but spaces (or "of", between two names) between them."""
    run: list[re.Match[str]] = []
    for word in WORD.finditer(sentence):
        joined = bool(run) and sentence[run[-1].end() : word.start()].strip() == ""
        if word.group().lower() in FUNCTION_WORDS:
            if run:
                yield run[0].start(), run[-1].end(), [w.group() for w in run]
            run = []
            continue
        if run and not joined:
            yield run[0].start(), run[-1].end(), [w.group() for w in run]
            run = []
        run.append(word)
    if run:
        yield run[0].start(), run[-1].end(), [w.group() for w in run]
