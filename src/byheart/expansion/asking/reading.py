"""The questions of all facts of a source, from two passes of the parser."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from byheart.expansion.asking.ask import Asked, ask_clause
from byheart.expansion.asking.clauses import find_clauses
from byheart.expansion.asking.definitions import as_statements, ask_term
from byheart.expansion.asking.parse import is_installed, parse
from byheart.expansion.asking.rank import rank
from byheart.expansion.sentences import sentences_of

MOST_WORDS = 90  # of a sentence; the parser loses its way in longer ones
_PRONOUN = re.compile(r"^(?:it|they|he|she|this|these|those|that|we|you|i|there|one|some|others|such)\b", re.I)


def ask_facts(statements: Mapping[str, str], definitions: Mapping[str, tuple[str, str]]) -> dict[str, list[Asked]]:
    """By fact id the questions about its statement, the best first. Empty where no parser is installed.

    `definitions` holds the term and its meaning of those facts that define one; their statements are not read.
    """
    if not is_installed():
        return {}
    asked: dict[str, list[Asked]] = {fact: [] for fact in statements}
    sentences = [(f, s) for f, text in statements.items() if f not in definitions for s in _sentences(text)]
    meanings = parse([meaning for _, meaning in definitions.values()])
    for (fact, (term, _)), meaning in zip(definitions.items(), meanings, strict=True):
        asked[fact] += ask_term(term, meaning)
        sentences += [(fact, statement) for statement in as_statements(term, meaning)]
    docs = parse([sentence for _, sentence in sentences])
    for number, ((fact, _), doc) in enumerate(zip(sentences, docs, strict=True)):
        asked[fact] += _asked_of(doc, number)
    return {fact: rank(questions) for fact, questions in asked.items() if questions}


def _sentences(text: str) -> Iterator[str]:
    for sentence in sentences_of(text):
        if 3 <= len(sentence.split()) <= MOST_WORDS:
            yield sentence


def _asked_of(doc: Any, number: int) -> Iterator[Asked]:
    """Targets are told apart by sentence and clause."""
    for clause in find_clauses(doc):
        if not _PRONOUN.match(clause.subject):
            for one in ask_clause(clause):
                yield replace(one, target=f"{one.target}:{number}:{clause.verb.i}")
