"""The contract of the teacher family: requests in, replies out, each written to the cache the moment it arrives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from byheart.errors import Problem, Unfinished, UserError
from byheart.store import content_key


@dataclass(frozen=True)
class Request:
    """One question to a teacher: all that may change its answer."""

    system: str
    user: str  # what many requests share (the chunk) first, what varies last: a server's prefix cache helps then
    temperature: float
    max_tokens: int  # of the answer
    attempt: int = 0  # another number asks the very same words anew
    prompt_version: str = ""
    schema: Mapping[str, Any] | None = None  # JSON schema of the answer, where the server can keep to one

    def key(self, fingerprint: str) -> str:
        """What the answer is cached under, for the teacher whose `fingerprint` it is."""
        return content_key(
            fingerprint,
            self.system,
            self.user,
            float(self.temperature),
            self.max_tokens,
            self.attempt,
            self.prompt_version,
            dict(self.schema) if self.schema is not None else None,
        )


@dataclass(frozen=True)
class Reply:
    """What the teacher said, and what it took."""

    text: str  # as it was received; may hold a reasoning model's thinking (see `strip_thinking`)
    input_tokens: int  # as the server counted them; 0 where it did not say
    output_tokens: int
    cached: bool  # taken from the cache: nothing was sent or paid
    finish_reason: str  # "stop", "length" where it was cut at max_tokens, "content_filter", ...
    notes: tuple[str, ...] = ()  # what was done otherwise than asked, e.g. "temperature refused"


@dataclass(frozen=True)
class Failure:
    """A request that got no usable answer after all its retries. Nothing is cached: the next run asks it again."""

    reason: str  # in words, e.g. "500 from the server, 6 times: overloaded"


@dataclass(frozen=True)
class Estimate:
    """What asking would take. Tokens and cost are those of the requests that are not cached yet."""

    requests: int
    cached: int
    input_tokens: int  # counted with the packaged tokenizer: right to some 15 % for other models
    output_tokens: int  # at most: every answer as long as its max_tokens
    cost: float | None = None  # in the currency of the prices; None where no prices are known


@dataclass(frozen=True)
class Progress:
    """How far an `ask` is. Tokens and cost are those that were paid in it; cached replies are counted apart."""

    total: int
    done: int = 0  # replies and failures, cached ones included
    cached: int = 0
    failed: int = 0
    in_flight: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    note: str = ""  # what is being waited for, e.g. "the server asks for a pause of 20 s"


class TeacherError(UserError):
    """No use in going on: a wrong key, no money, a dead server. What had arrived is saved; the message says so."""


class ComeBack(Unfinished, TeacherError):
    """The requests are under way elsewhere; nothing went wrong."""


class Teacher(Protocol):
    """Answers requests. An implementation is a frozen dataclass of options, cheap to build."""

    def ask(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None] = lambda index, reply: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> list[Reply | Failure]:
        """A reply or a failure for each request, in their order; equal requests are sent once.

        `on_reply` gets each reply with its request's index as soon as it is there (and cached), in any order, in the
        thread that called. Raises TeacherError where nobody will answer any more.
        """
        ...

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        """What `ask` would take now. Sends nothing."""
        ...

    def tests(self) -> Sequence[Problem]:
        """What can be known to be wrong before any work and without a network; empty where nothing is."""
        ...

    @property
    def fingerprint(self) -> str:
        """What identifies the model that answers, as part of cache keys. Never holds a secret."""
        ...

    @property
    def answers_soon(self) -> bool:
        """Whether one request may go ahead of the others, to see how it fares: a batch would take a day over it."""
        ...
