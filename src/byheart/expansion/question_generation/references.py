"""Words that refer to something outside their clause, which nobody who reads a question alone can resolve."""

from typing import TYPE_CHECKING

from byheart.expansion.question_generation.clauses import Clause
from byheart.expansion.question_generation.nouns import is_body, is_person, is_plural
from byheart.expansion.question_generation.wording import NOUNS, VERBS

if TYPE_CHECKING:
    from spacy.tokens import Token

_POINTING = ("this", "that", "these", "those")
_ELSEWHERE = ("here", "then", "above", "below", "hereby", "thereof", "therein", "thereby")
_OWN = ("part", "section", "chapter", "rule", "document")  # "this part": the text itself
_BACKWARDS = ("following", "previous", "preceding", "aforementioned")
_WITHOUT_NOUN = ("other", "others", "latter", "former", "same", "rest", "first", "second", "third", "last")
_EACH = ("each", "every", "any", "no", "all")


def refers_outside(clause: Clause, before: Clause | None = None) -> bool:
    """Does its subject or a part hold a pronoun or a pointer ("it", "its", "that limit", "here") to another sentence?
    `before`: the clause before it, whose subject "her" may mean as well."""
    other = before is not None and is_person(before.noun) and before.noun.text != clause.noun.text
    if other and any(t.lower_ in ("his", "her", "him") and t.i > clause.verb.i for t in clause.verb.subtree):
        return True
    counted = clause.noun.ent_type_ == "ORDINAL" or clause.noun.like_num or clause.noun.lower_ in _WITHOUT_NOUN
    if counted and not any(child.lower_ == "of" for child in clause.noun.children) and not clause.there:
        return True  # "the third"
    if any(part.lead and part.role == "time" and not part.fronted for part in clause.parts) and (
        sum(part.role == "time" for part in clause.parts) > 1
    ):
        return True  # "between 8:00 and 20:00, on Sundays only after 10:00"
    if clause.particle and any(part.role == "object" and part.head.tag_ == "PRP" for part in clause.parts):
        return True  # "switches itself off": the particle stands behind
    if any(child.dep_ == "appos" for child in clause.noun.children) and ", " in clause.subject:
        return True  # "a local firm, Penrose and Sons": its second comma is lost
    front = [noun for part in clause.parts if part.is_front for noun in part.head.subtree if noun.pos_ in NOUNS]
    if any(_is_outside(token, clause, [], inside_subject=True) for token in _subject_tokens(clause)):
        return True
    return any(
        _is_outside(token, clause, [] if part.is_front else front, inside_subject=False)
        for part in clause.parts
        if part.role != "aside"
        for token in _root(clause, part.head).subtree
    )


def agrees(pronoun: str, noun: "Token", plural: bool | None = None) -> bool:
    """Can the pronoun mean the noun, by number and kind?"""
    many, person = is_plural(noun) if plural is None else plural, is_person(noun)
    if pronoun in ("it", "its"):
        return not many and not person
    if pronoun in ("they", "them", "their"):
        each = any(child.lower_ in _EACH for child in noun.children)
        return many or is_body(noun) or (person and each)
    return person and not many


def _is_outside(token: "Token", clause: Clause, front: "list[Token]", inside_subject: bool) -> bool:
    word = token.lower_
    if token.tag_ == "PRP$" and word not in ("my", "our", "your"):
        here = {*clause.verb.subtree, *clause.noun.subtree}
        earlier = [t for t in here if t.pos_ in NOUNS and t.i < token.i and _may_own(t, token)]
        if inside_subject:
            earlier = [t for t in earlier if t in clause.noun.subtree]
        others = [
            t
            for t in clause.noun.subtree
            if t.pos_ in NOUNS and t != clause.noun and t.dep_ not in ("compound", "nmod")
        ]
        own = not inside_subject and agrees(word, clause.noun, clause.plural)
        if own and any(agrees(word, noun) for noun in others):
            return True  # "The first rule that matches a message decides its folder": whose?
        return not own and not any(agrees(word, noun) for noun in [*earlier, *front])
    if token.tag_ == "PRP" and not word.endswith(("self", "selves")) and token.dep_ != "expl":
        held = not inside_subject and _is_embedded(token, clause.verb) and agrees(word, clause.noun, clause.plural)
        return not held and not any(agrees(word, noun) for noun in front)
    if word in _BACKWARDS and token.dep_ == "amod":
        return True
    if word == "such" and token.dep_ in ("amod", "predet", "det") and token.nbor().lower_ not in ("as", "a", "an"):
        return True
    if word in _POINTING and token.tag_ == "DT":
        if token.dep_ != "det":  # "those who ..."
            return all(child.dep_ not in ("relcl", "acl", "prep") for child in token.children)
        if token.head.lemma_.lower() in _OWN or (inside_subject and token.i == clause.noun.left_edge.i):
            return False
        return all(t.lemma_ != token.head.lemma_ or t.i >= token.i for t in token.doc)
    return word in _ELSEWHERE and token.dep_ in ("advmod", "pcomp", "pobj", "amod")


def _may_own(noun: "Token", pronoun: "Token") -> bool:
    """ "a code that begins with its letter", but not "60 percent of its diet"."""
    if noun == pronoun.head or any(child.dep_ == "nummod" for child in noun.children):
        return False
    between = [above for above in pronoun.ancestors if noun.is_ancestor(above)]
    return not noun.is_ancestor(pronoun) or any(above.pos_ in VERBS for above in between)


def _is_embedded(token: "Token", verb: "Token") -> bool:
    return any(above.pos_ in VERBS and above != verb for above in token.ancestors if verb.is_ancestor(above))


def _subject_tokens(clause: Clause) -> "list[Token]":
    return [t for t in clause.noun.subtree if not clause.noun.is_ancestor(clause.verb) or t not in clause.verb.subtree]


def _root(clause: Clause, head: "Token") -> "Token":
    """The dependent of the verb that a part's head lies in."""
    top = next((t for t in (head, *head.ancestors) if t.head == clause.verb), None)
    return head if top is None else top
