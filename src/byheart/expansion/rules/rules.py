"""Examples written from the facts alone, by rules: no model, no key, the same every time."""

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from byheart.documents.blocks import NOTE, SPEECH
from byheart.documents.languages.language import UNSPACED, is_english
from byheart.expansion.base import ExpansionResult, Source, example_id
from byheart.expansion.citation import Citation, cite
from byheart.expansion.question_generation.clauses import FULL, TITLE, Asked
from byheart.expansion.question_generation.definitions import is_meaning, is_term
from byheart.expansion.question_generation.reading import ask_facts, parse
from byheart.expansion.quotas import Quotas, choose, shortfalls
from byheart.expansion.rules.apart import Apart, is_sentence
from byheart.expansion.rules.clauses import ask_clauses, body_of, completed, explains, head_of, needs_all, tell_apart
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
from byheart.expansion.rules.signs import Signs
from byheart.expansion.rules.speech import Speech, spoken
from byheart.expansion.rules.table_rows import TableRows
from byheart.records import FORWARD, REVERSE, Example, Fact

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
PER_CELL = 3  # examples of a row: each cell is asked for forward, in reverse, and once more
READINGS = ("asked", "condition", "reordered")  # families that take a statement for the whole truth
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
        signs = Signs()
        facts = [signs.hide_in(fact) for fact in source.facts]
        english = {fact.id for fact in facts if is_english(fact.language)}
        lead_ins = {fact.id: signs.hide(source.lead_ins.get(fact.id, "")) for fact in facts}
        statements = {f.id: stated(f, lead_ins[f.id]) for f in facts}
        places = {f.id: cite(source.titles[f.document], headings_above(f), f.labels or f.label) for f in facts}
        prose = [fact for fact in facts if not (fact.paired or fact.cells) and is_sentence(fact)]
        sentences = {fact.id for fact in prose}
        read = [fact for fact in facts if fact.id in english and (fact.paired or fact.id in sentences)]
        parsed = dict(zip((fact.id for fact in read), parse([statements[fact.id] for fact in read]), strict=True))
        asked = _asked([fact for fact in prose if fact.id in english], lead_ins, statements, places)
        pairs, speech, apart = OwnPairs(facts), Speech(facts, parsed), Apart(source.facts)
        in_english = {fact.document for fact in facts if fact.id in english}
        rows = TableRows(facts, in_english, {fact.id: headings_above(fact) for fact in facts})
        items = [fact for fact in prose if fact.kind != SPEECH]
        clauses = ask_clauses(items, lead_ins, statements, source.titles, announces)
        lists: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for fact in items:
            lists[(fact.document, *fact.headings, lead_ins[fact.id])].append(fact.text)
        families = {}
        for fact in facts:
            place = places[fact.id]
            if fact.paired:
                drafts = pairs.families(fact, place, parsed.get(fact.id))
            elif fact.cells:
                drafts = rows.families(fact, place)
            elif fact.kind == SPEECH:
                drafts = speech.families(fact, place, parsed.get(fact.id), asked.get(fact.id, []))
            elif not is_sentence(fact):
                drafts = {}
            elif fact.id in parsed:
                drafts = {"asked": asked[fact.id], **fill_templates(parsed[fact.id], place)}
            else:
                drafts = fill_neutral_templates(statements[fact.id], place)
            lead, beside = lead_ins[fact.id], lists[(fact.document, *fact.headings, lead_ins[fact.id])]
            if lead and len(beside) > 1:
                kept = [name for name in drafts if name not in READINGS or not needs_all(lead, beside)]
                drafts = {name: tell_apart(drafts[name], fact, lead) for name in kept}
            drafts = {name: signs.show_in(drafts[name]) for name in drafts}
            for more in (clauses.get(fact.id, {}), apart.families(fact, place)):
                for name, first in more.items():
                    drafts[name] = [*signs.show_in(first), *drafts.get(name, [])]
            families[fact.id] = {name: drafts[name] for name in drafts if name in self.families}
        ambiguous = _ambiguous(families, places) | _one_of_several(items, lead_ins, families, places)
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
        notes = note_languages(source.documents)
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
            exact = draft.exact or (draft.question, place.whole) in ambiguous
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


def stated(fact: Fact, lead_in: str) -> str:
    """The words that are read and recited, of any kind of fact."""
    if fact.paired or fact.cells:
        return fact.statement
    return spoken(fact.text) if fact.kind == SPEECH else state(fact.text, lead_in, fact.closing)


def state(text: str, lead_in: str, closing: str = "") -> str:
    """The fact as a statement that stands alone: a list item with the words that govern it, ended by a full stop."""
    head = head_of(lead_in)
    body = completed("" if announces(head) or explains(text) else head, body_of(text), closing).rstrip(":：")
    return body if body.endswith(SENTENCE_ENDS) else f"{body}{'。' if UNSPACED.match(body[-1:]) else '.'}"


def read_out(text: str, lead_in: str, closing: str = "") -> list[str]:
    """The sentences to read for several items in one ("No station shall transmit: music ...; or false messages"), each
    with the lead-in, and for a lead-in that is a fact itself, without its announcement."""
    head, body = head_of(lead_in), " ".join(text.split()).rstrip(";,.")
    if not head:
        return [f"{_ANNOUNCEMENT.sub('', body)}."]
    if announces(head) or explains(text):
        return [f"{body_of(body)}."]
    body = _ANNOUNCEMENT.sub("", body_of(body))
    return [f"{completed(head, item, closing)}." for item in re.split(r";\s+(?:and\s+|or\s+)?", body)]


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


def _one_of_several(
    facts: Sequence[Fact],
    lead_ins: Mapping[str, str],
    families: Mapping[str, dict[str, list[Draft]]],
    places: Mapping[str, Citation],
) -> set[tuple[str, str]]:
    """Questions that one of several items answers ("Taxis may be used: (a) at night; or (b) ..."): they must name the item."""
    counts = Counter(lead_ins[fact.id] for fact in facts)
    return {
        (draft.question, places[fact.id].whole)
        for fact in facts
        if lead_ins[fact.id] and counts[lead_ins[fact.id]] > 1 and not announces(lead_ins[fact.id])
        for draft in families[fact.id].get("asked", [])
        if draft.cited and draft.angle == "simple" and draft.answer.lower().rstrip(".") not in lead_ins[fact.id].lower()
    }


def _asked(
    facts: Sequence[Fact], lead_ins: Mapping[str, str], statements: Mapping[str, str], places: Mapping[str, Citation]
) -> dict[str, list[Draft]]:
    """By fact id, the questions that people would ask, the best first."""
    definitions = _definitions([fact for fact in facts if fact.kind != SPEECH])
    announced = {
        fact.id: (lead_ins[fact.id].strip().rstrip(":"), fact.text.rstrip("; "))
        for fact in facts
        if announces(lead_ins[fact.id])
    }
    readable = {fact.id: read_out(_words(fact), lead_ins[fact.id], fact.closing) for fact in facts}
    # What "it" means is not looked for in another speaker's words, nor behind a note: it may mean any word that it is on.
    sections = {fact.id: fact.id if fact.kind in (NOTE, SPEECH) else fact.chunk for fact in facts}
    generated = ask_facts(readable, definitions, announced, sections)
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


def _words(fact: Fact) -> str:
    return spoken(fact.text) if fact.kind == SPEECH else fact.text


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
