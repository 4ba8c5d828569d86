"""Which of many possible questions are worth asking: overgenerate and rank, after Heilman and Smith (2010).

Their ranker learned weights for features such as length, vagueness and the kind of question; ours are set by hand from
questions that were read one by one.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from byheart.expansion.question_generation.clauses import FULL, Asked
from byheart.expansion.question_generation.wording import LEXICON, stands_in

_WORTH: dict[str, float] = LEXICON["worth"]
_DANGLING = re.compile(
    r"\b(?:he|she|they|them|him|himself|herself|themselves|such an?|the (?:latter|former)(?=\s+(?:is|are|was|were|has|have|had|may|must|can|will)\b|[?,.])|herein|this|these|those|it|we|us|our|you|your)\b",
    re.I,
)
_SUCH = re.compile(
    r"\b(?:such (?!as\b|that\b)(?:\w+ )?|(?:from|of|in|into|to|for|by|with|on|at|under|within|through|during) that )(?P<noun>\w{3,})"
    r"(?=\s|[,?.])",
    re.I,
)
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]")
_ITS_OWN = re.compile(r"\s+(?:part|section|chapter|rules?|document|\w+ing)\b")  # "this part": the text itself
_RESTRICTED = re.compile(r"\s+(?:who|that|which|of|in)\b")  # "those who ..."
_POINTING = re.compile(r"\b(?:this|these|such) (?!part\b|section|chapter|rules?\b|document)\w+\.$")
_PRONOUN = re.compile(
    r"(?:it|they|he|she|this|that|these|those|its|their|his|her|there|we|such)\b(?!\s+(?:part|section))", re.I
)


def rank(asked: Sequence[Asked]) -> list[Asked]:
    """The good ones: first the best wording for each target, then the second, and so on; full answers later."""
    by_target: dict[str, list[tuple[float, int, Asked]]] = {}
    seen: set[tuple[str, str]] = set()
    doubtful = with_several_answers(asked)
    for place, one in enumerate(asked):
        if is_sound(one) and one.question not in doubtful and (one.question, one.length) not in seen:
            seen.add((one.question, one.length))
            by_target.setdefault(one.target, []).append((-worth(one), place, one))
    rows = []
    for wordings in by_target.values():
        for turn, (score, place, one) in enumerate(sorted(wordings, key=lambda row: row[:2])):
            rows.append((turn + (one.length == FULL), score, place, one))
    return [row[3] for row in sorted(rows, key=lambda row: row[:3])]


def with_several_answers(asked: Sequence[Asked]) -> set[str]:
    """Questions that two clauses answer differently: "What may no station transmit?" of "music; or false messages"."""
    answers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in asked:
        if one.length != FULL:
            clause = ":".join(one.target.rsplit(":", 2)[1:])
            answers[one.question][clause].add(one.answer)
    return {question for question, given in answers.items() if not set.intersection(*given.values())}


def worth(one: Asked) -> float:
    question, answer = len(one.question.split()), len(one.answer.split())
    kind = one.target.split(":")[0]
    score = _WORTH.get(kind, 3.0)
    if kind == "subject" and re.search(r"\b(?:may|will) not\b", one.question):
        score -= 1.5  # "What may not transmit ...?"
    score -= 0.12 * max(0, question - 16) + 0.1 * max(0, answer - 10)
    score -= 0.8 if answer == 1 and question > 9 and one.answer[:-1].isalpha() else 0.0  # "Messages."
    score -= 0.4 * max(0, 6 - question)  # "What must the club have?" asks for little
    bare = one.answer.removeprefix("The ").removeprefix("A ")
    score += 0.5 if re.search(r"\d", bare) else 0.3 if re.search(r"\b[A-Z]", bare[1:]) else 0.0
    if re.search(r"\bwhat kind of\b", one.question, re.I) and kind not in ("term", "complement", "object"):
        score -= 1.2 if re.match(r"(?:\w+ )?what\b", one.question, re.I) else 2.0
    early = re.match(r"(?:\w+ ){0,4}(?:how|who|whom|what|which)\b", one.question, re.I)
    if kind == "within" and not one.backwards and not early:
        score -= 0.6  # the wh-word deep inside, as in a quiz
    if re.match(r"(?:how|who|in what year|which|when|where)\b", one.question, re.I):
        score += 0.3
    return score - (1.5 if one.length == FULL else 0.0)


def is_sound(one: Asked) -> bool:
    question, answer = one.question, one.answer
    pairs = (("(", ")"), ("“", "”"), ("[", "]"))
    balanced = all(question.count(a) == question.count(b) and answer.count(a) == answer.count(b) for a, b in pairs)
    balanced = balanced and (question + answer).count('"') % 2 == 0
    if not balanced or not 4 <= len(re.findall(r"\w+", question)) <= 34 or len(answer.split()) > 45:
        return False
    if _has_lost_pronoun(one) or (one.length != FULL and re.fullmatch(r"The same \w+\.", answer)):
        return False
    if one.length == FULL:
        return True
    gives_away = stands_in(answer.lower().rstrip("."), question.lower())
    if gives_away or (one.target != "announced" and _POINTING.search(answer)):
        return False  # "A proponent of this idea."
    return one.target.startswith(("that", "whether", "state", "happened")) or not _PRONOUN.match(answer)


def _has_lost_pronoun(one: Asked) -> bool:
    """A pronoun whose noun the question does not hold. Behind six words it is taken to refer back into it."""
    for match in _SUCH.finditer(one.question):  # "channels for such stations", "from that station": which?
        if not re.search(rf"\b{re.escape(match['noun'])}\b", one.question[: match.start()], re.I):
            return True
    quoted = [match.span() for match in _QUOTED.finditer(one.question)]
    for match in _DANGLING.finditer(one.question):
        word, before, after = match.group().lower(), one.question[: match.start()], one.question[match.end() :]
        held = (
            any(start < match.start() < end for start, end in quoted)
            or (word in ("this", "these", "those") and _ITS_OWN.match(after))
            or (word in ("it", "they", "them") and len(before.split()) >= 6 and not one.backwards)
            or (word == "those" and _RESTRICTED.match(after))
        )
        if not held:
            return True
    return False
