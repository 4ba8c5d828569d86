"""One request sent until it is answered, refused, or no use: retries, pauses, and what a server is known to refuse."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from byheart.errors import Problem
from byheart.teacher.asking import input_tokens
from byheart.teacher.base import Failure, Reply, Request, TeacherError
from byheart.teacher.endpoint import Endpoint
from byheart.teacher.pace import Pace
from byheart.teacher.verdict import BROKEN, LIMITED, SLOW, UNREACHABLE, Again, Hopeless, Refused, Verdict, judge

FIRST_PAUSE_S = {UNREACHABLE: 0.5, LIMITED: 2.0, SLOW: 0.5, BROKEN: 0.5}
LONGEST_PAUSE_S = 60.0
LONGEST_WAIT_S = 900.0  # that a server may ask for; beyond it, coming back later is better
SLOW_TRIES = 2  # again after a timeout: the answer that never came may have been paid
MOST_BROKEN, MOST_REFUSED = 5, 20  # in a row with no answer between them: it is the server, not the requests
NOTES = {"temperature": "temperature refused", "schema": "schema refused"}

# What each server refused, for as long as this process lives: "schema", "max_tokens", or ("temperature", value).
_refused: dict[str, set[Any]] = {}


def known_refusals(fingerprint: str, request: Request) -> frozenset[str]:
    """The parts that this request had better be sent without."""
    known = _refused.get(fingerprint, set())
    parts = {part for part in ("schema", "max_tokens") if part in known}
    # By value: a server that refuses 1.2 may well take 0.6.
    return frozenset(parts | ({"temperature"} if ("temperature", request.temperature) in known else set()))


def learn_refusal(fingerprint: str, request: Request, part: str) -> None:
    _refused.setdefault(fingerprint, set()).add(("temperature", request.temperature) if part == "temperature" else part)


def can_do_without(part: str, body: Mapping[str, Any]) -> bool:
    """Whether the request still holds the part that was refused."""
    return {"temperature": "temperature", "schema": "response_format", "max_tokens": "max_tokens"}.get(part) in body


def noted(reply: Reply, request: Request, without: frozenset[str]) -> Reply:
    """The reply with a note of each part that was left out, or that the server took and ignored."""
    notes = [NOTES[part] for part in sorted(without & NOTES.keys()) if part != "schema" or request.schema is not None]
    if request.schema is not None and "schema" not in without and not _is_json(reply.text):
        notes.append("schema ignored")
    return replace(reply, notes=(*reply.notes, *notes)) if notes else reply


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


ADVICE = {
    UNREACHABLE: "see whether the server runs",
    LIMITED: "wait, or ask for less at a time with teacher.concurrency and teacher.requests_per_minute",
    SLOW: "see whether the server runs; a slow one needs a longer teacher.timeout_s",
    BROKEN: "see what the server itself complains of",
}  # by what the trouble was


@dataclass
class Sender:
    """Sends to one server for the length of one `ask`."""

    endpoint: Endpoint
    client: Any  # openai.AsyncOpenAI
    pace: Pace
    retries: int
    timeout_s: float
    saved: Callable[[], int]  # how many answers are safe by now, for the last words
    on_wait: Callable[[str], None]
    _answers: int = field(default=0, init=False)
    _last_answer: float = field(default=float("-inf"), init=False)
    _broken_in_a_row: int = field(default=0, init=False)
    _refused_in_a_row: int = field(default=0, init=False)

    async def send(self, request: Request) -> Reply | Failure:
        """The reply, or why there is none. Raises TeacherError where no other request would fare better."""
        began, tries = time.monotonic(), 0
        fingerprint = self.endpoint.fingerprint
        while True:
            without = known_refusals(fingerprint, request)
            body = self.endpoint.body(request, without)
            verdict = await self._exchange(request, body)
            if isinstance(verdict, Reply):
                self._answers, self._last_answer = self._answers + 1, time.monotonic()
                self._broken_in_a_row = self._refused_in_a_row = 0
                return noted(verdict, request, without)
            if isinstance(verdict, Hopeless):
                raise self._over(verdict.reason, verdict.fix)
            if isinstance(verdict, Refused):
                if can_do_without(verdict.part, body):
                    learn_refusal(fingerprint, request, verdict.part)
                    continue
                return self._refuse(verdict)
            tries += 1
            if tries > (SLOW_TRIES if verdict.kind == SLOW else self.retries):
                if verdict.kind == LIMITED and self._last_answer > began:
                    began, tries = time.monotonic(), 0  # others get through: this one's turn will come
                    continue
                return self._give_up(verdict, tries, began)
            await self._wait(verdict, tries)

    async def _exchange(self, request: Request, body: dict[str, Any]) -> Verdict:
        import openai

        tokens = 0
        if self.pace.tokens_per_minute:
            tokens = input_tokens([request])[0] + request.max_tokens
        await self.pace.turn(tokens)
        try:
            # The client's own timeout is for silence; a server that sends a byte a minute needs a second one.
            async with asyncio.timeout(self.timeout_s):
                response = await self.client.chat.completions.with_raw_response.create(**_split(body))
                status, headers, text = response.status_code, response.headers, response.http_response.text
        except openai.APIStatusError as error:
            status, headers, text = error.status_code, error.response.headers, error.response.text
        except (TimeoutError, openai.APITimeoutError):
            return Again(SLOW, f"no answer for {self.timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = str(error.__cause__ or error) or type(error.__cause__).__name__
            broken = "Protocol" in type(error.__cause__).__name__ or "Read" in type(error.__cause__).__name__
            what = "the server broke off its answer" if broken else f"no connection to {self.endpoint.address}"
            return Again(UNREACHABLE, self._scrubbed(f"{what}: {cause}"))
        except UnicodeDecodeError:
            return Again(BROKEN, "an answer that is no text")
        verdict = judge(status, headers, self._scrubbed(text))
        if isinstance(verdict, Reply):
            self.pace.give_back(max(0, tokens - verdict.input_tokens - verdict.output_tokens))
        return verdict

    def _scrubbed(self, text: str) -> str:
        """Without the key: some servers repeat it in their errors."""
        key = self.endpoint.key
        return text.replace(key, "****") if len(key) >= 8 else text

    async def _wait(self, verdict: Again, tries: int) -> None:
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S[verdict.kind] * 2 ** (tries - 1)) * random.uniform(0.75, 1.25)
        if verdict.wait_s is not None:
            if verdict.wait_s > LONGEST_WAIT_S:
                minutes = verdict.wait_s / 60
                fix = f"give the same command again in {minutes:.0f} minutes"
                raise self._over(f"the server asks to wait so long: {verdict.reason}", fix)
            # a little later than was asked, each by another bit: all of them at once would be refused again
            pause = verdict.wait_s + random.uniform(0.0, 0.1 + 0.1 * verdict.wait_s)
        self.on_wait(f"{verdict.reason}; again in {pause:.0f} s")
        await asyncio.sleep(pause)

    def _refuse(self, verdict: Refused) -> Failure:
        self._refused_in_a_row += 1
        if not self._answers and self._refused_in_a_row >= MOST_REFUSED:
            raise self._over(f"{MOST_REFUSED} requests in a row: {verdict.reason}", "mend what it complains of")
        return Failure(verdict.reason)

    def _give_up(self, verdict: Again, tries: int, began: float) -> Failure:
        reason = f"{verdict.reason}; tried {tries} times"
        self._broken_in_a_row += 1
        nobody = self._last_answer < began
        if nobody and (verdict.kind in (UNREACHABLE, LIMITED) or self._broken_in_a_row >= MOST_BROKEN):
            raise self._over(reason, f"{ADVICE[verdict.kind]}, then give the same command again")
        return Failure(reason)

    def _over(self, reason: str, fix: str) -> TeacherError:
        return over(self.endpoint, reason, fix, self.saved())


def over(endpoint: Endpoint, reason: str, fix: str, saved: int) -> TeacherError:
    """The end of it: what happened, what is saved, how to go on."""
    kept = (
        f"{saved:,} answers are saved and will not be asked for again"
        if saved
        else "no answer had arrived, so none is lost"
    )
    return TeacherError(Problem(reason, f"teacher {endpoint.model} at {endpoint.address}", fix=f"{fix}; {kept}"))


def _split(body: dict[str, Any]) -> dict[str, Any]:
    """Fields that the client's method knows by name, the others as `extra_body`."""
    named = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "response_format"}
    own = {name: value for name, value in body.items() if name in named}
    return {**own, "extra_body": {name: value for name, value in body.items() if name not in named} or None}
