"""What one HTTP exchange with a chat server means: an answer, a reason to try again, or the end of it.

A 200 may hold an error (OpenRouter), half a body or none; a 400 may only mean that the model takes no temperature.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from byheart.teacher.base import Reply

UNREACHABLE, LIMITED, SLOW, BROKEN = "unreachable", "limited", "slow", "broken"
NO_MONEY = re.compile(r"insufficient_quota|billing|credit balance|insufficient (funds|credits|balance)", re.I)
SCHEMA_WORDS = re.compile(r"response_format|json_schema|structured output|guided|grammar|strict", re.I)
LENGTH_WORDS = re.compile(r"max_completion_tokens", re.I)
TEMPERATURE_WORDS = re.compile(r"temperature", re.I)


@dataclass(frozen=True)
class Again:
    """Worth another try: the server is away, busy, slow, or said something that is no answer."""

    kind: str  # UNREACHABLE, LIMITED, SLOW or BROKEN
    reason: str
    wait_s: float | None = None  # what the server asked for


@dataclass(frozen=True)
class Refused:
    """This request will never be answered as it stands. `part` is what it could be sent without."""

    reason: str
    part: str = ""  # "temperature", "schema" or "max_tokens"


@dataclass(frozen=True)
class Hopeless:
    """No request will be answered: a wrong key, no money, no such model."""

    reason: str
    fix: str


Verdict = Reply | Again | Refused | Hopeless


def judge(status: int, headers: Mapping[str, str], body: str) -> Verdict:
    """What the server's response to a chat completion means."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if status == 200:
        error = said.get("error") if isinstance(said, dict) else None
        if error and not said.get("choices"):
            inner = error.get("code") if isinstance(error, dict) else None
            return _judge_error(inner if isinstance(inner, int) and inner >= 400 else 500, headers, said, body)
        return _read(said) if isinstance(said, dict) else Again(BROKEN, f"200 with no JSON in it: {_short(body)}")
    return _judge_error(status, headers, said, body)


def _judge_error(status: int, headers: Mapping[str, str], said: Any, body: str) -> Verdict:
    words = _words(said) or _short(body)
    reason = f"{status}: {words}" if words else str(status)
    code = f"{_field(said, 'code')} {_field(said, 'type')}"
    if status in (401, 407):
        return Hopeless(f"the server does not accept the key ({reason})", "check the variable that holds it")
    if status == 402 or (status in (403, 429) and NO_MONEY.search(f"{code} {words}")):
        return Hopeless(f"the account has no credit left ({reason})", "add credit, then give the same command again")
    if status == 403 and not re.search(r"moderat|flagged|content", words, re.I):
        return Hopeless(f"the server forbids it ({reason})", "may this key use teacher.model?")
    if status in (404, 405):
        return Hopeless(
            f"no such model or address ({reason})", "check teacher.model, and that teacher.base_url ends as /v1"
        )
    if status == 429:
        return Again(LIMITED, f"429, too many requests: {words}", retry_after(headers))
    if status in (408, 409, 425) or status >= 500:
        return Again(BROKEN, f"{reason} from the server", retry_after(headers))
    return Refused(f"the server refused the request: {reason}", _part(_field(said, "param"), words))


def _part(param: str, words: str) -> str:
    if LENGTH_WORDS.search(words):
        return "max_tokens"
    named = param or words
    if TEMPERATURE_WORDS.search(named):
        return "temperature"
    return "schema" if SCHEMA_WORDS.search(named) else ""


def _read(said: dict[str, Any]) -> Verdict:
    choices = said.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        return Again(BROKEN, "200 without an answer in it")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    refusal = message.get("refusal")
    if content is None:
        content = ""
    if not isinstance(content, str):
        return Again(BROKEN, "200 with an answer that is no text")
    finish = str(first.get("finish_reason") or "stop")  # type: ignore[union-attr]
    if finish == "error":
        return Again(BROKEN, "200 with an answer that broke off")
    usage = said.get("usage") if isinstance(said.get("usage"), dict) else {}
    notes = ("the model declined to answer",) if refusal and not content else ()
    return Reply(content, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), False, finish, notes)


def _count(usage: Any, name: str) -> int:
    value = usage.get(name)
    return int(value) if isinstance(value, int | float) and value >= 0 else 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait (RFC 9110: seconds or a date), where it says so."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        said = headers.get("retry-after")
        if not said:
            return None
        try:
            return max(0.0, float(said))
        except ValueError:
            return max(0.0, parsedate_to_datetime(said).timestamp() - time())
    except (ValueError, TypeError):
        return None


def _field(said: Any, name: str) -> str:
    error = said.get("error", said) if isinstance(said, dict) else None
    value = error.get(name) if isinstance(error, dict) else None
    return str(value) if value is not None else ""


def _words(said: Any) -> str:
    error = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(error, str):
        return _short(error)
    return _short(_field(said, "message") or _field(said, "detail"))


def _short(text: str) -> str:
    """On one line, without signs that a terminal would obey."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= 200 else text[:197] + "..."
