"""The settings of a run as one record of named values, and the checks that need no work."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from byheart.config.schema import Rule
from byheart.data.chunks import Chunking
from byheart.data.rows import Rows
from byheart.data.split import Forms
from byheart.errors import Problem, UserError
from byheart.evaluation.base import Evaluation, Paid
from byheart.expansion.base import Expansion, TeacherExpansion
from byheart.model.adapters.adapter import Adapter, Full
from byheart.model.adapters.variants import Dora, Pissa
from byheart.model.base_model import BaseModel
from byheart.model.files.targets import adapter_problems
from byheart.model.quantization import INT8, NF4
from byheart.report.loggers.base import Logger
from byheart.teacher.base import NO_KEY, Teacher
from byheart.teacher.none import CHOOSE, NoTeacher
from byheart.training.hardware import device_problems
from byheart.training.job import Budget
from byheart.training.optimizer import SCHEDULES, Optimizer
from byheart.training.optimizer_choices import Muon
from byheart.training.stopping import Stopping
from byheart.training.trainer import Trainer

MOST_SEED = 2**32 - 1  # numpy takes no more
HELP = "see `byheart learn --help`"


def _is_folder_name(name: str) -> bool:
    return bool(name.strip()) and not re.search(r'[/\\\x00-\x1f:*?"<>|]', name) and not name.startswith(".")


def _is_budget(said: int | str) -> bool:
    try:
        Budget.read(said)
    except ValueError:
        return False
    return True


RULES = {
    "documents": Rule(
        str | list[str],
        "a file, a folder, a glob, or a list of them",
        bool,
        "documents=handbook.pdf, or try the example: make learn",
    ),
    "follow_links": Rule(bool, "true or false"),
    "name": Rule(str | None, "a plain name for a folder", lambda name: name is None or _is_folder_name(name)),
    "seed": Rule(int, f"a whole number from 0 to {MOST_SEED}", lambda seed: 0 <= seed <= MOST_SEED),
    "questions": Rule(str | None, "the path of a JSONL file"),
    "dev": Rule(
        float, "at least 0 and below 1", lambda share: 0 <= share < 1, "a share of your questions, e.g. dev=0.2"
    ),
    "batch_size": Rule(int, "a whole number of at least 1", lambda rows: rows >= 1),
    "epochs": Rule(int, "a whole number from 1 to 100000", lambda epochs: 1 <= epochs <= 100_000),
    "budget": Rule(
        int | str | None, "optimizer steps (2000) or a time (90s, 15m, 1h30m)", _is_budget, "try budget=15m"
    ),
    "lr": Rule(float, "a number above 0", lambda lr: lr > 0, "try lr=1e-4 (LoRA) or lr=1e-5 (adapter=full)"),
    "schedule": Rule(str, f"one of {', '.join(SCHEDULES)}", SCHEDULES.__contains__),
    "retrain": Rule(str, f"one of none, {', '.join(SCHEDULES)}", ("none", *SCHEDULES).__contains__),
    "rounds": Rule(int, "a whole number of at least 1", lambda rounds: rounds >= 1),
    "estimate": Rule(bool, "true or false"),
}


@dataclass(frozen=True)
class RunConfig:
    """The composed config of a run; the fields have the names of the command line."""

    documents: tuple[str, ...]
    expansion: Mapping[str, Expansion]
    evaluation: Mapping[str, Evaluation]
    model: BaseModel
    adapter: Adapter
    optimizer: Optimizer
    trainer: Trainer
    split: Forms
    logger: Mapping[str, Logger] = field(default_factory=dict)
    teacher: Teacher = field(default_factory=NoTeacher)
    chunks: Chunking = field(default_factory=Chunking)
    rows: Rows = field(default_factory=Rows)
    stopping: Stopping = field(default_factory=Stopping)
    follow_links: bool = False
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
    rounds: int = 1
    estimate: bool = False

    @property
    def limit(self) -> Budget:
        """`budget` as steps or seconds."""
        return Budget.read(self.budget)

    @property
    def alone(self) -> str:
        """Why a trial with these options cannot share a pack; "" where it can."""
        return self.model.alone or self.adapter.alone or self.optimizer.alone or self.trainer.alone

    @property
    def unverified(self) -> list[str]:
        """Sentences on models that are neither on this machine nor known to be on the hub, and on a key that only a run needs."""
        said = [getattr(part, "unverified", "") for part in (self.model, self.teacher)]
        parts: dict[str, Teacher | Paid] = {"": self.teacher, **self.paid}
        for name, part in parts.items():
            whose = f"{name}: " if name else ""
            said += [f"{whose}{NO_KEY}, and a run needs it" for each in part.problems() if each.what == NO_KEY]
        return [line for line in said if line]

    @property
    def paid(self) -> dict[str, Paid]:
        """The evaluations that ask a server, by name."""
        return {name: member for name, member in self.evaluation.items() if isinstance(member, Paid)}

    def problems(self) -> list[Problem]:
        """All that can be known before any work, without torch or a token spent. Only a hub id that is not here is asked
        of the hub."""
        found = [rule.problem(key, getattr(self, key)) for key, rule in RULES.items()]
        wrong = [problem for problem in found if problem]
        return [*(wrong or self._contradictions()), *self._wrong_parts()]

    def _contradictions(self) -> Iterator[Problem]:
        """Values that are right by themselves, but not together."""
        if self.optimizer.lr != self.lr:  # run.json, sweeps and the screen show lr
            fix = f"set lr={self.optimizer.lr:g} instead"
            yield Problem("must be the same as lr", "optimizer.lr", f"{self.optimizer.lr:g}", fix)
        if isinstance(self.optimizer, Muon) and isinstance(self.adapter, Full):
            fix = "adapter=lora, or another optimizer: optimizer=adamw"
            yield Problem(
                "Muon's steps do not suit embeddings, which adapter=full trains too", "optimizer", "muon", fix
            )
        if self.model.quantization:
            kind, fix = self.model.quantization, "adapter=lora, or model.quantization=null"
            if isinstance(self.adapter, Full | Pissa):
                yield Problem(
                    "the adapter needs the base's weights, which are quantized", "model.quantization", kind, fix
                )
            elif isinstance(self.adapter, Dora) and kind == INT8:
                yield Problem(
                    "DoRA needs weights that it can read again", "model.quantization", kind, f"{NF4}, or {fix}"
                )
        if self.dev and not self.questions:
            fix = "add questions=FILE, or remove dev"
            yield Problem("there are no questions to take a share of", "dev", str(self.dev), fix)
        if self.limit.seconds is not None and self.schedule != "constant":
            fix = f"give steps (budget=2000), or keep schedule=constant and add retrain={self.schedule}"
            yield Problem(
                "a schedule that lowers the learning rate needs the number of steps", "budget", str(self.budget), fix
            )
        if self.rounds > 1:
            yield from self._rounds_problems()
        if not self.expansion:
            yield Problem("no examples would be made", "expansion", "[]", "choose at least one: expansion=rules")

    def _rounds_problems(self) -> Iterator[Problem]:
        if not self.split.share:
            fix = f"split.share={Forms.share:g}, or rounds=1"
            yield Problem("rounds are chosen by held-out wordings, and nothing is held out", "split.share", "0", fix)
        if self.schedule != "constant":
            fix = "schedule=constant, or rounds=1"
            yield Problem(
                "a round goes on at the learning rate of the one before, which must not fall",
                "schedule",
                self.schedule,
                fix,
            )
        if self.retrain != "none":
            what, fix = (
                "a training afresh has one set of examples, and each round has its own",
                "retrain=none, or rounds=1",
            )
            yield Problem(what, "retrain", self.retrain, fix)

    def _wrong_parts(self) -> Iterator[Problem]:
        from byheart.documents.load import find_documents
        from byheart.evaluation.questions import check_questions

        try:
            find_documents(self.documents, follow_links=self.follow_links)
        except UserError as error:
            yield from error.problems
        if self.questions:
            yield from check_questions(self.questions)
        for name, expansion in self.expansion.items():
            yield from (
                fault if isinstance(fault, Problem) else Problem(fault, f"expansion.{name}", fix=HELP)
                for fault in expansion.problems()
            )
        for member in self.evaluation.values():
            yield from getattr(member, "problems", tuple)() if not isinstance(member, Paid) else ()
        asking = [name for name, member in self.expansion.items() if isinstance(member, TeacherExpansion)]
        if asking and isinstance(self.teacher, NoTeacher):
            yield Problem(f"expansion={asking[0]} needs a teacher", "teacher", "none", CHOOSE)
        # An estimate sends nothing, so it needs no key.
        asked: tuple[Teacher | Paid, ...] = (self.teacher, *self.paid.values())
        yield from (each for part in asked for each in part.problems() if not (self.estimate and each.what == NO_KEY))
        for name, logger in self.logger.items():
            yield from (Problem(message, f"logger.{name}") for message in logger.problems())
        yield from self.optimizer.problems()
        yield from device_problems(self.trainer.device, self.trainer.precision)
        found = self.model.problems()
        yield from found or self.model_problems()

    def model_problems(self) -> Iterator[Problem]:
        """Settings that are right by themselves, but not for this model, as far as its folder tells."""
        yield from adapter_problems(self.model.files(), self.adapter)
