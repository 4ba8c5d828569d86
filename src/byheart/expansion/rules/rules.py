"""Examples written from the facts alone, by rules: no model, no key, the same every time."""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.citation import Citation, cite
from byheart.expansion.question_generation.compose import FULL, TITLE, Asked
from byheart.expansion.question_generation.parse import parse
from byheart.expansion.question_generation.reading import ask_facts
from byheart.expansion.question_generation.wording import capital, sentences_of, small
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.expansion.rules.phrases import cuts, key_phrases
from byheart.expansion.rules.questions import (
    Draft,
    ask_abbreviation,
    ask_condition,
    ask_definition,
    ask_item,
    defines,
)
from byheart.expansion.rules.sentences import find_condition
from byheart.records import FORWARD, REVERSE, Example, Fact

if TYPE_CHECKING:
    from spacy.tokens import Doc

BLANK = "____"
MANNERS = (5, 3, 2)  # how often a question has its source behind it, "Under § 97.25 of ...," or "According to ...,"
OPENS_WITH_CONDITION = re.compile(r"^(?:if|when|while|where|once|before|after|until|unless|whenever)\b[^?]*, ", re.I)
_ANNOUNCEMENT = re.compile(
    r",?\s+(?:as\s+\w+\s+)?(?:in|by|with|under|for|to)\s+(?:(?:one|any|each|either)\s+of\s+)?the\s+following\b[^:]*:$"
)
# Questions with short answers teach most; what a reader would hardly ask comes last.
ORDER = (
    "asked asked condition reordered asked recitation asked completion asked asked asked blank source asked asked "
    "completion asked before"
).split()
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
        lead_ins = {fact.id: source.lead_ins.get(fact.id, "") for fact in source.facts}
        statements = {fact.id: state(fact.text, lead_ins[fact.id]) for fact in source.facts}
        parsed = dict(zip(statements, parse(list(statements.values())), strict=True))
        places = {fact.id: cite(source.titles[fact.document], fact.headings, fact.label) for fact in source.facts}
        asked = _asked(source.facts, lead_ins, statements, places)
        families = {
            fact.id: {name: drafts for name, drafts in each.items() if name in self.families}
            for fact in source.facts
            for each in [{"asked": asked[fact.id], **_families(parsed[fact.id], places[fact.id])}]
        }
        shared = _asked_of_several(families, places)
        candidates = {
            fact.id: self._examples(fact, families[fact.id], places[fact.id], shared) for fact in source.facts
        }
        _drop_repeats(candidates)
        examples = choose(self, source.chunks, source.facts, candidates, self.usual)
        uncovered = {}
        for fact in source.facts:
            missing = [d for d in (FORWARD, REVERSE) if all(e.direction != d for e in candidates[fact.id])]
            if missing:
                uncovered[fact.id] = f"rules found nothing to ask {' or '.join(missing)}: too short"
        short = shortfalls(self, source.chunks, source.facts, examples, "rules")
        return ExpansionResult(tuple(examples), (), uncovered, tuple(short))

    def problems(self) -> Sequence[str]:
        return []

    def _examples(
        self, fact: Fact, families: dict[str, list[Draft]], place: Citation, shared: set[tuple[str, str]]
    ) -> list[Example]:
        """Every example that can be made of one fact, the most useful first, no pair twice."""
        dice = self._dice(fact)
        seen: set[str] = set()
        examples = []
        for draft in _deal(families):
            several = (draft.question, place.whole) in shared
            if several and not place.item:
                continue
            cited = place.behind(draft.question, several)
            if draft.free and not OPENS_WITH_CONDITION.match(draft.question):
                cited = dice.choices(
                    [cited, place.under(draft.question, several), place.by(draft.question, several)], MANNERS
                )[0]
            told = answers_with_title(
                draft.answer, place
            )  # "(Amazon rainforest)" behind the question would give it away
            question, answer = cited if draft.cited and not told else draft.question, draft.answer.strip()
            key = example_id(question, answer)
            if answer and key not in seen:
                seen.add(key)
                examples.append(
                    Example(
                        key,
                        question,
                        answer,
                        (fact.id,),
                        draft.angle,
                        draft.direction,
                        "rules",
                        chunk=fact.chunk,
                        subject=draft.subject,
                    )
                )
        return examples

    def _dice(self, fact: Fact) -> random.Random:
        """Random choices of wording depend on the fact and the seed, never on its place among the others."""
        return random.Random(hashlib.sha256(f"{self.seed}:{fact.id}".encode()).hexdigest())


