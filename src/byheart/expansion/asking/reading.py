"""The questions of all facts of a source, from two passes of the parser."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from byheart.expansion.asking.ask import ask_announced, ask_clause
from byheart.expansion.asking.clauses import find_clauses
from byheart.expansion.asking.compose import Asked
from byheart.expansion.asking.definitions import as_statements, ask_term
from byheart.expansion.asking.parse import is_installed, parse
from byheart.expansion.asking.rank import rank
from byheart.expansion.sentences import sentences_of

MOST_WORDS = 90  # of a sentence; the parser loses its way in longer ones
_POINTS_BACK = re.compile(r"^(?:it|they|he|she|this|these|those|that|we|you|i|there|others|such)\b", re.I)


def ask_facts(
    statements: Mapping[str, Sequence[str]],
    definitions: Mapping[str, tuple[str, str]],
    announced: Mapping[str, tuple[str, str]],
) -> dict[str, list[Asked]]:
    """By fact id the questions about its statements, the best first. Empty where no parser is installed.

    `definitions` holds the term and its meaning of those facts that define one; their statements are not read.
    `announced` holds the lead-in ("... the following types of messages") and the item of those that a lead-in announces.
    """
    if not is_installed():
        return {}
    asked: dict[str, list[Asked]] = {fact: [] for fact in statements}
    sentences = [(f, s) for f, texts in statements.items() if f not in definitions for s in _sentences(texts)]
    meanings = parse([meaning for _, meaning in definitions.values()])
    for (fact, (term, _)), meaning in zip(definitions.items(), meanings, strict=True):
        asked[fact] += ask_term(term, meaning)
        sentences += [(fact, statement) for statement in as_statements(term, meaning)]
    for (fact, (_, item)), lead_in in zip(
        announced.items(), parse([lead for lead, _ in announced.values()]), strict=True
    ):
        asked[fact] += (one for clause in find_clauses(lead_in) for one in ask_announced(clause, item))
    docs = parse([sentence for _, sentence in sentences])
    for number, ((fact, _), doc) in enumerate(zip(sentences, docs, strict=True)):
        asked[fact] += _asked_of(doc, number)
    return {fact: rank(questions) for fact, questions in asked.items() if questions}


def _sentences(texts: Sequence[str]) -> Iterator[str]:
    for sentence in (part for text in texts for whole in sentences_of(text) for part in _simpler(whole)):
        if 3 <= len(sentence.split()) <= MOST_WORDS:
            yield sentence


def _simpler(sentence: str) -> Iterator[str]:
    """A long sentence cut at "nor may ..." and before its exceptions, which would lead the parser astray."""
    first, *others = re.split(r"[,;]\s+nor\s+(?=(?:may|shall|must|can|will)\b)", sentence)
    for part in (first, *(f"Nor {other}" for other in others)):
        yield re.sub(r", except\b.*$", ".", part) if len(part.split()) > 30 else part


def _asked_of(doc: Any, number: int) -> Iterator[Asked]:
    """Targets are told apart by sentence and clause."""
    for clause in find_clauses(doc):
        if not _POINTS_BACK.match(clause.subject):
            for one in ask_clause(clause):
                yield replace(one, target=f"{one.target}:{number}:{clause.verb.i}")
