"""Any server that speaks OpenAI's chat completions, asked live: OpenAI, vLLM, llama.cpp, Ollama, `transformers serve`.

The next request is sent as soon as one is answered, so that a slow answer delays no other.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from byheart.errors import ABOVE_0, AT_LEAST_0, AT_LEAST_1, Problem, wrong_numbers
from byheart.outside import keep_secret
from byheart.teacher.base import OnProgress, OnReply, Outcomes, Request, Requests, ignore
from byheart.teacher.endpoint import Endpoint
from byheart.teacher.sender import RateLimiter, RequestSender, Window
from byheart.teacher.session import AskSession, ask_session


@dataclass(frozen=True)
class OpenAI(Endpoint):
    """Sends `concurrency` requests at a time through the official client."""

    concurrency: int = 32  # requests under way at a time
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None  # input and output together
    timeout_s: float = 180.0  # for one whole answer
    retries: int = 6  # of a request, when the server is unreachable, busy or answers with an invalid body

    def _wrong_values(self) -> list[Problem]:
        above = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "timeout_s"), ABOVE_0)
        checks = {"concurrency": AT_LEAST_1, "retries": AT_LEAST_0, **above}
        return super()._wrong_values() + wrong_numbers(self, "teacher", checks)

    def ask(self, requests: Requests, on_reply: OnReply = ignore, on_progress: OnProgress = ignore) -> Outcomes:
        """See `Teacher.ask`. Ctrl-C ends it at once; the answers that had arrived are saved."""
        keep_secret(self.key)  # before an answer is read: a server may repeat it
        with ask_session(self.fingerprint, requests, on_reply, on_progress, self.prices) as session:
            while mine := session.take():
                run_async(partial(self._send_all, session, mine))
            return session.results()

    async def _send_all(self, session: AskSession, mine: Mapping[str, Request]) -> None:
        at_once = min(self.concurrency, len(mine))
        async with self.client(self.timeout_s, at_once) as client:
            limiter = RateLimiter(self.requests_per_minute, self.tokens_per_minute)
            sender = RequestSender(self, client, limiter, self.retries, self.timeout_s, session, Window(at_once))
            waiting = iter(mine.items())  # shared by all workers

            async def work() -> None:
                for key, request in waiting:
                    session.started()
                    session.ended(key, await sender.send(request))

            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())


def run_async(work: Callable[[], Coroutine[object, object, None]]) -> None:
    """Runs `work`, also in a notebook. The first error in it is raised, without the group around it."""
    try:
        asyncio.get_running_loop()
        in_notebook = True  # a loop runs in this thread already
    except RuntimeError:
        in_notebook = False
    try:
        if in_notebook:
            ThreadPoolExecutor(1).submit(asyncio.run, work()).result()
        else:
            asyncio.run(work())
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
