"""What a sentence says, read by rules: a condition and its result, a term and its definition, a duty and its bearer."""

import re
from dataclasses import dataclass

from byheart.expansion.question_generation.wording import capital, small

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
_MODAL = re.compile(
    r"^(?P<subject>[^,;:]{2,90}?)\s+(?P<verb>must not|shall not|may not|cannot|may only|must|shall|may|can|should|will)\s+(?P<rest>.+)$"
)
_COPULA = re.compile(r"^(?P<subject>[^,;:]{2,70}?)\s+(?P<verb>is|are|was|were)\s+(?P<rest>.+)$")
_DEFINITION = re.compile(r"^(?P<term>[A-Z][^.:;!?]{1,60})[.:]\s+(?P<meaning>[A-Z“\"].+)$")
_VERBISH = re.compile(r"\b(?:is|are|was|were|be|must|shall|may|can|will|has|have|had|does|do|did)\b", re.I)
_PRONOUN_SUBJECT = re.compile(r"^(?:it|they|he|she|this|that|these|those|there|we|you|i|which|who)\b", re.I)


@dataclass(frozen=True)
class Condition:
    """`word condition, result` or the other way round; both parts bare, without capital or full stop."""

    word: str  # "if", "when", "unless", ...
    condition: str
    result: str
    fronted: bool  # the source has the condition first

    def result_first(self) -> str:
        return f"{capital(self.result)} {self.word} {self.condition}."

    def condition_first(self) -> str:
        return f"{capital(self.word)} {self.condition}, {self.result}."

    def question(self) -> str:
        """Asks for the result: "What is the result if the ball is pushed forward?"."""
        return f"What is the result {self.word} {self.condition}?"


def find_condition(sentence: str) -> Condition | None:
    found = _find_condition(sentence.strip().rstrip(".!;,"))
    if found is None or re.match(
        r"(?:however|but|(?:\w+ )?(?:which|whom?|whose))\b|(?:.*, )?it (?:is|was) not$", found.result, re.I
    ):
        return None
    # "After each election", "until 1978": a time, not a condition, where it holds no verb.
    timed = found.word in ("after", "before", "until", "once") and not re.search(r"\w+(?:ed|ing|es)\b", found.condition)
    return None if timed and not _VERBISH.search(found.condition) else found


def _find_condition(bare: str) -> Condition | None:
    for pattern in (_FRONTED, _FRONTED_BARE):
        if match := pattern.match(bare):
            result = re.sub(r"^then\s+", "", match["result"], flags=re.I)
            if len(match["condition"].split()) >= 2 and len(result.split()) >= 2:
                return Condition(match["word"].lower(), match["condition"].strip(), small(result), fronted=True)
    if (match := _TRAILING.match(bare)) and "," not in match["condition"]:
        result = match["result"].strip()
        if len(match["condition"].split()) >= 3 and _VERBISH.search(result) and _VERBISH.search(match["condition"]):
            return Condition(match["word"].lower(), match["condition"].strip(), small(result), fronted=False)
    return None


def find_definition(text: str) -> tuple[str, str] | None:
    """("Space station", "An amateur station located ...") from "Space station. An amateur station located ..."."""
    match = _DEFINITION.match(text.strip())
    if match and len(match["term"].split()) <= 6 and not _VERBISH.search(match["term"]):
        return match["term"].strip(), match["meaning"].strip()
    return None
