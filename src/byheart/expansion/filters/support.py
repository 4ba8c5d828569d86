"""Whether the text supports the answer, by rule: its numbers, its names, and the share of its words in the text."""

import re

from byheart.expansion.filters.ground import Ground
from byheart.expansion.filters.words import content_stems, numbers, stem, written_numbers

_NAME = re.compile(r"(?<=[a-z,;)] )[A-Z][\w’'-]*[a-z]\w*")
# They answer without being in the text: yes and no, and the names of a text's own parts.
_NEUTRAL = frozenset(
    stem(word)
    for word in "yes no true false section subsection paragraph chapter part article rule item say state since apart mean".split()
)


def unsupported(question: str, answer: str, ground: Ground, least: float, scenario: bool, people: bool) -> str:
    """What the text does not support; empty if it supports everything.

    `least` is the share of the answer's words that must be in the text; one of several may always be missing, and
    words of the question count only where the answer has no others. The question of a `scenario` may invent numbers
    and names. With `people`, as in stories and dialogues, the answer may name persons.
    """
    language, stems = ground.language, ground.stems
    asked = {*content_stems(question, language)} if scenario else set()
    given = numbers(question) if scenario else set()
    for text in (answer,) if scenario else (answer, question):
        # "28 MHz" for "28.20-28.30 MHz"
        whole = {known.partition(".")[0] for known in ground.numbers}
        if strange := sorted(written_numbers(text) - ground.numbers - given - whole):
            return f"{strange[0]} is not in the text"
    if language == "en" and not people:
        for name in _NAME.findall(answer):
            meaning = content_stems(name, language)  # none in "(a) For whom"
            if meaning and not any(each in stems or each in asked for each in meaning):
                return f"“{name}” is not in the text"
    said = [each for each in content_stems(answer, language) if each not in _NEUTRAL]
    repeated = {*content_stems(question, language)}
    own = [each for each in said if each not in repeated] or said
    found = sum(each in stems for each in own)
    may_miss = max(len(own) > 1, int((1 - least) * len(own)))  # "100 watts" where the text has "100 W"
    if len(own) - found > may_miss:
        missing = next(each for each in own if each not in stems)
        return f"{found} of its {len(own)} words are in the text; “{missing}…” is not"
    return ""
