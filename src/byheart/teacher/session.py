"""One `ask` of any teacher: which answers are cached, which requests are sent, where each answer goes, the progress."""

import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import cached_property

from byheart.documents.languages.tokens import count_tokens
from byheart.errors import UserError
from byheart.locks import ProcessLock
from byheart.outside import outside_count, outside_text
from byheart.teacher.base import Estimate, Failure, OnProgress, OnReply, Outcomes, Progress, Reply, Request, Requests
from byheart.teacher.cache import AnswerCache
from byheart.teacher.prices import Prices

LOOK_S = 0.25  # at least, between two looks for answers that another process waits for
TEMPLATE_TOKENS = 12  # of a chat template around a system and a user message, about


class Claims:
    """Which process sends which request: two commands that ask the same at once pay for one answer.

    A claim is a row in the cache's database. The claims of a process that has ended count for nothing. They cost a lock
    file and two statements for each `ask`, however many requests there are.
    """

    def __init__(self, cache: AnswerCache):
        self.cache = cache
        self.others: list[str] = []  # the processes that held the requests which the last `take` did not get

    @cached_property
    def lock(self) -> ProcessLock | None:
        """None where files cannot be locked: then each process sends its own requests."""
        lock = ProcessLock(self.cache.path.with_name("asking"))
        try:
            lock.acquire()
        except (OSError, NotImplementedError):
            return None
        return lock

    def take(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` that this process is to send: no running process had claimed them before."""
        if (lock := self.lock) is None:
            return set(keys)

        def is_dead(owner: str) -> bool:
            # Also where it has no lock file: the file is made before the first claim and removed after the last.
            if dead := lock.is_dead(owner):
                lock.remove(owner)
            return dead is not False

        owners = self.cache.claim(keys, lock.name, is_dead)
        self.others = sorted({owner.split("-")[-2] for owner in set(owners.values()) - {lock.name}})
        return {key for key, owner in owners.items() if owner == lock.name}

    def release(self, key: str) -> None:
        """The request failed here: a process that waits for it may send it."""
        if lock := vars(self).get("lock"):  # a batch makes no claims
            self.cache.unclaim(lock.name, key)

    def close(self) -> None:
        if lock := vars(self).get("lock"):
            with suppress(UserError):  # e.g. a full disk: the claims of a process that has ended count for nothing
                self.cache.unclaim(lock.name)
            lock.release()


class AskSession:
    """The state of one `ask`; `waiting` holds the requests without a cached answer. Open it with `ask_session`."""

    def __init__(
        self,
        cache: AnswerCache,
        fingerprint: str,
        requests: Requests,
        on_reply: OnReply,
        on_progress: OnProgress,
        prices: Prices,
    ):
        self.cache, self.claims = cache, Claims(cache)
        self.fingerprint, self.prices = fingerprint, prices
        self.on_reply, self.on_progress = on_reply, on_progress
        self.waiting: dict[str, Request] = {}
        self.places: dict[str, list[int]] = {}  # equal requests share one answer
        for place, request in enumerate(requests):
            key = request.key(fingerprint)
            self.waiting.setdefault(key, request)
            self.places.setdefault(key, []).append(place)
        self.outcomes: dict[int, Reply | Failure] = {}
        self.progress = Progress(len(requests), cost=prices.cost(0, 0))

    def take(self) -> dict[str, Request]:
        """The requests that this process is to send next; empty at the end. Call it again after they have ended.

        Requests that another process is sending are not among them. When only those remain, waits for their answers,
        and returns those that the other process gave up.
        """
        while open_keys := [key for key in self.waiting if self.places[key][0] not in self.outcomes]:
            began = time.monotonic()
            mine = self.claims.take(open_keys)
            # After the claim: an answer may have come between our last look and it.
            found = self.cache.find(open_keys)
            for key, reply in found.items():
                self.deliver(key, cleaned(reply))
            if send := {key: self.waiting[key] for key in open_keys if key in mine and key not in found}:
                self.update(note="")
                return send
            if left := len(open_keys) - len(found):
                who = f"another command (process {', '.join(self.claims.others)})"
                self.update(note=f"waiting for {who}, which has sent {left:,} of these requests already")
                time.sleep(max(LOOK_S, 10 * (time.monotonic() - began)))
        self.update(note="")
        return {}

    def started(self, count: int = 1) -> None:
        """So many more requests are in flight."""
        self.update(in_flight=self.progress.in_flight + count)

    def ended(self, key: str, outcome: Reply | Failure) -> None:
        """Save an answer, then deliver it; or note a failure."""
        now = self.progress
        in_flight = max(0, now.in_flight - 1)
        if isinstance(outcome, Failure):
            places = self.places[key]
            self.outcomes.update(dict.fromkeys(places, Failure(outside_text(outcome.reason))))
            self.claims.release(key)
            self.update(in_flight=in_flight, failed=now.failed + len(places), done=now.done + len(places))
            return
        outcome = cleaned(outcome)
        self.cache.keep(key, self.fingerprint, self.waiting[key], outcome)
        tokens = now.input_tokens + outcome.input_tokens, now.output_tokens + outcome.output_tokens
        self.progress = replace(
            now,
            in_flight=in_flight,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost=self.prices.cost(*tokens),
            note="",
        )
        self.deliver(key, outcome)
        self.update()

    def update(self, **changes: int | str) -> None:
        """Change fields of the progress, and report it."""
        changes = {name: outside_text(each) if isinstance(each, str) else each for name, each in changes.items()}
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]
        self.on_progress(self.progress)

    @property
    def saved(self) -> int:
        """How many of the requests have their answer in the cache."""
        return self.progress.done - self.progress.failed

    def results(self) -> Outcomes:
        return [self.outcomes[place] for place in range(self.progress.total)]

    def deliver(self, key: str, reply: Reply) -> None:
        """Hand an answer to each of the requests that are equal; all but the first count as cached."""
        for number, place in enumerate(self.places[key]):
            own = reply if number == 0 or reply.cached else replace(reply, cached=True)
            self.outcomes[place] = own
            now = self.progress
            self.progress = replace(now, done=now.done + 1, cached=now.cached + own.cached)
            self.on_reply(place, own)


def cleaned(reply: Reply) -> Reply:
    """The reply as it may be kept and shown: without a key, a lone surrogate, or a count that cannot be."""
    return replace(
        reply,
        text=outside_text(reply.text),
        input_tokens=outside_count(reply.input_tokens),
        output_tokens=outside_count(reply.output_tokens),
        finish_reason=outside_text(reply.finish_reason),
        notes=tuple(map(outside_text, reply.notes)),
    )


@contextmanager
def ask_session(
    fingerprint: str, requests: Requests, on_reply: OnReply, on_progress: OnProgress, prices: Prices
) -> Iterator[AskSession]:
    """A session in which the cached answers are delivered already."""
    with AnswerCache() as cache:
        session = AskSession(cache, fingerprint, requests, on_reply, on_progress, prices)
        with closing(session.claims):
            for key, reply in cache.find(list(session.waiting)).items():
                del session.waiting[key]
                session.deliver(key, cleaned(reply))
            session.update()
            yield session


def estimate(fingerprint: str, requests: Requests, prices: Prices) -> Estimate:
    """The size of the job, by the cache and the packaged tokenizer."""
    different = {request.key(fingerprint): request for request in requests}
    with AnswerCache() as cache:
        found = cache.find(list(different))
    cached = sum(request.key(fingerprint) in found for request in requests)
    unpaid = [request for key, request in different.items() if key not in found]
    tokens_in = sum(input_tokens(unpaid))
    tokens_out = sum(request.max_tokens for request in unpaid)
    cost = prices.cost(tokens_in, tokens_out)
    return Estimate(len(requests), cached, tokens_in, tokens_out, cost, prices.currency, prices.as_of)


def input_tokens(requests: Requests) -> list[int]:
    """The tokens of each request, counted with the packaged tokenizer."""
    # One system prompt serves thousands of requests: it is counted once.
    systems = list({request.system for request in requests})
    of_system = dict(zip(systems, count_tokens(systems), strict=True)) if systems else {}
    of_users = count_tokens([request.user for request in requests])
    return [of_system[request.system] + own + TEMPLATE_TOKENS for request, own in zip(requests, of_users, strict=True)]