def _drop_repeats(candidates: dict[str, list[Example]]) -> None:
    """A pair that two facts give (a rule that stands twice in a section) is kept with the first of them."""
    seen: set[str] = set()
    for fact, examples in candidates.items():
        candidates[fact] = [example for example in examples if example.id not in seen]
        seen |= {example.id for example in examples}


def state(text: str, lead_in: str) -> str:
    """The fact as a statement that stands alone: a list item with the words that govern it, ended by a full stop."""
    body = " ".join(text.split()).rstrip(";,")  # a hard-wrapped text breaks its sentences over lines
    body = re.sub(r";?,?\s+(?:and|or)$", "", body)
    head = lead_in.strip().rstrip(":").rstrip()
    if head and not announces(head):
        body = f"{head} {small(body)}"
    return body if body.endswith((".", "!", "?", "”", '"')) else f"{body}."


def read_out(text: str, lead_in: str) -> list[str]:
    """The sentences to read for several items in one ("No station shall transmit: music ...; or false messages"), each
    with the lead-in, and for a lead-in that is a fact itself, without its announcement."""
    head, body = lead_in.strip().rstrip(":").rstrip(), " ".join(text.split()).rstrip(";,.")
    if not head:
        return [f"{_ANNOUNCEMENT.sub('', body)}."]
    if announces(head):
        return [f"{body}."]
    body = _ANNOUNCEMENT.sub("", re.sub(r";?,?\s+(?:and|or)$", "", body))
    items = re.split(r";\s+(?:and\s+|or\s+)?", body)
    return [f"{head} {small(item)}." for item in items]


def _asked_of_several(
    families: Mapping[str, dict[str, list[Draft]]], places: Mapping[str, Citation]
) -> set[tuple[str, str]]:
    """Questions, with their section, that several facts would answer differently: they must name the item."""
    answers: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for fact, by_family in families.items():
        for draft in (draft for family in by_family.values() for draft in family if draft.cited):
            answers.setdefault((draft.question, places[fact].whole), set()).add((fact, draft.answer))
    return {
        question
        for question, said in answers.items()
        if len({f for f, _ in said}) > 1 and len({a for _, a in said}) > 1
    }


def answers_with_title(answer: str, place: Citation) -> bool:
    bare = re.sub(r"^(?:the|a|an)\s+", "", answer.strip(" ."), flags=re.I)
    return not place.section and re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", place.title, re.I) is not None


def announces(lead_in: str) -> bool:
    """Does it only announce a list ("... in one of the following ways"), so that no item continues its sentence?"""
    return bool(re.search(r"\b(?:following|follows|principles|below|these|exceptions)\b[^.]*$", lead_in, re.I))


def _asked(
    facts: Sequence[Fact], lead_ins: Mapping[str, str], statements: Mapping[str, str], places: Mapping[str, Citation]
) -> dict[str, list[Draft]]:
    """By fact id, the questions that people would ask, the best first."""
    definitions = {fact.id: found for fact in facts if (found := defines(" ".join(fact.text.split())))}
    announced = {
        fact.id: (lead_ins[fact.id].strip().rstrip(":"), fact.text.rstrip("; "))
        for fact in facts
        if announces(lead_ins[fact.id])
    }
    readable = {fact.id: read_out(fact.text, lead_ins[fact.id]) for fact in facts}
    generated = ask_facts(readable, definitions, announced, {fact.id: fact.chunk for fact in facts})
    asked = {}
    for fact in facts:
        place, text = places[fact.id], " ".join(fact.text.split())
        drafts = [_draft(one, place) for one in generated.get(fact.id, [])]
        if fact.id in definitions:
            drafts = _mixed(ask_definition(*definitions[fact.id], place), drafts)
        item = ask_item(text, lead_ins[fact.id], fact.label, place)
        asked[fact.id] = item + drafts + ask_abbreviation(statements[fact.id])
    return asked


def _families(parsed: "Doc", place: Citation) -> dict[str, list[Draft]]:
    """The other ways of asking about a statement, the best of each first."""
    statement = parsed.text
    return {
        "condition": [draft for sentence in sentences_of(statement) for draft in ask_condition(sentence)],
        "recitation": _recitations(statement, place),
        "completion": _completions(statement),
        "source": _sources(statement, place),
        "blank": _blanks(parsed),
        "before": _before(statement),
        "reordered": _reorderings(statement),
    }


