"""The book of one chunk: what a teacher was asked about it, what was kept, and why the rest was not."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from byheart.expansion.base import Source, Tally, example_id
from byheart.expansion.gates.checks import REPEATED, Gates, Ground
from byheart.expansion.gates.repeats import Repeats
from byheart.expansion.parse import Pair, parse_pairs
from byheart.teacher.base import Failure, Reply
from byheart.types import FORWARD, REVERSE, Chunk, Example, Fact, Rejection

FORWARD_ANGLES = ("simple", "detailed", "scenario", "completion")
ANGLES_ASKED = (*FORWARD_ANGLES, "reverse")
TIED = 55.0  # rapidfuzz token_set_ratio from which a pair is about a fact
BETTER = 25.0  # by so much another fact must fit better than the one that the teacher named
_LIST_END = re.compile(r"\s*[;,]\s*(?:and|or)?\s*$")  # of a list item that was copied with what follows it
COPIED = "another chunk has the same pair"
CUT_OFF = "max_examples was reached"


@dataclass(frozen=True)
class Item:
    """One pair to be written: the place of its fact in the chunk, and the angle."""

    fact: int
    angle: str

    @property
    def direction(self) -> str:
        return REVERSE if self.angle == "reverse" else FORWARD


@dataclass(frozen=True)
class Ask:
    """One request about a chunk: several items at one temperature."""

    chunk: str  # Chunk.id
    items: tuple[Item, ...]
    temperature: float
    attempt: int = 0  # 0 in the first round, then the number of the top-up
    sample: int = 0  # the same again at the same temperature


@dataclass(frozen=True)
class Candidate:
    """A pair that passed every rule."""

    example: Example
    attempt: int
    counts: bool  # towards the floors; a copy that is kept on demand does not


class Book:
    """Replies go in, in the order of their requests; examples and refusals come out."""

    def __init__(self, chunk: Chunk, source: Source, gates: Gates, who: str, keep_copies: bool, seen: set[str]):
        self.chunk, self.facts = chunk, source.facts_of(chunk)
        self.gates, self.who, self.keep_copies, self.seen = gates, who, keep_copies, seen
        title = source.titles[chunk.document]
        around = [title, *chunk.headings, *(fact.label for fact in self.facts), *self._lead_ins(source)]
        whole = next(document.text for document in source.documents if document.id == chunk.document)
        self.ground = Ground(chunk.text, [fact.text for fact in self.facts], around, whole[:4000])
        self.repeats = Repeats(gates.alike)
        self.kept: list[Candidate] = []
        self.rejected: list[Rejection] = []
        self.asked_angles: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
        self.asked = self.requests = 0
        self.failed: list[str] = []
        self.cut = 0  # replies that reached max_tokens

    def note_asked(self, ask: Ask) -> None:
        self.asked += len(ask.items)
        self.requests += 1
        for item in ask.items:
            self.asked_angles[item.fact, item.direction][item.angle] += 1

    def read(self, ask: Ask, outcome: Reply | Failure) -> list[Candidate]:
        """The candidates of one reply; what they lack is in `rejected`. Nothing is kept before `keep`."""
        if isinstance(outcome, Failure):
            self.failed.append(outcome.reason)
            return []
        cut = outcome.finish_reason == "length"
        self.cut += cut
        parsed = parse_pairs(outcome.text, cut)
        rung = None if any("temperature" in note for note in outcome.notes) else ask.temperature
        for reason, raw in parsed.broken:
            self.rejected.append(Rejection(self._example(Pair("", raw), (), "simple", rung), reason))
        aligned = len(parsed.pairs) == len(ask.items)
        candidates = []
        for place, pair in enumerate(parsed.pairs):
            item = ask.items[place] if aligned else None
            facts = self._facts_of(pair, item)
            angle = pair.angle if pair.angle in ANGLES_ASKED else item.angle if item else _guessed(pair)
            example = self._example(pair, facts, angle, rung)
            refusal = self.gates.refuse(example.question, example.answer, angle, self.ground)
            if refusal:
                self.rejected.append(Rejection(example, refusal.reason, refusal.detail))
            elif candidate := self._new(example, ask.attempt):
                candidates.append(candidate)
        return candidates

    def keep(self, candidate: Candidate) -> None:
        self.kept.append(candidate)

    def refuse(self, candidate: Candidate, reason: str, detail: str) -> None:
        self.rejected.append(Rejection(candidate.example, reason, detail))

    @property
    def distinct(self) -> int:
        """Kept questions, copies not counted."""
        return sum(candidate.counts for candidate in self.kept)

    def count(self, fact: Fact, direction: str) -> int:
        return sum(c.counts and fact.id in c.example.facts and c.example.direction == direction for c in self.kept)

    def has_any(self, place: int) -> bool:
        return any(self.facts[place].id in candidate.example.facts for candidate in self.kept)

    def missing(self, floor: int, per_fact: int) -> list[Item]:
        """What to ask once more: each fact and direction that is short, then any facts until the chunk's floor.

        What was asked least comes first, so that each round takes another angle.
        """
        items: list[Item] = []
        for place, fact in enumerate(self.facts):
            for direction in (FORWARD, REVERSE):
                lacking = per_fact - self.count(fact, direction)
                items += self._next(place, direction, max(0, lacking))
        places = sorted(range(len(self.facts)), key=lambda place: self.count(self.facts[place], FORWARD))
        lacking = floor - self.distinct - len(items)
        for turn in range(max(0, lacking) if places else 0):
            items += self._next(places[turn % len(places)], FORWARD, 1, turn // len(places))
        return items

    def questions_on(self, items: Sequence[Item]) -> list[str]:
        """The kept questions on the facts of these items, the newest last."""
        wanted = {self.facts[item.fact].id for item in items}
        return [c.example.question for c in self.kept if c.counts and wanted & set(c.example.facts)]

    def tally(self) -> Tally:
        later = [candidate.example for candidate in self.kept if candidate.attempt and candidate.counts]
        asked_on: Counter[str] = Counter()
        for (place, _), angles in self.asked_angles.items():
            asked_on[self.facts[place].id] += sum(angles.values())
        topped_up_on = Counter(fact for example in later for fact in example.facts)
        return Tally(self.asked, self.requests, tuple(self.failed), len(later), dict(asked_on), dict(topped_up_on))

    def why_missing(self, fact: Fact, direction: str) -> str:
        """What became of a fact that has no example in this direction."""
        mine = [r for r in self.rejected if fact.id in r.example.facts and r.example.direction == direction]
        if mine:
            reason, times = Counter(r.reason for r in mine).most_common(1)[0]
            return f"{len(mine)} {direction} pairs were refused, {times} because {reason}"
        if self.failed:
            return f"the teacher did not answer: {self.failed[-1]}"
        return f"the teacher wrote nothing {direction} on it, asked in {self.requests} requests"

    def _next(self, place: int, direction: str, count: int, offset: int = 0) -> Iterator[Item]:
        angles = ("reverse",) if direction == REVERSE else FORWARD_ANGLES
        asked = self.asked_angles[place, direction]
        order = sorted(angles, key=lambda angle: (asked[angle], (angles.index(angle) - place) % len(angles)))
        for turn in range(count):
            yield Item(place, order[(turn + offset) % len(order)])

    def _new(self, example: Example, attempt: int) -> Candidate | None:
        """The candidate, where it repeats none; else it is refused, or kept without counting."""
        fact = example.facts[0] if example.facts else f"chunk:{self.chunk.id}"
        other = self.repeats.like(fact, example.direction, example.question, example.answer)
        if other and not self.keep_copies:
            self.rejected.append(Rejection(example, REPEATED, f"“{other}”"))
            return None
        if example.id in self.seen:
            if not self.keep_copies:
                self.rejected.append(Rejection(example, COPIED))
                return None
            copies = sum(i.startswith(f"{example.id}-") for i in self.seen)
            example = replace(example, id=f"{example.id}-{copies + 2}")
        self.seen.add(example.id)
        self.repeats.keep(fact, example.direction, example.question, example.answer)
        return Candidate(example, attempt, counts=not other)

    def _facts_of(self, pair: Pair, item: Item | None) -> tuple[str, ...]:
        """The facts that a pair teaches: those the teacher named, unless another fits far better; else the best."""
        from rapidfuzz import fuzz

        named = [self.facts[number - 1] for number in pair.facts if 1 <= number <= len(self.facts)]
        if len(named) > 1:
            return tuple(fact.id for fact in named)
        if not named and item is not None:
            named = [self.facts[item.fact]]
        said = f"{pair.question} {pair.answer}"
        own = fuzz.token_set_ratio(named[0].text, said) if named else 0.0
        if named and own >= TIED:
            return (named[0].id,)
        scores = [fuzz.token_set_ratio(fact.text, said) for fact in self.facts]
        best = max(range(len(scores)), key=scores.__getitem__, default=None)
        if best is not None and scores[best] >= (own + BETTER if named else TIED):
            return (self.facts[best].id,)
        return (named[0].id,) if named else ()

    def _example(self, pair: Pair, facts: tuple[str, ...], angle: str, rung: float | None) -> Example:
        answer = _LIST_END.sub("", pair.answer)
        return Example(
            example_id(pair.question, answer),
            pair.question,
            answer,
            facts,
            angle,
            REVERSE if angle == "reverse" else FORWARD,
            self.who,
            self.chunk.id,
            rung,
        )

    def _lead_ins(self, source: Source) -> list[str]:
        return [source.lead_ins[fact.id] for fact in self.facts if fact.id in source.lead_ins]


def _guessed(pair: Pair) -> str:
    if pair.question.lower().startswith(("complete", "finish the sentence")):
        return "completion"
    return "simple" if len(pair.answer.split()) <= 8 else "detailed"
