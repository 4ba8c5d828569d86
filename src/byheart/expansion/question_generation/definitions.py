"""Questions about terms: what a definition says, what is defined, and what a parenthesis adds to a name."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import SHORT, Asked, as_question
from byheart.expansion.question_generation.nouns import is_plural
from byheart.expansion.question_generation.wording import (
    NOUNS,
    RELATIVE,
    SUBJECTS,
    capital,
    child_of,
    full_stop,
    small,
    text_of,
    with_article,
)

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_VAGUE = frozenset("entity thing location place process act term state person".split())
_NAME = re.compile(r"^(?P<name>[^(),;:]{3,60}?) \((?P<inside>[^()]*\b[A-Z]\w+: [^()]*)\)")
_GLOSS = re.compile(r"^(?P<language>[A-Z]\w+): (?P<words>.+)$")
_HOLDER = re.compile(
    r"(?P<office>(?:\bthe )?[a-z-]+(?: of [\w ]{3,30}?)?) \((?P<when>currently|presently|now|formerly) (?P<name>[A-Z][^()]{2,60})\)"
)


def is_term(term: "Doc") -> bool:
    """No clause, read with a full stop: "The kiln runs on 400 V.", "Today I met Dr.", "No." name nothing."""
    if any(token.tag_ in ("VBD", "VBZ", "VBP", "MD", "PRP") or token.dep_ == "nsubj" for token in term):
        return False
    return any(token.pos_ in (*NOUNS, "VERB", "ADJ") for token in term)


def is_meaning(meaning: "Doc") -> bool:
    """A phrase about a noun, as a dictionary writes it, and no clause: "It needs a permit", "The fan turned the crank"."""
    root = next((token for token in meaning if token.dep_ == "ROOT"), None)
    return _head(meaning) is not None and not (root is not None and child_of(root, "nsubj") and child_of(root, "dobj"))


def as_statements(term: str, meaning: "Doc") -> Iterator[str]:
    """From "Repeater" and the parsed "An amateur station that simultaneously retransmits ..." the sentence "A repeater
    simultaneously retransmits ...": the modifiers of the noun become the predicate of the term."""
    noun = _head(meaning)
    if noun is not None and noun.tag_ in ("NN", "NNP"):
        for predicate in _predicates(noun):
            yield f"{capital(_named(term))} {predicate}."


def ask_term(term: str, meaning: "Doc") -> Iterator[Asked]:
    """ "What kind of amateur station simultaneously retransmits ...?": the term."""
    noun = _head(meaning)
    if noun is None:
        return
    kind = " ".join(t.text for t in noun.lefts if t.dep_ in ("amod", "compound", "nmod")) + f" {noun.text}"
    wh_words = "what" if noun.lemma_.lower() in _VAGUE else f"what kind of {small(kind.strip())}"
    for predicate in _predicates(noun):
        yield Asked("term", as_question((), [wh_words, predicate]), f"{capital(_named(term))}.", SHORT, True)


def _head(meaning: "Doc") -> "Token | None":
    """The noun that the meaning is about: the root, or the subject of a participle that was taken for a verb."""
    root = next((token for token in meaning if token.dep_ == "ROOT"), None)
    if root is not None and root.pos_ not in NOUNS:
        root = child_of(root, "nsubj") if root.tag_ in ("VBD", "VBN") else None
    return root if root is not None and root.pos_ in NOUNS else None


def _predicates(noun: "Token") -> Iterator[str]:
    """What the meaning says of its noun: "is located ...", "retransmits ..."."""
    be = "are" if is_plural(noun) else "is"
    if noun.dep_ != "ROOT":  # "An amateur station located more than 50 km above ..."
        yield f"{be} {noun.doc[noun.head.i : len(noun.doc)].text.rstrip('.;, ')}"
        return
    for child in noun.children:
        subject = child_of(child, *SUBJECTS)
        if child.dep_ == "relcl" and subject is not None and subject.tag_ in RELATIVE:
            yield re.sub(r"^(?:that|which|who)\s+", "", text_of(child))
        elif child.dep_ == "acl" and child.tag_ == "VBN":
            yield f"{be} {text_of(child)}"


def _named(term: str) -> str:
    return with_article(small(term) if term[1:] != term[1:].lower() else term[:1].lower() + term[1:])


def ask_asides(statement: str) -> Iterator[Asked]:
    """What stands in parentheses, which the parser is spared: names in other languages, who holds an office now."""
    text = " ".join(statement.split())
    if (found := _NAME.match(text)) and ";" not in found["name"]:
        for gloss in filter(None, (_GLOSS.match(part.strip()) for part in found["inside"].split(";"))):
            question = f"What is the {gloss['language']} name of {small(found['name'])}?"
            yield Asked("gloss", question, full_stop(gloss["words"]), SHORT)
    for match in _HOLDER.finditer(text):
        singular, plural = ("was", "were") if match["when"] == "formerly" else ("is", "are")
        be = plural if " and " in match["name"] else singular
        question = f"Who {be} {match['when']} the {match['office'].removeprefix('the ')}?"
        yield Asked(f"now:{match.start()}", question, full_stop(match["name"]), SHORT)
