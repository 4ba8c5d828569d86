"""Numbers and shares: the words that ask for them, and the number alone."""

import re
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.inflect import plural
from byheart.expansion.question_generation.roles import SHARES
from byheart.expansion.question_generation.wording import text_of

if TYPE_CHECKING:
    from spacy.tokens import Token


def how_many(noun: "Token") -> tuple[str, str]:
    """The words that ask for a counted noun, and the count with it: ("how many tons of dust", "182 million tons")."""
    number = next(child for child in noun.children if child.dep_ == "nummod" and child.pos_ == "NUM")
    of = next((child for child in noun.children if child.dep_ == "prep" and child.lower_ == "of"), None)
    what = " ".join(t.text for t in of.subtree) if of is not None else ""
    counted = noun.doc[noun.left_edge.i : noun.i + 1].text
    if noun.text in ("%", "percent"):
        return f"what percentage {what}", counted
    if "$" in counted or "€" in counted or "£" in counted:
        return "how much money", counted
    if (
        noun.i - number.i < 4
        and "or" not in (own := [t.lower_ for t in noun.doc[number.i : noun.i]])
        and "and" not in own
    ):
        between = noun.doc[number.i + 1 : noun.i + 1].text.lstrip("- ")
    else:  # "five or more seats"
        between = noun.text
    return f"how many {between if noun.tag_ in ('NNS', 'NNPS') else plural(between)} {what}", counted


def count_of(noun: "Token") -> str:
    """The number alone, since the question holds the noun: "at least four" of "at least four persons"."""
    if noun.text in ("%", "percent"):
        return str(noun.doc[noun.left_edge.i : noun.i + 1].text)
    number = next(child for child in noun.children if child.dep_ == "nummod" and child.pos_ == "NUM")
    more = [t.i for t in noun.doc[number.i : noun.i] if t.lower_ == "more" and t.i == number.i + 2]
    return re.sub(
        r"^(?:some|an average)\s+", "", noun.doc[number.left_edge.i : max([number.i, *more]) + 1].text, flags=re.I
    )


def share_of(noun: "Token") -> tuple[str, str] | None:
    """ "over half of the rainforests", "the majority of the voters": what share of them, and the share."""
    of = next((child for child in noun.children if child.dep_ == "prep" and child.lower_ == "of"), None)
    if of is None or of.i != noun.i + 1 or noun.lower_ not in SHARES or any(c.tag_ == "PRP" for c in of.children):
        return None
    return f"what share {text_of(of)}", str(noun.doc[noun.left_edge.i : noun.i + 1].text)
