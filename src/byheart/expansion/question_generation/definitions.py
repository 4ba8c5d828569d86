"""A term and its meaning as a sentence that can be asked about, and the meaning asked for its term."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.compose import SHORT, Asked
from byheart.expansion.question_generation.inflect import with_article
from byheart.expansion.question_generation.wording import capital, small, text_of, tidy

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_VAGUE = frozenset("entity thing location place process act term state person".split())


def as_statements(term: str, meaning: "Doc") -> Iterator[str]:
    """From "Repeater" and the parsed "An amateur station that simultaneously retransmits ..." the sentence "A repeater
    simultaneously retransmits ...": what restricts the noun is said of the term."""
    noun = _head(meaning)
    if noun is None or noun.tag_ not in ("NN", "NNP"):
        return
    name = _named(term)
    for said in _said_of(noun):
        yield f"{capital(name)} {said}."


def ask_term(term: str, meaning: "Doc") -> Iterator[Asked]:
    """ "What kind of amateur station simultaneously retransmits ...?": the term."""
    noun = _head(meaning)
    if noun is None:
        return
    vague = noun.lemma_.lower() in _VAGUE
    kind = " ".join(t.text for t in noun.lefts if t.dep_ in ("amod", "compound", "nmod")) + f" {noun.text}"
    for said in _said_of(noun):
        words = "what" if vague else f"what kind of {small(kind.strip())}"
        yield Asked("term", f"{capital(tidy(f'{words} {said}'))}?", f"{capital(_named(term))}.", SHORT, True)


def _head(meaning: "Doc") -> "Token | None":
    """The noun that the meaning is about: the root, or the subject of a participle that was taken for a verb."""
    root = next((token for token in meaning if token.dep_ == "ROOT"), None)
    if root is None:
        return None
    if root.pos_ in ("NOUN", "PROPN"):
        return root
    subject = next((c for c in root.children if c.dep_ == "nsubj"), None)
    return (
        subject if root.tag_ in ("VBD", "VBN") and subject is not None and subject.pos_ in ("NOUN", "PROPN") else None
    )


def _said_of(noun: "Token") -> Iterator[str]:
    be = "are" if noun.tag_ in ("NNS", "NNPS") else "is"
    if noun.dep_ != "ROOT":  # "An amateur station located more than 50 km above ..."
        rest = noun.doc[noun.head.i : len(noun.doc)].text.rstrip(".;, ")
        yield f"{be} {rest}"
        return
    for child in noun.children:
        words = text_of(child)
        subject = next((c for c in child.children if c.dep_ in ("nsubj", "nsubjpass")), None)
        if child.dep_ == "relcl" and subject is not None and subject.tag_ in ("WDT", "WP"):
            yield re.sub(r"^(?:that|which|who)\s+", "", words)
        elif child.dep_ == "acl" and child.tag_ == "VBN":
            yield f"{be} {words}"


def _named(term: str) -> str:
    name = small(term) if term[1:] != term[1:].lower() else term[:1].lower() + term[1:]
    return with_article(name)
