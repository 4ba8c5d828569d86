"""Rewrites: the text itself as paraphrase, summary, list, story and dialogue, to be mixed with questions.

Tasks whose answer carries the whole text are reported to be memorized far more than short extractive ones
(arXiv 2310.06714); one to one mixes of questions and rewritten text keep scaling where either alone stops (2603.23562).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from byheart.errors import AT_LEAST_0, Problem, gather, wrong_numbers
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.citation import cite
from byheart.expansion.filters.checks import REPEATED, Filters, Refusal
from byheart.expansion.filters.words import content_stems, plain
from byheart.expansion.from_teacher.chunk_progress import CUT_OFF, TEMPERATURE, Candidate, ChunkExamples
from byheart.expansion.from_teacher.first_answers import check_first_answers, first_of_each
from byheart.expansion.from_teacher.prompts import load_prompt, named_source, prompt_problems, shown_text
from byheart.expansion.quotas import Quotas, shortfalls
from byheart.records import FORWARD, Chunk, Example, Rejection
from byheart.store import content_key
from byheart.teacher.base import Failure, Reply, Request
from byheart.teacher.response import EMPTY, strip_thinking, why_empty

STYLES = {
    "paraphrase": "Say in other words what {place} says.",
    "summary": "Summarize {place}.",
    "list": "List what {place} says, point by point.",
    "story": "Tell {place} as a story.",
    "dialogue": "Tell {place} as a dialogue.",
}
PEOPLED = ("story", "dialogue")  # styles that may invent persons
CUT_TEXT = "the rewritten text was cut off at its token limit"
STATED = 0.5  # share of a fact's words from which a rewritten text states it
TOKENS_PER_TOKEN = 3  # of a rewritten text, at most, for each of the chunk


@dataclass(frozen=True, kw_only=True)
class Rewrites(Quotas):
    """As many rewritten texts of each chunk as questions are its floor, the styles in turn: one to one by default.

    They go forward only: `examples_per_fact` counts the texts that state a fact.
    """

    styles: tuple[str, ...] = tuple(STYLES)
    temperature: float = 0.7
    max_attempts: int = 3
    prompt: str | None = None
    gates: Filters = field(default_factory=lambda: Filters(max_answer_words=None))

    def __post_init__(self) -> None:
        super().__post_init__()
        checks = {"temperature": TEMPERATURE, "max_attempts": AT_LEAST_0}
        found = wrong_numbers(self, "expansion.rewrites", checks)
        if not self.styles or set(self.styles) - set(STYLES):
            what = f"must be some of {', '.join(STYLES)}"
            found.append(Problem(what, "expansion.rewrites.styles", ", ".join(self.styles)))
        gather(found)

    def problems(self) -> Sequence[str]:
        return prompt_problems(self.prompt, "rewrites")

    @property
    def prompt_key(self) -> str:
        return content_key(load_prompt(self.prompt, "rewrites"))

    def requests(self, source: Source) -> list[Request]:
        return [self._request(ask, source) for chunk in source.chunks for ask in self._first(chunk, source)]

    def expand(self, source: Source) -> ExpansionResult:
        chunks = {c.id: _ChunkRewrites(c, source, self) for c in source.chunks if source.facts_of(c)}
        asks = [ask for chunk in source.chunks for ask in self._first(chunk, source)]
        room = self._room(asks, source)
        for attempt in range(self.max_attempts + 1):
            outcomes = source.teacher.ask([self._request(ask, source, room) for ask in asks])
            for ask, outcome in zip(asks, outcomes, strict=True):
                chunks[ask.chunk.id].read(ask, outcome)
            asks = [ask for each in chunks.values() for ask in each.missing(attempt + 1)]
            if not asks:
                break
        return self._written(chunks, source)

    def _first(self, chunk: Chunk, source: Source) -> list["_RewriteRequest"]:
        """The styles in turn, and again (another sample) until the chunk's floor."""
        count = self.asked_of(chunk) if source.facts_of(chunk) else 0
        return [_RewriteRequest(chunk, self.styles[n % len(self.styles)], n // len(self.styles)) for n in range(count)]

    def _room(self, asks: Sequence["_RewriteRequest"], source: Source) -> int:
        """How many times the tokens of an answer the first ones needed."""
        if not source.teacher.answers_soon:
            return 1
        firsts = first_of_each(asks, lambda ask: ask.chunk.id)

        def send(ask: "_RewriteRequest", room: int) -> tuple[Request, Reply | Failure]:
            request = self._request(ask, source, room)
            return request, source.teacher.ask([request])[0]

        return check_first_answers("rewrites", firsts, send, lambda reply: "")

    def _request(self, ask: "_RewriteRequest", source: Source, room: int = 1) -> Request:
        prompt = load_prompt(self.prompt, "rewrites")
        place, text = named_source(ask.chunk, source), shown_text(ask.chunk, source)
        user = prompt.fill("user", source=place, text=text, style=prompt.fill(ask.style))
        max_tokens = (100 + TOKENS_PER_TOKEN * ask.chunk.tokens) * max(room, 2 ** min(ask.attempt, 3))
        number = ask.attempt * 1000 + ask.sample
        return Request(prompt.system, user, self.temperature, max_tokens, number, prompt.key)

    def _written(self, chunks: dict[str, "_ChunkRewrites"], source: Source) -> ExpansionResult:
        kept = [candidate.example for each in chunks.values() for candidate in each.kept]
        # Round-robin over the chunks: the first text of each before the second of any.
        rounds = zip_longest(*(each.kept for each in chunks.values()))
        in_turn = [candidate.example.id for one_round in rounds for candidate in one_round if candidate is not None]
        chosen = set(in_turn[: self.max_examples])
        examples = tuple(example for example in kept if example.id in chosen)
        rejected = [refusal for each in chunks.values() for refusal in each.rejected]
        rejected += [Rejection(example, CUT_OFF) for example in kept if example.id not in chosen]
        stated = Counter(fact for example in examples for fact in example.facts)
        uncovered = {
            fact.id: "rewritten texts teach facts forward only" if stated[fact.id] else chunks[fact.chunk].why_missing()
            for fact in source.facts
        }
        asked = [each.chunk for each in chunks.values()]
        short = shortfalls(self, asked, source.facts, examples, "rewrites", directions=(FORWARD,))
        notes = tuple(sorted({note for each in chunks.values() for note in each.notes}))
        # each text is asked to state every fact
        tallies = {key: each.tally_of({fact.id: each.asked for fact in each.facts}) for key, each in chunks.items()}
        return ExpansionResult(examples, tuple(rejected), uncovered, tuple(short), tallies, notes)


@dataclass(frozen=True)
class _RewriteRequest:
    chunk: Chunk
    style: str
    sample: int
    attempt: int = 0


class _ChunkRewrites(ChunkExamples):
    """The rewritten texts of one chunk."""

    def __init__(self, chunk: Chunk, source: Source, options: Rewrites):
        super().__init__(chunk, source)
        self.options = options
        self.place = cite(source.titles[chunk.document], chunk.headings).whole
        self.notes: set[str] = set()
        self.failed_requests: list[_RewriteRequest] = []

    def read(self, ask: _RewriteRequest, outcome: Reply | Failure) -> None:
        self.asked += 1  # each request asks for one text
        self.requests += 1
        if isinstance(outcome, Failure):
            self.failed.append(outcome.reason)
            self.failed_requests.append(ask)
            return
        self.notes |= {f"the server did not do as asked: {note}" for note in outcome.notes}
        text = strip_thinking(outcome.text)
        example = self._example(ask, text)
        if refusal := self._refusal(text, example, outcome):
            self.rejected.append(Rejection(example, refusal.reason, refusal.detail))
            self.failed_requests.append(ask)
        else:
            self.kept.append(Candidate(example, ask.attempt))

    def missing(self, attempt: int) -> list[_RewriteRequest]:
        """Failed requests again, each in the next style; then as many as the fact with the fewest texts lacks."""
        styles, count = self.options.styles, self.asked
        asks = [
            replace(ask, style=styles[(styles.index(ask.style) + attempt) % len(styles)], attempt=attempt)
            for ask in self.failed_requests
        ]
        self.failed_requests = []
        stated = Counter(fact for candidate in self.kept for fact in candidate.example.facts)
        lacking = max(self.options.examples_per_fact - stated[fact.id] for fact in self.facts) - len(asks)
        more = range(count, count + max(0, lacking))
        return [*asks, *(_RewriteRequest(self.chunk, styles[n % len(styles)], n, attempt) for n in more)]

    def why_missing(self) -> str:
        """Why no kept text states a fact."""
        return (
            f"no rewritten text arrived: {self.failed[0]}"
            if self.failed and not self.kept
            else "no kept rewritten text states it"
        )

    def _refusal(self, text: str, example: Example, outcome: Reply) -> Refusal | None:
        from rapidfuzz import fuzz

        if not text:
            return Refusal(why_empty(outcome) or EMPTY)
        if outcome.finish_reason == "length":
            return Refusal(CUT_TEXT, text[-40:])
        if refusal := self.options.gates.refuse_text(text, self.ground, example.subject in PEOPLED):
            return refusal
        alike = self.options.gates.alike if self.options.gates.alike is not None else 100.0
        kept = [candidate.example for candidate in self.kept]
        repeats = any(e.id == example.id or fuzz.ratio(plain(text), plain(e.answer)) >= alike for e in kept)
        return Refusal(REPEATED) if repeats else None

    def _example(self, ask: _RewriteRequest, text: str) -> Example:
        """Our own question names the place, and numbers a second text in the same style."""
        question = STYLES[ask.style].format(place=self.place)
        if earlier := sum(candidate.example.subject == ask.style for candidate in self.kept):
            question = f"{question.removesuffix('.')}, version {earlier + 1}."
        words = {*content_stems(text, self.ground.language)}
        facts = []
        for fact in self.facts:
            own = {*content_stems(fact.text, self.ground.language)}
            if own and len(own & words) >= STATED * len(own):
                facts.append(fact.id)
        key, chunk = example_id(question, text), self.chunk.id
        return Example(key, question, text, tuple(facts), "recitation", FORWARD, "rewrites", chunk, subject=ask.style)
