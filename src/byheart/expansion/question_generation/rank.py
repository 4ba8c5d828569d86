"""Which of many possible questions are worth asking: overgenerate and rank, after Heilman and Smith (2010).

Their ranker learned weights for features such as length, vagueness and the kind of question; ours are set by hand from
questions that were read one by one.
"""

import re
from collections.abc import Sequence

from byheart.expansion.question_generation.compose import FULL, Asked

_WORTH = {
    "object": 4.5, "complement": 4.5, "time": 5.0, "place": 4.0, "agent": 5.0, "reason": 4.0, "manner": 4.0,
    "condition": 4.5, "preposition": 3.5, "infinitive": 4.0, "that": 3.0, "quality": 4.0, "subject": 4.2,
    "action": 3.0, "enabling": 4.0, "count": 5.0, "state": 3.4, "announced": 6.0, "whether": 2.6, "forbidden": 5.2, "term": 4.6,
    "within": 4.3, "gloss": 5.0, "now": 4.8, "happened": 3.6, "core": 4.1,
}  # fmt: skip
_DANGLING = re.compile(
    r"\b(?:he|she|they|them|him|himself|herself|themselves|such an?|the (?:latter|former)(?=\s+(?:is|are|was|were|has|have|had|may|must|can|will)\b|[?,.])|herein|this|these|those|it|we|us|our|you|your)\b",
    re.I,
)
_WORD = re.compile(r"\w+")


def rank(asked: Sequence[Asked]) -> list[Asked]:
    """The good ones: first the best wording for each target, then the second, and so on; full answers later."""
    groups: dict[str, list[tuple[float, int, Asked]]] = {}
    seen: set[tuple[str, str]] = set()
    for place, one in enumerate(asked):
        if not is_sound(one) or (one.question, one.length) in seen:
            continue  # asked again of a second verb ("What must the club have?"), it would have two answers
        seen.add((one.question, one.length))
        groups.setdefault(one.target, []).append((worth(one), -place, one))
    rows = []
    for group in groups.values():
        for turn, (score, place, one) in enumerate(sorted(group, key=lambda item: item[:2], reverse=True)):
            rows.append((turn + (one.length == FULL), -score, -place, one))
    return [row[3] for row in sorted(rows, key=lambda row: row[:3])]


def worth(one: Asked) -> float:
    question, answer = len(one.question.split()), len(one.answer.split())
    kind = one.target.split(":")[0]
    score = _WORTH.get(kind, 3.0)
    if kind == "subject" and re.search(r"\b(?:may|will) not\b", one.question):
        score -= 1.5  # "What may not transmit ...?"
    score -= 0.12 * max(0, question - 16) + 0.1 * max(0, answer - 10)
    score -= 0.8 if answer == 1 and question > 9 and one.answer[:-1].isalpha() else 0.0  # "Messages."
    score -= 0.4 * max(0, 6 - question)  # "What must the club have?" asks for little
    said = one.answer.removeprefix("The ").removeprefix("A ")
    score += 0.5 if re.search(r"\d", said) else 0.3 if re.search(r"\b[A-Z]", said[1:]) else 0.0
    if re.search(r"\bwhat kind of\b", one.question, re.I) and kind not in ("term", "complement", "object"):
        score -= 1.2 if re.match(r"(?:\w+ )?what\b", one.question, re.I) else 2.0
    if (
        kind == "within"
        and not one.backwards
        and not re.match(r"(?:\w+ ){0,4}(?:how|who|whom|what|which)\b", one.question, re.I)
    ):
        score -= 0.6  # the asking word deep inside, as in a quiz
    if re.match(r"(?:how|who|in what year|which|when|where)\b", one.question, re.I):
        score += 0.3
    return score - (1.5 if one.length == FULL else 0.0)


def is_sound(one: Asked) -> bool:
    words = _WORD.findall(one.question.lower())
    if len(words) < 4 or len(words) > 34 or len(one.answer.split()) > 45:
        return False
    if _dangles(one):
        return False
    if one.question.count("(") != one.question.count(")") or one.question.count("“") != one.question.count("”"):
        return False
    return one.length == FULL or not _gives_away(one)


def _dangles(one: Asked) -> bool:
    """A pronoun whose noun the question does not hold. Behind eight words it is taken to refer back into it."""
    quoted = [match.span() for match in re.finditer(r"[\"“][^\"”]*[\"”]", one.question)]
    for match in _DANGLING.finditer(one.question):
        word = match.group().lower()
        if any(start < match.start() < end for start, end in quoted):
            continue
        before = one.question[: match.start()].split()
        if word in ("this", "these", "those") and re.match(
            r"\s+(?:part|section|chapter|rules?|document|\w+ing)\b", one.question[match.end() :]
        ):
            continue
        if word in ("it", "they", "them") and len(before) >= 6 and not one.backwards:
            continue
        if word == "those" and re.match(r"\s+(?:who|that|which|of|in)\b", one.question[match.end() :]):
            continue
        return True
    if (
        one.length != FULL
        and re.search(r"\b(?:this|these|such) (?!part\b|section|chapter|rules?\b|document)\w+\.$", one.answer)
        and one.target != "announced"
    ):
        return True  # "A proponent of this idea."
    return (
        bool(
            re.match(
                r"(?:it|they|he|she|this|that|these|those|its|their|his|her|there|we|such)\b(?!\s+(?:part|section))",
                one.answer,
                re.I,
            )
        )
        and one.length != FULL
        and not one.target.startswith(("that", "whether", "state", "happened"))
    )


def _gives_away(one: Asked) -> bool:
    answer = re.escape(one.answer.lower().rstrip("."))
    return re.search(rf"(?<!\w){answer}(?!\w)", one.question.lower()) is not None
