"""What a noun names (a person, a time, a place, a number), decided by its preposition, its lemma and its entity type."""

import re
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.marks import is_mark
from byheart.expansion.question_generation.wording import (
    KNOWN,
    NOUNS,
    PLURAL,
    SUBJECTS,
    WORDS,
    is_name,
    plural,
    splits_off,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spacy.tokens import Doc, Token

PEOPLE = "people"  # the key of a document's `user_data` that holds what `find_people` found

# What the last word of a name says it is: "the North Sea" is a sea.
CLASSES = (WORDS["places"] | WORDS["groups"]) - WORDS["no_name_classes"] | WORDS["name_classes"]
_YEAR = re.compile(r"^(?:1[0-9]|20)\d\d$")
_LONG_PEOPLE = tuple(word for word in WORDS["people"] if len(word) >= 6)
_PERCENT = ("%", "percent")


def is_person(noun: "Token") -> bool:
    """Is "who" the word to ask for it? Told by the document where it can be: a full name, "the mayor, Ann Berg"."""
    lemma = noun.lemma_.lower()
    if is_mark(noun.text):
        return False
    if lemma in WORDS["people"] or {lemma, noun.text} & noun.doc.user_data.get(PEOPLE, frozenset()):
        return True
    if noun.pos_ == "NOUN" and any(lemma.endswith(word) for word in _LONG_PEOPLE):
        return True  # "schoolteacher"
    if noun.pos_ == "PROPN":
        acts = noun.dep_ == "nsubj" or noun.head.dep_ == "agent"
        acronym = noun.text.isupper() and len(noun.text) > 1 and acts
        if acronym and any(child.lower_ == "the" for child in noun.children):
            return True  # "The FCC will presume ..."
        if any(t.dep_ == "compound" and t.lower_ in WORDS["people"] and t.pos_ == "PROPN" for t in noun.lefts):
            return True  # "Bishop Anselm"
        return is_full_name(noun) or any(is_title(t) for t in noun.lefts if t.dep_ in ("compound", "nmod"))
    men = noun.lower_.endswith("men") and lemma.endswith("man")  # not "specimen"
    return (
        men
        or re.search(
            r"(?:(?:[a-km-z]|[aei]l|cl)ists?|guards?|makers?|blowers?|folk|man|smith|ologer|ographer)$", noun.lower_
        )
        is not None
    )


def is_full_name(noun: "Token") -> bool:
    """ "Agnes Tolliver", "Caspar von Thule": a lone word or one with digits is often taken for a person by mistake."""
    names = [t for t in noun.doc[noun.left_edge.i : noun.i + 1] if t.ent_type_ == "PERSON"]
    quoted = noun.i > 0 and noun.nbor(-1).text in ('"', "“", "'", "‘")
    proper = [
        t for t in names if t.pos_ == "PROPN" and t.text[:1].isupper() and t.text[1:].isalpha() and not is_mark(t.text)
    ]
    return noun in proper and len(proper) >= 2 and not quoted and proper[-1].lower_ not in CLASSES


def find_people(docs: "Iterable[Doc]") -> frozenset[str]:
    """Family names that stand behind a first name, and nouns that a full name or "who" explains: "the mayor, Ann Berg"."""
    found = set()
    for token in (token for doc in docs for token in doc):
        if token.pos_ == "PROPN" and is_full_name(token):
            found.add(token.text)
            head = token.head
            titles = [t for t in token.lefts if t.dep_ in ("compound", "nmod")]
            titles += [head] if token.dep_ == "appos" else []
            found |= {t.lemma_.lower() for t in titles if t.pos_ == "NOUN" and t.tag_ == "NN"}
            found |= {t.lemma_.lower() for t in token.children if t.dep_ == "appos" and t.tag_ == "NN"}
        elif token.lower_ == "who" and token.dep_ in SUBJECTS and token.head.dep_ == "relcl":
            noun = token.head.head
            if noun.pos_ in NOUNS and noun.i == token.i - 1 - (token.nbor(-1).text == ","):
                found.add(noun.lemma_.lower() if noun.pos_ == "NOUN" else noun.text)
    return frozenset(found)


def is_body(noun: "Token") -> bool:
    """A body of people, which acts as a person does: "the council"."""
    of = _of(noun)
    if noun.lemma_.lower() in ("group", "family", "crowd") and of is not None and not any(map(is_person, of.children)):
        return False  # "a group of medicines"
    return noun.lemma_.lower() in WORDS["bodies"] or (noun.text[:1].isupper() and noun.lower_ in WORDS["bodies"])


def who_or_what(noun: "Token", acts: bool = False, past: bool = False) -> str:
    """ "who", "what", or both where nothing tells. `acts`: it does, or did (`past`), what the verb says."""
    whole = _of(noun) if noun.lemma_.lower() in WORDS["shares"] else None
    of_persons = whole is not None and any(is_person(child) for child in whole.children)
    if is_person(noun) or (acts and is_body(noun)) or of_persons:
        return "who"
    if is_mark(noun.text) or noun.text.isupper():
        return "what"
    acts_as_place = noun.head.lemma_ in ("have", "be", "cover", "lie", "contain", "include")
    kinds = ("PERSON", "ORG", "NORP", "GPE") if acts and not acts_as_place else ("PERSON", "ORG", "NORP")
    named = (
        noun.pos_ == "PROPN"
        and (noun.i > 0 or is_name(noun))
        and noun.ent_type_ in kinds
        and noun.lower_ not in CLASSES
    )
    thinks = noun.dep_ in SUBJECTS and noun.head.lemma_ in WORDS["minds"]
    agent = acts and (thinks or past) and may_act(noun)
    either = noun.lemma_.lower() in WORDS["either"]
    return "who or what" if named or either or (agent and noun.lemma_.lower() not in CLASSES) else "what"


def is_title(noun: "Token") -> bool:
    """ "architect" before "Enric Miralles": what he is. A capital at the start of a sentence is no evidence."""
    word = noun.lemma_.lower()
    profession = re.search(r"(?:ist|ian|tect|ologer|ographer|ogist|neer|wright)$", word)
    return (word in WORDS["people"] or profession is not None) and (noun.text.islower() or noun.i == 0)


def is_no_day(noun: "Token") -> bool:
    """Whether nothing happens "on" it: a mass hangs on a spring all the year."""
    return noun.lemma_.lower() in WORDS["no_days"]


def is_time(noun: "Token") -> bool:
    if noun.text.startswith("°"):
        return False
    return noun.ent_type_ in ("DATE", "TIME") or is_year(noun) or noun.lemma_.lower() in WORDS["times"]


def is_year(noun: "Token") -> bool:
    return bool(_YEAR.match(noun.text))


def is_place(noun: "Token", preposition: str) -> bool:
    if is_person(noun) or preposition not in WORDS["place_prepositions"]:
        return False
    by_lemma = noun.lemma_.lower() in WORDS["places"] and preposition not in ("to", "from", "between", "against")
    return by_lemma or noun.ent_type_ in ("GPE", "LOC", "FAC")


def is_plural(noun: "Token") -> bool:
    return noun.tag_ in PLURAL


def has_number(noun: "Token") -> bool:
    """Is it counted: "four persons", "182 million tons"?"""
    if noun.text.startswith("°"):
        return False
    if noun.lemma_.lower() in WORDS["shares"]:
        return False  # "two thirds"
    first = any(c.lower_ in ("first", "each", "every", "further") or c.lower_ == "than" for c in noun.children)
    if first or any(
        c.lower_ == "than" and c.nbor(-1).lower_ not in ("more", "less", "fewer")
        for n in noun.children
        for c in n.children
        if c.i
    ):
        return False  # "the first two weeks", "older than 30 days"
    numbers = [c for c in noun.children if c.dep_ == "nummod" and c.pos_ == "NUM" and c.i < noun.i and not is_year(c)]
    return any(is_plural(noun) or c.lower_ in ("one", "1") or noun.text in _PERCENT for c in numbers)


def how_many(noun: "Token", bare: bool = False, without: "Sequence[Token]" = ()) -> tuple[str, str]:
    """The words that ask for a counted noun, and the count with it: ("how many tons of dust", "182 million tons"). `bare`:
    without what stands behind the noun."""
    number = _number(noun)
    described = [
        t for t in noun.rights if t.dep_ in ("prep", "acl", "relcl", "amod", "advmod", "npadvmod") and not splits_off(t)
    ]
    described = [t for t in described if t not in without]
    what = "" if bare else " ".join(text_of(t) for t in described)
    counted = _up_to(noun)
    if noun.text in _PERCENT:
        return f"what percentage {what}".strip(), counted
    if any(sign in counted for sign in "$€£"):
        return "how much money", counted
    between = noun.doc[number.i + 1 : noun.i + 1].text.lstrip("- ")
    if noun.i - number.i >= 4 or {"or", "and"} & {t.lower_ for t in noun.doc[number.i : noun.i]}:
        between = noun.text  # "five or more seats"
    return f"how many {between if is_plural(noun) else plural(between)} {what}", counted


def count_of(noun: "Token") -> str:
    """The number alone, since the question holds the noun: "at least four" of "at least four persons"."""
    if noun.text in _PERCENT:
        return _up_to(noun)
    number = _number(noun)
    more = number.i + 2 < noun.i and noun.doc[number.i + 2].lower_ == "more"  # "five or more seats"
    end = number.right_edge.i if number.right_edge.i < noun.i else number.i + 2 * more  # "between 450 and 700"
    counted = noun.doc[number.left_edge.i : end + 1].text
    return re.sub(r"^an average\s+", "", counted, flags=re.I)


def may_act(noun: "Token") -> bool:
    """ "the labourers", "the manufacturer": made from a verb, as the names of persons and of tools are."""
    word = noun.lower_.removesuffix("s")
    if noun.pos_ != "NOUN" or not word.endswith(("er", "or", "ee")):
        return False
    verbs = noun.doc.user_data.get(KNOWN, {}).get("verb", frozenset())
    stem = word[:-2]
    return not verbs.isdisjoint((stem, f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem))


def stands_at(preposition: "Token") -> bool:
    """Does it say where: "in the chamber"?"""
    return any(child.dep_ == "pobj" and is_place(child, preposition.lower_) for child in preposition.children)


def share_of(noun: "Token") -> tuple[str, str] | None:
    """ "over half of the rainforests", "the majority of the voters": what share of them, and the share."""
    of = _of(noun)
    if of is None or of.i != noun.i + 1 or noun.lower_ not in WORDS["shares"]:
        return None
    return None if any(c.tag_ == "PRP" for c in of.children) else (f"what share {text_of(of)}", _up_to(noun))


def _number(noun: "Token") -> "Token":
    return next(child for child in noun.children if child.dep_ == "nummod" and child.pos_ == "NUM")


def _of(noun: "Token") -> "Token | None":
    return next((child for child in noun.children if child.dep_ == "prep" and child.lower_ == "of"), None)


def _up_to(noun: "Token") -> str:
    return str(noun.doc[noun.left_edge.i : noun.i + 1].text)
