"""Examples written from the facts alone, by rules: no model, no key, the same every time."""

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from byheart.documents.language import document_language, is_english
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.citation import Citation, cite
from byheart.expansion.question_generation.clauses import FULL, TITLE, Asked
from byheart.expansion.question_generation.definitions import is_meaning, is_term
from byheart.expansion.question_generation.reading import ask_facts, parse
from byheart.expansion.question_generation.wording import small
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.expansion.rules.other_languages import note_languages
from byheart.expansion.rules.own_pairs import OwnPairs
from byheart.expansion.rules.questions import (
    Draft,
    ask_abbreviation,
    ask_definition,
    ask_item,
    defines,
    fill_neutral_templates,
    fill_templates,
)
from byheart.expansion.rules.table_rows import TableRows
from byheart.records import FORWARD, REVERSE, Example, Fact

MANNERS = (5, 3, 2)  # how often a question has its source behind it, "Under § 97.25 of ...," or "According to ...,"
OPENS_WITH_CONDITION = re.compile(r"^(?:if|when|while|where|once|before|after|until|unless|whenever)\b[^?]*, ", re.I)
_ANNOUNCEMENT = re.compile(
    r",?\s+(?:as\s+\w+\s+)?(?:in|by|with|under|for|to)\s+(?:(?:one|any|each|either)\s+of\s+)?the\s+following\b[^:]*:$"
)
_LAST_CONJUNCTION = re.compile(r";?,?\s+(?:and|or)$")
# Questions with short answers teach most; what a reader would hardly ask comes last.
ORDER = (
    "asked asked condition reordered asked recitation asked completion asked asked asked blank source asked asked "
    "completion asked before"
).split()
PER_CELL = 3  # examples of a row: each cell is asked for forward, in reverse, and once more
SENTENCE_ENDS = (*".!?…。！？؟।॥۔”»」』", '"')
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
        facts = source.facts
        foreign = {document.id for document in source.documents if not is_english(document_language(document.text))}
        english = [fact for fact in facts if fact.document not in foreign]
        lead_ins = {fact.id: source.lead_ins.get(fact.id, "") for fact in facts}
        whole = {fact.id for fact in facts if fact.paired or fact.cells}
        statements = {f.id: f.statement if f.id in whole else state(f.text, lead_ins[f.id]) for f in facts}
        read = [fact for fact in english if not fact.cells]
        parsed = dict(zip((fact.id for fact in read), parse([statements[fact.id] for fact in read]), strict=True))
        places = {f.id: cite(source.titles[f.document], headings_above(f), f.label) for f in facts}
        asked = _asked([fact for fact in english if fact.id not in whole], lead_ins, statements, places)
        pairs = OwnPairs(facts)
        rows = TableRows(facts, {fact.document for fact in english}, {fact.id: headings_above(fact) for fact in facts})
        families = {}
        for fact in facts:
            place = places[fact.id]
            if fact.paired:
                drafts = pairs.families(fact, place, parsed.get(fact.id))
            elif fact.cells:
                drafts = rows.families(fact, place)
            elif fact.id in parsed:
                drafts = {"asked": asked[fact.id], **fill_templates(parsed[fact.id], place)}
            else:
                drafts = fill_neutral_templates(statements[fact.id], place)
            families[fact.id] = {name: drafts[name] for name in drafts if name in self.families}
        ambiguous = _ambiguous(families, places)
        seen: set[str] = set()  # a pair that two facts give (a rule that stands twice) is kept with the first of them
        candidates: dict[str, list[Example]] = {}
        uncovered = {}
        for fact in facts:
            own = self._examples(fact, families[fact.id], places[fact.id], ambiguous)
            candidates[fact.id] = [example for example in own if example.id not in seen]
            seen |= {example.id for example in own}
            missing = {FORWARD, REVERSE} - {example.direction for example in candidates[fact.id]}
            if missing:
                uncovered[fact.id] = f"rules found nothing to ask {' or '.join(sorted(missing))}: too short"
        usual = {fact.id: max(self.usual, PER_CELL * len(fact.cells)) for fact in facts}
        examples = choose(self, source.chunks, facts, candidates, usual)
        short = shortfalls(self, source.chunks, facts, examples, "rules")
        notes = note_languages([document for document in source.documents if document.id in foreign])
        return ExpansionResult(tuple(examples), (), uncovered, tuple(short), notes=notes)

    def problems(self) -> Sequence[str]:
        return []

    def _examples(
        self, fact: Fact, families: dict[str, list[Draft]], place: Citation, ambiguous: set[tuple[str, str]]
    ) -> list[Example]:
        """Every example that can be made of one fact, the most useful first, no pair twice."""
        # Random choices of wording depend on the fact and the seed, never on its place among the others.
        dice = random.Random(hashlib.sha256(f"{self.seed}:{fact.id}".encode()).hexdigest())
        examples: dict[str, Example] = {}
        for draft in _deal(families):
            exact = (draft.question, place.whole) in ambiguous
            if exact and not place.item:
                continue
            cited = place.behind(draft.question, exact)
            if draft.free and not OPENS_WITH_CONDITION.match(draft.question):
                manners = [cited, place.under(draft.question, exact), place.by(draft.question, exact)]
                cited = dice.choices(manners, MANNERS)[0]
            # "(Amazon rainforest)" behind the question would give the answer away.
            question = cited if draft.cited and not answers_with_title(draft.answer, place) else draft.question
            answer = draft.answer.strip()
            example = Example(
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
            if answer:
                examples.setdefault(example.id, example)
        return list(examples.values())


def headings_above(fact: Fact) -> Sequence[str]:
    """Those that say where a fact stands; the heading that is the question of a pair, or the name of a record, is none."""
    above = fact.headings[-1] if fact.headings else ""
    own = (fact.paired and fact.question in above) or fact.cells[:1] == (("", above),)
    return fact.headings[:-1] if own else fact.headings


def state(text: str, lead_in: str) -> str:
    """The fact as a statement that stands alone: a list item with the words that govern it, ended by a full stop."""
    body = " ".join(text.split()).rstrip(";,")  # a hard-wrapped text breaks its sentences over lines
    body = _LAST_CONJUNCTION.sub("", body)
    head = lead_in.strip().rstrip(":").rstrip()
    if head and not announces(head):
        body = f"{head} {small(body)}"
    return body if body.endswith(SENTENCE_ENDS) else f"{body}."


def read_out(text: str, lead_in: str) -> list[str]:
    """The sentences to read for several items in one ("No station shall transmit: music ...; or false messages"), each
    with the lead-in, and for a lead-in that is a fact itself, without its announcement."""
    head, body = lead_in.strip().rstrip(":").rstrip(), " ".join(text.split()).rstrip(";,.")
    if not head:
        return [f"{_ANNOUNCEMENT.sub('', body)}."]
    if announces(head):
        return [f"{body}."]
    body = _ANNOUNCEMENT.sub("", _LAST_CONJUNCTION.sub("", body))
    return [f"{head} {small(item)}." for item in re.split(r";\s+(?:and\s+|or\s+)?", body)]


def announces(lead_in: str) -> bool:
    """Does it only announce a list ("... in one of the following ways"), so that no item continues its sentence?"""
    return bool(re.search(r"\b(?:following|follows|principles|below|these|exceptions)\b[^.]*$", lead_in, re.I))


def answers_with_title(answer: str, place: Citation) -> bool:
    bare = re.sub(r"^(?:the|a|an)\s+", "", answer.strip(" ."), flags=re.I)
    return not place.section and re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", place.title, re.I) is not None


def _ambiguous(families: Mapping[str, dict[str, list[Draft]]], places: Mapping[str, Citation]) -> set[tuple[str, str]]:
    """Questions, with their section, that several facts would answer differently: they must name the item."""
    answers: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for fact, by_family in families.items():
        for draft in (draft for family in by_family.values() for draft in family if draft.cited):
            answers[draft.question, places[fact].whole].add((fact, draft.answer))
    return {
        question
        for question, given in answers.items()
        if all(len(set(column)) > 1 for column in zip(*given, strict=True))
    }


def _asked(
    facts: Sequence[Fact], lead_ins: Mapping[str, str], statements: Mapping[str, str], places: Mapping[str, Citation]
) -> dict[str, list[Draft]]:
    """By fact id, the questions that people would ask, the best first."""
    definitions = _definitions(facts)
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
        if fact.id in definitions:  # in turn, what a definition is always asked and what its sentence is
            pairs = zip_longest(ask_definition(*definitions[fact.id], place), drafts)
            drafts = [draft for pair in pairs for draft in pair if draft is not None]
        item = ask_item(text, lead_ins[fact.id], fact.label, place)
        asked[fact.id] = item + drafts + ask_abbreviation(statements[fact.id])
    return asked


def _definitions(facts: Sequence[Fact]) -> dict[str, tuple[str, str]]:
    """By fact id the term and its meaning. Behind a full stop, which may end an abbreviation or a sentence of prose, the
    meaning must be a phrase."""
    found = {fact.id: pair for fact in facts if (pair := defines(" ".join(fact.text.split())))}
    terms = parse([f"{term}." for term, _ in found.values()])
    meanings = parse([meaning for _, meaning in found.values()])
    stopped = {fact.id for fact in facts if fact.text.lstrip().startswith(f"{found.get(fact.id, ('',))[0]}.")}
    return {
        fact: pair
        for (fact, pair), term, meaning in zip(found.items(), terms, meanings, strict=True)
        if is_term(term) and (fact not in stopped or is_meaning(meaning))
    }


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
