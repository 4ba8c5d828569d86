"""Reads question-answer pairs from a teacher's reply, with any text around them, and also from a reply that was cut.

No pair is lost because its neighbour is broken: where the whole is not JSON, each object is read alone, and json-repair
mends it. What was cut off is not mended: it would give half an answer.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from byheart.expansion.from_teacher.objects import closing, values_in
from byheart.outside import outside_text
from byheart.teacher.base import Reply
from byheart.teacher.response import strip_thinking

QUESTION_KEYS = ("question", "q", "prompt", "instruction", "input", "query")
ANSWER_KEYS = ("answer", "a", "response", "output", "completion", "reply")
TEXT_KEYS = ("text", "value", "content", "answer")  # of an object where a text was asked for
FACT_KEYS = ("fact", "facts", "fact_id", "fact_ids", "fact_number")
QUESTION_MARKS = ("?", "？", "؟")
_ANGLES = ("simple", "detailed", "scenario", "completion", "reverse")
NO_PAIR = "no question-answer pair could be read in the teacher's answer"
BROKEN = "a pair without a question or without an answer"
CUT = "the teacher's answer was cut off in the middle of a pair"
TOO_MANY = "more pairs than an answer can have"
UNREADABLE = "the teacher's answer cannot be read"
# "Q: ...", "**Answer 2:** ...", and "### Question 1" on a line of its own
_LABELLED = re.compile(
    r"^[ \t>*_#-]*+(?:\d++[.)][ \t]*+)?[*_]*+(?P<kind>question|answer|q|a|frage|antwort|pregunta|respuesta|réponse|reponse"
    r"|pergunta|resposta|domanda|risposta|вопрос|ответ|问题|問題|问|答案|回答|答|質問|질문|답변|답)"
    r"[ \t]*+\d*+[ \t]*+[*_]*+(?:[:：.)][*_]*+[ \t]*+|$\n?)",
    re.I | re.M,
)
_ASKING = frozenset(("question", "q", "frage", "pregunta", "pergunta", "domanda", "вопрос"))
_ASKING |= frozenset(("问题", "問題", "问", "質問", "질문"))
_NUMBERED = re.compile(r"^[ \t]*\d+[.)][ \t]+(?P<question>\S.*[?？؟])[ \t*_]*$", re.M)
_MARKUP = re.compile(r"^\s*+(?:```\w*+\n)?+(?:\w++:[^\S\n]*+\n)?+\s*+- \w++:")  # YAML: a list of mappings
_QUOTES = {('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"), ("'", "'")}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
HUGE, MOST_FACTS = 1e300, 10**6  # what no answer and no fact's number reaches
SHOWN = 2000  # characters of what could not be read
DEEPEST = 20  # objects within objects
MOST_PAIRS, MOST_BROKEN, MOST_MARKUP = 1000, 100, 50_000  # in one answer: pairs, unread ones; characters of YAML


@dataclass(frozen=True)
class Pair:
    """As the teacher wrote it; `facts` are the numbers that the prompt gave them."""

    question: str
    answer: str
    facts: tuple[int, ...] = ()
    angle: str = ""


@dataclass(frozen=True)
class Parsed:
    """The pairs in their order, and what could not be read: (reason, the raw words)."""

    pairs: tuple[Pair, ...]
    broken: tuple[tuple[str, str], ...] = ()


def parse_pairs(text: str, cut: bool = False) -> Parsed:
    """`cut`: the reply ended at its token limit. Takes any text, and time in proportion to its length."""
    try:
        return _parsed(text, cut)
    except Exception as error:  # a stranger's text: nothing in it may cost more than this answer
        return Parsed((), ((f"{UNREADABLE} ({type(error).__name__})", _short(text)),))


def _parsed(text: str, cut: bool) -> Parsed:
    text = strip_thinking(text)
    rows, rest = _rows_in(text)
    if not rows:
        rows, rest = [] if cut else _in_yaml(text), ""
    pairs, broken = [], []
    for row in rows:
        pair = _pair(row)
        if pair is not None:
            pairs.append(pair)
        else:
            broken.append((BROKEN, json.dumps(row, ensure_ascii=False)))
    if not rows:
        pairs, broken = _labelled(text, cut)
    elif tail := _tail(rest):
        broken.append((CUT if cut or closing(tail, 0) < 0 else BROKEN, tail))
    if not pairs and not broken:
        broken.append((NO_PAIR, text))
    if len(pairs) > MOST_PAIRS:
        broken.insert(0, (TOO_MANY, f"{len(pairs):,} pairs, from which {MOST_PAIRS:,} were taken"))
    return Parsed(tuple(pairs[:MOST_PAIRS]), tuple((reason, _short(raw)) for reason, raw in broken[:MOST_BROKEN]))


def why_no_pair(reply: Reply) -> str:
    """Why a reply holds no pair; "" where it holds one."""
    parsed = parse_pairs(reply.text, reply.finish_reason == "length")
    return "" if parsed.pairs else parsed.broken[0][0]


def parse_objects(text: str) -> list[dict[str, object]]:
    """Every innermost JSON object of a reply that can be read, e.g. a judge's verdicts."""
    try:
        return _rows_in(strip_thinking(text))[0]
    except Exception:  # see `parse_pairs`
        return []


