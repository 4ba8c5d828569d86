"""Question-answer pairs written by a teacher: the common part of `ladder` and `angles`.

Each chunk is asked about in rounds. The first round belongs to the strategy. Each later one asks, from other angles and
at higher temperatures, for what is still missing after the filters, until the floors or `max_attempts` are reached.
"""

from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from byheart.errors import AT_LEAST_0, AT_LEAST_1, Problem, gather, wrong_numbers
from byheart.expansion.base import ExpansionResult, Source, Wanted
from byheart.expansion.filters.checks import JUDGED, Filters
from byheart.expansion.from_teacher.chunk_progress import (
    ANGLES_ASKED,
    CUT_OFF,
    FORWARD_ANGLES,
    Candidate,
    ChunkProgress,
    PairRequest,
    PairSpec,
    Policy,
)
from byheart.expansion.from_teacher.first_answers import CUT_HELP, UNREAD, check_first_answers, cuts, first_of_each
from byheart.expansion.from_teacher.judge import find_unsupported
from byheart.expansion.from_teacher.parse import why_no_pair
from byheart.expansion.from_teacher.prompts import (
    list_schema,
    load_prompt,
    named_source,
    prompt_problems,
    shown_fact,
    shown_text,
)
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.records import FORWARD, REVERSE, Chunk, Example, Fact, Rejection
from byheart.store import content_key
from byheart.teacher.base import Failure, Reply, Request

COPIES = ("drop", "keep")
TOP_UP = 2  # pairs asked for each one that is missing: some of them will be refused
SPARE_TOKENS = 200  # for the brackets around the pairs
MOST_AVOIDED = 12  # questions that a top-up is shown
SCHEMA = list_schema(
    "pairs",
    fact={"type": "array", "items": {"type": "integer"}},
    angle={"type": "string", "enum": [*FORWARD_ANGLES, "reverse"]},
    question={"type": "string"},
    answer={"type": "string"},
)


