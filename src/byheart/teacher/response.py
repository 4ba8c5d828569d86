"""The meaning of a chat server's response: a reply, a reason to try again, or an error for all requests.

A 200 may hold an error (OpenRouter), half a body or none. A 400 may only mean that the model accepts no temperature.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

from byheart.teacher.base import Reply

UNREACHABLE, LIMITED, SLOW, BROKEN = "unreachable", "limited", "slow", "broken"
NO_MONEY = re.compile(r"insufficient_quota|billing|credit balance|insufficient (funds|credits|balance)", re.I)
SCHEMA_WORDS = re.compile(r"response_format|json_schema|structured output|guided|grammar|strict", re.I)
LENGTH_WORDS = re.compile(r"max_completion_tokens", re.I)
TEMPERATURE_WORDS = re.compile(r"temperature", re.I)

OPEN = r"<(think|thinking|thought|reasoning|seed:think)>"
WHOLE = re.compile(rf"{OPEN}.*?</\1>", re.S | re.I)
# Templates that open the thinking themselves (DeepSeek R1, Qwen3 thinking) leave only its end in the answer.
HEADLESS = re.compile(r"\A.*</(think|thinking|thought|reasoning|seed:think)>", re.S | re.I)
UNENDED = re.compile(rf"\A\s*{OPEN}.*\Z", re.S | re.I)
# gpt-oss' channels, where a server does not parse them: the final one is the answer
CHANNEL = re.compile(r"\A.*<\|channel\|>final<\|message\|>(.*?)(?:<\|(?:return|end)\|>.*)?\Z", re.S)


@dataclass(frozen=True)
class Retry:
    """Worth another try: the server is unreachable, busy or slow, or its response is no chat completion."""

    kind: str  # UNREACHABLE, LIMITED, SLOW or BROKEN
    reason: str
    wait_s: float | None = None  # as the server asks


@dataclass(frozen=True)
class Refused:
    """The server will not answer this request. `part` is what it may accept the request without."""

    reason: str
    part: str = ""  # "temperature", "schema" or "max_tokens"


@dataclass(frozen=True)
class Fatal:
    """No request will be answered: a wrong key, no money, no such model."""

    reason: str
    fix: str


Response = Reply | Retry | Refused | Fatal


def read_response(status: int, headers: Mapping[str, str], body: str) -> Response:
    """The meaning of the response to a chat completion."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if status == 200:
        error = said.get("error") if isinstance(said, dict) else None
        if error and not said.get("choices"):
            inner = error.get("code") if isinstance(error, dict) else None
            return _read_error(inner if isinstance(inner, int) and inner >= 400 else 500, headers, said, body)
        return (
            _read(said)
            if isinstance(said, dict)
            else Retry(BROKEN, f"200 with a body that is not JSON: {_short(body)}")
        )
    return _read_error(status, headers, said, body)


def _read_error(status: int, headers: Mapping[str, str], said: object, body: str) -> Response:
    words = _words(said) or _short(body)
    reason = f"{status}: {words}" if words else str(status)
    code = f"{_field(said, 'code')} {_field(said, 'type')}"
    if status in (401, 407):
        return Fatal(
            f"the server does not accept the key ({reason})", "check the environment variable that holds the key"
        )
    if status == 402 or (status in (403, 429) and NO_MONEY.search(f"{code} {words}")):
        return Fatal(f"the account has no credit left ({reason})", "add credit, then run the same command again")
    if status == 403 and not re.search(r"moderat|flagged|content", words, re.I):
        return Fatal(f"the server forbids it ({reason})", "check that this key may use teacher.model")
    if status in (404, 405):
        return Fatal(
            f"no such model or address ({reason})", "check teacher.model, and that teacher.base_url ends with /v1"
        )
    if status == 429:
        return Retry(LIMITED, f"429, too many requests: {words}", retry_after(headers))
    if status in (408, 409, 425) or status >= 500:
        return Retry(BROKEN, f"{reason} from the server", retry_after(headers))
    return Refused(f"the server refused the request: {reason}", _part(_field(said, "param"), words))


def _part(param: str, words: str) -> str:
    if LENGTH_WORDS.search(words):
        return "max_tokens"
    named = param or words
    if TEMPERATURE_WORDS.search(named):
        return "temperature"
    return "schema" if SCHEMA_WORDS.search(named) else ""


def _read(said: dict[str, object]) -> Response:
    choices = said.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        return Retry(BROKEN, "200 without an answer in it")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    content = "" if content is None else content
    if not isinstance(content, str):
        return Retry(BROKEN, "200 with an answer that is not text")
    finish = str(first.get("finish_reason") or "stop")
    if finish == "error":
        return Retry(BROKEN, "200 with an incomplete answer")
    usage = said.get("usage")
    tokens = usage if isinstance(usage, dict) else {}
    notes = ("the model declined to answer",) if message.get("refusal") and not content else ()
    return Reply(content, _count(tokens, "prompt_tokens"), _count(tokens, "completion_tokens"), False, finish, notes)


def _count(usage: dict[str, object], name: str) -> int:
    value = usage.get(name)
    return int(value) if isinstance(value, int | float) and value >= 0 else 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that the server asks for (RFC 9110: seconds or a date), or None."""
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


def _field(said: object, name: str) -> str:
    error = said.get("error", said) if isinstance(said, dict) else None
    value = error.get(name) if isinstance(error, dict) else None
    return str(value) if value is not None else ""


def _words(said: object) -> str:
    error = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(error, str):
        return _short(error)
    return _short(_field(said, "message") or _field(said, "detail"))


def _short(text: str) -> str:
    """On one line, without control characters for a terminal."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= 200 else text[:197] + "..."


def strip_thinking(text: str) -> str:
    """The answer without the thinking before it; empty where the model was cut while it still thought."""
    if channel := CHANNEL.match(text):
        text = channel[1]
    text = WHOLE.sub("", text)
    if UNENDED.match(text):
        return ""
    return HEADLESS.sub("", text).strip()
