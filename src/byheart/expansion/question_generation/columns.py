"""The name of a column inside a question, by its shape: "Flow (l/min)" is a noun, "Litres" are many, "Built" is neither."""

import re
from dataclasses import dataclass
from functools import cache

from byheart.expansion.question_generation.reading import parse, word_lists
from byheart.expansion.question_generation.wording import WORDS, singular

ONE, MANY, OTHER = "one", "many", "other"  # a noun, its plural, and what is only quoted
UNIT = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
PREPOSITION = re.compile(
    r"\s+(?:of|for|in|per|to|from|by|at|with|without|after|before|on|under|over|between|as|since|until)\b", re.I
)
PLAIN = re.compile(r"[A-Za-z][A-Za-z'’-]*\.?(?: [A-Za-z][A-Za-z'’-]*\.?)*")
NOUNS = WORDS["times"] | WORDS["groups"] | WORDS["name_classes"]  # though some may be adjectives too
NAMES = ("NORP", "LANGUAGE")  # entities whose adjective keeps its capital
DAYS = re.compile(
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july|august|(?:sept|nov|dec)ember|october)s?",
    re.I,
)


@dataclass(frozen=True)
class Column:
    """`words` are the name as a question holds it; `unit` says whether a unit stands in brackets."""

    name: str
    words: str
    shape: str = OTHER
    unit: bool = False
    kind: str = ""  # of a column whose values are names: what they name, "model" of "Model name"

    @property
    def quoted(self) -> str:
        return f"“{self.name}”"


@cache
def read_column(name: str) -> Column:
    """The shape of an English name of a column. What is not surely a noun is only quoted."""
    bare = UNIT.sub("", name).strip()
    if not PLAIN.fullmatch(bare) or (bare.isupper() and len(bare) < 6):
        return Column(name, name)
    head = PREPOSITION.split(bare)[0].split()[-1].casefold().rstrip(".")
    first = bare.split()[0]
    whole = not re.search(r" (?:of|for|in|per|to|from|by|at|with|on|and|or)$", bare, re.I)
    unit = bare != name
    shape = shape_of(head, unit) if whole and first.casefold() not in WORDS["function"] else OTHER
    words = small_name(name, first)
    kind = re.sub(
        r"(?:^| +)(?:name|title|description|label|text|entry|detail|no\.?|id)$", "", UNIT.sub("", words).strip()
    )
    names = whole and not unit and shape != MANY and bool(kind) and is_kind(kind.split()[-1].casefold())
    return Column(name, words, shape, unit, kind if names else "")


def shape_of(head: str, unit: bool) -> str:
    """`unit`: what is measured is a noun, though its word may be an adjective too ("Fat (g)", "Total (EUR)")."""
    words = word_lists()
    if len(head) > 3 and re.search(r"[^sui]s$", head) and ones_of(head) & words["noun"]:
        return MANY
    participle = head.endswith("ed") and bool({head[:-1], head[:-2]} & words["verb"])
    sure = head in words["noun"] and not participle and (unit or head in NOUNS or head not in words["adj"])
    return ONE if sure else OTHER


def is_kind(word: str) -> bool:
    """Whether a noun may stand before a name, as in "the model Aster": not "Last", "Home" or "First"."""
    words = word_lists()
    return word in words["noun"] and word not in words["adv"]


def ones_of(plural: str) -> set[str]:
    return {singular(plural), plural.removesuffix("s"), plural.removesuffix("es")}


def small_name(name: str, first: str) -> str:
    """The name without the capital that only its place gave it."""
    lowered = first.casefold().rstrip(".")
    known = any({lowered, *ones_of(lowered)} & words for words in word_lists().values()) or first.endswith(".")
    others = any(word.istitle() for word in UNIT.sub("", name).split()[1:])
    if others or first[1:] != first[1:].lower() or not known or DAYS.fullmatch(first) or is_name(name, first):
        return name
    return name[:1].lower() + name[1:]


def is_name(name: str, first: str) -> bool:
    """Whether the first word is one of a people or a language: "Spanish name"."""
    parsed = parse([f"What is the {UNIT.sub('', name)} of it?"])[0]
    return any(token.text == first and token.ent_type_ in NAMES for token in parsed)
