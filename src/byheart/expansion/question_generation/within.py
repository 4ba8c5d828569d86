"""Questions about phrases inside other phrases: "The discovery of oil in which sea led to ...?", "By what kind of ballot
is the chair elected?".

A phrase that lies deeper than the parts of a clause cannot be moved to the front alone. Inside the subject the asking
word stays where the answer stood; inside a prepositional part the whole part is moved; inside an object it stays in
place as a quiz has it ("The basin encompasses how many lakes?"). Nothing else changes, so little can go wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Clause, Part
from byheart.expansion.question_generation.compose import SHORT, Asked, behind, compose, fitting, in_front, sentence
from byheart.expansion.question_generation.counting import count_of, how_many
from byheart.expansion.question_generation.parts import actively
from byheart.expansion.question_generation.roles import CLASSES, has_number, is_title, is_year
from byheart.expansion.question_generation.wording import tidy

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_MOVES = ("preposition", "place", "time", "manner", "agent", "reason")
_MONTH = re.compile(r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b")
# Adjectives that name no kind.
_EMPTY = frozenset(
    """
    other same such first last next many several few own certain various different main principal whole former current
    following above more most much further able new old several additional particular entire only single big small
    large great long short high low wide narrow northern southern eastern western important significant major minor
    good proper correct official present recent early late full final general
    """.split()
)

_COUNTRIES = ("kingdom", "states", "republic", "federation", "union")
_MOST_WORDS = 22  # of a question whose asking word stays in place


def ask_within(clause: Clause) -> Iterator[Asked]:
    """Everything asked of the names, numbers and described nouns that the clause holds, whichever part they lie in."""
    if clause.nobody or clause.negated:
        return
    if not clause.there:
        for token in clause.noun.subtree:
            yield from _about(clause, None, token)
    for part in clause.parts:
        for token in part.head.subtree:
            yield from _about(clause, part, token)


def _about(clause: Clause, part: Part | None, token: "Token") -> Iterator[Asked]:
    found = _asked_for(token) or (_during(part) if part is not None and token == part.head else None)
    if found is None:
        return
    if part is not None and token == part.head:
        counted = part.role in ("object", "complement") and has_number(token)
        if counted or (part.role == "time" and part.preposition == "in" and is_year(token)):
            return  # asked already
    words, phrase, answer = found
    home = part.text if part else clause.subject
    kind = words.startswith("what kind")
    if len(re.findall(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", home)) != 1:
        return
    asking = home.replace(phrase, words)
    if part is None:
        whole = phrase == home
        if not (kind and whole):
            parts = fitting(clause)
            question = in_front(parts, tidy(f"{asking} {clause.group()} {behind(parts)}"))
            yield Asked("subject" if whole else f"within:{token.i}", question, sentence(answer), SHORT, True)
        return
    target = f"{part.role}:{part.head.i}" if phrase == part.bare else f"within:{token.i}"
    if token == part.head and part.role in ("object", "complement"):
        if not kind or clause.verb.lemma_ == "be":
            yield Asked(target, compose(clause, words, [part]), sentence(answer), SHORT)
    elif part.role == "agent" and not kind and (active := actively(clause, part, part.bare.replace(phrase, words))):
        yield Asked(target, active, sentence(answer), SHORT)
    elif part.role in _MOVES:
        if _moves(clause, part, asking):
            yield Asked(target, compose(clause, asking, [part]), sentence(answer), SHORT)
    elif part.role in ("object", "complement", "quality", "infinitive") and not clause.there and not part.fronted:
        kept = [p for p in fitting(clause) if p == part or p.role not in ("time", "place", "reason", "manner")]
        told = [replace(p, text=asking) if p == part else p for p in kept]
        question = in_front(told, tidy(f"{clause.subject} {clause.group()} {behind(told)}"))
        if len(question.split()) <= _MOST_WORDS and part in kept:
            yield Asked(target, question, sentence(answer), SHORT)


def _moves(clause: Clause, part: Part, asking: str) -> bool:
    """May the part go to the front as a whole? "with ..." behind a noun may belong to that noun."""
    if not part.preposition or not asking.lower().startswith(part.preposition) or part.head.pos_ in ("VERB", "AUX"):
        return False
    before = [other for other in clause.parts if not other.fronted and other.head.i < part.head.i]
    if part.preposition in ("with", "of") and any(other.role in ("object", "preposition") for other in before):
        return False
    return len(asking.split()) <= 10


def _asked_for(token: "Token") -> tuple[str, str, str] | None:
    """The words that ask for a phrase ("which sea", "how many years"), the phrase as it stands, and the answer."""
    if token.pos_ not in ("NOUN", "PROPN", "NUM") or token.dep_ in ("compound", "nmod", "nummod"):
        return None
    if any(t.tag_ in ("WDT", "WP", "WP$") for t in token.lefts):
        return None
    if has_number(token):
        words, counted = how_many(token)
        return (
            (re.sub(r" of .*$| $", "", words), counted, count_of(token)) if not words.startswith("how much") else None
        )
    if token.dep_ == "conj" or any(child.dep_ == "conj" for child in token.children):
        found = _dated(token) if token.ent_type_ == "DATE" else None  # half of what was meant is no answer
    elif token.ent_type_ == "DATE":
        found = _dated(token)
    elif token.ent_type_ == "PERSON" and token.pos_ == "PROPN":
        return _person(token)
    else:
        found = _named(token) or _kind(token)
    return (*found, found[1]) if found else None


def _dated(token: "Token") -> tuple[str, str] | None:
    span = next((ent for ent in token.doc.ents if ent.start <= token.i < ent.end), None)
    if span is None or token != span.root:
        return None
    text = span.text
    if is_year(token) and len(span) == 1:
        return "what year", text
    if _MONTH.search(text):
        return "what date" if re.search(r"\b\d{1,2}\b", text) else "what month", text
    return ("what period", text) if re.search(r"\b\d{3,4}s\b|century|centuries", text) else None


def _during(part: Part) -> tuple[str, str, str] | None:
    """ "during the Miocene": during what period."""
    named = part.preposition == "during" and part.role == "time" and part.head.pos_ == "PROPN"
    return ("what period", part.bare, part.bare) if named else None


def _person(token: "Token") -> tuple[str, str, str] | None:
    """ "Spanish architect Enric Miralles": which Spanish architect, and his name."""
    names = [t for t in (*token.lefts, token) if t.ent_type_ == "PERSON" and t.pos_ == "PROPN" and not is_title(t)]
    left = [t for t in token.lefts if t.dep_ in ("compound", "amod", "nmod") and t.i < names[0].i] if names else []
    if not left or left[-1].i != names[0].i - 1 or not is_title(left[-1]):
        return None
    start = left[0].left_edge.i
    titled = token.doc[start : names[0].i].text
    if token.doc[start].i == 0:
        titled = titled[:1].lower() + titled[1:]
    bare = re.sub(r"^(?:the|a|an|its|their)\s+", "", titled)
    return (
        f"which {bare}",
        f"{titled} {token.doc[names[0].i : token.i + 1].text}",
        token.doc[names[0].i : token.i + 1].text,
    )


def _named(token: "Token") -> tuple[str, str] | None:
    """ "the North Sea", "the University of Aberdeen", "the Scotland Act 1998": what its last word or its first says it is."""
    if token.dep_ == "pobj" and token.head.lower_ == "of" and token.head.head.pos_ == "PROPN":
        return None  # inside a longer name
    left = [t for t in token.lefts if t.dep_ in ("det", "amod", "compound", "nmod", "poss", "nummod")]
    if any(t.lower_ in ("a", "an", "each", "any", "no", "every") for t in left):
        return None
    start = left[0].left_edge.i if left else token.i
    end, word = token.i, token.lower_
    of = next((c for c in token.children if c.dep_ == "prep" and c.lower_ == "of" and c.i == token.i + 1), None)
    if token.pos_ == "PROPN" and of is not None and all(t.pos_ in ("PROPN", "ADP", "DET") for t in of.subtree):
        end = of.right_edge.i
        word = token.doc[end].lower_ if token.doc[end].lower_ in CLASSES else word
    elif token.i + 1 < len(token.doc) and is_year(token.nbor()) and token.nbor().head == token:
        end = token.i + 1
    named = [t for t in left if t.pos_ == "PROPN" or t.dep_ == "poss"]
    if word not in CLASSES or not (named or end > token.i):
        return None
    return f"which {'country' if word in _COUNTRIES else word}", _as_it_stands(token.doc[start : end + 1])


def _kind(token: "Token") -> tuple[str, str] | None:
    """ "a secret ballot": what kind of ballot."""
    left = list(token.lefts)
    described = [t for t in left if t.dep_ in ("amod", "compound", "nmod")]
    if token.tag_ != "NN" or not described or len(left) > 3 or token.i - left[0].left_edge.i > 3:
        return None
    if any(t.lower_ in _EMPTY or t.tag_ in ("JJR", "JJS", "VBN", "VBG") for t in described):
        return None
    if any(t not in described and t.lower_ not in ("a", "an") for t in left) or not any(
        t.pos_ == "ADJ" for t in described
    ):
        return None
    return f"what kind of {token.text}", _as_it_stands(token.doc[left[0].left_edge.i : token.i + 1])


def _as_it_stands(span: "Span") -> str:
    text = str(span.text)
    return text[:1].lower() + text[1:] if span[0].lower_ in ("a", "an", "the") else text
