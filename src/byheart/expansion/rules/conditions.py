"""A condition and its result, read from a sentence by rules."""

import re
from dataclasses import dataclass

from byheart.expansion.question_generation.wording import small

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
