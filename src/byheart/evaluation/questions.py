"""Reads the user's questions. All broken lines are reported at once; none is skipped silently."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from byheart.errors import Problem, UserError
from byheart.records import FORWARD, REVERSE, Document, Probe

FIELDS = ("id", "question", "answers", "options", "gold", "document", "support", "paragraph", "angle", "direction")
LONG_NUMBER = 4000  # digits
EXAMPLE = '{"question": "How long is a licence valid?", "answers": ["ten years", "10 years"]}'


def load_questions(path: str | Path, documents: Sequence[Document] = ()) -> list[Probe]:
    """One probe for each line of a JSONL file; raises one UserError that names every broken line.

    A line has `question` and `answers` (a text or several), or `options` and `gold` (0-based, or the option's text), or
    both. It may have `id`, `document` (file name, stem or title), `support`, `paragraph` (0-based) and `angle`;
    whatever else it has becomes a tag. A line without an id gets one from its content, never from its position.
    """
    probes, problems = _read(Path(path))
    if problems:
        raise UserError(*problems)
    return [_with_document(probe, documents) for probe in probes]


def check_questions(path: str | Path) -> list[Problem]:
    """Everything that `load_questions` would object to."""
    return _read(Path(path))[1]


def about_documents(probes: Sequence[Probe]) -> tuple[list[Probe], list[Probe]]:
    """(probes to ask, probes about documents that are not trained on). If no probe names a trained document, all are asked."""
    here = [probe for probe in probes if probe.document or not probe.tags.get("document")]
    away = [probe for probe in probes if not probe.document and probe.tags.get("document")]
    return (here, away) if here else (away, [])


def dev_share(probes: Sequence[Probe], share: float) -> tuple[list[Probe], list[Probe]]:
    """(dev, rest). A probe's part depends on its question's text alone, not on order or on other probes."""
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, got {share}")
    dev = [probe for probe in probes if _fraction(probe.question) < share]
    return dev, [probe for probe in probes if _fraction(probe.question) >= share]


def _fraction(question: str) -> float:
    return int.from_bytes(sha256(question.encode()).digest()[:8], "big") / 2**64


def _with_document(probe: Probe, documents: Sequence[Document]) -> Probe:
    """The probe with its document's id instead of the name that its author gave."""
    name = str(probe.tags.get("document") or "")
    home = _find_document(name, documents) if name else ""
    kept = {key: value for key, value in probe.tags.items() if key != "document" or not home}
    within = home or name
    if probe.support:
        group = f"{within}:{probe.support}"
    else:
        group = f"{within}:{probe.paragraph}" if probe.paragraph is not None else probe.id
    return replace(probe, document=home, group=group, tags=kept)


def _find_document(name: str, documents: Sequence[Document]) -> str:
    """The id of the only document with this name; "" if there is none, or more than one."""
    wanted = name.strip().casefold()
    for names in (
        lambda document: document.path,
        lambda document: PurePath(document.path).name,
        lambda document: PurePath(document.path).stem,
        lambda document: document.title,
    ):
        found = [document.id for document in documents if names(document).casefold() == wanted]
        if found:
            return found[0] if len(found) == 1 else ""
    bare = PurePath(name).name  # "texts/handbook.md", also if the file has moved
    return _find_document(bare, documents) if bare and bare != name else ""


def _read(path: Path) -> tuple[list[Probe], list[Problem]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return [], [Problem("there is no such file", "questions", str(path), "give the path of a JSONL file")]
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8 text, one JSON object a line"
        return [], [Problem("the file is not UTF-8 text", str(path), f"byte {error.start}", fix)]
    except OSError as error:
        return [], [Problem("the file cannot be read", "questions", str(path), str(error.strerror))]
    if not text.strip():
        return [], [Problem("the file is empty", str(path), "", f"write one question a line, such as {EXAMPLE}")]
    if text.lstrip().startswith("["):
        fix = f"write one object a line without brackets and commas around them, such as {EXAMPLE}"
        return [], [Problem("the file is one JSON list, not JSON lines", str(path), "", fix)]
    probes: list[Probe] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand inside a JSON string
        if not line.strip():
            continue
        row = _Line(f"{path}:{number}")
        probe = row.probe(line)
        problems += row.problems
        if probe and probe.id in first:
            own = _parsed(line).get("id") is not None
            what, value = ("id", probe.id) if own else ("question and answers", probe.question)
            fix = "give each question an id of its own, or remove one" if own else "remove one of them"
            problems.append(Problem(f"the same {what} as in line {first[probe.id]}", row.where, _short(value), fix))
        elif probe:
            first[probe.id] = number
            probes.append(probe)
    return probes, problems


class _Line:
    """Parses one line, and collects its problems."""

    def __init__(self, where: str):
        self.where = where
        self.problems: list[Problem] = []

    def fault(self, what: str, value: object, fix: str) -> None:
        self.problems.append(Problem(what, self.where, _short(value), fix))

    def probe(self, line: str) -> Probe | None:
        try:
            row = _parsed(line)
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError
            reason = f": {error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            self.fault(f"not valid JSON{reason}", line.strip(), f"write one object a line, such as {EXAMPLE}")
            return None
        if not isinstance(row, dict):
            self.fault("not a JSON object", row, f"write one object a line, such as {EXAMPLE}")
            return None
        row = {key: value for key, value in row.items() if value is not None}
        question = row.get("question", row.get("prompt"))  # a text to be continued is no question
        if not isinstance(question, str) or not question.strip():
            self.fault("`question` is missing or blank", row.get("question", ""), "write the question's text")
        answers = self._texts(row, "answers")
        options = self._texts(row, "options")
        gold = self._gold(row, options, answers)
        if "answers" not in row and "options" not in row:
            fix = "rename `answer` to `answers`" if "answer" in row else "give `answers`, or `options` and `gold`"
            self.fault("no answer to compare with", question or "", fix)
        paragraph = row.get("paragraph")
        if paragraph is not None and (type(paragraph) is not int or paragraph < 0):
            self.fault("`paragraph` must be a whole number from 0", paragraph, "count from 0, the title left out")
        texts = {key: self._text(row, key) for key in ("id", "document", "support", "angle", "direction")}
        if texts["direction"] not in ("", FORWARD, REVERSE):
            self.fault("unknown `direction`", texts["direction"], f"write {FORWARD!r} or {REVERSE!r}, or leave it out")
        if self.problems:
            return None
        assert isinstance(question, str)
        tags = {key: value for key, value in row.items() if key not in FIELDS or key == "document"}
        return Probe(
            id=texts["id"] or "q-" + sha256(json.dumps([question, answers, options]).encode()).hexdigest()[:12],
            question=question.strip(),
            answers=tuple(answers),
            options=tuple(options),
            gold=gold,
            support=texts["support"],
            paragraph=paragraph,
            angle=texts["angle"],
            direction=texts["direction"],
            tags=tags,
        )

    def _text(self, row: dict[str, object], key: str) -> str:
        """A short text; a number will do, and so will several texts."""
        value = row.get(key, "")
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, bool) or not isinstance(part, str | int | float) for part in parts):
            self.fault(f"`{key}` must be a text", value, f"write {key} as one text, or leave it out")
            return ""
        return ", ".join(str(part).strip() for part in parts)

    def _texts(self, row: dict[str, object], key: str) -> list[str]:
        if key not in row:
            return []
        given = row[key]
        values: list[object] = given if isinstance(given, list) else [given]
        if any(isinstance(value, bool) or not isinstance(value, str | int | float) for value in values):
            self.fault(f"`{key}` must be texts", row[key], f'write {key} as a list of texts: ["first", "second"]')
            return []
        texts = [str(value).strip() for value in values]
        if not texts or not all(texts):
            self.fault(f"`{key}` is empty or holds a blank text", row[key], "give every text, or leave the key out")
            return []
        if key == "options" and (len(texts) < 2 or len(set(texts)) < len(texts)):
            self.fault("`options` must be two or more different texts", row[key], "remove what stands there twice")
            return []
        return texts

    def _gold(self, row: dict[str, object], options: Sequence[str], answers: Sequence[str]) -> int | None:
        gold = row.get("gold")
        if not options:
            if gold is not None and "options" not in row:
                self.fault("`gold` without `options`", gold, "give the options, or `answers` in place of gold")
            return None
        if gold is None:
            among = [i for i, option in enumerate(options) if option in answers]
            if len(among) == 1:
                return among[0]
            self.fault("which option is right?", list(options), f"add `gold`: a number from 0 to {len(options) - 1}")
        elif type(gold) is int:
            if 0 <= gold < len(options):
                return gold
            fix = f"count from 0: the first option is 0, the last {len(options) - 1}"
            self.fault("`gold` points past the options", gold, fix)
        elif isinstance(gold, str) and gold.strip() in options:
            return options.index(gold.strip())
        else:
            letter = re.fullmatch(r"\s*([A-Z])\s*", gold) if isinstance(gold, str) else None
            number = f"; {letter[1]} would be {ord(letter[1]) - ord('A')}" if letter else ""
            fix = f"write a number from 0 to {len(options) - 1}, or the option's exact text{number}"
            self.fault("`gold` is none of the options", gold, fix)
        return None


def _parsed(line: str) -> Any:
    """A line of JSON. A whole number too long for Python (4,300 digits) stays the text that it is, as answers are."""
    return json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < LONG_NUMBER else digits)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