def _mixed(known: list[Draft], read: list[Draft]) -> list[Draft]:
    """In turn, what a definition is always asked and what its sentence is."""
    pairs = zip_longest(known, read)
    return [draft for pair in pairs for draft in pair if draft is not None]


def _draft(one: Asked, place: Citation) -> Draft:
    """The parsed question as an example: conditions are scenarios, full answers are details."""
    kind = one.target.split(":")[0]
    angle = "scenario" if kind in ("condition", "result") else "detailed" if one.length == FULL else "simple"
    direction = REVERSE if one.backwards else FORWARD
    question = one.question.replace(TITLE, place.title)
    return Draft(angle, direction, question, one.answer, question.rstrip("?"), free=TITLE not in one.question)


def _deal(families: dict[str, list[Draft]]) -> Iterator[Draft]:
    """In the order of `ORDER`, which then begins again; a family that is used up is passed over."""
    queues = {name: list(family) for name, family in families.items()}
    while any(queues.values()):
        for name in ORDER:
            if queues.get(name):
                yield queues[name].pop(0)


def _recitations(statement: str, place: Citation) -> list[Draft]:
    opening = " ".join(statement.split()[:4])
    drafts = []
    if place.item:
        drafts.append(
            Draft(
                "recitation",
                FORWARD,
                f"What does {place.item} of {place.title} say?",
                statement,
                place.item,
                cited=False,
            )
        )
    if len(statement.split()) > 5:
        drafts.append(Draft("recitation", FORWARD, f"Recite the sentence that begins “{opening}”.", statement, opening))
    else:
        drafts.append(
            Draft("recitation", FORWARD, f"Recite what {place.whole} says.", statement, place.whole, cited=False)
        )
    return drafts


def _completions(statement: str) -> list[Draft]:
    drafts = []
    for cut in cuts(statement):
        begun, rest = statement[:cut].rstrip(), statement[cut:]
        drafts.append(Draft("completion", FORWARD, f"Complete the sentence: “{begun} …”", rest, begun))
    return drafts


def _blanks(parsed: "Doc") -> list[Draft]:
    statement, drafts = parsed.text, []
    for phrase in key_phrases(parsed):
        gapped = statement[: phrase.start] + BLANK + statement[phrase.end :]
        drafts.append(
            Draft("blank", FORWARD, f"Fill in the blank: “{gapped}”", statement[phrase.start : phrase.end], gapped)
        )
    return drafts


def _before(statement: str) -> list[Draft]:
    """The words before a given end of the sentence: the reverse of a completion."""
    drafts = []
    for cut in cuts(statement):
        begun, rest = statement[:cut].rstrip(" ,"), statement[cut:]
        if len(rest.split()) >= 3:
            drafts.append(Draft("reverse", REVERSE, f"Which words come before “{rest.rstrip('.')}”?", begun, rest))
    return drafts


def _sources(statement: str, place: Citation) -> list[Draft]:
    """Which section says this, asked with the whole statement and with its key phrase."""
    if not place.section:
        asked = f"Which document says: “{statement}”"
        return [Draft("reverse", REVERSE, asked, place.title, statement, cited=False)]
    where = f"Which section of {place.title}"
    drafts = [Draft("reverse", REVERSE, f"{where} says: “{statement}”", f"{place.section}.", statement, cited=False)]
    places = cuts(statement) if len(statement.split()) > 8 else []
    half = statement[places[0] :].rstrip(".") if places else ""
    if half:
        drafts.append(
            Draft("reverse", REVERSE, f"{where} contains the words “{half}”?", f"{place.section}.", half, cited=False)
        )
    return drafts


def _reorderings(statement: str) -> list[Draft]:
    """A condition told the other way round (against the reversal curse, arXiv 2309.12288), and asked from its result."""
    found = find_condition(statement)
    if not found:
        return []
    other = found.result_first() if found.fronted else found.condition_first()
    return [
        Draft("detailed", FORWARD, f"Say it the other way round: “{statement}”", other, statement),
        Draft(
            "scenario",
            REVERSE,
            f"In which case does this hold: “{capital(found.result)}”?",
            f"{capital(found.word)} {found.condition}.",
            found.result,
        ),
    ]
