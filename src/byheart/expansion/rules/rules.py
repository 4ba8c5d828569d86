"""Examples written from the facts alone, by rules: no model, no key, the same every time."""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from byheart.documents.languages.language import is_english
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.citation import Citation
from byheart.expansion.question_generation.wording import stands_in
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.expansion.rules.by_kind import ByKind
from byheart.expansion.rules.other_languages import note_languages
from byheart.expansion.rules.questions import Draft
from byheart.records import FORWARD, REVERSE, Example, Fact

MANNERS = (5, 3, 2)  # how often a question has its source behind it, "Under § 97.25 of ...," or "According to ...,"
OPENS_WITH_CONDITION = re.compile(r"^(?:if|when|while|where|once|before|after|until|unless|whenever)\b[^?]*, ", re.I)
# Questions with short answers teach most; what a reader would hardly ask comes last.
ORDER = (
    "asked asked condition reordered asked recitation asked completion asked asked asked blank source asked asked "
    "completion asked before"
).split()
PER_CELL = 3  # examples of a row: each cell is asked for forward, in reverse, and once more
FAMILIES = tuple(dict.fromkeys(ORDER))


@dataclass(frozen=True, kw_only=True)
class Rules(Quotas):
    """Recitation, completion, blanks, what comes before, who says it, and questions read off the sentence."""

    usual: int = 14  # examples of each fact before any topping up
    families: tuple[str, ...] = FAMILIES  # what is written at all

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "families", tuple(self.families))
        if not self.families or set(self.families) - set(FAMILIES):
            raise ValueError(f"families must be some of {', '.join(FAMILIES)}, got {list(self.families)}")

    def expand(self, source: Source) -> ExpansionResult:
        kinds = ByKind(source)
        families = {fact.id: self._chosen(kinds.families(fact)) for fact in kinds.facts}
        ambiguous = kinds.ambiguous(families)
        seen: set[str] = set()  # a pair that two facts give (a rule that stands twice) is kept with the first of them
        candidates: dict[str, list[Example]] = {}
        reworded: dict[str, list[tuple[Draft, str]]] = {}
        uncovered = {}
        for fact in kinds.facts:
            own, reworded[fact.id] = self._examples(fact, families[fact.id], kinds.places[fact.id], ambiguous)
            candidates[fact.id] = [example for example in own if example.id not in seen]
            seen |= {example.id for example in own}
            missing = {FORWARD, REVERSE} - {example.direction for example in candidates[fact.id]}
            if missing:
                uncovered[fact.id] = _why(missing, fact)
        usual = {fact.id: max(self.usual, PER_CELL * len(fact.cells)) for fact in kinds.facts}
        examples = choose(self, source.chunks, kinds.facts, candidates, usual)
        short = shortfalls(self, source.chunks, kinds.facts, examples, "rules")
        notes = note_languages(source.documents)
        spare = partial(_spare, kinds.facts, candidates, reworded, {example.id for example in examples})
        return ExpansionResult(tuple(examples), (), uncovered, tuple(short), notes=notes, spare=spare)

    def _chosen(self, drafts: dict[str, list[Draft]]) -> dict[str, list[Draft]]:
        return {name: drafts[name] for name in drafts if name in self.families}

    def problems(self) -> Sequence[str]:
        return []

    def _examples(
        self, fact: Fact, families: dict[str, list[Draft]], place: Citation, ambiguous: set[tuple[str, str]]
    ) -> tuple[list[Example], list[tuple[Draft, str]]]:
        """Every example that can be made of one fact, the most useful first, no pair twice; and drafts with their question
        where it names the source in another way."""
        # Random choices of wording depend on the fact and the seed, never on its place among the others.
        dice = random.Random(hashlib.sha256(f"{self.seed}:{fact.id}".encode()).hexdigest())
        examples, reworded = dict[str, Example](), list[tuple[Draft, str]]()
        for draft in _deal(families):
            exact = draft.exact or (draft.question, place.whole) in ambiguous
            if exact and not place.item:
                continue
            cited = place.behind(draft.question, exact)
            if draft.free and not OPENS_WITH_CONDITION.match(draft.question):
                manners = [cited, place.under(draft.question, exact), place.by(draft.question, exact)]
                cited = dice.choices(manners, MANNERS)[0]
                if not place.number and cited != draft.question:  # else the three are one
                    manners.append(f"According to “{place.whole}”, {draft.question[:1].lower()}{draft.question[1:]}")
                others = [manner for manner in dict.fromkeys(manners) if manner != cited]
            else:
                others = []
            # "(Amazon rainforest)" behind the question would give the answer away.
            if not draft.cited or answers_with_title(draft.answer, place):
                cited, others = draft.question, []
            if draft.answer.strip():
                example = _example(fact, draft, cited)
                examples.setdefault(example.id, example)
                reworded += [(draft, other) for other in others]
        return list(examples.values()), reworded


def _spare(
    facts: Sequence[Fact],
    candidates: Mapping[str, Sequence[Example]],
    reworded: Mapping[str, Sequence[tuple[Draft, str]]],
    chosen: Set[str],
) -> Iterator[Example]:
    """What was not chosen, in turn with the chosen questions whose source is named in another way."""
    given = set(chosen)
    for fact in facts:
        unused = (example for example in candidates[fact.id] if example.id not in chosen)
        others = (_example(fact, draft, question) for draft, question in reworded[fact.id])
        for example in (example for pair in zip_longest(unused, others) for example in pair):
            if example is not None and example.id not in given:
                given.add(example.id)
                yield example


def _example(fact: Fact, draft: Draft, question: str) -> Example:
    answer = draft.answer.strip()
    return Example(
        id=example_id(question, answer),
        question=question,
        answer=answer,
        facts=(fact.id,),
        angle=draft.angle,
        direction=draft.direction,
        expansion="rules",
        chunk=fact.chunk,
        subject=draft.subject,
    )


def _why(missing: set[str], fact: Fact) -> str:
    """Why a fact lacks a direction."""
    if not is_english(fact.language):
        return "rules ask whom or what something is said of in English only"
    if missing == {REVERSE}:
        return "rules found no name or subject to ask for in reverse"
    return f"rules found nothing to ask {' or '.join(sorted(missing))}: too short"


def answers_with_title(answer: str, place: Citation) -> bool:
    bare = re.sub(r"^(?:the|a|an)\s+", "", answer.strip(" ."), flags=re.I)
    return not place.section and stands_in(bare.lower(), place.title.lower())


def _deal(families: dict[str, list[Draft]]) -> Iterator[Draft]:
    """In the order of `ORDER`, which then begins again; a family that is used up is passed over."""
    queues = {name: list(family) for name, family in families.items()}
    while any(queues.values()):
        for name in ORDER:
            if queues.get(name):
                yield queues[name].pop(0)
