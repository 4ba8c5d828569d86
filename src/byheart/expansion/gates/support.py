"""Does the text support the answer? Told by rule: its numbers, its names, and the share of its words that the text has."""

import re
from collections.abc import Collection

from byheart.expansion.gates.words import content_stems, numbers, stem, words, written_numbers

_NAME = re.compile(r"(?<=[a-z,;)] )[A-Z][\w’'-]*[a-z]\w*")
_YES_NO = frozenset("yes no true false".split())


def unsupported(
    question: str,
    answer: str,
    stems: Collection[str],
    known_numbers: Collection[str],
    least: float,
    language: str,
    invented: bool = False,
) -> str:
    """What the text does not support, in words; empty where it supports all.

    `least` is the share of the answer's words that must stand in the text; those that repeat the question count
    neither way. `invented` is for scenarios, whose question may bring in figures and people of its own.
    """
    asked = {*content_stems(question, language)} if invented else set()
    told = numbers(question) if invented else set()
    for text in (answer,) if invented else (answer, question):
        if strange := sorted(written_numbers(text) - set(known_numbers) - told):
            return f"{strange[0]} stands nowhere in the text"
    if language == "en":
        for name in _NAME.findall(answer):
            if not any(stem(word) in stems or stem(word) in asked for word in words(name)):
                return f"“{name}” stands nowhere in the text"
    neutral = {*content_stems(question, language)} | {stem(word) for word in _YES_NO}
    own = [each for each in content_stems(answer, language) if each not in neutral]
    if not own:
        own = [each for each in content_stems(answer, language) if each not in {stem(word) for word in _YES_NO}]
    found = sum(each in stems for each in own)
    if own and found / len(own) < least:
        missing = next(each for each in own if each not in stems)
        return f"{found} of its {len(own)} words stand in the text; “{missing}…” does not"
    return ""
