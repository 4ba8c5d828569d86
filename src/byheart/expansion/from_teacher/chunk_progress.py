"""What a teacher was asked about one chunk, which of its pairs were kept, and why the others were refused."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from byheart.documents.languages.language import UNSPACED, count_words
from byheart.errors import Check
from byheart.expansion.base import Source, Tally, example_id
from byheart.expansion.filters.checks import REPEATED, Filters
from byheart.expansion.filters.ground import Ground
from byheart.expansion.filters.repeats import Repeats
from byheart.expansion.filters.words import words
from byheart.expansion.from_teacher.parse import Pair, parse_pairs
from byheart.records import FORWARD, REVERSE, Chunk, Example, Fact, Rejection
from byheart.teacher.base import Failure, Reply
from byheart.teacher.response import why_empty

FORWARD_ANGLES = ("simple", "detailed", "scenario", "completion")
ANGLES_ASKED = (*FORWARD_ANGLES, "reverse")
TEMPERATURE: Check = "between 0 and 2", lambda degrees: 0 <= degrees <= 2
TIED = 55.0  # rapidfuzz token_set_ratio from which a pair is about a fact
BETTER = 25.0  # by so much another fact must fit better than the one that the teacher named
_LIST_END = re.compile(r"\s*[;,；，、]\s*(?:and|or)?\s*$")  # of a list item that was copied with what follows it
COPIED = "another chunk has the same pair"
CUT_OFF = "max_examples was reached"


@dataclass(frozen=True)
class PairSpec:
    """One pair to be written: the place of its fact in the chunk, and the angle."""

    fact: int
    angle: str

    @property
    def direction(self) -> str:
        return REVERSE if self.angle == "reverse" else FORWARD


@dataclass(frozen=True)
class PairRequest:
    """One request about a chunk: several pairs at one temperature."""

    chunk: str  # Chunk.id
    items: tuple[PairSpec, ...]
    temperature: float
    attempt: int = 0  # 0 in the first round, then the number of the top-up
    sample: int = 0  # the same again at the same temperature


@dataclass(frozen=True)
class Candidate:
    """A pair that passed every filter."""

    example: Example
    attempt: int
    counts: bool = True  # towards the floors; a copy that is kept on demand does not


@dataclass(frozen=True)
class Policy:
    """How the pairs of one expansion are filtered, the same for all its chunks."""

    expansion: str  # its name, as examples carry it
    gates: Filters
    keep_copies: bool


class ChunkExamples:
    """What a teacher wrote about one chunk: the kept examples, the rejected ones, and the requests that failed."""

    def __init__(self, chunk: Chunk, source: Source):
        self.chunk, self.facts = chunk, source.facts_of(chunk)
        self.ground = Ground.of(chunk, source)
        self.kept: list[Candidate] = []
        self.rejected: list[Rejection] = []
        self.failed: list[str] = []
        self.asked = self.requests = 0

    def tally_of(self, asked_on: Mapping[str, int]) -> Tally:
        """`asked_on`: Fact.id -> examples asked for."""
        later = [candidate.example for candidate in self.kept if candidate.attempt and candidate.counts]
        topped_up_on = Counter(fact for example in later for fact in example.facts)
        failed = tuple(self.failed)
        return Tally(self.asked, self.requests, failed, len(later), dict(asked_on), dict(topped_up_on))


class ChunkProgress(ChunkExamples):
    """The pairs on one chunk. Takes the replies in the order of their requests."""

    def __init__(self, chunk: Chunk, source: Source, policy: Policy, seen: set[str]):
        """`seen`: ids of the examples of all chunks, shared by them."""
        super().__init__(chunk, source)
        self.policy, self.seen = policy, seen
        self.repeats = Repeats(policy.gates.alike)
        self.asked_angles: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
        self.cut = 0  # replies that reached max_tokens

    def know(self, examples: Sequence[Example]) -> None:
        """Takes examples of earlier rounds as kept: what repeats them is refused, and a teacher is shown them."""
        for example in examples:
            self.kept.append(Candidate(example, 0))
            self.seen.add(example.id)
            fact = example.facts[0] if example.facts else f"chunk:{self.chunk.id}"
            self.repeats.keep(fact, example.direction, example.question, example.answer)

    def note_asked(self, request: PairRequest) -> None:
        self.asked += len(request.items)
        self.requests += 1
        for item in request.items:
            self.asked_angles[item.fact, item.direction][item.angle] += 1

    def read(self, request: PairRequest, outcome: Reply | Failure) -> list[Candidate]:
        """The candidates of one reply, to be added to `kept` by the caller; its other pairs go to `rejected`."""
        if isinstance(outcome, Failure):
            self.failed.append(outcome.reason)
            return []
        cut = outcome.finish_reason == "length"
        self.cut += cut
        parsed = parse_pairs(outcome.text, cut)
        if why := why_empty(outcome):
            parsed = replace(parsed, broken=((why, outcome.text),))
        rung = None if outcome.temperature_refused else request.temperature
        for reason, raw in parsed.broken:
            self.rejected.append(Rejection(self._example(Pair("", raw), (), "simple", rung), reason))
        aligned = len(parsed.pairs) == len(request.items)
        candidates = []
        for place, pair in enumerate(parsed.pairs):
            item = request.items[place] if aligned else None
            facts = self._facts_of(pair, item)
            angle = pair.angle if pair.angle in ANGLES_ASKED else item.angle if item else _guessed(pair)
            example = self._example(pair, facts, angle, rung)
            refusal = self.policy.gates.refuse(example.question, example.answer, angle, self.ground)
            if refusal:
                self.rejected.append(Rejection(example, refusal.reason, refusal.detail))
            elif candidate := self._new(example, request.attempt):
                candidates.append(candidate)
        return candidates

    def count(self, fact: Fact, direction: str) -> int:
        return sum(c.counts and fact.id in c.example.facts and c.example.direction == direction for c in self.kept)

    def missing(self, floor: int, per_fact: int) -> list[PairSpec]:
        """What to ask once more: each fact and direction that is short, then any facts until the chunk's floor.

        The angle that was asked least comes first, so that each round takes another one.
        """
        items: list[PairSpec] = []
        for place, fact in enumerate(self.facts):
            for direction in (FORWARD, REVERSE):
                items += self._next(place, direction, max(0, per_fact - self.count(fact, direction)))
        places = sorted(range(len(self.facts)), key=lambda place: self.count(self.facts[place], FORWARD))
        lacking = floor - sum(candidate.counts for candidate in self.kept) - len(items)
        for turn in range(max(0, lacking)):
            items += self._next(places[turn % len(places)], FORWARD, 1, turn // len(places))
        return items

    def questions_on(self, items: Sequence[PairSpec]) -> list[str]:
        """The kept questions on the facts of these items, the newest last."""
        wanted = {self.facts[item.fact].id for item in items}
        return [c.example.question for c in self.kept if c.counts and wanted & set(c.example.facts)]

    def tally(self) -> Tally:
        asked_on: Counter[str] = Counter()
        for (place, _), angles in self.asked_angles.items():
            asked_on[self.facts[place].id] += angles.total()
        return self.tally_of(asked_on)

    def outcome(self) -> str:
        """The result of all requests about the chunk, in words."""
        received = len(self.kept) + len(self.rejected)
        failed = f", {len(self.failed)} of {self.requests} requests failed ({self.failed[-1]})" if self.failed else ""
        return f"{self.asked} asked, {received} received, {len(self.rejected)} refused{failed}"

    def why_missing(self, fact: Fact, direction: str) -> str:
        """Why a fact has no example in this direction."""
        mine = [r for r in self.rejected if fact.id in r.example.facts and r.example.direction == direction]
        if mine:
            reason, times = Counter(r.reason for r in mine).most_common(1)[0]
            return f"{len(mine)} {direction} pairs were refused, {times} because {reason}"
        if self.failed:
            return f"the teacher did not answer: {self.failed[-1]}"
        return f"the teacher wrote no {direction} pair about it in {self.requests} requests"

    def _next(self, place: int, direction: str, count: int, offset: int = 0) -> Iterator[PairSpec]:
        angles = ("reverse",) if direction == REVERSE else FORWARD_ANGLES
        asked = self.asked_angles[place, direction]
        order = sorted(angles, key=lambda angle: (asked[angle], (angles.index(angle) - place) % len(angles)))
        for turn in range(count):
            yield PairSpec(place, order[(turn + offset) % len(order)])

    def _new(self, example: Example, attempt: int) -> Candidate | None:
        """The candidate, unless it is a copy: that is refused, or kept without counting where copies are wanted."""
        fact = example.facts[0] if example.facts else f"chunk:{self.chunk.id}"
        other = self.repeats.like(fact, example.direction, example.question, example.answer)
        if not self.policy.keep_copies and (other or example.id in self.seen):
            reason, detail = (REPEATED, f"“{other}”") if other else (COPIED, "")
            self.rejected.append(Rejection(example, reason, detail))
            return None
        if example.id in self.seen:
            copies = sum(i.startswith(f"{example.id}-") for i in self.seen)
            example = replace(example, id=f"{example.id}-{copies + 2}")
        self.seen.add(example.id)
        self.repeats.keep(fact, example.direction, example.question, example.answer)
        return Candidate(example, attempt, counts=not other)

    def _facts_of(self, pair: Pair, item: PairSpec | None) -> tuple[str, ...]:
        """The facts that a pair teaches: those the teacher named, unless another fits far better; else the best."""
        from rapidfuzz import fuzz

        named = [self.facts[number - 1] for number in pair.facts if 1 <= number <= len(self.facts)]
        if len(named) > 1:
            return tuple(fact.id for fact in named)
        if not named and item is not None:
            named = [self.facts[item.fact]]
        said = _in_words(f"{pair.question} {pair.answer}")
        own = fuzz.token_set_ratio(_in_words(named[0].text), said) if named else 0.0
        if own < TIED:
            scores = [fuzz.token_set_ratio(_in_words(fact.text), said) for fact in self.facts]
            best = max(range(len(scores)), key=scores.__getitem__)
            if scores[best] >= (own + BETTER if named else TIED):
                return (self.facts[best].id,)
        return (named[0].id,) if named else ()

    def _example(self, pair: Pair, facts: tuple[str, ...], angle: str, rung: float | None) -> Example:
        answer = _LIST_END.sub("", pair.answer)
        direction = REVERSE if angle == "reverse" else FORWARD
        key, who = example_id(pair.question, answer), self.policy.expansion
        return Example(key, pair.question, answer, facts, angle, direction, who, self.chunk.id, rung)


def _in_words(text: str) -> str:
    """The text, or its pairs of letters where no blanks separate words: rapidfuzz compares what stands between blanks."""
    return " ".join(words(text)) if UNSPACED.search(text) else text


def _guessed(pair: Pair) -> str:
    if pair.question.lower().startswith(("complete", "finish the sentence")):
        return "completion"
    count = count_words(pair.answer) if UNSPACED.search(pair.answer) else len(pair.answer.split())
    return "simple" if count <= 8 else "detailed"
