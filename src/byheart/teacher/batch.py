"""The same requests through OpenAI's Batch API: cheaper, within a day. Submit, leave, come back with the same command.

A batch bears a content id (a hash of its requests' keys) in its metadata. The id is written down before the batch is
submitted, and looked for at the server before anything is submitted again: a process that is killed in between finds
its batch when it comes back. Collecting twice does no harm, since every answer goes into the cache under its own key.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from byheart.errors import Problem
from byheart.teacher.asking import Asking
from byheart.teacher.base import ComeBack, Failure, Progress, Reply, Request, TeacherError
from byheart.teacher.batch_lines import Job, content_id, in_files, read_lines, write_line
from byheart.teacher.endpoint import Endpoint
from byheart.teacher.openai import run_async
from byheart.teacher.sender import can_do_without, known_refusals, learn_refusal, noted, over
from byheart.teacher.verdict import BROKEN, NO_MONEY, SLOW, UNREACHABLE, Again, Hopeless, Refused, Verdict, judge

MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000  # in one file, as OpenAI takes it
WINDOW = "24h"  # the only one that there is
NAME, NUMBER = "byheart", "byheart_try"  # in a batch's metadata: its content id, and which try of its requests it is
FIRST_LOOK_S, LONGEST_LOOK_S = 5.0, 300.0  # between two looks at a batch under way
AGAIN_S = 60.0  # after a batch that failed as a whole, times two for each try
PATIENCE_S = 900.0  # with a server that is away, busy or talks nonsense
LISTED_LATE_S = 5.0  # a batch may be listed a moment after it was made
LOOK_BACK_S = 32 * 86400.0  # older batches have lost their files
MOST_TRIES = 4  # of a request


@dataclass(frozen=True)
class Batch(Endpoint):
    """Its answers are those of the live teacher: both share the cache."""

    wait: bool = True  # False: submit, and stop
    requests_per_batch: int = MOST_REQUESTS
    timeout_s: float = 180.0  # of silence, in one exchange
    answers_soon: ClassVar[bool] = False

    def _wrong_values(self) -> list[Problem]:
        found = super()._wrong_values()
        if not 1 <= self.requests_per_batch <= MOST_REQUESTS:
            value = str(self.requests_per_batch)
            found.append(Problem(f"must be from 1 to {MOST_REQUESTS}", "teacher.requests_per_batch", value))
        if not self.timeout_s > 0:
            found.append(Problem("must be above 0", "teacher.timeout_s", str(self.timeout_s)))
        return found

    def ask(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None] = lambda index, reply: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> list[Reply | Failure]:
        """See `Teacher.ask`. Ctrl-C ends the waiting; the batch goes on, and the same command collects it."""
        with Asking(self.fingerprint, requests, on_reply, on_progress, self.prices) as asking:
            if asking.waiting:
                run_async(Errand(self, asking).run)
            return asking.results()


@dataclass
class Errand:
    """What one `ask` does at the server."""

    options: Batch
    asking: Asking
    jobs: list[Job] = field(default_factory=list)
    collected: set[str] = field(default_factory=set)  # the server's ids of the batches that were read
    tried: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    rest_s: float = 0.0  # to wait before the next batch is submitted

    async def run(self) -> None:
        self.open = dict.fromkeys(self.asking.waiting)  # in their order, those without an outcome
        self.asking.started(len(self.open))
        async with self.options.client(self.options.timeout_s, 4) as self.client:
            look_s = FIRST_LOOK_S
            while self.open:
                await self._submit_the_rest()
                if await self._collect_what_is_over():
                    look_s = FIRST_LOOK_S
                    continue
                if not self.options.wait:
                    raise self._come_back()
                await self._pause(look_s, self._standing())
                look_s = min(LONGEST_LOOK_S, look_s * 1.5)
                for job in self.jobs:
                    job.record = await self._exchange(lambda job=job: self.client.batches.retrieve(job.record.id))  # type: ignore[misc]

    # -- submitting -------------------------------------------------------------------------------------------------

    async def _submit_the_rest(self) -> None:
        """Afterwards each open request is in one of `jobs`: found at the server, or submitted."""
        under_way = {key for job in self.jobs for key in job.keys}
        if not self.open.keys() - under_way:
            return
        if self.rest_s and self.options.wait:
            await self._pause(self.rest_s, "the batch failed; it is submitted again")
        self.rest_s = 0.0
        async with self._alone():  # two commands at once would both find nothing, and both submit
            remembered = self._remembered()
            known = {key for keys in remembered.values() for key in keys}
            new = {content_id(keys): keys for keys in self._groups(self.open.keys() - under_way - known)}
            found = await self._find({*remembered, *new})
            if lost := remembered.keys() - found.keys():
                await asyncio.sleep(LISTED_LATE_S)
                found |= await self._find(lost)
                for content in remembered.keys() - found.keys():  # killed before it was submitted
                    self.asking.cache.forget_batch(content)
                    keys = [key for key in self.open if key in remembered[content]]
                    new |= {content_id(some): some for some in self._groups(keys)}
            for content, record in found.items():
                number = int(record.metadata.get(NUMBER) or 0) if content in remembered else 0
                if content not in remembered:
                    self.asking.cache.remember_batch(content, self.options.fingerprint, new[content])
                self.jobs.append(Job(content, remembered.get(content) or new[content], number, record))
            for content, keys in new.items():
                if content not in found:
                    self.jobs.append(await self._submit(content, keys))

    def _remembered(self) -> dict[str, list[str]]:
        """The batches in the cache that hold an open request and are not looked after yet."""
        cache, mine = self.asking.cache, {job.content for job in self.jobs}
        batches = cache.batches(self.options.fingerprint)
        for content, keys in batches.items():
            if not self.open.keys() & set(keys) and len(cache.find(keys)) == len(set(keys)):
                cache.forget_batch(content)
        wanted = {content: keys for content, keys in batches.items() if self.open.keys() & set(keys)}
        return {content: keys for content, keys in wanted.items() if content not in mine}

    def _groups(self, keys: Collection[str]) -> Iterator[list[str]]:
        sizes = {key: len(self._line(key)) for key in self.open if key in keys}
        return in_files(sizes, self.options.requests_per_batch, MOST_BYTES)

    def _line(self, key: str) -> bytes:
        request = self.asking.waiting[key]
        without = known_refusals(self.options.fingerprint, request)
        return write_line(key, without, self.options.body(request, without))

    async def _submit(self, content: str, keys: list[str]) -> Job:
        self.asking.cache.remember_batch(content, self.options.fingerprint, keys)
        number = 1 + max(self.tried.get(key, 0) for key in keys)
        self.asking.tell(note=f"submitting {len(keys):,} requests")
        lines = b"".join(self._line(key) for key in keys)
        name = f"byheart-{content}.jsonl"
        file = await self._exchange(lambda: self.client.files.create(file=(name, lines), purpose="batch"))
        tries = 0

        async def create() -> Any:
            nonlocal tries
            tries += 1
            # After a timeout nobody knows whether it was made.
            if tries > 1 and (found := await self._list({content})):
                return found[content]
            return await self.client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window=WINDOW,
                metadata={NAME: content, NUMBER: str(number)},
            )  # fmt: skip

        return Job(content, keys, number, await self._exchange(create))

    async def _find(self, contents: Collection[str]) -> dict[str, Any]:
        return dict(await self._exchange(lambda: self._list(contents))) if contents else {}

    async def _list(self, contents: Collection[str]) -> dict[str, Any]:
        """The newest batch at the server for each content id, but for those that were read already."""
        found: dict[str, Any] = {}
        seen: set[str] = set()
        async for batch in self.client.batches.list(limit=100):
            if batch.id in seen or (batch.created_at or 0) < time.time() - LOOK_BACK_S:
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

        lock = FileLock(self.asking.cache.path.with_name("batches.lock"))
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

    async def _collect_what_is_over(self) -> bool:
        done = [job for job in self.jobs if job.over]
        for job in done:
            await self._collect(job)
        return bool(done)

    async def _collect(self, job: Job) -> None:
        """Deliver what it answered; what it did not stays open, until it was tried too often."""
        end: Hopeless | None = None
        for file in (job.record.output_file_id, job.record.error_file_id):
            for key, without, verdict in read_lines(await self._content(file) if file else b"", self._scrubbed):
                if key in self.open and (said := self._take(key, without, verdict)):
                    end = said
        whole = self._read_failure(job)
        rest = [key for key in job.keys if key in self.open]
        for key in rest:
            self.tried[key] = max(job.number, self.tried.get(key, 0))
            if self.tried[key] >= MOST_TRIES and not whole:
                reason = self.reasons.get(key) or f"the batch was {job.record.status}"
                self._fail(key, f"{reason}; tried {self.tried[key]} times")
        self.jobs.remove(job)
        self.collected.add(job.record.id)
        cache = self.asking.cache
        if rest or len(cache.find(job.keys)) == len(set(job.keys)) or set(job.keys) <= self.asking.waiting.keys():
            cache.forget_batch(job.content)  # else it holds answers to what other settings ask
        if end:
            raise self._over(end.reason, end.fix)
        if whole and rest:
            if job.number >= MOST_TRIES or NO_MONEY.search(whole):
                raise self._over(f"the batch failed: {whole}", "mend what it complains of, then give the same command")
            self.rest_s = AGAIN_S * 2 ** max(0, job.number - 1)

    def _take(self, key: str, without: frozenset[str], verdict: Verdict) -> Hopeless | None:
        request = self.asking.waiting[key]
        if isinstance(verdict, Reply):
            del self.open[key]
            self.asking.arrived(key, noted(verdict, request, without))
        elif isinstance(verdict, Hopeless):
            return verdict
        elif isinstance(verdict, Refused):
            if can_do_without(verdict.part, self.options.body(request, without)):
                learn_refusal(self.options.fingerprint, request, verdict.part)
                self.reasons[key] = verdict.reason
            else:
                self._fail(key, verdict.reason)
        else:
            self.reasons[key] = verdict.reason
        return None

    def _read_failure(self, job: Job) -> str:
        """Why a batch failed as a whole; the requests that it names fail here."""
        if job.record.status != "failed":
            return ""
        words = []
        for error in getattr(job.record.errors, "data", None) or []:
            said = self._scrubbed(f"{error.message or 'no reason given'} ({error.code})")
            line = error.line
            if isinstance(line, int) and 1 <= line <= len(job.keys) and job.keys[line - 1] in self.open:
                self._fail(job.keys[line - 1], f"the server refused the request: {said}")
            else:
                words.append(said)
        named = not words and any(key not in self.open for key in job.keys)
        return "" if named else "; ".join(words[:3]) or "no reason given"

    def _fail(self, key: str, reason: str) -> None:
        del self.open[key]
        self.asking.failed(key, Failure(reason))

    async def _content(self, file: str) -> bytes:
        import openai

        async def read() -> bytes:
            try:
                return bytes((await self.client.files.content(file)).content)
            except openai.NotFoundError:  # the server has thrown it away: its requests stay open
                return b""

        return bytes(await self._exchange(read))

    # -- speaking with the server -----------------------------------------------------------------------------------

    async def _exchange(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """What the act brings, after as many tries as patience allows. Raises TeacherError where it is no use."""
        import openai

        began, tries = time.monotonic(), 0
        while True:
            try:
                said = await act()
                if isinstance(said, bytes | dict) or getattr(said, "id", None):
                    return said
                verdict: Verdict = Again(BROKEN, "200 with something else in it")
            except openai.APIStatusError as error:
                verdict = judge(error.status_code, error.response.headers, self._scrubbed(error.response.text))
                if error.status_code in (404, 405):
                    fix = "has this server /v1/files and /v1/batches? else teacher=openai asks it live"
                    verdict = Hopeless(f"no such address ({error.status_code})", fix)
            except (TimeoutError, openai.APITimeoutError):
                verdict = Again(SLOW, f"no answer for {self.options.timeout_s:g} s")
            except openai.APIConnectionError as error:
                cause = str(error.__cause__ or error)
                verdict = Again(UNREACHABLE, self._scrubbed(f"no connection to {self.options.address}: {cause}"))
            except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
                verdict = Again(BROKEN, self._scrubbed(f"200 with something else in it: {error}"))
            if isinstance(verdict, Hopeless):
                raise self._over(verdict.reason, verdict.fix)
            if isinstance(verdict, Refused):
                raise self._over(verdict.reason, "mend what it complains of, then give the same command again")
            assert isinstance(verdict, Again)
            tries += 1
            pause = min(60.0, 0.5 * 2 ** min(tries, 8)) * random.uniform(0.75, 1.25)
            pause = verdict.wait_s if verdict.wait_s is not None else pause
            if time.monotonic() + pause - began > PATIENCE_S:
                raise self._over(f"{verdict.reason}; tried {tries} times", "come back with the same command")
            await self._pause(pause, verdict.reason)

    async def _pause(self, seconds: float, why: str) -> None:
        self.asking.tell(note=f"{why}; again in {seconds:.0f} s")
        await asyncio.sleep(seconds)

    def _standing(self) -> str:
        """ "2 batches: in_progress, validating; 120 of 500 answered"."""
        counts = [job.record.request_counts for job in self.jobs if job.record.request_counts]
        done = sum((count.completed or 0) + (count.failed or 0) for count in counts)
        states = ", ".join(sorted({job.record.status for job in self.jobs}))
        total = sum(len(job.keys) for job in self.jobs)
        number = "1 batch" if len(self.jobs) == 1 else f"{len(self.jobs)} batches"
        return f"{number} under way ({states}), {done:,} of {total:,} answered"

    def _come_back(self) -> ComeBack:
        ids = ", ".join(job.record.id for job in self.jobs[:3])
        where = f"teacher {self.options.model} at {self.options.address}"
        fix = f"come back with the same command: it collects what is there; answers saved so far: {self.asking.saved:,}"
        return ComeBack(Problem(self._standing(), where, ids, fix))

    def _over(self, reason: str, fix: str) -> TeacherError:
        return over(self.options, reason, fix, self.asking.saved)

    def _scrubbed(self, text: str) -> str:
        """Without the key: some servers repeat it in their errors."""
        key = self.options.key
        return text.replace(key, "****") if len(key) >= 8 else text
