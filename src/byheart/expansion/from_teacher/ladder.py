"""The ladder: every chunk asked about from all angles, and the same request again at each of nine temperatures."""

from collections.abc import Sequence
from dataclasses import dataclass

from byheart.errors import AT_LEAST_1, Problem, wrong_numbers
from byheart.expansion.from_teacher.chunk_progress import FORWARD_ANGLES, PairRequest, PairSpec
from byheart.expansion.from_teacher.teacher_qa import TeacherQA
from byheart.records import Chunk, Fact


@dataclass(frozen=True, kw_only=True)
class Ladder(TeacherQA):
    """The recipe: at least one question for every 60 tokens, each fact in both directions, on every rung.

    The lowest rungs repeat themselves. Copies are refused and what is short is asked again higher up, or all are kept
    as the plain recipe has it (`duplicates=keep`).
    """

    rungs: int = 9
    coldest: float = 0.01
    hottest: float = 1.2

    def _wrong_values(self) -> list[Problem]:
        found = super()._wrong_values() + wrong_numbers(self, "expansion.ladder", {"rungs": AT_LEAST_1})
        if not 0 <= self.coldest <= self.hottest <= 2:
            value = f"{self.coldest} and {self.hottest}"
            what = "temperatures lie between 0 and 2, coldest first"
            found.append(Problem(what, "expansion.ladder.coldest and .hottest", value))
        return found

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Evenly spaced from `coldest` to `hottest`, both included."""
        steps = max(1, self.rungs - 1)
        return tuple(
            round(self.coldest + (self.hottest - self.coldest) * rung / steps, 4) for rung in range(self.rungs)
        )

    @property
    def varies_temperature(self) -> bool:
        return self.rungs > 1

    def first_asks(self, chunk: Chunk, facts: Sequence[Fact], shift: int = 0) -> list[PairRequest]:
        return [
            PairRequest(chunk.id, tuple(_turned(item, shift * rung) for item in batch), temperature)
            for batch in self.batches(self._items(chunk, facts))
            for rung, temperature in enumerate(self.temperatures)
        ]

    def temperature_of_attempt(self, attempt: int) -> float:
        upper = self.temperatures[self.rungs // 2 :]
        return upper[-1 - (attempt - 1) % len(upper)]

    def _items(self, chunk: Chunk, facts: Sequence[Fact]) -> list[PairSpec]:
        """Each fact forward, from an angle of its own, and in reverse; then more until the chunk's floor."""
        items = []
        for turn in range(max(1, self.examples_per_fact)):
            for place in range(len(facts)):
                items += [_turned(PairSpec(place, FORWARD_ANGLES[0]), place + turn), PairSpec(place, "reverse")]
        turn = 1
        while len(items) < self.asked_of(chunk):
            items += [_turned(PairSpec(place, FORWARD_ANGLES[0]), place + turn) for place in range(len(facts))]
            turn += 1
        return items


def _turned(item: PairSpec, steps: int) -> PairSpec:
    """So many forward angles further; a reverse pair stays as it is."""
    if item.angle not in FORWARD_ANGLES:
        return item
    return PairSpec(item.fact, FORWARD_ANGLES[(FORWARD_ANGLES.index(item.angle) + steps) % len(FORWARD_ANGLES)])
