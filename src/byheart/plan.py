"""Everything that a command was asked to do, as one record of named values, and what can be known to be wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from byheart.chunks import Chunking
from byheart.errors import Problem, UserError
from byheart.evaluation.base import Evaluation
from byheart.expansion.base import Asking, Expansion
from byheart.model.adapter import Adapter
from byheart.model.base_model import BaseModel
from byheart.report.loggers.base import Logger
from byheart.rows import Rows
from byheart.split import Forms
from byheart.teacher.base import Teacher
from byheart.teacher.none import CHOOSE, NoTeacher
from byheart.training.budget import Budget
from byheart.training.optimizer import SCHEDULES, AdamW
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

RETRAIN = ("none", *SCHEDULES)
HELP = "see `byheart learn --help`"


@dataclass(frozen=True)
class Plan:
    """The composed config of a run; the fields bear the names that stand on the command line."""

    documents: tuple[str, ...]
    expansion: Mapping[str, Expansion]
    evaluation: Mapping[str, Evaluation]
    model: BaseModel
    adapter: Adapter
    optimizer: AdamW
    trainer: Trainer
    split: Forms
    logger: Mapping[str, Logger] = field(default_factory=dict)
    teacher: Teacher = field(default_factory=NoTeacher)
    chunks: Chunking = field(default_factory=Chunking)
    rows: Rows = field(default_factory=Rows)
    stopping: Stopping = field(default_factory=Stopping)
    questions: str | None = None
    dev: float = 0.0
    name: str | None = None
    seed: int = 0
    batch_size: int = 8
    epochs: int = 30
    budget: int | str | None = None
    lr: float = 1e-3
    schedule: str = "constant"
    retrain: str = "none"
    estimate: bool = False

    @property
    def limit(self) -> Budget:
        """`budget`, read."""
        return Budget.read(self.budget)

    def problems(self) -> list[Problem]:
        """All that can be known before any work, without torch, a network or a token spent."""
        return [*self._wrong_values(), *self._wrong_sources()]

    def _wrong_values(self) -> Iterator[Problem]:
        for name in ("batch_size", "epochs"):
            if getattr(self, name) < 1:
                yield Problem("must be at least 1", name, str(getattr(self, name)), f"try {name}=1")
        if not self.lr > 0:
            yield Problem("must be above 0", "lr", str(self.lr), "try lr=1e-4 (LoRA) or lr=1e-5 (adapter=full)")
        elif self.optimizer.lr != self.lr:  # two rates, of which run.json, sweeps and the screen would tell the other
            yield Problem(
                "is said by lr", "optimizer.lr", f"{self.optimizer.lr:g}", f"say lr={self.optimizer.lr:g} instead"
            )
        if not 0 <= self.dev < 1:
            yield Problem(
                "must be at least 0 and below 1", "dev", str(self.dev), "a share of your questions, e.g. dev=0.2"
            )
        if self.dev and not self.questions:
            yield Problem(
                "there are no questions to take a share of",
                "dev",
                str(self.dev),
                "add questions=FILE, or leave dev out",
            )
        for name, allowed in (("schedule", SCHEDULES), ("retrain", RETRAIN)):
            if getattr(self, name) not in allowed:
                yield Problem(
                    f"must be one of {', '.join(allowed)}", name, str(getattr(self, name)), f"try {name}={allowed[0]}"
                )
        try:
            limit = self.limit
        except ValueError as error:
            what, _, got = str(error).partition(", got ")
            yield Problem(what, "budget", got, "try budget=15m")
            limit = Budget()
        if limit.seconds is not None and self.schedule != "constant":
            fix = "say it in steps (budget=2000), or leave the rate constant and add retrain=" + self.schedule
            yield Problem("a falling rate must know its last step", "budget", str(self.budget), fix)
        if not self.expansion:
            yield Problem("nothing would be written", "expansion", "[]", "choose at least one: expansion=rules")

    def _wrong_sources(self) -> Iterator[Problem]:
        from byheart.documents.load import find_documents
        from byheart.evaluation.questions import check_questions

        try:
            find_documents(self.documents)
        except UserError as error:
            yield from error.problems
        if self.questions:
            yield from check_questions(self.questions)
        for name, expansion in self.expansion.items():
            yield from (
                fault if isinstance(fault, Problem) else Problem(fault, f"expansion.{name}", fix=HELP)
                for fault in expansion.tests()
            )
        asking = [name for name, member in self.expansion.items() if isinstance(member, Asking)]
        if asking and isinstance(self.teacher, NoTeacher):
            yield Problem(f"expansion={asking[0]} needs a teacher", "teacher", "none", CHOOSE)
        yield from self.teacher.tests()
        for name, logger in self.logger.items():
            yield from (Problem(message, f"logger.{name}") for message in logger.tests())
        yield from self.model.tests()
