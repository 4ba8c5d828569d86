"""The JSON values in a teacher's reply, with any text around them. What is broken is mended where nothing is lost by it.

Takes time in proportion to the text, whatever it is.
"""

import json
import re

# What JSON means by a backslash. Any other is a letter of the text, also in the LaTeX commands that begin like an
# escape (\frac, \beta, \rho, \theta, \nabla): a form feed or a tab before these letters is not what was meant.
_ESCAPE = re.compile(
    r"""\\(?P<json>[\\"'/]|[bfr](?![A-Za-z])|u[0-9A-Fa-f]{4}"""
    r"""|t(?!(?:heta|imes|ext\w*|au|anh?|frac|ilde|riangle|op?)(?![A-Za-z]))"""
    r"""|n(?!(?:abla|eq|eg|otin)(?![A-Za-z])|u(?![\s\w])))|\\"""
)
_SMART = str.maketrans(dict.fromkeys("“”„‟", '"'))
_KEY = re.compile(r"""[^",:]{,40}""")
_OPENING = re.compile(r"""\{\s*["'“”„]|\[\s*\{""")  # an object with a key, or a list of objects
_MARKS = re.compile(r'\\.|["{}\[\]]', re.S)
TOO_DEEP = object()  # stands for a value that nests deeper than can be read
FARTHEST = 6000  # characters that a repair looks ahead: the length of a long pair
WINDOW = 30_000  # characters in which an object is looked for first
# How much is tried at objects that cannot be read, in characters, with so many for each character of the answer. An
# answer may consist of such beginnings, and a repair costs more for each character.
EFFORT, EFFORT_EACH, REPAIR_COST = 1_000_000, 10, 30
_DECODER = json.JSONDecoder(strict=False)  # raw newlines inside strings are common


def values_in(text: str) -> tuple[list[object], str]:
    """The lists and objects of a text, and the text behind the last one: the outermost that can be read, else those
    within."""
    text = _ESCAPE.sub(lambda found: found[0] if found["json"] else r"\\", text)
    values: list[object] = []
    place = last = 0
    effort = EFFORT + EFFORT_EACH * len(text)
    while effort > 0 and (opening := _OPENING.search(text, place)):
        value, end, cost = _decode(text, opening.start())
        if end:
            values += [] if value is TOO_DEEP else [value]
            last = end
        place = end or opening.start() + 1
        effort -= cost
    return values, text[last:]


def _decode(text: str, start: int) -> tuple[object, int, int]:
    """The value that begins at `start`, its end, and the characters that were tried in vain; its end is 0 where nothing
    can be read."""
    tried = 0
    # First in a window: the decoder counts the lines before an error, which takes the longer, the longer the text is.
    for piece in (text[start : start + WINDOW], text[start:]) if len(text) - start > WINDOW else (text[start:],):
        try:
            value, size = _DECODER.raw_decode(piece)
            return value, start + size, tried
        except RecursionError:  # as a whole it is passed over: each of its levels would be too deep again
            if (end := closing(text, start, len(text))) > 0:
                return TOO_DEEP, end, tried + end - start
            tried += len(text) - start
            break
        except ValueError as error:
            place = getattr(error, "pos", 0)
            tried += place + len(piece) // 100
            if place < len(piece) - FARTHEST and "Unterminated" not in str(error)[:20]:
                break
    end = closing(text, start)
    tried += end - start if end > 0 else FARTHEST
    if end < 0 or _OPENING.search(text, start + 1, end):  # cut off, or objects within, each of which is read alone
        return None, 0, tried
    row = _mended(text[start:end])
    return (row, end, tried) if row else (None, 0, tried + REPAIR_COST * (end - start))


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


def closing(text: str, start: int, farthest: int = FARTHEST) -> int:
    """Behind the bracket that closes the one at `start`, strings left out; -1 where none does."""
    depth, quoted = 0, False
    for mark in _MARKS.finditer(text, start, start + farthest):
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
