"""The meaning of a chat server's response: a reply, a reason to try again, or an error for all requests.

A 200 may hold an error (OpenRouter), half a body or none. A 400 may only mean that the model accepts no temperature.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

from byheart.outside import outside_count
from byheart.teacher.base import Reply
from byheart.teacher.body import read_body

UNREACHABLE, LIMITED, SLOW, BROKEN = "unreachable", "limited", "slow", "broken"
NO_MONEY = re.compile(r"insufficient_quota|billing|credit balance|insufficient (funds|credits|balance)", re.I)
DAILY = re.compile(r"per[ _-]?day|daily", re.I)
SCHEMA_WORDS = re.compile(r"response_format|json_schema|structured output|guided|grammar|strict", re.I)
LENGTH_WORDS = re.compile(r"max_completion_tokens", re.I)
TEMPERATURE_WORDS = re.compile(r"temperature", re.I)
SYSTEM_WORDS = re.compile(
    r"system.{0,12}(role|message|prompt|instruction)|(role|instruction).{0,12}system|developer instruction"
    r"|roles? must alternate|only user and assistant roles",
    re.I,
)
WAIT = re.compile(r"(?:again|retry|wait)\s(?:in|after|for)\s+((?:[\d.]+\s*(?:ms|h|m|s)[a-z]*\s*)+)", re.I)
LONGEST_S = 7 * 86400.0  # that a wait can be
FAR = 2000  # characters of a body that are looked at for a message
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

DECLINED, THOUGHT = "the model declined to answer", "only thinking, no answer"  # notes of a reply

# Why a reply holds no answer.
FILTERED = "the server's content filter withheld the answer"
THOUGHT_OUT = "the model's thinking used up the tokens of the answer"
EMPTY = "the teacher's answer is empty"

OPEN = r"<(think|thinking|thought|reasoning|seed:think)>"
OPENING = re.compile(OPEN, re.I)
ENDS = {name: re.compile(f"</{name}>", re.I) for name in ("think", "thinking", "thought", "reasoning", "seed:think")}
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
    part: str = ""  # "temperature", "schema", "max_tokens" or "system"


@dataclass(frozen=True)
class Fatal:
    """No request will be answered: a wrong key, no money, no such model."""

    reason: str
    fix: str


Response = Reply | Retry | Refused | Fatal


def read_response(status: int, headers: Mapping[str, str], body: str) -> Response:
    """The meaning of the response to a chat completion, whatever it is."""
    try:
        return _read_response(status, headers, body)
    except Exception as error:  # a stranger's text: nothing in it may cost more than this answer
        return Retry(BROKEN, f"{status} with a body that cannot be read ({type(error).__name__}): {_short(body)}")


def _read_response(status: int, headers: Mapping[str, str], body: str) -> Response:
    said = read_body(body)
    if isinstance(said, list) and len(said) == 1:
        said = said[0]  # Gemini puts its errors into a list
    if status == 200:
        error = said.get("error") if isinstance(said, dict) else None
        if isinstance(said, dict) and said.get("object") == "error":
            error = said
        if isinstance(said, dict) and error and not said.get("choices"):
            inner = error.get("code") if isinstance(error, dict) else None
            return _read_error(inner if isinstance(inner, int) and inner >= 400 else 500, headers, said, body)
        if isinstance(said, dict):
            return _read(said)
        what = "is not JSON" if said is None else "holds no answer"
        return Retry(BROKEN, f"200 with a body that {what}: {_short(body)}")
    return _read_error(status, headers, said, body)


def _read_error(status: int, headers: Mapping[str, str], said: object, body: str) -> Response:
    words = _words(said) or _short(body)
    reason = f"{status}: {words}" if words else str(status)
    code = f"{_field(said, 'code')} {_field(said, 'type')}"
    wait_s, limit = _wait(headers, said), _limit(said)
    if status in (401, 407):
        return Fatal(
            f"the server does not accept the key ({reason})", "check the environment variable that holds the key"
        )
    if status == 429 and DAILY.search(limit):
        return Fatal(
            f"the day's requests are used up ({limit}; {reason})",
            "run the same command again tomorrow, or use another teacher.model",
        )
    # Structured fields outrank prose: who names a time to wait has not run out of money, whatever the message says.
    in_words = "" if wait_s is not None or limit else words
    if status == 402 or (status in (403, 429) and NO_MONEY.search(f"{code} {in_words}")):
        return Fatal(f"the account has no credit left ({reason})", "add credit, then run the same command again")
    if status == 403 and not re.search(r"moderat|flagged|content", words, re.I):
        return Fatal(f"the server forbids it ({reason})", "check that this key may use teacher.model")
    if status in (404, 405):
        return Fatal(
            f"no such model or address ({reason})", "check teacher.model, and that teacher.base_url ends with /v1"
        )
    if status == 429:
        return Retry(LIMITED, f"429, too many requests: {words}", wait_s if wait_s is not None else _wait_in(words))
    if status in (408, 409, 425) or status >= 500:
        return Retry(BROKEN, f"{reason} from the server", wait_s)
    return Refused(f"the server refused the request: {reason}", _part(_field(said, "param"), words))


def _part(param: str, words: str) -> str:
    if LENGTH_WORDS.search(words):
        return "max_tokens"
    if SYSTEM_WORDS.search(words):
        return "system"
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
    finish = _name(first.get("finish_reason")) or "stop"
    if finish == "error":
        return Retry(BROKEN, "200 with an incomplete answer")
    thought = str(message.get("reasoning_content") or message.get("reasoning") or "").strip()
    if not content.strip() and finish != "length" and thought.startswith(("{", "[", "```")):
        content = thought  # a server's parser took the whole answer for thinking
    notes = []
    if not content.strip():
        notes = [DECLINED] * bool(message.get("refusal")) or [THOUGHT] * bool(thought)
    usage = said.get("usage")
    tokens = usage if isinstance(usage, dict) else {}
    into, out = outside_count(tokens.get("prompt_tokens")), outside_count(tokens.get("completion_tokens"))
    return Reply(content, into, out, False, finish, tuple(notes))


def _name(value: object) -> str:
    """A word of a protocol, like a finish reason."""
    return _short(value) if isinstance(value, str) else ""


def _wait(headers: Mapping[str, str], said: object) -> float | None:
    """The wait in seconds that the headers or the error's fields ask for."""
    if (seconds := retry_after(headers)) is not None:
        return seconds
    waits = [_name(detail["retryDelay"]) for detail in _details(said) if "retryDelay" in detail]
    return _seconds(waits[0]) if waits else None


