"""Questions and answers written by a teacher: what `ladder` and `angles` share.

Each chunk is asked about in rounds. The first is the strategy's own; each later one asks again, from other angles and
at higher temperatures, for what is still short after the gates, until the floors or `max_attempts` are reached.
"""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from byheart.errors import Problem, gather
from byheart.expansion.base import Source, Written
from byheart.expansion.book import CUT_OFF, FORWARD_ANGLES, Ask, Book, Candidate, Item
from byheart.expansion.density import Density, choose, shortfalls
from byheart.expansion.gates.checks import JUDGED, Gates
from byheart.expansion.judge import Judge
from byheart.expansion.prompts import Prompt, fenced, load_prompt, named_source, prompt_problems
from byheart.store import content_key
from byheart.teacher.base import Reply, Request
from byheart.types import FORWARD, REVERSE, Chunk, Example, Fact, Rejection

COPIES = ("drop", "keep")
TOP_UP = 2  # wordings asked for each one that is missing: some of them will be refused
SPARE_TOKENS = 200  # for the brackets around the pairs
MOST_AVOIDED = 12  # questions that a top-up is shown

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "fact": {"type": "array", "items": {"type": "integer"}},
                    "angle": {"type": "string", "enum": [*FORWARD_ANGLES, "reverse"]},
                    "question": {"type": "string"},
                    "answer": {"type": "string"},
                },
                "required": ["fact", "angle", "question", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class Interview(Density):
    """The options of every strategy that asks a teacher for pairs."""

    prompt: str | None = None
    pairs_per_request: int = 8
    tokens_per_pair: int = 120
    max_attempts: int = 3
    duplicates: str = "drop"
    gates: Gates = field(default_factory=Gates)

    def __post_init__(self) -> None:
        super().__post_init__()
        gather(self._wrong_values())

    def _wrong_values(self) -> list[Problem]:
        found, where = [], f"expansion.{self._who}"
        for name, least in (("pairs_per_request", 1), ("tokens_per_pair", 16), ("max_attempts", 0)):
            if getattr(self, name) < least:
                found.append(Problem(f"must be at least {least}", f"{where}.{name}", str(getattr(self, name))))
        if self.duplicates not in COPIES:
            what = f"must be one of {', '.join(COPIES)}"
            found.append(
                Problem(what, f"{where}.duplicates", self.duplicates, "drop refuses near-copies, keep the recipe's")
            )
        return found

    @property
    def _who(self) -> str:
        return type(self).__name__.lower()

    def tests(self) -> Sequence[str]:
        return prompt_problems(self.prompt, "questions")

    @property
    def prompt_key(self) -> str:
        return content_key(load_prompt(self.prompt, "questions"))

    def requests(self, source: Source) -> list[Request]:
        """What the first round asks."""
        return _Talk(self, source).first_requests()

    def expand(self, source: Source) -> Written:
        return _Talk(self, source).held()

    @abstractmethod
    def first_asks(self, chunk: Chunk, facts: Sequence[Fact], shift: int = 0) -> list[Ask]:
        """The first round for one chunk. `shift` is not 0 where the model takes no temperature: vary the angle then."""

    @abstractmethod
    def temperature_of_attempt(self, attempt: int) -> float:
        """At which temperature the top-up of this number (1, 2, ...) asks."""

    @property
    @abstractmethod
    def varies_temperature(self) -> bool:
        """Whether the first round relies on temperatures, so that a model which refuses them needs another way."""

    def batches(self, items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
        """Evenly filled requests of at most `pairs_per_request`."""
        count = -(-len(items) // self.pairs_per_request)
        for number in range(count):
            yield tuple(items[len(items) * number // count : len(items) * (number + 1) // count])


class _Talk:
    """One expansion while it goes on."""

    def __init__(self, options: Interview, source: Source):
        self.options, self.source = options, source
        self.prompt: Prompt = load_prompt(options.prompt, "questions")
        seen: set[str] = set()
        copies = options.duplicates == "keep"
        self.books = {
            chunk.id: Book(chunk, source, options.gates, options._who, copies, seen)
            for chunk in source.chunks
            if source.facts_of(chunk)
        }
        self.judge = Judge(source) if options.gates.judge else None
        self.notes: dict[str, int] = defaultdict(int)

    def first_requests(self) -> list[Request]:
        return [self._request(ask) for ask in self._first_round()]

    def held(self) -> Written:
        self._ask(self._probed_first_round())
        for attempt in range(1, self.options.max_attempts + 1):
            if not (asks := self._top_up(attempt)):
                break
            self._ask(asks)
        return self._written()

    def _first_round(self, shift: int = 0) -> list[Ask]:
        return [ask for book in self.books.values() for ask in self.options.first_asks(book.chunk, book.facts, shift)]

    def _probed_first_round(self) -> list[Ask]:
        """The first round; where the model turns out to refuse a temperature, one whose rungs vary the angle."""
        asks = self._first_round()
        if not self.options.varies_temperature or not asks or not self.source.teacher.answers_soon:
            return asks
        outcome = self.source.teacher.ask([self._request(asks[0])])[0]
        if isinstance(outcome, Reply) and any("temperature" in note for note in outcome.notes):
            self.notes["the model takes no temperature: each rung asks from other angles instead"] += 1
            return self._first_round(shift=1)
        return asks

    def _top_up(self, attempt: int) -> list[Ask]:
        options, kept = self.options, sum(len(book.kept) for book in self.books.values())
        enough = options.max_examples is not None and kept >= options.max_examples
        asks = []
        for book in self.books.values():
            missing = book.missing(options.asked_of(book.chunk), options.examples_per_fact)
            if enough:  # more would be dropped again, but for facts that have none at all
                missing = [item for item in missing if not book.has_any(item.fact)]
            items = [item for item in missing for _ in range(TOP_UP)]
            temperature = options.temperature_of_attempt(attempt)
            asks += [Ask(book.chunk.id, batch, temperature, attempt) for batch in options.batches(items)]
        return asks

    def _ask(self, asks: Sequence[Ask]) -> None:
        """One round: all its requests at once; its replies are read in the order of the requests."""
        requests = [self._request(ask) for ask in asks]
        for ask in asks:
            self.books[ask.chunk].note_asked(ask)
        outcomes = self.source.teacher.ask(requests)
        fresh: dict[str, list[Candidate]] = {}
        for ask, outcome in zip(asks, outcomes, strict=True):
            if isinstance(outcome, Reply):
                for note in outcome.notes:
                    self.notes[f"the server answered otherwise than asked: {note}"] += 1
            fresh.setdefault(ask.chunk, []).extend(self.books[ask.chunk].read(ask, outcome))
        self._keep(fresh)

    def _keep(self, fresh: Mapping[str, list[Candidate]]) -> None:
        verdicts = self.judge.verdicts(self._judged(fresh)) if self.judge else {}
        for chunk, candidates in fresh.items():
            for candidate in candidates:
                if (why := verdicts.get(candidate.example.id)) is not None:
                    self.books[chunk].refuse(candidate, JUDGED, why)
                else:
                    self.books[chunk].keep(candidate)

    def _judged(self, fresh: Mapping[str, list[Candidate]]) -> list[tuple[Chunk, list[Example]]]:
        return [(self.books[chunk].chunk, [c.example for c in found]) for chunk, found in fresh.items() if found]

    def _request(self, ask: Ask) -> Request:
        """The chunk and its facts first, which all requests on it share; what varies last."""
        book = self.books[ask.chunk]
        items = [f"{n}. fact {item.fact + 1}, {item.angle}" for n, item in enumerate(ask.items, start=1)]
        facts = [f"{n}. {fenced(' '.join(fact.text.split()))}" for n, fact in enumerate(book.facts, start=1)]
        known = book.questions_on(ask.items)[-MOST_AVOIDED:] if ask.attempt else []
        user = self.prompt.fill(
            "user",
            source=named_source(book.chunk, self.source),
            text=fenced(book.chunk.text),
            facts="\n".join(facts),
            count=str(len(ask.items)),
            items="\n".join(items),
            avoid=self.prompt.fill("avoid", questions="\n".join(f"- {q}" for q in known)) if known else "",
        )
        # What was cut at its limit is asked again with room for more, e.g. for a model that thinks first.
        room = 2 ** min(ask.attempt, 3) if book.cut else 1
        max_tokens = (SPARE_TOKENS + self.options.tokens_per_pair * len(ask.items)) * room
        attempt = ask.attempt * 1000 + ask.sample
        return Request(self.prompt.system, user, ask.temperature, max_tokens, attempt, self.prompt.key, SCHEMA)

    def _written(self) -> Written:
        options, source = self.options, self.source
        candidates: dict[str, list[Example]] = defaultdict(list)
        loose: list[Example] = []
        for book in self.books.values():
            for candidate in book.kept:
                example = candidate.example
                (candidates[example.facts[0]] if example.facts else loose).append(example)
        most = max(map(len, candidates.values()), default=0)
        examples = [*choose(options, source.chunks, source.facts, candidates, most), *loose]
        if options.max_examples is not None:
            examples = examples[: options.max_examples]
        chosen = {example.id for example in examples}
        rejected = [refusal for book in self.books.values() for refusal in book.rejected]
        rejected += [
            Rejection(candidate.example, CUT_OFF)
            for book in self.books.values()
            for candidate in book.kept
            if candidate.example.id not in chosen
        ]
        return Written(
            tuple(examples),
            tuple(rejected),
            self._uncovered(examples),
            tuple(self._short(examples)),
            {chunk: book.tally() for chunk, book in self.books.items()},
            tuple(f"{note} ({times} times)" if times > 1 else note for note, times in self.notes.items()),
        )

    def _uncovered(self, examples: Sequence[Example]) -> dict[str, str]:
        taught = {(fact, example.direction) for example in examples for fact in example.facts}
        found = {}
        for book in self.books.values():
            for fact in book.facts:
                bare = [direction for direction in (FORWARD, REVERSE) if (fact.id, direction) not in taught]
                if bare:
                    cut = book.count(fact, bare[0])
                    found[fact.id] = f"{CUT_OFF}" if cut else book.why_missing(fact, bare[0])
        return found

    def _short(self, examples: Sequence[Example]) -> list[str]:
        """The floors that were not reached, those of chunks with what became of the asking."""
        lines = shortfalls(self.options, self.source.chunks, self.source.facts, examples, self.options._who)
        said = []
        for line in lines:
            chunk = next((name for name in self.books if f"chunk {name} " in line), None)
            said.append(f"{line}: {_came_to(self.books[chunk])}" if chunk else line)
        return said


def _came_to(book: Book) -> str:
    received = len(book.kept) + len(book.rejected)
    failed = f", {len(book.failed)} of {book.requests} requests failed ({book.failed[-1]})" if book.failed else ""
    return f"{book.asked} asked, {received} received, {len(book.rejected)} refused{failed}"
