"""The words of a phrase as they are said again: without parentheses, asides and clauses behind a comma."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Token

SUBJECTS = ("nsubj", "nsubjpass")
CONDITIONS = frozenset("if when whenever unless where while once until before after".split())
# Words that carry no fact of their own; a phrase neither starts nor ends with one.
FUNCTION_WORDS = frozenset(
    """
    a an the this that these those such any all each every some no not nor neither either both only also than
    then and or but if when while where whether because since unless until although though as at by for from
    in into of off on onto out over per through to toward towards under upon up via with within without about
    above after against along among around before behind below between during except like near is are was were
    be been being am do does did has have had having will would shall should may might must can could it its
    he she they them their his her him we us our you your i my me who whom whose which what how there here so
    too very more most much many other another same own however therefore thus hence
    """.split()
)

# Endings of nouns that are hardly ever names.
_COMMON = ("ing", "tion", "tions", "ment", "ments", "sion", "sions", "ance", "ence", "ity", "ness")


def text_of(token: "Token", without: "Sequence[Token]" = (), without_token: "Token | None" = None) -> str:
    """The words of a phrase, without parentheses, asides and clauses behind a comma."""
    dropped: set[int] = set()
    for other in without:
        dropped |= {t.i for t in other.subtree}
    for inside in token.subtree:
        if inside is token or inside == token:
            continue
        if _splits_off(inside):
            dropped |= {t.i for t in inside.subtree}
    kept, depth = [], 0
    for t in token.subtree:
        depth += t.text in ("(", "[")
        if depth == 0 and t.i not in dropped and t != without_token:
            kept.append(t)
        depth -= t.text in (")", "]") and depth > 0
    text = tidy(
        "".join(
            t.text_with_ws if t.whitespace_ or i + 1 == len(kept) or kept[i + 1].i == t.i + 1 else f"{t.text} "
            for i, t in enumerate(kept)
        )
    )
    if kept and kept[-1].i + 1 >= len(token.doc) and len(text) > 1:
        text = text.rstrip(".")  # "100 W." at the end of a sentence is one token
    first = kept[0] if kept else token
    if (first.i == 0 and first.pos_ != "PROPN" and first.text[1:].islower()) or first.lower_ in ("a", "the"):
        text = text[:1].lower() + text[1:]
    return (
        re.sub(r"^(?:this|these)\s+(?=[a-z-]+\b(?!\s+(?:is|are|was|were)\b))", "the ", text)
        if token.dep_ in SUBJECTS
        else text
    )


def _splits_off(token: "Token") -> bool:
    if token.dep_ == "relcl":
        return after_comma(token)
    if token.dep_ in ("acl", "advcl") and token.tag_ in ("VBG", "VBN"):
        return after_comma(token) and not any(
            c.dep_ in ("mark", "advmod") and c.lower_ in CONDITIONS for c in token.children
        )
    if token.dep_ == "prep" and token.lower_ in ("except", "including", "such"):
        return after_comma(token)
    if token.dep_ == "appos" and token.head.dep_ != "attr":
        return after_comma(token) and not any(c.dep_ in ("conj", "cc") for c in (*token.subtree, *token.head.children))
    return False


def after_comma(token: "Token") -> bool:
    start = token.left_edge.i
    return start > 0 and token.doc[start - 1].text in (",", "(", "–", "—")


def tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+([,;.])", r"\1", text)
    text = re.sub(r"(?:[,;:–—]\s*)+([,;])", r"\1", text)
    text = re.sub(r"[,;]?\s+(?:and|or|but)$", "", text.rstrip(" ,;"))
    return text.strip(" ,;:–—")


def sentences_of(text: str) -> list[str]:
    """The sentences inside a fact that joins several (a term with its definition). Abbreviations do not end one."""
    parts = re.split(r"(?<=[a-z\)][.!?])\s+(?=[A-Z“\"])", text.strip())
    return [part for part in parts if part]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """The text with its first letter in lower case, unless its first word is a name, an acronym or "I"."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    if first == "I" or first[1:] != first[1:].lower():
        return text
    return text[:1].lower() + text[1:] if _opens_a_sentence(first) else text


def _opens_a_sentence(word: str) -> bool:
    """Whether only its place gave this word its capital: known for function words and some endings."""
    lowered = word.lower().rstrip(",.;:'’")
    return re.split(r"['’]", lowered)[0] in FUNCTION_WORDS or lowered.endswith(_COMMON)
