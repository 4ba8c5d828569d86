"""Angles: one temperature, every fact asked about from each of five angles."""

from collections.abc import Sequence
from dataclasses import dataclass

from byheart.errors import Problem, wrong_numbers
from byheart.expansion.from_teacher.chunk_progress import ANGLES_ASKED, TEMPERATURE, PairRequest, PairSpec
from byheart.expansion.from_teacher.teacher_qa import TeacherQA
from byheart.records import Chunk, Fact


@dataclass(frozen=True, kw_only=True)
class Angles(TeacherQA):
    """Simple, detailed, scenario, completion and reverse on every fact, each angle in requests of its own."""

    temperature: float = 0.7
    angles: tuple[str, ...] = ANGLES_ASKED

    def _wrong_values(self) -> list[Problem]:
        found = super()._wrong_values() + wrong_numbers(self, "expansion.angles", {"temperature": TEMPERATURE})
        if not self.angles or set(self.angles) - set(ANGLES_ASKED):
            what = f"must be some of {', '.join(ANGLES_ASKED)}"
            found.append(Problem(what, "expansion.angles.angles", str(list(self.angles))))
        return found

    @property
    def varies_temperature(self) -> bool:
        return False

    def first_asks(self, chunk: Chunk, facts: Sequence[Fact], shift: int = 0) -> list[PairRequest]:
        rounds = max(1, self.examples_per_fact, -(-self.asked_of(chunk) // max(1, len(facts) * len(self.angles))))
        return [
            PairRequest(chunk.id, batch, self.temperature, sample=sample)
            for angle in self.angles
            for batch in self.batches([PairSpec(place, angle) for place in range(len(facts))])
            for sample in range(rounds)
        ]

    def temperature_of_attempt(self, attempt: int) -> float:
        return self.temperature
