"""The drafts of each fact, by the kind of block that it stands in: prose, list items, rows, speech, code, pairs."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from byheart.documents.blocks import NOTE, SPEECH
from byheart.documents.languages.language import UNSPACED, is_english
from byheart.expansion.base import Source
from byheart.expansion.citation import Citation, cite
from byheart.expansion.question_generation.clauses import FULL, TITLE, Asked
from byheart.expansion.question_generation.definitions import is_meaning, is_term
from byheart.expansion.question_generation.reading import ask_facts, parse
from byheart.expansion.rules.apart import Apart, is_sentence
from byheart.expansion.rules.clauses import (
    are_alternatives,
    ask_clauses,
    body_of,
    completed,
    explains,
    head_of,
    needs_all,
    tell_apart,
)
from byheart.expansion.rules.identities import ask_identities
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
from byheart.records import FORWARD, REVERSE, Fact

if TYPE_CHECKING:
    from spacy.tokens import Doc

READINGS = ("asked", "condition", "reordered")  # families that take a statement for the whole truth
_EXCEPTIONS = re.compile(r",?\s+with the following exceptions?\b[^:]*:$")
_WHETHER = re.compile(r"(?:Must|Shall|Is|Are|Does|Do|Has|Have)\b")
_ANNOUNCEMENT = re.compile(
    r",?\s+(?:as\s+\w+\s+)?(?:in|by|with|under|for|to)\s+(?:(?:one|any|each|either)\s+of\s+)?the\s+following\b[^:]*:$"
)
SENTENCE_ENDS = (*".!?…。！？؟।॥۔”»」』", '"')


class ByKind:
    """All facts of a source, which must be read together: what two of them say alike tells neither from the other.

    Code and formulas are one word each while sentences are read, and are shown again in the drafts.
    """

    def __init__(self, source: Source):
        self._signs = Signs()
        self.facts = [self._signs.hide_in(fact) for fact in source.facts]
        self._lead_ins = {fact.id: self._signs.hide(source.lead_ins.get(fact.id, "")) for fact in self.facts}
        self._statements = {f.id: stated(f, self._lead_ins[f.id]) for f in self.facts}
        self.places = {
            f.id: cite(source.titles[f.document], headings_above(f), f.labels or f.label) for f in self.facts
        }
        english = {fact.id for fact in self.facts if is_english(fact.language)}
        prose = [fact for fact in self.facts if not (fact.paired or fact.cells) and is_sentence(fact)]
        sentences = {fact.id for fact in prose}
        read = [fact for fact in self.facts if fact.id in english and (fact.paired or fact.id in sentences)]
        parsed = parse([self._statements[fact.id] for fact in read])
        self._parsed = dict(zip((fact.id for fact in read), parsed, strict=True))
        self._asked = _asked(
            [fact for fact in prose if fact.id in english], self._lead_ins, self._statements, self.places, self._parsed
        )
        self._pairs, self._apart = OwnPairs(self.facts), Apart(source.facts)
        self._speech = Speech(self.facts, self._parsed)
        in_english = {fact.document for fact in self.facts if fact.id in english}
        self._rows = TableRows(self.facts, in_english, {fact.id: headings_above(fact) for fact in self.facts})
        self._items = [fact for fact in prose if fact.kind != SPEECH]
        self._clauses = ask_clauses(self._items, self._lead_ins, self._statements, source.titles, announces)
        self._lists: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for fact in self._items:
            self._lists[self._list_of(fact)].append(fact.text)

    def families(self, fact: Fact) -> dict[str, list[Draft]]:
        """The drafts of one of `facts`, by the names of the rules' families."""
        place = self.places[fact.id]
        lead, beside = self._lead_ins[fact.id], self._lists.get(self._list_of(fact), ())
        drafts = self._by_kind(fact, place)
        if lead and len(beside) > 1:
            kept = [name for name in drafts if name not in READINGS or not needs_all(lead, beside)]
            drafts = {name: tell_apart(drafts[name], fact, lead) for name in kept}
            if are_alternatives(lead, beside):
                drafts["asked"] = [draft for draft in drafts.get("asked", []) if not _WHETHER.match(draft.question)]
        drafts = {name: self._signs.show_in(drafts[name]) for name in drafts}
        for more in (self._clauses.get(fact.id, {}), self._apart.families(fact, place)):
            for name, first in more.items():
                drafts[name] = [*self._signs.show_in(first), *drafts.get(name, [])]
        return drafts

    def ambiguous(self, families: Mapping[str, dict[str, list[Draft]]]) -> set[tuple[str, str]]:
        """The questions, with their section, that must name the item that they ask for."""
        one_of_several = _one_of_several(self._items, self._lead_ins, families, self.places)
        return _ambiguous(families, self.places) | one_of_several

    def _by_kind(self, fact: Fact, place: Citation) -> dict[str, list[Draft]]:
        parsed, asked = self._parsed.get(fact.id), self._asked.get(fact.id, [])
        if fact.paired:
            return self._pairs.families(fact, place, parsed)
        if fact.cells:
            return self._rows.families(fact, place)
        if fact.kind == SPEECH:
            return self._speech.families(fact, place, parsed, asked)
        if not is_sentence(fact):
            return {}
        if parsed is not None:
            return {"asked": asked, **fill_templates(parsed, place)}
        return fill_neutral_templates(self._statements[fact.id], place)

    def _list_of(self, fact: Fact) -> tuple[str, ...]:
        return fact.document, *fact.headings, self._lead_ins[fact.id]


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
    head, body = head_of(lead_in), _EXCEPTIONS.sub(" with exceptions", " ".join(text.split())).rstrip(";,.")
    if not head:
        return [f"{_ANNOUNCEMENT.sub('', body)}."]
    if announces(head) or explains(text):
        return [f"{body_of(body)}."]
    body = _ANNOUNCEMENT.sub("", body_of(body))
    return [f"{completed(head, item, closing)}." for item in re.split(r";\s+(?:and\s+|or\s+)?", body)]


