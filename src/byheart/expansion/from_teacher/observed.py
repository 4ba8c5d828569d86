"""A teacher whose progress is reported: requests, tokens and cost over everything that one expansion asks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from byheart.errors import Problem
from byheart.expansion.from_teacher.parse import parse_pairs
from byheart.teacher.base import (
    Estimate,
    OnProgress,
    OnReply,
    Outcomes,
    Progress,
    Reply,
    Request,
    Requests,
    Teacher,
    ignore,
)


@dataclass(frozen=True)
class TeacherProgress(Progress):
    """The requests so far. `total`, `done` and `in_flight` are those of this round, the rest covers all rounds."""

    total: int = 0
    sent: int = 0  # requests answered by the teacher
    examples: int = 0  # pairs received, before any filter
    seconds: float = 0.0

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


class ObservedTeacher:
    """Passes every call on to `teacher`, and calls `show` after each change."""

    def __init__(self, teacher: Teacher, show: Callable[[TeacherProgress], None]):
        self.teacher, self.show = teacher, show
        self.progress = TeacherProgress()
        self._began = time.monotonic()

    @property
    def fingerprint(self) -> str:
        return self.teacher.fingerprint

    @property
    def answers_soon(self) -> bool:
        return self.teacher.answers_soon

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        return self.teacher.estimate(requests)

    def problems(self) -> Sequence[Problem]:
        return self.teacher.problems()

    def ask(self, requests: Requests, on_reply: OnReply = ignore, on_progress: OnProgress = ignore) -> Outcomes:
        before = self.progress

        def count(index: int, reply: Reply) -> None:
            found = len(parse_pairs(reply.text, reply.finish_reason == "length").pairs)
            self.progress = replace(self.progress, examples=self.progress.examples + found)
            on_reply(index, reply)

        def add(now: Progress) -> None:
            of_this_round = {name: getattr(now, name) for name in ("total", "done", "in_flight", "note")}
            added = ("cached", "failed", "input_tokens", "output_tokens")
            of_all_rounds = {name: getattr(before, name) + getattr(now, name) for name in added}
            cost = before.cost if now.cost is None else (before.cost or 0.0) + now.cost
            sent, seconds = before.sent + now.done - now.cached - now.failed, time.monotonic() - self._began
            rest = replace(self.progress, cost=cost, sent=sent, seconds=seconds)
            self.progress = replace(rest, **of_this_round, **of_all_rounds)
            self.show(self.progress)
            on_progress(now)

        return self.teacher.ask(requests, count, add)


def amount(number: float) -> str:
    return f"{number:,.0f}" if number < 10_000 else f"{number / 1e3:,.0f}k" if number < 1e6 else f"{number / 1e6:.1f}M"
