"""A teacher whose work is watched: how far it is, how fast, and what it took, over all that one expansion asks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from byheart.errors import Problem
from byheart.expansion.parse import parse_pairs
from byheart.teacher.base import Estimate, Failure, Progress, Reply, Request, Teacher


@dataclass(frozen=True)
class Standing:
    """Where the asking stands. Tokens and cost are those that were paid in it."""

    total: int = 0  # requests of this round
    done: int = 0
    in_flight: int = 0
    sent: int = 0  # requests answered by the teacher, over all rounds
    cached: int = 0
    failed: int = 0
    examples: int = 0  # pairs received, before any gate
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    seconds: float = 0.0
    note: str = ""

    @property
    def examples_per_minute(self) -> float:
        return 60 * self.examples / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        """ "412 examples/min, 32 in flight, 18 cached, 91k tokens, cost 0.02"."""
        parts = [f"{self.examples_per_minute:,.0f} examples/min", f"{self.in_flight} in flight"]
        if self.cached:
            parts.append(f"{self.cached:,} cached")
        parts.append(f"{amount(self.input_tokens + self.output_tokens)} tokens")
        if self.cost is not None:
            parts.append(f"cost {self.cost:.2f}")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        return ", ".join(parts) + (f"; {self.note}" if self.note else "")


class Watched:
    """Passes everything on to `teacher`, and tells `show` after each change."""

    def __init__(self, teacher: Teacher, show: Callable[[Standing], None]):
        self.teacher, self.show = teacher, show
        self.standing = Standing()
        self._began = time.monotonic()

    @property
    def fingerprint(self) -> str:
        return self.teacher.fingerprint

    @property
    def answers_soon(self) -> bool:
        return self.teacher.answers_soon

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        return self.teacher.estimate(requests)

    def tests(self) -> Sequence[Problem]:
        return self.teacher.tests()

    def ask(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None] = lambda index, reply: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> list[Reply | Failure]:
        before = self.standing

        def counted(index: int, reply: Reply) -> None:
            found = len(parse_pairs(reply.text, reply.finish_reason == "length").pairs)
            self.standing = replace(self.standing, examples=self.standing.examples + found)
            on_reply(index, reply)

        def told(progress: Progress) -> None:
            cost = None if progress.cost is None else (before.cost or 0.0) + progress.cost
            self.standing = replace(
                self.standing,
                total=progress.total,
                done=progress.done,
                in_flight=progress.in_flight,
                sent=before.sent + progress.done - progress.cached - progress.failed,
                cached=before.cached + progress.cached,
                failed=before.failed + progress.failed,
                input_tokens=before.input_tokens + progress.input_tokens,
                output_tokens=before.output_tokens + progress.output_tokens,
                cost=before.cost if cost is None else cost,
                seconds=time.monotonic() - self._began,
                note=progress.note,
            )
            self.show(self.standing)
            on_progress(progress)

        return self.teacher.ask(requests, counted, told)


def amount(number: float) -> str:
    return f"{number:,.0f}" if number < 10_000 else f"{number / 1e3:,.0f}k" if number < 1e6 else f"{number / 1e6:.1f}M"