@dataclass(frozen=True, kw_only=True)
class TeacherQA(Quotas):
    """The options of every strategy that asks a teacher for pairs."""

    prompt: str | None = None
    pairs_per_request: int = 8
    tokens_per_pair: int = 120
    max_attempts: int = 3
    duplicates: str = "drop"
    gates: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        super().__post_init__()
        gather(self._wrong_values())

    def _wrong_values(self) -> list[Problem]:
        where, least = f"expansion.{self._name}", ("at least 16", lambda number: number >= 16)
        checks = {"pairs_per_request": AT_LEAST_1, "tokens_per_pair": least, "max_attempts": AT_LEAST_0}
        found = wrong_numbers(self, where, checks)
        if self.duplicates not in COPIES:
            what, fix = (
                f"must be one of {', '.join(COPIES)}",
                "drop refuses near-copies; keep accepts them, as the recipe does",
            )
            found.append(Problem(what, f"{where}.duplicates", self.duplicates, fix))
        return found

    @property
    def _name(self) -> str:
        return type(self).__name__.lower()

    def problems(self) -> Sequence[str]:
        return prompt_problems(self.prompt, "questions")

    @property
    def prompt_key(self) -> str:
        return content_key(load_prompt(self.prompt, "questions"))

    def requests(self, source: Source) -> list[Request]:
        """The first round."""
        run = _Run(self, source)
        return [run.request(ask) for ask in run.first_round()]

    def expand(self, source: Source) -> ExpansionResult:
        return _Run(self, source).expand()

    def again(self, source: Source, wanted: Wanted) -> ExpansionResult:
        return _Run(self, source).again(wanted)

    def requests_again(self, source: Source, wanted: Wanted) -> list[Request]:
        """Every angle of each wanted fact, but for the forms that are held out."""
        run = _Run(self, source)
        return [run.request(ask) for ask in run.asks_again(wanted)]

    @abstractmethod
    def first_asks(self, chunk: Chunk, facts: Sequence[Fact], shift: int = 0) -> list[PairRequest]:
        """The first round for one chunk. A `shift` other than 0: vary the angle, the model takes no temperature."""

    @abstractmethod
    def temperature_of_attempt(self, attempt: int) -> float:
        """The temperature of the top-up with this number (1, 2, ...)."""

    @property
    @abstractmethod
    def varies_temperature(self) -> bool:
        """Whether the requests of the first round differ in temperature only."""

    def batches(self, items: Sequence[PairSpec]) -> Iterator[tuple[PairSpec, ...]]:
        """Evenly filled requests of at most `pairs_per_request`."""
        count = -(-len(items) // self.pairs_per_request)
        for number in range(count):
            yield tuple(items[len(items) * number // count : len(items) * (number + 1) // count])


class _Run:
    """One expansion: its chunks and what is known of each so far."""

    def __init__(self, options: TeacherQA, source: Source):
        self.options, self.source = options, source
        self.prompt = load_prompt(options.prompt, "questions")
        policy, seen = Policy(options._name, options.gates, options.duplicates == "keep"), set[str]()
        self.chunks = {
            chunk.id: ChunkProgress(chunk, source, policy, seen) for chunk in source.chunks if source.facts_of(chunk)
        }
        self.notes: Counter[str] = Counter()
        self.room = 1  # times the tokens of an answer, as the first answers needed it

    def expand(self) -> ExpansionResult:
        self._ask(self._probed_first_round())
        for attempt in range(1, self.options.max_attempts + 1):
            if not (asks := self._top_up(attempt)):
                break
            self._ask(asks)
        return self._written()

    def again(self, wanted: Wanted) -> ExpansionResult:
        for each in self.chunks.values():
            each.know([example for example in wanted.trained if example.chunk == each.chunk.id])
        if asks := self.asks_again(wanted):
            self._ask(asks)
        chunks = self.chunks.values()
        failed = [why for each in chunks for why in each.failed]
        return ExpansionResult(
            tuple(candidate.example for each in chunks for candidate in each.kept if candidate.attempt),
            tuple(refusal for each in chunks for refusal in each.rejected),
            tallies={each.chunk.id: each.tally() for each in chunks if each.requests},
            notes=(
                *(f"{len(failed)} of {len(asks)} requests failed ({failed[-1]})" for _ in failed[:1]),
                *self.notes,
            ),
        )

    def asks_again(self, wanted: Wanted) -> list[PairRequest]:
        attempt = self.options.max_attempts + wanted.round - 1
        temperature = self.options.temperature_of_attempt(attempt)
        asks = []
        for each in self.chunks.values():
            items = [
                item
                for angle in ANGLES_ASKED
                for place, fact in enumerate(each.facts)
                for item in [PairSpec(place, angle)]
                if fact.id in wanted.facts and (fact.id, angle, item.direction) not in wanted.held_out
            ]
            asks += [PairRequest(each.chunk.id, batch, temperature, attempt) for batch in self.options.batches(items)]
        return asks

    def first_round(self, shift: int = 0) -> list[PairRequest]:
        return [ask for each in self.chunks.values() for ask in self.options.first_asks(each.chunk, each.facts, shift)]

    def _probed_first_round(self) -> list[PairRequest]:
        """The first round, after a few requests showed that the teacher can do it. It varies the angle where it refuses
        temperatures."""
        asks = self.first_round()
        if not asks or not self.source.teacher.answers_soon:
            return asks
        firsts = first_of_each(asks, lambda ask: ask.chunk)
        firsts += [ask for ask in asks[:UNREAD] if ask not in firsts]
        refused = False

        def send(ask: PairRequest, room: int) -> tuple[Request, Reply | Failure]:
            nonlocal refused
            self.room = room
            request = self.request(ask)
            outcome = self.source.teacher.ask([request])[0]
            refused = refused or (isinstance(outcome, Reply) and outcome.temperature_refused)
            return request, outcome

        self.room = check_first_answers(self.options._name, firsts, send, why_no_pair)
        if refused and self.options.varies_temperature:
            self.notes["the model accepts no temperature: each rung asks from other angles instead"] += 1
            return self.first_round(shift=1)
        return asks

    def _top_up(self, attempt: int) -> list[PairRequest]:
        options = self.options
        kept = [candidate.example for each in self.chunks.values() for candidate in each.kept]
        enough = options.max_examples is not None and len(kept) >= options.max_examples
        taught = {fact for example in kept for fact in example.facts}
        asks = []
        for each in self.chunks.values():
            missing = each.missing(options.asked_of(each.chunk), options.examples_per_fact)
            if enough:  # more would be dropped again, but for facts that have none at all
                missing = [item for item in missing if each.facts[item.fact].id not in taught]
            items = [item for item in missing for _ in range(TOP_UP)]
            temperature = options.temperature_of_attempt(attempt)
            asks += [PairRequest(each.chunk.id, batch, temperature, attempt) for batch in options.batches(items)]
        return asks

    def _ask(self, asks: Sequence[PairRequest]) -> None:
        """One round: all its requests at once; its replies are read in the order of the requests."""
        requests = [self.request(ask) for ask in asks]
        for ask in asks:
            self.chunks[ask.chunk].note_asked(ask)
        fresh: dict[str, list[Candidate]] = defaultdict(list)
        outcomes = self.source.teacher.ask(requests)
        if cut := cuts(requests, outcomes):
            self.notes[f"{cut}: {CUT_HELP}"] += 1
        for ask, outcome in zip(asks, outcomes, strict=True):
            if isinstance(outcome, Reply):
                self.notes.update(f"the server did not do as asked: {note}" for note in outcome.notes)
            fresh[ask.chunk] += self.chunks[ask.chunk].read(ask, outcome)
        unsupported: dict[str, str] = {}
        if self.options.gates.judge:
            shown = [(self.chunks[chunk].chunk, [c.example for c in found]) for chunk, found in fresh.items()]
            unsupported = find_unsupported(self.source, shown)
        for chunk, candidates in fresh.items():
            for candidate in candidates:
                if (why := unsupported.get(candidate.example.id)) is not None:
                    self.chunks[chunk].rejected.append(Rejection(candidate.example, JUDGED, why))
                else:
                    self.chunks[chunk].kept.append(candidate)

    def request(self, ask: PairRequest) -> Request:
        """The chunk and its facts first, which all requests on it share; what varies last."""
        progress = self.chunks[ask.chunk]
        items = [f"{n}. fact {item.fact + 1}, {item.angle}" for n, item in enumerate(ask.items, start=1)]
        facts = [f"{n}. {shown_fact(fact)}" for n, fact in enumerate(progress.facts, start=1)]
        known = progress.questions_on(ask.items)[-MOST_AVOIDED:] if ask.attempt else []
        user = self.prompt.fill(
            "user",
            source=named_source(progress.chunk, self.source),
            text=shown_text(progress.chunk, self.source),
            facts="\n".join(facts),
            count=str(len(ask.items)),
            items="\n".join(items),
            avoid=self.prompt.fill("avoid", questions="\n".join(f"- {q}" for q in known)) if known else "",
        )
        # What was cut at its limit is asked again with room for more, e.g. for a model that thinks first.
        room = max(self.room, 2 ** min(ask.attempt, 3) if progress.cut else 1)
        max_tokens = (SPARE_TOKENS + self.options.tokens_per_pair * len(ask.items)) * room
        attempt = ask.attempt * 1000 + ask.sample
        return Request(self.prompt.system, user, ask.temperature, max_tokens, attempt, self.prompt.key, SCHEMA)

    def _written(self) -> ExpansionResult:
        options, source, chunks = self.options, self.source, self.chunks.values()
        kept = [candidate.example for each in chunks for candidate in each.kept]
        by_fact: dict[str, list[Example]] = defaultdict(list)
        loose: list[Example] = []
        for example in kept:
            (by_fact[example.facts[0]] if example.facts else loose).append(example)
        most = max(map(len, by_fact.values()), default=0)
        examples = [*choose(options, source.chunks, source.facts, by_fact, most), *loose][: options.max_examples]
        chosen = {example.id for example in examples}
        rejected = [refusal for each in chunks for refusal in each.rejected]
        rejected += [Rejection(example, CUT_OFF) for example in kept if example.id not in chosen]
        outcomes = {each.chunk.id: each.outcome() for each in chunks}
        return ExpansionResult(
            tuple(examples),
            tuple(rejected),
            self._uncovered(examples),
            tuple(shortfalls(options, source.chunks, source.facts, examples, options._name, outcomes)),
            {each.chunk.id: each.tally() for each in chunks},
            tuple(f"{note} ({times} times)" if times > 1 else note for note, times in self.notes.items()),
        )

    def _uncovered(self, examples: Sequence[Example]) -> dict[str, str]:
        taught = {(fact, example.direction) for example in examples for fact in example.facts}
        found = {}
        for each in self.chunks.values():
            for fact in each.facts:
                bare = [direction for direction in (FORWARD, REVERSE) if (fact.id, direction) not in taught]
                if bare:
                    found[fact.id] = CUT_OFF if each.count(fact, bare[0]) else each.why_missing(fact, bare[0])
        return found
