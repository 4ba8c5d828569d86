"""Which known word was meant by an unknown one. Only close words: a wrong suggestion costs more than none."""

import re
from collections.abc import Iterable

LEAST = 3  # letters of a word whose beginning alone names another: `qwen3` is near `qwen3_4b`


def is_slip(word: str, known: Iterable[str]) -> bool:
    """Whether the word is a known one, or one with a letter that is missing, added, wrong or swapped."""
    from rapidfuzz.distance import OSA

    return any(OSA.distance(_plain(word), _plain(each)) <= 1 for each in known)


def near(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to `count` known words, the closest first.

    Close is a slip of the finger (one letter in four, where two swapped letters are one slip), the beginning of a longer
    word, or another ending of the same one: `evaluation` for `evaluate`.
    """
    from rapidfuzz.distance import OSA  # late: only a wrong word needs it

    ranked = []
    for each in dict.fromkeys(known):
        one, other = _plain(word), _plain(each)
        longer, shorter = max(len(one), len(other)), min(len(one), len(other))
        distance = OSA.distance(one, other)
        shared = next((place for place in range(shorter) if one[place] != other[place]), shorter)
        begins = shared == len(one) >= LEAST
        if distance <= max(1, longer // 4) < longer or begins or (shared >= 5 and 2 * shared > longer):
            ranked.append((not begins and distance > max(1, longer // 4), distance, each))
    if exact := [each for _, distance, each in ranked if not distance]:  # another case, or - for _
        return exact
    closest = [each for far, _, each in sorted(ranked) if not far]
    return (closest or [each for _, _, each in sorted(ranked)])[:count]


def _plain(word: str) -> str:
    """What is compared: `Batch-Size` and `batch_size` are one word."""
    return re.sub(r"[-_]", "", word.lower())
