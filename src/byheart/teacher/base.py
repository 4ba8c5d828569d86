"""The contract of the teacher family: requests in, replies out, each saved in the cache as soon as it arrives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from byheart.errors import Problem, Unfinished, UserError
from byheart.store import content_key

TEMPERATURE_REFUSED = "temperature refused"  # a note of a reply
NO_KEY = "the key's environment variable is not set"  # a problem that an estimate does not have


@dataclass(frozen=True)
class Request:
    """One request to a teacher: everything that may change its answer."""

    system: str
    user: str  # what many requests share (the chunk) first, what varies last: a server's prefix cache helps then
    temperature: float
    max_tokens: int  # of the answer
    attempt: int = 0  # another number asks the same words again
    prompt_version: str = ""
    schema: Mapping[str, object] | None = None  # JSON schema of the answer, where the server can enforce one

    def key(self, fingerprint: str) -> str:
        """The key of its answer in the cache, for the teacher with this `fingerprint`."""
        words = self.system, self.user, float(self.temperature), self.max_tokens, self.attempt, self.prompt_version
        return content_key(fingerprint, *words, dict(self.schema) if self.schema is not None else None)


@dataclass(frozen=True)
class Reply:
    """The teacher's answer, and its tokens."""

    text: str  # as it was received; may hold a reasoning model's thinking (see `strip_thinking`)
    input_tokens: int  # as the server counted them; 0 where it did not report them
    output_tokens: int
    cached: bool  # taken from the cache: nothing was sent or paid
    finish_reason: str  # "stop", "length" where it was cut at max_tokens, "content_filter", ...
    notes: tuple[str, ...] = ()  # where the server did not do as asked, e.g. TEMPERATURE_REFUSED

    @property
    def temperature_refused(self) -> bool:
        return TEMPERATURE_REFUSED in self.notes


@dataclass(frozen=True)
class Failure:
    """A request without a usable answer after all its retries. It is not cached: the next run sends it again."""

    reason: str  # for example "500 from the server, 6 times: overloaded"


@dataclass(frozen=True)
class Estimate:
    """The size of a job. Tokens and cost are those of the requests that are not cached yet."""

    requests: int
    cached: int
    input_tokens: int  # counted with the packaged tokenizer: right to some 15 % for other models
    output_tokens: int  # at most: every answer as long as its max_tokens
    cost: float | None = None  # in the currency of the prices; None where no prices are known
    currency: str = ""  # "" where the user gave the prices
    as_of: str = ""  # the date of the table that the prices are from; "" where the user gave them


@dataclass(frozen=True)
class Progress:
    """The state of an `ask`. Tokens and cost are those that were paid in it; cached replies are counted apart."""

    total: int
    done: int = 0  # replies and failures, cached ones included
    cached: int = 0
    failed: int = 0
    in_flight: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    note: str = ""  # the reason of a wait, e.g. "the server asks for a pause of 20 s"


class TeacherError(UserError):
    """No request will be answered: a wrong key, no credit, no server. The message says how many answers are saved."""


class ComeBack(Unfinished, TeacherError):
    """No error: the server still works on the requests, and the same command collects the answers later."""


Requests = Sequence[Request]
OnReply = Callable[[int, Reply], None]
OnProgress = Callable[[Progress], None]
Outcomes = list[Reply | Failure]


def ignore(*event: object) -> None:
    """The listener that does nothing."""


class Teacher(Protocol):
    """Answers requests. An implementation is a frozen dataclass of options and costs nothing to build."""

    def ask(self, requests: Requests, on_reply: OnReply = ignore, on_progress: OnProgress = ignore) -> Outcomes:
        """A reply or a failure for each request, in their order; equal requests are sent once.

        `on_reply` gets each reply with its request's index as soon as it is cached, in any order, in the thread of the
        caller. Raises TeacherError where no further request would be answered.
        """
        ...

    def estimate(self, requests: Requests) -> Estimate:
        """The size of the job `ask(requests)`. Sends nothing."""
        ...

    def problems(self) -> Sequence[Problem]:
        """Problems of the options, found without a network; empty if there are none."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies the model that answers, as part of cache keys. Never contains a secret."""
        ...

    @property
    def answers_soon(self) -> bool:
        """Whether one request may be sent before the others as a probe: a batch would take a day to answer it."""
        ...
