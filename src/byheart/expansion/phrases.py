"""Where a sentence may be cut, and which of its phrases are worth asking for. Rules only, no model."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from byheart.expansion.asking.wording import FUNCTION_WORDS
from byheart.expansion.verbs import (
    AUXILIARIES,
    BASE,
    DETERMINERS,
    MODALS,
    is_adverb,
    is_finite,
    is_gerund,
    is_participle,
)

WORD = re.compile(r"[^\W_]+(?:[-'’./,:][^\W_]+)*%?", re.UNICODE)
UNITS = (
    r"percent|per cent|million|billion|thousand|MHz|kHz|GHz|km|cm|mm|kg|mg|ml|kW|m|g|W|V|A|°C|°F|years?|months?|weeks?|days?"
    r"|hours?|minutes?|seconds?|square (?:kilometres|kilometers|miles)|words? per minute|wpm|miles|feet"
)
_DIGITS = r"\d+(?:[.,:/]\d+)*"
QUANTITY = re.compile(
    rf"(?:[$€£]\s?)?{_DIGITS}(?:\s?[-–]\s?{_DIGITS})?(?:\s?%|[-\s](?:{UNITS})(?:\s(?:years?|tons?))?(?!\w))?(?![\w])"
)
_CLOSERS = {"(": ")", "[": "]", "“": "”"}

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
        return [words[-1].start()] if len(words) > 1 and is_balanced(sentence[: words[-1].start()]) else []
    # A cut inside a bracket or a quotation would leave half of it in the question.
    places = [i for i in range(3, len(words)) if is_balanced(sentence[: words[i].start()])]
    if not places:
        return []
    natural = [i for i in places if words[i].group().lower() in PREPOSITIONS or sentence[words[i - 1].end()] in ",;:"]
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


def key_phrases(sentence: str) -> list[Span]:
    """The phrases worth blanking, the best first: quantities, names, then noun phrases. None occurs twice."""
    spans = [Span(m.start(), m.end(), 4.0) for m in quantities(sentence)]
    for start, end, words in _noun_phrases(sentence):
        named = sum(w[:1].isupper() for w in words) if start > 0 else sum(w[1:] != w[1:].lower() for w in words)
        if len(words) == 1 and not named and len(words[0]) < 4:
            continue
        spans.append(Span(start, end, 1.0 + 0.6 * min(len(words), 4) + (1.0 if named else 0.0)))
    spans = [s for s in spans if s.end - s.start < 0.7 * len(sentence) and _once(sentence, s)]
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.worth, s.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return kept


def _once(sentence: str, span: Span) -> bool:
    """A phrase that stands elsewhere in the sentence too would be answered by the question itself."""
    phrase = re.escape(sentence[span.start : span.end])
    return len(re.findall(rf"(?<!\w){phrase}(?!\w)", sentence, re.I)) == 1


def quantities(sentence: str) -> Iterator[re.Match[str]]:
    """Numbers with their units: years, counts, shares; not the numbers of sections, names or list marks."""
    for match in QUANTITY.finditer(sentence):
        before = sentence[match.start() - 1 : match.start()]
        if not (before and (before.isalnum() or before in "(.§-–/:_")) and not re.search(
            r"(?:§+|[Ss]ections?|[Pp]art|[Cc]hapter|[Aa]rticle|[Rr]ule)\s?$", sentence[: match.start()]
        ):
            yield match


def _noun_phrases(sentence: str) -> Iterator[tuple[int, int, list[str]]]:
    """Runs of content words that are likely noun phrases of at most five words, without verbs, adverbs and half names."""
    for run, before in _runs(sentence):
        for part, ahead in _without_verbs(run, before):
            part = _trimmed(part, ahead)
            if not part or all(word.group()[:1].isdigit() for word in part):
                continue
            whole = part if len(part) <= 5 else part[-3:]
            behind = sentence[whole[-1].end() :]
            # "National Aeronautics and Space Administration", "University of Oslo": half a name is no answer.
            if whole[-1].group()[:1].isupper() and re.match(r"\s+(?:and|of|de|von|the|&)\s+[A-Z]", behind):
                continue
            if whole[0].group()[:1].isupper() and re.search(
                r"[A-Z]\w*\s+(?:and|of|de|von|van|&)(?:\s+the)?\s+$", sentence[: whole[0].start()]
            ):
                continue
            yield whole[0].start(), whole[-1].end(), [word.group() for word in whole]


def _without_verbs(run: list[re.Match[str]], before: str) -> Iterator[tuple[list[re.Match[str]], str]]:
    """The run cut at its verbs, each part with the word before it."""
    part: list[re.Match[str]] = []
    ahead = before
    for place, match in enumerate(run):
        word = match.group()
        previous = run[place - 1].group() if place else before
        after_modal = previous in MODALS or (previous == "not" and not part)
        attributive = is_participle(word) and previous not in AUXILIARIES and not part and place + 1 < len(run)
        verb = (
            is_finite(word)
            or (after_modal and word.islower() and (previous != "to" or word in BASE))
            or (word in BASE and previous not in DETERMINERS)
            or (is_participle(word) and not attributive)
            or (is_gerund(word) and previous in AUXILIARIES)
        )
        if verb:
            if part:
                yield part, ahead
            part, ahead = [], word
        else:
            part.append(match)
    if part:
        yield part, ahead


def _trimmed(part: list[re.Match[str]], before: str) -> list[re.Match[str]]:
    """Without adverbs at either end, and without a gerund that governs what follows ("selecting channels")."""
    while part and is_adverb(part[-1].group()):
        part = part[:-1]
    while part and (
        is_adverb(part[0].group())
        or (is_gerund(part[0].group()) and before not in DETERMINERS and len(part) > 1)
        or part[0].group().lower() in ("following", "regarding", "concerning", "including")
    ):
        part = part[1:]
    return part


def _runs(sentence: str) -> Iterator[tuple[list[re.Match[str]], str]]:
    """Maximal stretches of content words with nothing but spaces between them, each with the word before it."""
    run: list[re.Match[str]] = []
    before, previous = "", ""
    for word in WORD.finditer(sentence):
        text = word.group().lower()
        contracted = re.split(r"['’]", text)[0] in FUNCTION_WORDS and re.search(r"['’](?:s|re|ll|d|ve|t)$", text)
        if text in FUNCTION_WORDS or contracted:
            if run:
                yield run, before
            run = []
        else:
            if run and sentence[run[-1].end() : word.start()].strip():
                yield run, before
                run, previous = [], ""
            if not run:
                before = previous
            run.append(word)
        previous = text
    if run:
        yield run, before
