"""What a noun names (a person, a time, a place, a number), decided by its preposition, its lemma and its entity type."""

import re
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.wording import PLURAL, WORDS, plural, text_of

if TYPE_CHECKING:
    from spacy.tokens import Token

# What the last word of a name says it is: "the North Sea" is a sea.
CLASSES = (WORDS["places"] | WORDS["groups"]) - WORDS["no_name_classes"] | WORDS["name_classes"]
_NAMED_THINGS = ("ORG", "GPE", "LOC", "FAC", "PRODUCT", "EVENT", "WORK_OF_ART", "LAW")  # entity types
_YEAR = re.compile(r"^(?:1[0-9]|20)\d\d$")
_PERCENT = ("%", "percent")


def is_person(noun: "Token") -> bool:
    """Is "who" the word to ask for it?"""
    if noun.lower_.startswith("zqx"):  # the sign for code or a formula (expansion/rules/signs.py)
        return False
    quoted = noun.i > 0 and noun.nbor(-1).text in ('"', "“", "'", "‘")
    acronym = noun.text.isupper() and len(noun.text) > 1 and noun.dep_ in ("nsubj", "pobj")
    if acronym or (noun.ent_type_ == "PERSON" and not quoted):
        return True  # "The FCC will presume ..."
    if noun.pos_ == "PROPN" and noun.ent_type_ in _NAMED_THINGS:
        return False
    lemma = noun.lemma_.lower()
    return lemma in WORDS["people"] or (len(lemma) > 5 and lemma.endswith("ist") and not lemma.endswith("list"))


def who_or_what(noun: "Token") -> str:
    return "who" if is_person(noun) else "what"


def is_title(noun: "Token") -> bool:
    """ "architect" before "Enric Miralles": what he is. A capital at the start of a sentence is no evidence."""
    word = noun.lemma_.lower()
    profession = re.search(r"(?:ist|ian|tect|ologer|ographer|ogist|neer|wright)$", word)
    return (word in WORDS["people"] or profession is not None) and (noun.text.islower() or noun.i == 0)


def is_time(noun: "Token") -> bool:
    return noun.ent_type_ in ("DATE", "TIME") or is_year(noun) or noun.lemma_.lower() in WORDS["times"]


def is_year(noun: "Token") -> bool:
    return bool(_YEAR.match(noun.text))


def is_place(noun: "Token", preposition: str) -> bool:
    if preposition not in WORDS["place_prepositions"]:
        return False
    by_lemma = noun.lemma_.lower() in WORDS["places"] and preposition not in ("to", "from", "between", "against")
    return by_lemma or noun.ent_type_ in ("GPE", "LOC", "FAC")


def is_plural(noun: "Token") -> bool:
    return noun.tag_ in PLURAL


def has_number(noun: "Token") -> bool:
    """Is it counted: "four persons", "182 million tons"?"""
    numbers = [c for c in noun.children if c.dep_ == "nummod" and c.pos_ == "NUM" and not is_year(c)]
    return any(is_plural(noun) or c.lower_ in ("one", "1") or noun.text in _PERCENT for c in numbers)


def how_many(noun: "Token") -> tuple[str, str]:
    """The words that ask for a counted noun, and the count with it: ("how many tons of dust", "182 million tons")."""
    number, of = _number(noun), _of(noun)
    what = " ".join(t.text for t in of.subtree) if of is not None else ""
    counted = _up_to(noun)
    if noun.text in _PERCENT:
        return f"what percentage {what}", counted
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
    counted = noun.doc[number.left_edge.i : number.i + 1 + 2 * more].text
    return re.sub(r"^(?:some|an average)\s+", "", counted, flags=re.I)


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
