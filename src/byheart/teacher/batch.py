"""The same requests through OpenAI's Batch API: cheaper, within a day. Submit, stop, and run the same command again later.

The metadata of a batch hold a content id: a hash of its requests' keys. The id is saved before the batch is submitted,
and searched for at the server before anything is submitted again. So a process that was killed in between finds its
batch when it is started again. A batch may be collected twice: every answer goes into the cache under its own key.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from byheart.errors import ABOVE_0, Problem, wrong_numbers
from byheart.outside import keep_secret, outside_count, outside_text
from byheart.teacher.base import ComeBack, Failure, OnProgress, OnReply, Outcomes, Reply, Requests, TeacherError, ignore
from byheart.teacher.batch_lines import (
    LONGEST,
    NAME,
    NUMBER,
    SubmittedBatch,
    content_id,
    in_files,
    is_sound,
    read_lines,
    write_line,
)
from byheart.teacher.endpoint import Endpoint
from byheart.teacher.openai import run_async
from byheart.teacher.response import BROKEN, NO_MONEY, Fatal, Refused, Response, Retry
from byheart.teacher.sender import known_refusals, learn_refusal, noted, over, read_exception
from byheart.teacher.session import AskSession, ask_session

if TYPE_CHECKING:
    from openai.types import Batch as ServerBatch

Result = TypeVar("Result")
MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000  # in one file, as OpenAI takes it
WINDOW: Final = "24h"  # the only one that there is
FIRST_LOOK_S, LONGEST_LOOK_S = 5.0, 300.0  # between two looks at a batch under way
AGAIN_S = 60.0  # after a batch that failed as a whole, times two for each try
LONGEST_EXCHANGE_S = 3600.0  # one file up or down
PATIENCE_S = 900.0  # with a server that is unreachable, busy or answers with invalid bodies
LISTED_LATE_S = 5.0  # a batch may be listed a moment after it was made
LOOK_BACK_S = 32 * 86400.0  # older batches have lost their files
MOST_TRIES = 4  # of a request


@dataclass(frozen=True)
class Batch(Endpoint):
    """Its answers are those of the live teacher: both share the cache."""

    wait: bool = True  # False: submit, and stop
    requests_per_batch: int = MOST_REQUESTS
    timeout_s: float = 180.0  # of silence, in one exchange
    bytes_per_token: int = 50  # of a file of answers, at most, for each token asked for
    answers_soon: ClassVar[bool] = False

    def _wrong_values(self) -> list[Problem]:
        size = (f"from 1 to {MOST_REQUESTS}", lambda number: 1 <= number <= MOST_REQUESTS)
        checks = {"requests_per_batch": size, "timeout_s": ABOVE_0}
        return super()._wrong_values() + wrong_numbers(self, "teacher", checks)

    def ask(self, requests: Requests, on_reply: OnReply = ignore, on_progress: OnProgress = ignore) -> Outcomes:
        """See `Teacher.ask`. Ctrl-C ends the wait, not the batch: the same command collects its answers later."""
        keep_secret(self.key)
        with ask_session(self.fingerprint, requests, on_reply, on_progress, self.prices) as session:
            if session.waiting:
                run_async(BatchClient(self, session).run)
            return session.results()


@dataclass
class BatchClient:
    """Submits and collects the batches of one `ask`."""

    options: Batch
    session: AskSession
    batches: list[SubmittedBatch] = field(default_factory=list)
    collected: set[str] = field(default_factory=set)  # the server's ids of the batches that were read
    tried: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    rest_s: float = 0.0  # to wait before the next batch is submitted

    async def run(self) -> None:
        self.open = dict.fromkeys(self.session.waiting)  # in their order, those without an outcome
        self.session.started(len(self.open))
        async with self.options.client(self.options.timeout_s, 4) as self.client:
            look_s = FIRST_LOOK_S
            while self.open:
                await self._submit_the_rest()
                over_now = [batch for batch in self.batches if batch.over]
                for batch in over_now:
                    await self._collect(batch)
                if over_now:
                    look_s = FIRST_LOOK_S
                    continue
                if not self.options.wait:
                    raise self._come_back()
                await self._pause(look_s, self._state())
                look_s = min(LONGEST_LOOK_S, look_s * 1.5)
                for batch in self.batches:
                    batch.record = await self._exchange(partial(self.client.batches.retrieve, batch.record.id))

    # -- submitting -------------------------------------------------------------------------------------------------

    async def _submit_the_rest(self) -> None:
        """Afterwards each open request is in one of `batches`: found at the server, or submitted."""
        under_way = {key for batch in self.batches for key in batch.keys}
        if not self.open.keys() - under_way:
            return
        if self.rest_s and self.options.wait:
            await self._pause(self.rest_s, "the batch failed; it is submitted again")
        self.rest_s = 0.0
        async with self._alone():  # two commands at once would both find nothing and both submit
            remembered = self._remembered()
            known = {key for keys in remembered.values() for key in keys}
            new = {content_id(keys): keys for keys in self._groups(self.open.keys() - under_way - known)}
            found = await self._find({*remembered, *new})
            if lost := remembered.keys() - found.keys():
                await asyncio.sleep(LISTED_LATE_S)
                found |= await self._find(lost)
                for content in remembered.keys() - found.keys():  # killed before it was submitted
                    self.session.cache.forget_batch(content)
                    keys = [key for key in self.open if key in remembered[content]]
                    new |= {content_id(some): some for some in self._groups(keys)}
            for content, record in found.items():
                if content not in remembered:
                    self.session.cache.remember_batch(content, self.options.fingerprint, new[content])
                batch = SubmittedBatch(content, remembered.get(content) or new[content], 0, record)
                self.batches.append(replace(batch, number=batch.tries) if content in remembered else batch)
            for content, keys in new.items():
                if content not in found:
                    self.batches.append(await self._submit(content, keys))

    def _remembered(self) -> dict[str, list[str]]:
        """The batches noted in the cache that hold an open request and are not in `batches` yet; forgets finished ones."""
        cache, mine = self.session.cache, {batch.content for batch in self.batches}
        wanted = {}
        for content, keys in cache.batches(self.options.fingerprint).items():
            if not self.open.keys().isdisjoint(keys):
                if content not in mine:
                    wanted[content] = keys
            elif len(cache.find(keys)) == len(set(keys)):
                cache.forget_batch(content)
        return wanted

    def _groups(self, keys: Collection[str]) -> Iterator[list[str]]:
        sizes = {key: len(self._line(key)) for key in self.open if key in keys}
        return in_files(sizes, self.options.requests_per_batch, MOST_BYTES)

    def _line(self, key: str) -> bytes:
        request = self.session.waiting[key]
        without = known_refusals(self.options.fingerprint, request)
        return write_line(key, without, self.options.body(request, without))

    async def _submit(self, content: str, keys: list[str]) -> SubmittedBatch:
        self.session.cache.remember_batch(content, self.options.fingerprint, keys)
        number = 1 + max(self.tried.get(key, 0) for key in keys)
        self.session.update(note=f"submitting {len(keys):,} requests")
        lines = b"".join(self._line(key) for key in keys)
        name = f"byheart-{content}.jsonl"
        file = await self._exchange(lambda: self.client.files.create(file=(name, lines), purpose="batch"))
        tries = 0

        async def create() -> "ServerBatch":
            nonlocal tries
            tries += 1
            # After a timeout it is not known whether the batch was made.
            if tries > 1 and (found := await self._list({content})):
                return found[content]
            return await self.client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window=WINDOW,
                metadata={NAME: content, NUMBER: str(number)},
            )  # fmt: skip

        return SubmittedBatch(content, keys, number, await self._exchange(create))

    async def _find(self, contents: Collection[str]) -> dict[str, "ServerBatch"]:
        return await self._exchange(lambda: self._list(contents)) if contents else {}

    async def _list(self, contents: Collection[str]) -> dict[str, "ServerBatch"]:
        """The newest batch at the server for each content id, but for those that were read already."""
        found: dict[str, ServerBatch] = {}
        seen: set[str] = set()
        async for batch in self.client.batches.list(limit=100):
            if not is_sound(batch):
                continue
            made = batch.created_at if isinstance(batch.created_at, int | float) else 0
            if batch.id in seen or made < time.time() - LOOK_BACK_S:
                break
            seen.add(batch.id)
            content = (batch.metadata or {}).get(NAME, "")
            if content in contents and batch.id not in self.collected and content not in found:
                found[content] = batch
                if len(found) == len(contents):
                    break
        return found

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.session.cache.path.with_name("batches.lock"))
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                await self._pause(0.2, "another command is submitting its batches")
        try:
            yield
        finally:
            lock.release()

    # -- collecting -------------------------------------------------------------------------------------------------

    async def _collect(self, batch: SubmittedBatch) -> None:
        """Deliver its answers. A request without one stays open, until it was tried MOST_TRIES times."""
        end: Fatal | None = None
        for file in (batch.record.output_file_id, batch.record.error_file_id):
            for key, without, response in read_lines(await self._content(file, batch) if file else b""):
                if key in self.open:
                    end = self._take(key, without, response) or end
        whole = self._read_failure(batch)
        rest = [key for key in batch.keys if key in self.open]
        for key in rest:
            self.tried[key] = max(batch.number, self.tried.get(key, 0))
            if self.tried[key] >= MOST_TRIES and not whole:
                reason = self.reasons.get(key) or f"the batch was {batch.record.status}"
                self._end(key, Failure(f"{reason}; tried {self.tried[key]} times"))
        self.batches.remove(batch)
        self.collected.add(batch.record.id)
        cache, keys = self.session.cache, set(batch.keys)
        if rest or len(cache.find(batch.keys)) == len(keys) or keys <= self.session.waiting.keys():
            cache.forget_batch(batch.content)  # else it holds answers to what other settings ask
        if end:
            raise self._over(end.reason, end.fix)
        if whole and rest:
            if batch.number >= MOST_TRIES or NO_MONEY.search(whole):
                raise self._over(
                    f"the batch failed: {whole}", "correct what the message names, then run the same command again"
                )
            self.rest_s = AGAIN_S * 2 ** max(0, batch.number - 1)

    def _take(self, key: str, without: frozenset[str], response: Response) -> Fatal | None:
        request = self.session.waiting[key]
        if isinstance(response, Reply):
            self._end(key, noted(response, request, without))
        elif isinstance(response, Fatal):
            return response
        elif isinstance(response, Refused) and not learn_refusal(
            self.options.fingerprint, request, self.options.body(request, without), response.part
        ):
            self._end(key, Failure(response.reason))
        else:
            self.reasons[key] = response.reason
        return None

    def _read_failure(self, batch: SubmittedBatch) -> str:
        """Why a batch failed as a whole; the requests that it names fail here."""
        if batch.record.status != "failed":
            return ""
        words = []
        errors = getattr(batch.record.errors, "data", None)
        for error in errors if isinstance(errors, list) else []:
            message, code, line = (getattr(error, name, None) for name in ("message", "code", "line"))
            said = message[:LONGEST] if isinstance(message, str) and message else "no reason given"
            said += f" ({code[:LONGEST]})" if isinstance(code, str) else ""
            if isinstance(line, int) and 1 <= line <= len(batch.keys) and batch.keys[line - 1] in self.open:
                self._end(batch.keys[line - 1], Failure(f"the server refused the request: {said}"))
            else:
                words.append(said)
        named = not words and any(key not in self.open for key in batch.keys)
        return "" if named else "; ".join(words[:3]) or "no reason given"

    def _end(self, key: str, outcome: Reply | Failure) -> None:
        del self.open[key]
        self.session.ended(key, outcome)

    async def _content(self, file: str, batch: SubmittedBatch) -> bytes:
        import openai

        from byheart.teacher.bounded import OTHER_BYTES, at_most

        waiting = self.session.waiting
        known = [waiting[key].max_tokens for key in batch.keys if key in waiting]
        most = OTHER_BYTES + self.options.bytes_per_token * max(known, default=0) * len(batch.keys)

        async def read() -> bytes:
            try:
                with at_most(most):
                    return bytes((await self.client.files.content(file)).content)
            except openai.NotFoundError:  # the server has deleted it: its requests stay open
                return b""

        return await self._exchange(read)

    # -- the server -------------------------------------------------------------------------------------------------

    async def _exchange(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the call, repeated for at most PATIENCE_S. Raises TeacherError where that does not help."""
        import openai

        from byheart.teacher.bounded import TooLong

        began, tries = time.monotonic(), 0
        while True:
            try:
                async with asyncio.timeout(LONGEST_EXCHANGE_S):  # the client's own is for silence
                    said = await act()
                if isinstance(said, bytes | dict) or is_sound(said):
                    return said
                response: Response = Retry(BROKEN, "200 with an unexpected body")
            except (TimeoutError, TooLong, openai.APIStatusError, openai.APIConnectionError) as error:
                response = read_exception(error, self.options, self.options.timeout_s)
                if isinstance(error, openai.APIStatusError) and error.status_code in (404, 405):
                    fix = "check that this server has /v1/files and /v1/batches, or use teacher=openai, which sends each request alone"
                    response = Fatal(f"no such address ({error.status_code})", fix)
            except Exception as error:  # whatever the client makes of a stranger's text
                response = Retry(BROKEN, f"200 with an unexpected body: {type(error).__name__} {str(error)[:LONGEST]}")
            if isinstance(response, Fatal):
                raise self._over(response.reason, response.fix)
            if isinstance(response, Refused):
                raise self._over(response.reason, "correct what the message names, then run the same command again")
            assert isinstance(response, Retry)
            tries += 1
            pause = min(60.0, 0.5 * 2 ** min(tries, 8)) * random.uniform(0.75, 1.25)
            pause = response.wait_s if response.wait_s is not None else pause
            if time.monotonic() + pause - began > PATIENCE_S:
                raise self._over(f"{response.reason}; tried {tries} times", "run the same command again later")
            await self._pause(pause, response.reason)

    async def _pause(self, seconds: float, why: str) -> None:
        self.session.update(note=f"{why}; again in {seconds:.0f} s")
        await asyncio.sleep(seconds)

    def _state(self) -> str:
        """ "2 batches: in_progress, validating; 120 of 500 answered"."""
        counts = [batch.record.request_counts for batch in self.batches if batch.record.request_counts]
        ended = [getattr(count, name, 0) for count in counts for name in ("completed", "failed")]
        done = sum(map(outside_count, ended))
        states = ", ".join(sorted({str(batch.record.status) for batch in self.batches}))
        total = sum(len(batch.keys) for batch in self.batches)
        number = "1 batch" if len(self.batches) == 1 else f"{len(self.batches)} batches"
        return f"{number} under way ({states}), {done:,} of {total:,} answered"

    def _come_back(self) -> ComeBack:
        ids = ", ".join(batch.record.id for batch in self.batches[:3])
        where = f"teacher {self.options.model} at {self.options.address}"
        fix = f"run the same command again later: it collects the answers; saved so far: {self.session.saved:,}"
        return ComeBack(Problem(outside_text(self._state()), where, outside_text(ids), fix))

    def _over(self, reason: str, fix: str) -> TeacherError:
        return over(self.options, reason, fix, self.session.saved)
