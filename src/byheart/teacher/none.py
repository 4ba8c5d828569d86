"""No teacher: for expansions that need none. A request to it is an error that explains how to choose a teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from byheart.errors import Problem
from byheart.teacher.base import Estimate, OnProgress, OnReply, Outcomes, Request, Requests, TeacherError, ignore

CHOOSE = (
    "teacher=openai teacher.model=NAME (key in OPENAI_API_KEY, or teacher.base_url=http://localhost:8000/v1 for a "
    "server of your own), or teacher=local, or expansion=rules, which needs no teacher"
)


@dataclass(frozen=True)
class NoTeacher:
    """Accepts an empty list of requests and no other."""

    title: ClassVar[str] = "none"

    answers_soon: ClassVar[bool] = True
    fingerprint: ClassVar[str] = "none"

    def ask(self, requests: Requests, on_reply: OnReply = ignore, on_progress: OnProgress = ignore) -> Outcomes:
        if requests:
            raise TeacherError(Problem("this expansion needs a teacher", "teacher", "none", CHOOSE))
        return []

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        return Estimate(0, 0, 0, 0, 0.0)

    def problems(self) -> Sequence[Problem]:
        return ()
