"""What a teacher's answer holds: question-answer pairs, whatever was wrapped around them and wherever it broke off.

No pair is lost because its neighbour is broken: where the whole is not JSON, each object is read alone.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from byheart.teacher.thinking import strip_thinking

QUESTION_KEYS = ("question", "q", "prompt", "instruction", "input", "query")
ANSWER_KEYS = ("answer", "a", "response", "output", "completion", "reply")
FACT_KEYS = ("fact", "facts", "fact_id", "fact_ids", "fact_number")
NO_PAIR = "no question-answer pair could be read in the teacher's answer"
BROKEN = "a pair without a question or without an answer"
CUT = "the teacher's answer was cut off in the middle of a pair"
_LABELLED = re.compile(
    r"^[ \t>*_#-]*(?:\d+[.)][ \t]*)?[*_]*(?P<kind>question|answer|q|a|frage|antwort)[ \t]*\d*[ \t]*[*_]*[:.)][*_]*[ \t]*",
    re.I | re.M,
)
_STRAY_BACKSLASH = re.compile(r'\\(?![\\"/bfnrtu])')
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_SMART = {"“": '"', "”": '"', "„": '"', "‟": '"'}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OPENING = re.compile(r"""\{\s*["'“”„]|\[\s*\{""")  # an object with a key, or a list of objects
_MARKS = re.compile(r'\\.|["{}\[\]]', re.S)
FARTHEST = 6000  # characters that a repair looks ahead: a pair, not a book
_DECODER = json.JSONDecoder(strict=False)  # raw newlines inside strings are common


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
    """`cut` says that the answer ended at its token limit."""
    text = strip_thinking(text)
    found = list(_objects(text))
    rows = [row for each, _ in found for row in _rows(each)]
    pairs, broken = [], []
    for row in rows:
        pair = _pair(row)
        if pair is not None:
            pairs.append(pair)
        else:
            broken.append((BROKEN, json.dumps(row, ensure_ascii=False)))
    if not rows:
        labelled, rest = _labelled(text, cut)
        pairs += labelled
        broken += rest
    elif tail := _tail(text, found):
        broken.append((CUT if cut or not _balanced(tail) else BROKEN, tail))
    if not pairs and not broken:
        broken.append((NO_PAIR, text))
    return Parsed(tuple(pairs), tuple((reason, _short(raw)) for reason, raw in broken))


def parse_objects(text: str) -> list[dict[str, Any]]:
    """Every innermost JSON object of an answer that can be read, e.g. a judge's verdicts."""
    return [row for each, _ in _objects(strip_thinking(text)) for row in _rows(each)]


def _rows(value: Any) -> Iterator[dict[str, Any]]:
    """The objects that hold no further ones: a pair, whether it stands in {"pairs": [...]}, a list, or alone."""
    if isinstance(value, list):
        for each in value:
            yield from _rows(each)
    elif isinstance(value, dict):
        inner = [each for each in value.values() if isinstance(each, dict | list)]
        nested = [row for each in inner for row in _rows(each)]
        if nested:
            yield from nested
        elif not (len(value) == 1 and inner):  # {"pairs": []} holds nothing
            yield value


def _objects(text: str) -> Iterator[tuple[Any, int]]:
    """JSON values in the text with their ends: the outermost that can be read, else those within."""
    place = 0
    while opening := _OPENING.search(text, place):
        start = opening.start()
        value, end = _decode(text, start)
        if end > start:
            yield value, end
            place = end
        else:
            place = start + 1


def _decode(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start` and its end; the end is `start` where nothing can be read."""
    try:
        return cast(tuple[Any, int], _DECODER.raw_decode(text, start))
    except (ValueError, RecursionError):
        pass
    end = _closing(text, start)
    if end < 0:
        return None, start
    piece = text[start:end]
    for mended in (
        _TRAILING_COMMA.sub(r"\1", _STRAY_BACKSLASH.sub(r"\\\\", piece)),
        _TRAILING_COMMA.sub(r"\1", "".join(_SMART.get(letter, letter) for letter in piece)),
        _pythonic(piece),
    ):
        try:
            return json.loads(mended, strict=False), end
        except (ValueError, RecursionError):
            continue
    return None, start


def _closing(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`, strings left out; -1 where none does."""
    depth, quoted = 0, False
    for mark in _MARKS.finditer(text, start, start + FARTHEST):
        letter = mark[0]
        if letter == '"':
            quoted = not quoted
        elif quoted or len(letter) > 1:
            continue
        elif letter in "{[":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return mark.end()
    return -1


def _pythonic(piece: str) -> str:
    """Single-quoted keys and values as JSON writes them."""
    mended = re.sub(r"(?<=[{,:\[])(\s*)'|'(?=\s*[},:\]])", r'\1"', piece)
    return _TRAILING_COMMA.sub(r"\1", mended)


def _pair(row: dict[str, Any]) -> Pair | None:
    low = {str(key).strip().lower(): value for key, value in row.items()}
    question = next((_text(low[key]) for key in QUESTION_KEYS if _text(low.get(key))), "")
    answer = next((_text(low[key]) for key in ANSWER_KEYS if _text(low.get(key))), "")
    if not question or not answer:
        return None
    named = next((low[key] for key in FACT_KEYS if key in low), ())
    return Pair(question, answer, _numbers(named), _text(low.get("angle", low.get("type"))).lower())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(_plain(str(each)) for each in value)
    return ""


def _plain(text: str) -> str:
    """Without control characters: weak models at high temperatures write them, and no page or terminal shows them."""
    return _CONTROL.sub("", text).strip()


def _numbers(value: Any) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(number for each in value for number in _numbers(each)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (int(value),)
    return tuple(dict.fromkeys(int(number) for number in re.findall(r"\d+", value))) if isinstance(value, str) else ()


def _labelled(text: str, cut: bool) -> tuple[list[Pair], list[tuple[str, str]]]:
    """Pairs written as "Q: ... A: ...", with or without numbers, bold or quote marks."""
    marks = list(_LABELLED.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    pieces = [
        (mark["kind"].lower(), _plain(text[mark.end() : end]).strip("*_").strip())
        for mark, end in zip(marks, ends, strict=False)
    ]
    pairs: list[Pair] = []
    broken: list[tuple[str, str]] = []
    question = ""
    for kind, said in pieces:
        if kind in ("question", "q", "frage"):
            if question:
                broken.append((BROKEN, question))
            question = said
        elif question and said:
            pairs.append(Pair(question, said.split("\n\n")[0].strip()))
            question = ""
    if cut and pairs and not question:
        last = pairs.pop()  # nothing shows where it would have ended
        broken.append((CUT, f"{last.question} {last.answer}"))
    if question:
        broken.append((CUT if cut else BROKEN, question))
    return pairs, broken


def _tail(text: str, found: list[tuple[Any, int]]) -> str:
    """What looks like the beginning of one more pair behind the last that could be read."""
    rest = text[found[-1][1] :]
    start = rest.find("{")
    return rest[start:] if start >= 0 and '"' in rest[start:] else ""


def _balanced(piece: str) -> bool:
    return _closing(piece, 0) > 0


def _short(raw: str) -> str:
    return raw if len(raw) <= 2000 else raw[:1997] + "..."