def _rows_in(text: str) -> tuple[list[dict[str, object]], str]:
    """The innermost objects, and the text behind the last one: the outermost that can be read, else those within."""
    values, rest = values_in(text)
    return [row for value in values for row in _rows(value)], rest


def _rows(value: object, depth: int = 0) -> Iterator[dict[str, object]]:
    """The pairs in {"pairs": [...]}, in a list, alone, or as two lists; and the objects that hold no others."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _rows(each, depth + 1)
    elif isinstance(value, dict):
        inner = [each for each in value.values() if isinstance(each, dict | list)]
        if _pair(value):
            yield value
            return
        if listed := _side_by_side(value):
            yield from listed
            return
        nested = [row for each in inner for row in _rows(each, depth + 1)]
        if nested:
            yield from nested
        elif not (len(value) == 1 and inner):  # {"pairs": []} holds nothing
            yield value


def _side_by_side(value: dict[str, object]) -> list[dict[str, object]]:
    """The pairs of {"questions": [...], "answers": [...]}, where there are as many of both."""
    low = {str(key).strip().lower().removesuffix("s"): each for key, each in value.items() if isinstance(each, list)}
    questions = next((low[key] for key in QUESTION_KEYS if key in low), [])
    answers = next((low[key] for key in ANSWER_KEYS if key in low), [])
    if len(questions) != len(answers) or not all(isinstance(each, str) for each in questions):
        return []
    return [{"question": q, "answer": a} for q, a in zip(questions, answers, strict=True)]


def _pair(row: dict[str, object]) -> Pair | None:
    low = {str(key).strip().lower(): value for key, value in row.items()}
    question = next((_text(low[key]) for key in QUESTION_KEYS if _text(low.get(key))), "")
    answer = next((_text(low[key]) for key in ANSWER_KEYS if _text(low.get(key))), "")
    if not question and not answer:
        question, answer = _by_mark(low)
    if not question or not answer:
        return None
    named = next((low[key] for key in FACT_KEYS if key in low), ())
    return Pair(question, answer, _numbers(named), _text(low.get("angle", low.get("type"))).lower())


def _by_mark(row: dict[str, object]) -> tuple[str, str]:
    """Question and answer under keys of another language: of two texts, the one that ends with a question mark."""
    texts = [_text(value) for value in row.values() if isinstance(value, str) and value.strip().lower() not in _ANGLES]
    asking = [text.endswith(QUESTION_MARKS) for text in texts]
    return (texts[0], texts[1]) if asking == [True, False] else ("", "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return str(value) if abs(value) < HUGE else ""  # nor infinity, nor "not a number"
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(_plain(str(each)) for each in value)
    if isinstance(value, dict):  # of several texts nothing says which is meant
        texts = [_plain(each) for each in value.values() if isinstance(each, str)]
        named = [_plain(each) for key, each in value.items() if key in TEXT_KEYS and isinstance(each, str)]
        return named[0] if len(named) == 1 else texts[0] if len(value) == len(texts) == 1 else ""
    return ""


def _plain(text: str) -> str:
    """Without control characters: weak models at high temperatures write them, and no page or terminal shows them.

    Text in JSON is decoded only here, so this is where a key in escapes comes to light, or half a surrogate pair.
    """
    return outside_text(_CONTROL.sub("", text).strip())


def _numbers(value: object) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(number for each in value for number in _numbers(each)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (int(value),) if abs(value) < MOST_FACTS else ()
    found = re.findall(r"\d+", value) if isinstance(value, str) else ()
    return tuple(dict.fromkeys(int(number) for number in found if len(number) < len(str(MOST_FACTS))))


def _in_yaml(text: str) -> list[dict[str, object]]:
    """The mappings of an answer that is YAML; empty where it is none."""
    if len(text) > MOST_MARKUP or not _MARKUP.match(text):
        return []
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):  # a few lines of them are billions of values
                raise yaml.YAMLError
            return super().compose_node(parent, index)

    try:
        value = yaml.load(re.sub(r"^\s*```\w*\n|\n```\s*$", "", text), Loader)
    except Exception:  # also what a date of 99 days or a tag does to the library
        return []
    return list(_rows(value))


def _labelled(text: str, cut: bool) -> tuple[list[Pair], list[tuple[str, str]]]:
    """Pairs written as "Q: ... A: ...", with or without numbers, bold or quote marks; or as a list of questions."""
    marks = list(_LABELLED.finditer(text))
    if not marks and (marks := list(_NUMBERED.finditer(text))):
        return _listed(text, marks, cut)
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    pieces = [(mark["kind"].lower(), _unmarked(text[mark.end() : end])) for mark, end in zip(marks, ends, strict=False)]
    pairs: list[Pair] = []
    broken: list[tuple[str, str]] = []
    question = ""
    for kind, said in pieces:
        if kind in _ASKING:
            if question:
                broken.append((BROKEN, question))
            question = said
        elif question and said:
            pairs.append(Pair(question, said))
            question = ""
    if cut and pairs and not question:
        last = pairs.pop()  # nothing shows where it would have ended
        broken.append((CUT, f"{last.question} {last.answer}"))
    if question:
        broken.append((CUT if cut else BROKEN, question))
    return _without_closing_words(pairs), broken


def _listed(text: str, marks: Sequence[re.Match[str]], cut: bool) -> tuple[list[Pair], list[tuple[str, str]]]:
    """Pairs of a numbered list: each item is a question, and what stands below it is its answer."""
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    found = [
        (_unmarked(mark["question"]), _unmarked(re.sub(r"\A\s*[-*•]\s+", "", text[mark.end() : end])))
        for mark, end in zip(marks, ends, strict=True)
    ]
    broken = [(BROKEN, question) for question, answer in found if not answer]
    pairs = [Pair(question, answer) for question, answer in found if answer]
    if cut and pairs and found[-1][1]:
        last = pairs.pop()
        broken.append((CUT, f"{last.question} {last.answer}"))
    return _without_closing_words(pairs), broken


def _without_closing_words(pairs: list[Pair]) -> list[Pair]:
    """What follows the last answer ("I hope this helps!") is no part of it, where no other answer has so many parts."""
    if len(pairs) < 2:
        return pairs
    parts = pairs[-1].answer.split("\n\n")
    most = max(len(pair.answer.split("\n\n")) for pair in pairs[:-1])
    return [*pairs[:-1], replace(pairs[-1], answer=_unmarked("\n\n".join(parts[:most])))]


def _unmarked(text: str) -> str:
    """Without the marks of Markdown or quotation around the whole."""
    text = _plain(text).strip("*_").strip()
    inner = text[1:-1]
    return inner.strip() if len(text) > 1 and (text[0], text[-1]) in _QUOTES and text[0] not in inner else text


def _tail(rest: str) -> str:
    """What looks like the beginning of one more pair behind the last that could be read."""
    start = rest.find("{")
    return rest[start:] if start >= 0 and '"' in rest[start:] else ""


def _short(raw: str) -> str:
    raw = outside_text(raw[: 2 * SHOWN])
    return raw if len(raw) <= SHOWN else raw[: SHOWN - 3] + "..."
