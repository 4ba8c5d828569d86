"""Any server that speaks OpenAI's chat completions, asked live: OpenAI, vLLM, llama.cpp, Ollama, `transformers serve`.

A sliding window of requests: as soon as one is answered the next is sent, and no round waits for its slowest.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from byheart.errors import Problem
from byheart.teacher.asking import Asking
from byheart.teacher.base import Failure, Progress, Reply, Request
from byheart.teacher.endpoint import Endpoint
from byheart.teacher.pace import Pace
from byheart.teacher.sender import Sender


@dataclass(frozen=True)
class OpenAI(Endpoint):
    """Sends `concurrency` requests at a time through the official client."""

    concurrency: int = 32  # requests under way at a time
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None  # input and output together
    timeout_s: float = 180.0  # for one whole answer
    retries: int = 6  # of a request, when the server is away, busy or talks nonsense

    def _wrong_values(self) -> list[Problem]:
        found = super()._wrong_values()
        for name, least in (("concurrency", 1), ("retries", 0)):
            if (value := getattr(self, name)) < least:
                found.append(Problem(f"must be at least {least}", f"teacher.{name}", str(value)))
        for name in ("requests_per_minute", "tokens_per_minute", "timeout_s"):
            if (value := getattr(self, name)) is not None and not value > 0:
                found.append(Problem("must be above 0", f"teacher.{name}", str(value)))
        return found

    def ask(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None] = lambda index, reply: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> list[Reply | Failure]:
        """See `Teacher.ask`. Ctrl-C ends it at once; what had arrived is saved."""
        with Asking(self.fingerprint, requests, on_reply, on_progress, self.prices) as asking:
            while mine := asking.take():
                run_async(partial(self._send_all, asking, mine))
            return asking.results()

    async def _send_all(self, asking: Asking, mine: Mapping[str, Request]) -> None:
        at_once = min(self.concurrency, len(mine))
        async with self.client(self.timeout_s, at_once) as client:
            pace = Pace(self.requests_per_minute, self.tokens_per_minute)
            sender = Sender(
                self, client, pace, self.retries, self.timeout_s, lambda: asking.saved, lambda note: asking.tell(note=note)
            )  # fmt: skip
            waiting = iter(mine.items())

            async def work() -> None:
                for key, request in waiting:  # shared by all workers: that is the sliding window
                    asking.started()
                    outcome = await sender.send(request)
                    if isinstance(outcome, Reply):
                        asking.arrived(key, outcome)
                    else:
                        asking.failed(key, outcome)

            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())


def run_async(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs it to its end, from a notebook too; the first error that stopped it is raised as itself."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            errors.append(error)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        run()
    else:  # a notebook's loop runs in this thread already
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    if errors:
        error = errors[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
