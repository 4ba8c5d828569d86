"""Questions about phrases inside other phrases: "The discovery of oil in which sea led to ...?", "By what kind of ballot
is the chair elected?".

A phrase that lies deeper than the parts of a clause cannot be moved to the front alone. Inside the subject the wh-word
stays where the answer stood; inside a prepositional part the whole part is moved; inside an object it stays in place as
a quiz has it ("The basin encompasses how many lakes?"). Nothing else changes, so little can go wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import SHORT, Asked, Clause, Part, as_question, behind
from byheart.expansion.question_generation.nouns import (
    CLASSES,
    count_of,
    has_number,
    how_many,
    is_plural,
    is_title,
    is_year,
)
from byheart.expansion.question_generation.prepositions import actively
from byheart.expansion.question_generation.wording import RELATIVE, WORDS, full_stop, without_article

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_CIRCUMSTANCES = ("place", "time", "manner", "reason")
_MONTH = re.compile(r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b")
_COUNTRIES = ("kingdom", "states", "republic", "federation", "union")
_MOST_WORDS = 22  # of a question whose wh-word stays in place

Phrase = tuple[str, str, str]  # the words that ask for it ("which sea"), the phrase as it stands, the answer


def ask_within(clause: Clause) -> Iterator[Asked]:
    """Everything asked of the names, numbers and described nouns that the clause holds, whichever part they lie in."""
    if clause.denied:
        return
    for token in () if clause.there else clause.noun.subtree:
        if found := _phrase(token):
            yield from _in_subject(clause, token, found)
    for part in clause.parts:
        for token in part.head.subtree:
            if found := _phrase(token) or (_during(part) if token == part.head else None):
                yield from _in_part(clause, part, token, found)


def _in_subject(clause: Clause, token: "Token", found: Phrase) -> Iterator[Asked]:
    wh_words, phrase, answer = found
    whole = phrase == clause.subject
    if not _stands_once(phrase, clause.subject) or (whole and wh_words.startswith("what kind")):
        return
    parts = clause.fitting()
    if wh_words.startswith("how many") and whole and not is_plural(clause.noun):
        return
    question = as_question(parts, [clause.subject.replace(phrase, wh_words), clause.verb_group(), behind(parts)])
    yield Asked("subject" if whole else f"within:{token.i}", question, full_stop(answer), SHORT, True)


def _in_part(clause: Clause, part: Part, token: "Token", found: Phrase) -> Iterator[Asked]:
    (wh_words, phrase, answer), is_head = found, token == part.head
    is_object, is_kind = part.role in ("object", "complement"), found[0].startswith("what kind")
    dated = part.role == "time" and part.preposition == "in" and is_year(token)
    embedded = any(above.pos_ in ("VERB", "AUX") and part.head.is_ancestor(above) for above in token.ancestors)
    if is_kind and embedded and part.role not in ("object", "complement"):
        return
    if is_kind and (part.preposition == "to" or part.role == "time"):
        return
    if (part.preposition == "from" and re.search(r"\bto\b", part.text)) or (part.focused and part.role == "agent"):
        return  # "from April to August"
    if (is_head and (dated or (is_object and has_number(token)))) or not _stands_once(phrase, part.text):
        return  # asked already
    asking = part.text.replace(phrase, wh_words)
    question = ""
    if is_head and is_object:
        if not is_kind or clause.lemma == "be":
            question = clause.compose(wh_words, [part])
    elif (
        part.role == "agent" and not is_kind and (active := actively(clause, part, part.bare.replace(phrase, wh_words)))
    ):
        question = active
    elif part.role in ("preposition", "agent", *_CIRCUMSTANCES):
        if _moves(clause, part, asking):
            question = clause.compose(asking, [part])
    elif (is_object or part.role in ("quality", "infinitive")) and not clause.there and not part.fronted:
        question = _in_place(clause, part, asking)
    if question:
        target = f"{part.role}:{part.head.i}" if phrase == part.bare else f"within:{token.i}"
        yield Asked(target, question, full_stop(answer), SHORT)


def _in_place(clause: Clause, part: Part, asking: str) -> str:
    """The statement with the wh-words in it: "The basin encompasses how many lakes?"; "" where that is too long."""
    kept = [other for other in clause.fitting() if other == part or other.role not in _CIRCUMSTANCES]
    replaced = [replace(other, text=asking) if other == part else other for other in kept]
    question = as_question(replaced, [clause.subject, clause.verb_group(), behind(replaced)])
    return question if len(question.split()) <= _MOST_WORDS and part in kept else ""


def _stands_once(phrase: str, text: str) -> bool:
    return len(re.findall(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text)) == 1


def _moves(clause: Clause, part: Part, asking: str) -> bool:
    """May the part go to the front as a whole? "with ..." behind a noun may belong to that noun."""
    if not part.preposition or not asking.lower().startswith(part.preposition) or part.head.pos_ in ("VERB", "AUX"):
        return False
    before = [other for other in clause.parts if not other.fronted and other.head.i < part.head.i]
    ambiguous = part.preposition in ("with", "of") and any(p.role in ("object", "preposition") for p in before)
    return not ambiguous and len(asking.split()) <= 10


def _phrase(token: "Token") -> Phrase | None:
    """The phrase around a noun that can be asked for, if there is one."""
    if token.pos_ not in ("NOUN", "PROPN", "NUM") or token.dep_ in ("compound", "nmod", "nummod"):
        return None
    if any(t.tag_ in (*RELATIVE, "WP$") for t in token.lefts):
        return None
    if has_number(token):
        wh_words, counted = how_many(token, bare=True)
        wh_words = wh_words.strip()
        return None if wh_words.startswith("how much") else (wh_words, counted, count_of(token))
    joined = token.dep_ == "conj" or any(child.dep_ == "conj" for child in token.children)
    if token.ent_type_ == "DATE":
        return _dated(token)
    if joined:
        return None  # half of what was meant is no answer
    if token.ent_type_ == "PERSON" and token.pos_ == "PROPN":
        return _person(token)
    return _named(token) or _kind(token)


def _dated(token: "Token") -> Phrase | None:
    span = next((ent for ent in token.doc.ents if ent.start <= token.i < ent.end), None)
    if span is None or token != span.root:
        return None
    text, word = str(span.text), ""
    if is_year(token) and len(span) == 1:
        word = "year"
    elif _MONTH.search(text):
        word = "date" if re.search(r"\b\d{1,2}\b", text) else "month"
        word = "" if re.search(r"\b(?:weeks?|days?|half|since|until)\b", text) else word
    elif re.search(r"\b\d{3,4}s\b|century|centuries", text):
        word = "period"
    return (f"what {word}", text, text) if word else None


def _during(part: Part) -> Phrase | None:
    """ "during the Miocene": during what period."""
    named = part.preposition == "during" and part.role == "time" and part.head.pos_ == "PROPN"
    return ("what period", part.bare, part.bare) if named else None


def _person(token: "Token") -> Phrase | None:
    """ "Spanish architect Enric Miralles": which Spanish architect, and his name."""
    names = [t for t in (*token.lefts, token) if t.ent_type_ == "PERSON" and t.pos_ == "PROPN" and not is_title(t)]
    left = [t for t in token.lefts if t.dep_ in ("compound", "amod", "nmod") and t.i < names[0].i] if names else []
    if not left or left[-1].i != names[0].i - 1 or not is_title(left[-1]):
        return None
    start, name = left[0].left_edge.i, token.doc[names[0].i : token.i + 1].text
    if start and token.doc[start - 1].lower_ == "the":
        start -= 1
    title = token.doc[start : names[0].i].text
    if start == 0:
        title = title[:1].lower() + title[1:]
    return f"which {without_article(title)}", f"{title} {name}", name


def _named(token: "Token") -> Phrase | None:
    """ "the North Sea", "the University of Aberdeen", "the Scotland Act 1998": what its last word or its first says it is."""
    if token.dep_ == "pobj" and token.head.lower_ == "of" and token.head.head.pos_ == "PROPN":
        return None  # inside a longer name
    left = [t for t in token.lefts if t.dep_ in ("det", "amod", "compound", "nmod", "poss", "nummod")]
    if any(t.lower_ in ("a", "an", "each", "any", "no", "every") for t in left):
        return None
    end, word = token.i, token.lower_
    of = next((c for c in token.children if c.dep_ == "prep" and c.lower_ == "of" and c.i == token.i + 1), None)
    if token.pos_ == "PROPN" and of is not None and all(t.pos_ in ("PROPN", "ADP", "DET") for t in of.subtree):
        end = of.right_edge.i
        word = token.doc[end].lower_ if token.doc[end].lower_ in CLASSES else word
    elif token.i + 1 < len(token.doc) and is_year(token.nbor()) and token.nbor().head == token:
        end = token.i + 1
    named = end > token.i or any(t.pos_ == "PROPN" or t.dep_ == "poss" for t in left)
    club = token.lower_ in ("city", "town", "county") and token.dep_ == "nsubj" and token.head.lemma_ != "be"
    if club and not any(t.lower_ == "the" for t in left):
        return None  # "Harbour City beat ...": a club
    if word not in CLASSES or not named:
        return None
    start = left[0].left_edge.i if left else token.i
    return _as_it_stands(f"which {'country' if word in _COUNTRIES else word}", token.doc[start : end + 1])


def _kind(token: "Token") -> Phrase | None:
    """ "a secret ballot": what kind of ballot."""
    left = list(token.lefts)
    described = [t for t in left if t.dep_ in ("amod", "compound", "nmod")]
    others = [t for t in left if t not in described and t.lower_ not in ("a", "an")]
    if token.tag_ != "NN" or others or len(left) > 3 or all(t.pos_ != "ADJ" for t in described):
        return None
    if token.lemma_.lower() in WORDS["times"] or any(t.ent_type_ == "ORDINAL" for t in described):
        return None
    if any(t.lower_ in WORDS["no_kind"] or t.tag_ in ("JJR", "JJS", "VBN", "VBG") for t in described):
        return None
    span = token.doc[left[0].left_edge.i : token.i + 1]
    return _as_it_stands(f"what kind of {token.text}", span) if len(span) <= 4 else None


def _as_it_stands(wh_words: str, span: "Span") -> Phrase:
    text = str(span.text)
    text = text[:1].lower() + text[1:] if span[0].lower_ in ("a", "an", "the") else text
    return wh_words, text, text
