"""No teacher: for expansions that need none. Asking it is an error that says how to get one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from byheart.errors import Problem
from byheart.teacher.base import Estimate, Failure, Progress, Reply, Request, TeacherError

CHOOSE = (
    "teacher=openai teacher.model=NAME (key in OPENAI_API_KEY, or teacher.base_url=http://localhost:8000/v1 for a "
    "server of your own), or teacher=local, or expansion=rules, which asks nobody"
)


@dataclass(frozen=True)
class NoTeacher:
    """Answers nothing; asked nothing, it is content."""

    answers_soon: ClassVar[bool] = True

    def ask(
        self,
        requests: Sequence[Request],
        on_reply: Callable[[int, Reply], None] = lambda index, reply: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> list[Reply | Failure]:
        if requests:
            raise TeacherError(Problem("this expansion needs a teacher", "teacher", "none", CHOOSE))
        return []

    def estimate(self, requests: Sequence[Request]) -> Estimate:
        return Estimate(0, 0, 0, 0, 0.0)

    def tests(self) -> Sequence[Problem]:
        return ()

    @property
    def fingerprint(self) -> str:
        return "none"
