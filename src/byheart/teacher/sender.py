"""Sends one request until it is answered or refused. Retries, pauses, and remembers what the server refuses."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from byheart.errors import Problem
from byheart.outside import outside_text
from byheart.teacher.base import TEMPERATURE_REFUSED, Failure, Reply, Request, TeacherError
from byheart.teacher.body import NOT_JSON
from byheart.teacher.endpoint import Endpoint
from byheart.teacher.response import BROKEN, LIMITED, SLOW, UNREACHABLE, Fatal, Refused, Response, Retry, read_response
from byheart.teacher.session import AskSession, input_tokens

if TYPE_CHECKING:
    from openai import AsyncOpenAI

FIRST_PAUSE_S = {UNREACHABLE: 0.5, LIMITED: 2.0, SLOW: 0.5, BROKEN: 0.5}
LONGEST_PAUSE_S = 60.0
LONGEST_WAIT_S = 900.0  # that a server may ask for; beyond it, coming back later is better
SLOW_TRIES = 2  # tries after a timeout: the missing answer may have been charged
GROWS_AFTER = 2  # answers for each request under way, until one more is sent at a time
MOST_BROKEN, MOST_REFUSED = 5, 20  # in a row with no answer between them: it is the server, not the requests
NO_STREAM = {"stream": False}  # some servers stream unless they are told not to
NOTES = {"temperature": TEMPERATURE_REFUSED, "schema": "schema refused"}

_FIELDS = {"temperature": "temperature", "schema": "response_format", "max_tokens": "max_tokens"}  # of the body

# What each server refused since this process began: "schema", "max_tokens", "system", or ("temperature", value).
_refused: dict[str, set[str | tuple[str, float]]] = {}


def known_refusals(fingerprint: str, request: Request) -> frozenset[str]:
    """The parts of this request that the server is known to refuse."""
    known = _refused.get(fingerprint, set())
    parts = {part for part in ("schema", "max_tokens", "system") if part in known}
    # By value: a server that refuses 1.2 may well take 0.6.
    return frozenset(parts | ({"temperature"} if ("temperature", request.temperature) in known else set()))


def learn_refusal(fingerprint: str, request: Request, body: Mapping[str, Any], part: str) -> bool:
    """Remember the refused part; False where the request does not hold it, so that it cannot be sent without."""
    holds = body["messages"][0]["role"] == "system" if part == "system" else _FIELDS.get(part) in body
    if not holds:
        return False
    _refused.setdefault(fingerprint, set()).add(("temperature", request.temperature) if part == "temperature" else part)
    return True


def noted(reply: Reply, request: Request, without: frozenset[str]) -> Reply:
    """The reply with a note of each part that was left out, or that the server took and ignored."""
    notes = [NOTES[part] for part in sorted(without & NOTES.keys()) if part != "schema" or request.schema is not None]
    if request.schema is not None and "schema" not in without and not _is_json(reply.text):
        notes.append("schema ignored")
    return replace(reply, notes=(*reply.notes, *notes)) if notes else reply


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except NOT_JSON:
        return False
    return True


ADVICE = {
    UNREACHABLE: "check that the server is running",
    LIMITED: "wait, or lower teacher.concurrency or teacher.requests_per_minute",
    SLOW: "a slow server needs a lower teacher.concurrency or a longer teacher.timeout_s; see whether it runs",
    BROKEN: "look into the server's own log",
}


def read_exception(error: Exception, endpoint: Endpoint, timeout_s: float) -> Response:
    """The meaning of an error that the client raised. Any other than those it is known for: what it made of the answer."""
    import openai

    from byheart.teacher.bounded import TooLong

    if isinstance(error, TooLong):
        return Refused(str(error))
    if isinstance(error, openai.APIStatusError):
        return read_response(error.status_code, error.response.headers, error.response.text)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return Retry(SLOW, f"no answer for {timeout_s:g} s")
    if isinstance(error, openai.APIConnectionError):
        cause, kind = str(error.__cause__ or error), type(error.__cause__).__name__
        cause = cause or kind
        if "Decoding" in kind:
            return Retry(BROKEN, f"the compression of its answer cannot be read: {cause}")
        broken = "Protocol" in kind or "Read" in kind
        what = (
            "the server closed the connection before its answer was complete"
            if broken
            else f"no connection to {endpoint.address}"
        )
        return Retry(UNREACHABLE, f"{what}: {cause}")
    return Retry(BROKEN, f"its answer cannot be read: {type(error).__name__} {error}")


@dataclass
class RateLimiter:
    """`await turn(tokens)` returns when the next request may be sent; requests are not bunched within a minute."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    _next_request: float = field(default=0.0, init=False)
    _next_tokens: float = field(default=0.0, init=False)

    async def turn(self, tokens: int) -> None:
        now = start = time.monotonic()
        if self.requests_per_minute:
            start = max(start, self._next_request)
            self._next_request = start + 60.0 / self.requests_per_minute
        if self.tokens_per_minute:
            start = max(start, self._next_tokens)
            self._next_tokens = start + 60.0 * tokens / self.tokens_per_minute
        if start > now:
            await asyncio.sleep(start - now)

    def give_back(self, tokens: int) -> None:
        """The answer was shorter by `tokens` than the most that `turn` had reserved for it."""
        if self.tokens_per_minute:
            self._next_tokens -= 60.0 * tokens / self.tokens_per_minute


