"""The quality filters: each gives the reason why it refuses a pair, can be turned off, and has its threshold."""

import re
from dataclasses import dataclass

from byheart.documents.languages.language import UNSPACED, count_words, is_english
from byheart.errors import gather, wrong_numbers
from byheart.expansion.filters.alone import GENERIC, not_alone
from byheart.expansion.filters.ground import Ground
from byheart.expansion.filters.language import other_language
from byheart.expansion.filters.orders import speaks_as_itself, speaks_of_the_task
from byheart.expansion.filters.support import unsupported
from byheart.expansion.filters.words import content_stems, plain

ALONE = "the question cannot be understood alone"
UNSUPPORTED = "the text does not support the answer"
LENGTH = "the question or the answer is too short or too long"
UNENDED = "the answer is incomplete"
LANGUAGE = "it is not in the language of the document"
OBEYS = "it follows an instruction in the text, or mentions the prompt or the model"
GIVEN_AWAY = "the question contains the answer"
REPEATED = "it repeats another example of its fact"
JUDGED = "the judge did not find the answer supported"
_OPEN_END = re.compile(
    r"(?:[,(\[“:;/，、：；（「-]|\b(?:the|a|an|of|and|or|to|in|by|with|for|from|that|which))\s*$", re.I
)


@dataclass(frozen=True)
class Refusal:
    """Why a pair is refused: `reason` is the same for all refusals of a kind, `detail` belongs to this pair."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Filters:
    """The options of the filters. Null or false turns a filter off."""

    self_contained: bool = True
    support: float | None = 0.6
    min_answer_words: int = 1
    max_answer_words: int | None = 200
    max_question_words: int | None = 100
    language: bool = True
    orders: bool = True
    alike: float | None = 90.0
    judge: bool = False

    def __post_init__(self) -> None:
        lengths = ("min_answer_words", "max_answer_words", "max_question_words")
        checks = {
            "support": ("above 0 and at most 1, or null", lambda share: 0 < share <= 1),
            "alike": ("above 0 and at most 100, or null", lambda score: 0 < score <= 100),
            **dict.fromkeys(lengths, ("at least 1, or null", lambda count: count >= 1)),
        }
        gather(wrong_numbers(self, "gates", checks))

    def refuse(self, question: str, answer: str, angle: str, ground: Ground) -> Refusal | None:
        """The first filter that refuses the pair, or None. Repeats and the judge come later."""
        return (
            self._length(question, answer, angle, is_english(ground.language))
            or self._obeys(question, answer, ground)
            or self._language(question, answer, ground)
            or (_refusal(ALONE, not_alone(question, ground)) if self.self_contained else None)
            or self._given_away(question, answer, angle, ground)
            or self._support(question, answer, angle, ground)
        )

    def refuse_text(self, text: str, ground: Ground, people: bool = False) -> Refusal | None:
        """The same for a rewritten text, which answers no question; with `people`, as in a story, it may name persons."""
        count = count_words(text)
        if count < 3:
            return Refusal(LENGTH, f"{count} words")
        return (
            self._obeys("", text, ground)
            or self._language("", text, ground)
            or self._support("", text, "scenario", ground, people)
        )

    def _length(self, question: str, answer: str, angle: str, english: bool) -> Refusal | None:
        asked, said = _count(question), _count(answer)
        if asked < (3 if english else 2):  # "Кто капитан?" asks all that "Who is the captain?" does
            return Refusal(LENGTH, f"a question of {asked} words")
        if said < self.min_answer_words:
            return Refusal(LENGTH, f"an answer of {said} words")
        if self.max_answer_words is not None and said > self.max_answer_words:
            return Refusal(LENGTH, f"an answer of {said} words")
        if self.max_question_words is not None and asked > self.max_question_words:
            return Refusal(LENGTH, f"a question of {asked} words")
        closed = answer.rstrip().endswith("“") and ("„" in answer or "”" in answer)  # German, Urdu
        if angle != "completion" and said > 3 and _OPEN_END.search(answer) and not closed:
            return Refusal(UNENDED, answer[-30:])
        return None

    def _obeys(self, question: str, answer: str, ground: Ground) -> Refusal | None:
        if not self.orders:
            return None
        if said := speaks_of_the_task(f"{question} {answer}", ground.text):
            return Refusal(OBEYS, f"“{said}”")
        if not ground.orders:
            return None
        if speaks_as_itself(answer, ground.text):
            return Refusal(OBEYS, f"“{answer[:60]}” is written in the first person")
        own = {*content_stems(answer, ground.language)}
        ordered = own & ground.order_stems
        asked = {*content_stems(question, ground.language)} & ground.order_stems
        asks_about_it = len(asked) > 1 or bool(asked - GENERIC)
        # The answer's words come from the order alone, and the question asks about something else.
        if ordered and len(ordered) >= len(own) / 2 and not asks_about_it:
            return Refusal(OBEYS, f"“{answer[:60]}” follows an instruction in the text")
        return None

    def _language(self, question: str, answer: str, ground: Ground) -> Refusal | None:
        return _refusal(LANGUAGE, other_language(question, answer, ground)) if self.language else None

    def _given_away(self, question: str, answer: str, angle: str, ground: Ground) -> Refusal | None:
        said, asked = plain(answer), plain(question)
        repeated = said in asked if UNSPACED.search(said) else f" {said} " in f" {asked} "
        if angle != "scenario" and repeated and _count(said) > 2:
            return Refusal(GIVEN_AWAY, answer[:60])
        # "What is a repeater?" "A repeater": two words may be part of a question that offers a choice, but not the whole question
        about, given = ({*content_stems(text, ground.language)} for text in (question, answer))
        if about and about == given:
            return Refusal(GIVEN_AWAY, answer[:60])
        return None

    def _support(self, question: str, answer: str, angle: str, ground: Ground, people: bool = False) -> Refusal | None:
        if self.support is None:
            return None
        scenario = angle == "scenario"
        return _refusal(UNSUPPORTED, unsupported(question, answer, ground, self.support, scenario, people))


def _count(text: str) -> int:
    """Words, in scripts without blanks too."""
    return count_words(text) if UNSPACED.search(text) else len(plain(text).split())


def _refusal(reason: str, detail: str) -> Refusal | None:
    """Empty `detail`: the filter found nothing."""
    return Refusal(reason, detail) if detail else None
