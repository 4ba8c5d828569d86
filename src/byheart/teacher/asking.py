"""One `ask` of any teacher: what is cached, what must be sent, where each answer goes, and how far it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from byheart.documents.tokens import count_tokens
from byheart.teacher.base import Estimate, Failure, Progress, Reply, Request
from byheart.teacher.cache import AnswerCache
from byheart.teacher.claims import Claims

LOOK_S = 0.25  # at the least, between two looks for answers that another command is getting
TEMPLATE_TOKENS = 12  # that a chat template adds to a system and a user message, about


@dataclass(frozen=True)
class Prices:
    """Of a million tokens. None where they are not known."""

    into: float | None = None
    out: float | None = None

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        if self.into is None and self.out is None:
            return None
        return (input_tokens * (self.into or 0.0) + output_tokens * (self.out or 0.0)) / 1e6


class Asking:
    """`with Asking(...) as asking`: cached answers are delivered at once; `waiting` holds what must be sent."""

    def __init__(
        self,
        fingerprint: str,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None],
        on_progress: Callable[[Progress], None],
        prices: Prices | None = None,
    ):
        self.fingerprint = fingerprint
        self.prices = prices or Prices()
        self.on_reply, self.on_progress = on_reply, on_progress
        self.cache = AnswerCache()
        self.claims = Claims(self.cache)
        self.waiting: dict[str, Request] = {}
        self.places: dict[str, list[int]] = {}  # equal requests share one answer
        for place, request in enumerate(requests):
            key = request.key(fingerprint)
            self.waiting.setdefault(key, request)
            self.places.setdefault(key, []).append(place)
        self.outcomes: dict[int, Reply | Failure] = {}
        self.progress = Progress(len(requests), cost=self.prices.cost(0, 0))

    def __enter__(self) -> "Asking":
        self.cache.__enter__()
        try:
            for key, reply in self.cache.find(list(self.waiting)).items():
                del self.waiting[key]
                self._deliver(key, reply)
        except BaseException:
            self.cache.__exit__(None, None, None)
            raise
        self.tell()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.claims.close()
        self.cache.__exit__(kind, error, trace)

    def take(self) -> dict[str, Request]:
        """What is ours to send now, empty where nothing is left; call it again when that is over.

        What another command is getting at this moment is not ours: with nothing else left, waits for its answers, and
        for what it gave up or died over.
        """
        while open_keys := [key for key in self.waiting if self.places[key][0] not in self.outcomes]:
            began = time.monotonic()
            mine = self.claims.take(open_keys)
            # After the claim: an answer may have come between our last look and it.
            found = self.cache.find(open_keys)
            for key, reply in found.items():
                self._deliver(key, reply)
            if send := {key: self.waiting[key] for key in open_keys if key in mine and key not in found}:
                self.tell(note="")
                return send
            if left := len(open_keys) - len(found):
                who = f"another command (process {', '.join(self.claims.others)})"
                self.tell(note=f"waiting for {who}, which asks for {left:,} of these already")
                time.sleep(max(LOOK_S, 10 * (time.monotonic() - began)))
        self.tell(note="")
        return {}

    def started(self, count: int = 1) -> None:
        """So many more requests are under way."""
        self.tell(in_flight=self.progress.in_flight + count)

    def arrived(self, key: str, reply: Reply) -> None:
        """Save an answer, then hand it out."""
        self.cache.keep(key, self.fingerprint, self.waiting[key], reply)
        now = self.progress
        tokens = now.input_tokens + reply.input_tokens, now.output_tokens + reply.output_tokens
        self.progress = replace(
            now,
            in_flight=max(0, now.in_flight - 1),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost=self.prices.cost(*tokens),
            note="",
        )
        self._deliver(key, reply)
        self.tell()

    def failed(self, key: str, failure: Failure) -> None:
        places = self.places[key]
        self.outcomes.update(dict.fromkeys(places, failure))
        self.claims.let_go(key)
        now = self.progress
        self.tell(in_flight=max(0, now.in_flight - 1), failed=now.failed + len(places), done=now.done + len(places))

    def tell(self, **changes: int | str) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]
        self.on_progress(self.progress)

    @property
    def saved(self) -> int:
        """How many of the requests have their answer in the cache by now."""
        return self.progress.done - self.progress.failed

    def results(self) -> list[Reply | Failure]:
        return [self.outcomes[place] for place in range(self.progress.total)]

    def _deliver(self, key: str, reply: Reply) -> None:
        for number, place in enumerate(self.places[key]):
            own = reply if number == 0 or reply.cached else replace(reply, cached=True)
            self.outcomes[place] = own
            now = self.progress
            self.progress = replace(now, done=now.done + 1, cached=now.cached + own.cached)
            self.on_reply(place, own)


def estimate(fingerprint: str, requests: Sequence[Request], prices: Prices | None = None) -> Estimate:
    """What asking these requests would take, by the cache and the packaged tokenizer."""
    different = {request.key(fingerprint): request for request in requests}
    with AnswerCache() as cache:
        found = cache.find(list(different))
    cached = sum(request.key(fingerprint) in found for request in requests)
    unpaid = [request for key, request in different.items() if key not in found]
    tokens_in = sum(input_tokens(unpaid))
    tokens_out = sum(request.max_tokens for request in unpaid)
    return Estimate(len(requests), cached, tokens_in, tokens_out, (prices or Prices()).cost(tokens_in, tokens_out))


def input_tokens(requests: Sequence[Request]) -> list[int]:
    """About how many tokens each request holds."""
    # One system prompt serves thousands of requests: it is counted once.
    systems = list({request.system for request in requests})
    of_system = dict(zip(systems, count_tokens(systems), strict=True)) if systems else {}
    of_users = count_tokens([request.user for request in requests])
    return [of_system[request.system] + own + TEMPLATE_TOKENS for request, own in zip(requests, of_users, strict=True)]