def _wait_in(words: str) -> float | None:
    """The wait that a message tells, as in "Please try again in 1m26.4s"."""
    found = WAIT.search(words)
    return _seconds(found[1]) if found else None


def _seconds(said: str) -> float | None:
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|h|m|s)", said, re.I)
    return _wait_of(sum(float(number) * SECONDS[unit.lower()] for number, unit in parts)) if parts else None


def _wait_of(seconds: float) -> float | None:
    """None where no time can be meant: infinity, or no number at all."""
    return min(max(seconds, 0.0), LONGEST_S) if math.isfinite(seconds) else None


def _limit(said: object) -> str:
    """Which limit was reached, where the error's fields name it (google.rpc.QuotaFailure)."""
    found: list[str] = []
    for detail in _details(said):
        violations = detail.get("violations")
        for each in violations if isinstance(violations, list) else ():
            found += [_name(each[name]) for name in ("quotaId", "subject") if isinstance(each, dict) and name in each][
                :1
            ]
    return ", ".join(found)


def _details(said: object) -> list[dict[str, object]]:
    error = said.get("error", said) if isinstance(said, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait in seconds that the server asks for (RFC 9110: seconds or a date), or None."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return _wait_of(float(milliseconds) / 1000)
        said = headers.get("retry-after")
        if not said:
            return None
        try:
            return _wait_of(float(said))
        except ValueError:
            return _wait_of(parsedate_to_datetime(said).timestamp() - time())
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return None


def _field(said: object, name: str) -> str:
    error = said.get("error", said) if isinstance(said, dict) else None
    value = error.get(name) if isinstance(error, dict) else None
    return str(value)[:FAR] if value is not None else ""


def _words(said: object) -> str:
    error = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(error, str):
        return _short(error)
    return _short(_field(said, "message") or _field(said, "detail"))


def _short(text: str) -> str:
    """On one line, without control characters for a terminal."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:FAR]).split())
    return text if len(text) <= 200 else text[:197] + "..."


def strip_thinking(text: str) -> str:
    """The answer without the thinking before it; empty where the model was cut while it still thought."""
    if channel := CHANNEL.match(text):
        text = channel[1]
    text = _without_thoughts(text)
    if UNENDED.match(text):
        return ""
    return HEADLESS.sub("", text).strip()


def _without_thoughts(text: str) -> str:
    """Without what stands between <think> and </think>. Each end is searched for once: the text may be hostile."""
    kept, place = [], 0
    ends = dict(ENDS)
    for opening in OPENING.finditer(text):
        name = opening[1].lower()
        if opening.start() < place or name not in ends:
            continue
        if end := ends[name].search(text, opening.end()):
            kept.append(text[place : opening.start()])
            place = end.end()
        else:
            del ends[name]
    return "".join((*kept, text[place:])) if kept or place else text


def why_empty(reply: Reply) -> str:
    """Why a reply holds no answer, by what the server said of it; "" where it holds one."""
    if strip_thinking(reply.text):
        return ""
    if reply.finish_reason == "content_filter":
        return FILTERED
    if DECLINED in reply.notes:
        return DECLINED
    thought = bool(reply.text.strip()) or THOUGHT in reply.notes
    if reply.finish_reason == "length":
        return THOUGHT_OUT if thought or reply.output_tokens else EMPTY
    return f"{EMPTY}: {THOUGHT}" if thought else EMPTY