class Window:
    """How many requests are under way at a time: half as many after time-outs, more again after answers.

    A server that works on one request at a time lets those that wait run into their time-outs.
    """

    def __init__(self, most: int):
        self.most = self.size = most
        self._under_way = self._answers = self._shrunk = 0
        self._free = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[int]:
        """Waits for a free place. Gives the number of times that the window had shrunk before."""
        async with self._free:
            await self._free.wait_for(lambda: self._under_way < self.size)
            self._under_way += 1
        try:
            yield self._shrunk
        finally:
            self._under_way -= 1
            async with self._free:
                self._free.notify_all()

    def answered(self) -> None:
        self._answers += 1
        if self.size < self.most and self._answers >= GROWS_AFTER * self.size:
            self.size, self._answers = self.size + 1, 0

    def timed_out(self, shrunk_before: int) -> bool:
        """Whether there were too many at a time. Requests that were sent together halve the window only once."""
        crowded = shrunk_before < self._shrunk or self.size > 1
        if shrunk_before == self._shrunk and self.size > 1:
            self.size, self._answers, self._shrunk = max(1, self.size // 2), 0, self._shrunk + 1
        return crowded


@dataclass
class RequestSender:
    """Sends requests to one server, for one `ask`."""

    endpoint: Endpoint
    client: "AsyncOpenAI"
    limiter: RateLimiter
    retries: int
    timeout_s: float
    session: AskSession
    window: Window
    _answers: int = field(default=0, init=False)
    _last_answer: float = field(default=float("-inf"), init=False)
    _broken_in_a_row: int = field(default=0, init=False)
    _refused_in_a_row: int = field(default=0, init=False)

    async def send(self, request: Request) -> Reply | Failure:
        """The reply, or why there is none. Raises TeacherError where no other request would be answered either."""
        began, tries, crowded = time.monotonic(), 0, 0
        fingerprint = self.endpoint.fingerprint
        while True:
            without = known_refusals(fingerprint, request)
            body = self.endpoint.body(request, without)
            async with self.window.place() as shrunk:
                response = await self._exchange(request, body)
            if isinstance(response, Reply):
                self.window.answered()
                self._answers, self._last_answer = self._answers + 1, time.monotonic()
                self._broken_in_a_row = self._refused_in_a_row = 0
                return noted(response, request, without)
            if isinstance(response, Fatal):
                raise self._over(response.reason, response.fix)
            if isinstance(response, Refused):
                if learn_refusal(fingerprint, request, body, response.part):
                    continue
                return self._refuse(response)
            if response.kind == SLOW and self.window.timed_out(shrunk) and crowded < self.retries:
                crowded += 1
                few = f"now {self.window.size} at a time (teacher.concurrency is {self.window.most})"
                self.session.update(note=f"{response.reason}; {few}")
                continue
            tries += 1
            if tries > (SLOW_TRIES if response.kind == SLOW else self.retries):
                if response.kind == LIMITED and self._last_answer > began:
                    began, tries = time.monotonic(), 0  # other requests are answered: so will this one be
                    continue
                return self._give_up(response, tries, began)
            await self._wait(response, tries)

    async def _exchange(self, request: Request, body: dict[str, Any]) -> Response:
        from byheart.teacher.bounded import at_most

        tokens = 0
        if self.limiter.tokens_per_minute:
            tokens = input_tokens([request])[0] + request.max_tokens
        await self.limiter.turn(tokens)
        try:
            # The client's own timeout is for silence; a server that sends a byte a minute needs a second one.
            async with asyncio.timeout(self.timeout_s):
                create = self.client.chat.completions.with_raw_response.create
                with at_most(self.endpoint.most_bytes(request.max_tokens)):
                    raw = await create(model=body["model"], messages=body["messages"], extra_body={**body, **NO_STREAM})
                text = raw.http_response.text
        except Exception as error:
            return read_exception(error, self.endpoint, self.timeout_s)
        response = read_response(raw.status_code, raw.headers, text)
        if isinstance(response, Reply):
            self.limiter.give_back(max(0, tokens - response.input_tokens - response.output_tokens))
        return response

    async def _wait(self, response: Retry, tries: int) -> None:
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S[response.kind] * 2 ** (tries - 1)) * random.uniform(0.75, 1.25)
        if response.wait_s is not None:
            if response.wait_s > LONGEST_WAIT_S:
                fix = f"run the same command again in {response.wait_s / 60:.0f} minutes"
                raise self._over(f"the server asks for too long a wait: {response.reason}", fix)
            # A little later than the server asks, each request by another bit: all at once would be refused again.
            pause = response.wait_s + random.uniform(0.0, 0.1 + 0.1 * response.wait_s)
        self.session.update(note=f"{response.reason}; again in {pause:.0f} s")
        await asyncio.sleep(pause)

    def _refuse(self, response: Refused) -> Failure:
        self._refused_in_a_row += 1
        if not self._answers and self._refused_in_a_row >= MOST_REFUSED:
            raise self._over(f"{MOST_REFUSED} requests in a row: {response.reason}", "correct what the message names")
        return Failure(response.reason)

    def _give_up(self, response: Retry, tries: int, began: float) -> Failure:
        reason = f"{response.reason}; tried {tries} times"
        self._broken_in_a_row += 1
        no_answer = self._last_answer < began
        if no_answer and (response.kind in (UNREACHABLE, LIMITED) or self._broken_in_a_row >= MOST_BROKEN):
            raise self._over(reason, f"{ADVICE[response.kind]}, then run the same command again")
        return Failure(f"{reason}; {ADVICE[SLOW]}" if response.kind == SLOW else reason)

    def _over(self, reason: str, fix: str) -> TeacherError:
        return over(self.endpoint, reason, fix, self.session.saved)


def over(endpoint: Endpoint, reason: str, fix: str, saved: int) -> TeacherError:
    """The error that ends an `ask`: what happened, how many answers are saved, what to do."""
    kept = f"{saved:,} answers are saved and will not be requested again" if saved else "no answer had arrived yet"
    where = f"teacher {endpoint.model} at {endpoint.address}"
    return TeacherError(Problem(outside_text(reason), where, fix=f"{fix}; {kept}"))
