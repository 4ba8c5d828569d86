"""The questions of all facts of a source, from two passes of the parser."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from byheart.expansion.asking.ask import ask_announced, ask_clause, ask_there
from byheart.expansion.asking.clauses import Clause
from byheart.expansion.asking.compose import Asked, is_plural
from byheart.expansion.asking.definitions import as_statements, ask_term
from byheart.expansion.asking.finding import PERSONAL, find_clauses
from byheart.expansion.asking.parse import is_installed, parse
from byheart.expansion.asking.rank import rank
from byheart.expansion.asking.roles import is_person
from byheart.expansion.sentences import sentences_of

# "..., except a space station, must", "..., where permitted, shall": between a subject and its verb.
_ASIDE = re.compile(
    r",\s+(?:except\b[^,]*|(?:where|if|when|as|unless|though)\s+\w+(?:\s+\w+)?),(?=\s+(?:must|shall|may|can|will|is|are|was|were)\b)"
)
MOST_WORDS = 90  # of a sentence; the parser loses its way in longer ones
_POINTS_BACK = re.compile(r"^(?:this|these|those|that|we|you|i|there|others|such)\b", re.I)


def ask_facts(
    statements: Mapping[str, Sequence[str]],
    definitions: Mapping[str, tuple[str, str]],
    announced: Mapping[str, tuple[str, str]],
    sections: Mapping[str, str],
) -> dict[str, list[Asked]]:
    """By fact id the questions about its statements, the best first. Empty where no parser is installed.

    `definitions` holds the term and its meaning of those facts that define one; their statements are not read.
    `announced` holds the lead-in ("... the following types of messages") and the item of those that a lead-in announces.
    `sections` says within which facts a pronoun may look back for its noun.
    """
    if not is_installed():
        return {}
    asked: dict[str, list[Asked]] = {fact: [] for fact in statements}
    sentences = [(f, s) for f, texts in statements.items() if f not in definitions for s in _sentences(texts)]
    meanings = parse([meaning for _, meaning in definitions.values()])
    for (fact, (term, _)), meaning in zip(definitions.items(), meanings, strict=True):
        asked[fact] += ask_term(term, meaning)
        sentences += [(fact, statement) for statement in as_statements(term, meaning)]
    lead_ins = parse([lead_in for lead_in, _ in announced.values()])
    for (fact, (_, item)), lead_in in zip(announced.items(), lead_ins, strict=True):
        asked[fact] += (one for clause in find_clauses(lead_in) for one in ask_announced(clause, item))
    docs = parse([sentence for _, sentence in sentences])
    last: dict[str, Clause] = {}  # by section, the clause whose subject a pronoun would mean
    for number, ((fact, _), doc) in enumerate(zip(sentences, docs, strict=True)):
        asked[fact] += ask_there(doc)
        for clause in find_clauses(doc):
            resolved = _resolved(clause, last.get(sections[fact]))
            if resolved is None or _POINTS_BACK.match(resolved.subject):
                continue
            if clause.verb.dep_ == "ROOT":
                last[sections[fact]] = resolved
            # Targets are told apart by sentence and clause.
            asked[fact] += (
                replace(one, target=f"{one.target}:{number}:{clause.verb.i}") for one in ask_clause(resolved)
            )
    return {fact: rank(questions) for fact, questions in asked.items() if questions}


def _resolved(clause: Clause, last: Clause | None) -> Clause | None:
    """The clause with the last subject for its pronoun, where number and kind agree."""
    pronoun = clause.subject.lower()
    if pronoun not in PERSONAL:
        return clause
    if last is None or last.nobody or len(last.subject.split()) > 8:
        return None
    plural, person = is_plural(last), is_person(last.noun)
    fits = {"it": not plural and not person, "they": plural, "he": person and not plural, "she": person and not plural}
    return replace(clause, subject=last.subject, noun=last.noun) if fits[pronoun] else None


def _sentences(texts: Sequence[str]) -> Iterator[str]:
    for sentence in (part for text in texts for whole in sentences_of(text) for part in _simpler(whole)):
        if 3 <= len(sentence.split()) <= MOST_WORDS:
            yield sentence


def _simpler(sentence: str) -> Iterator[str]:
    """Without parentheses; a long one cut at "nor may ..." and before its exceptions: they lead the parser astray."""
    plain = _ASIDE.sub("", re.sub(r"\s+\([^()]*\)", "", sentence))
    first, *others = re.split(r"[,;]\s+nor\s+(?=(?:may|shall|must|can|will)\b)", plain)
    for part in (first, *(f"Nor {other}" for other in others)):
        yield re.sub(r", except\b.*$", ".", part) if len(part.split()) > 30 else part
