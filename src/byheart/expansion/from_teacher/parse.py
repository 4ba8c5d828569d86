"""Reads question-answer pairs from a teacher's reply, with any text around them, and also from a reply that was cut.

No pair is lost because its neighbour is broken: where the whole is not JSON, each object is read alone, and json-repair
mends it. What was cut off is not mended: it would give half an answer.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from byheart.teacher.response import strip_thinking

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
# What JSON means by a backslash. Any other is a letter of the text, also in the LaTeX commands that begin like an
# escape (\frac, \beta, \rho, \theta, \nabla): a form feed or a tab before these letters is not what was meant.
_ESCAPE = re.compile(
    r"""\\(?P<json>[\\"'/]|[bfr](?![A-Za-z])|u[0-9A-Fa-f]{4}"""
    r"""|t(?!(?:heta|imes|ext\w*|au|anh?|frac|ilde|riangle|op?)(?![A-Za-z]))"""
    r"""|n(?!(?:abla|eq|eg|otin)(?![A-Za-z])|u(?![\s\w])))|\\"""
)
_SMART = str.maketrans(dict.fromkeys("“”„‟", '"'))
_KEY = re.compile(r"""[^",:]{,40}""")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OPENING = re.compile(r"""\{\s*["'“”„]|\[\s*\{""")  # an object with a key, or a list of objects
_MARKS = re.compile(r'\\.|["{}\[\]]', re.S)
HUGE, MOST_FACTS = 1e300, 10**6  # what no answer and no fact's number reaches
DEEPEST = 20  # objects within objects
FARTHEST = 6000  # characters that a repair looks ahead: the length of a long pair
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
    """`cut`: the reply ended at its token limit."""
    text = strip_thinking(text)
    rows, rest = _rows_in(text)
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
        broken.append((CUT if cut or _closing(tail, 0) < 0 else BROKEN, tail))
    if not pairs and not broken:
        broken.append((NO_PAIR, text))
    return Parsed(tuple(pairs), tuple((reason, _short(raw)) for reason, raw in broken))


def parse_objects(text: str) -> list[dict[str, object]]:
    """Every innermost JSON object of a reply that can be read, e.g. a judge's verdicts."""
    return _rows_in(strip_thinking(text))[0]


def _rows_in(text: str) -> tuple[list[dict[str, object]], str]:
    """The innermost objects, and the text behind the last one: the outermost that can be read, else those within."""
    text = _ESCAPE.sub(lambda found: found[0] if found["json"] else r"\\", text)
    rows: list[dict[str, object]] = []
    place = last = 0
    while opening := _OPENING.search(text, place):
        value, end = _decode(text, opening.start())
        rows += _rows(value)
        last = end or last
        place = end or opening.start() + 1
    return rows, text[last:]


def _rows(value: object, depth: int = 0) -> Iterator[dict[str, object]]:
    """The objects that contain no objects: a pair, inside {"pairs": [...]}, inside a list, or alone."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _rows(each, depth + 1)
    elif isinstance(value, dict):
        inner = [each for each in value.values() if isinstance(each, dict | list)]
        nested = [row for each in inner for row in _rows(each, depth + 1)]
        if nested:
            yield from nested
        elif not (len(value) == 1 and inner):  # {"pairs": []} holds nothing
            yield value


def _decode(text: str, start: int) -> tuple[object, int]:
    """The value that begins at `start` and its end; (None, 0) where nothing can be read."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    end = _closing(text, start)
    if end < 0 or _OPENING.search(text, start + 1, end):  # cut off, or objects within, each of which is read alone
        return None, 0
    row = _mended(text[start:end])
    return (row, end) if row else (None, 0)


def _mended(piece: str) -> dict[str, object] | None:
    """A broken object as json-repair reads it."""
    import json_repair

    try:
        row = json_repair.loads(piece if '"' in piece else piece.translate(_SMART), skip_json_loads=True)
    except Exception:  # whatever noise does to the library costs this object and no other
        return None
    # Torn apart at a quote within a text: the rest of the text was dropped, or has become a key.
    if not isinstance(row, dict) or _letters(json.dumps(row, ensure_ascii=False)) < _letters(piece):
        return None
    return row if all(_KEY.fullmatch(key) for key in row) else None


def _letters(written: str) -> int:
    """Letters and digits of a JSON text, escapes left out."""
    return sum(map(str.isalnum, re.sub(r"\\(?:u[0-9A-Fa-f]{4}|.)", "", written)))


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


def _pair(row: dict[str, object]) -> Pair | None:
    low = {str(key).strip().lower(): value for key, value in row.items()}
    question = next((_text(low[key]) for key in QUESTION_KEYS if _text(low.get(key))), "")
    answer = next((_text(low[key]) for key in ANSWER_KEYS if _text(low.get(key))), "")
    if not question or not answer:
        return None
    named = next((low[key] for key in FACT_KEYS if key in low), ())
    return Pair(question, answer, _numbers(named), _text(low.get("angle", low.get("type"))).lower())


def _text(value: object) -> str:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return str(value) if abs(value) < HUGE else ""  # nor infinity, nor "not a number"
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(_plain(str(each)) for each in value)
    return ""


def _plain(text: str) -> str:
    """Without control characters: weak models at high temperatures write them, and no page or terminal shows them."""
    return _CONTROL.sub("", text).strip()


def _numbers(value: object) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(number for each in value for number in _numbers(each)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (int(value),) if abs(value) < MOST_FACTS else ()
    found = re.findall(r"\d+", value) if isinstance(value, str) else ()
    return tuple(dict.fromkeys(int(number) for number in found if len(number) < len(str(MOST_FACTS))))


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


def _tail(rest: str) -> str:
    """What looks like the beginning of one more pair behind the last that could be read."""
    start = rest.find("{")
    return rest[start:] if start >= 0 and '"' in rest[start:] else ""


def _short(raw: str) -> str:
    return raw if len(raw) <= 2000 else raw[:1997] + "..."