def announces(lead_in: str) -> bool:
    """Does it only announce a list ("... in one of the following ways"), so that no item continues its sentence?"""
    return bool(re.search(r"\b(?:following|follows|principles|below|these|exceptions)\b[^.]*$", lead_in, re.I))


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
    facts: Sequence[Fact], lead_ins: Mapping[str, str], statements: Mapping[str, str], places: Mapping[str, Citation],
    parsed: "Mapping[str, Doc]",
) -> dict[str, list[Draft]]:  # fmt: skip
    """By fact id, the questions that people would ask, the best first."""
    identities = ask_identities([fact for fact in facts if fact.kind != SPEECH], parsed)
    definitions = _definitions([fact for fact in facts if fact.kind != SPEECH])
    announced = {
        fact.id: (lead_ins[fact.id].strip().rstrip(":"), fact.text.rstrip("; "))
        for fact in facts
        if announces(lead_ins[fact.id])
    }
    readable = {fact.id: read_out(_words(fact), lead_ins[fact.id], fact.closing) for fact in facts}
    # What "it" means is not looked for in another speaker's words, nor behind a note: it may mean any word that it is on.
    sections = {fact.id: fact.id if fact.kind in (NOTE, SPEECH) else fact.chunk for fact in facts}
    # A program is called what its manual is called, and hardly ever stands inside a sentence there.
    names = [title for title in {place.title for place in places.values()} if title.istitle() and title.isalpha()]
    generated = ask_facts(readable, definitions, announced, sections, names)
    asked = {}
    for fact in facts:
        place, text = places[fact.id], " ".join(fact.text.split())
        drafts = [_draft(one, place) for one in generated.get(fact.id, [])]
        if fact.id in definitions:  # in turn, what a definition is always asked and what its sentence is
            pairs = zip_longest(ask_definition(*definitions[fact.id], place), drafts)
            drafts = [draft for pair in pairs for draft in pair if draft is not None]
        if fact.id in identities:
            own = {(draft.question, draft.answer) for draft in identities[fact.id]}
            others = [draft for draft in drafts if (draft.question, draft.answer) not in own]
            drafts = [draft for pair in zip_longest(identities[fact.id], others) for draft in pair if draft is not None]
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
    direction = REVERSE if one.is_reverse else FORWARD
    question = one.question.replace(TITLE, place.title)
    # "What must the licensee do?": the next paragraph of the section demands something else.
    exact = kind == "action" and bool(place.item)
    free = TITLE not in one.question
    return Draft(angle, direction, question, one.answer, question.rstrip("?"), free=free, exact=exact)
