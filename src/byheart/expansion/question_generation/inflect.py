"""The little morphology that questions need: do-support, agreement, plurals, articles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_DO = {"VBZ": "does", "VBP": "do", "VBD": "did"}
_AGREE = {"are": "is", "were": "was", "have": "has", "do": "does"}
_IRREGULAR = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "foot": "feet", "analysis": "analyses",
    "criterion": "criteria", "phenomenon": "phenomena", "series": "series", "species": "species", "staff": "staff",
}  # fmt: skip
_PAST = {word: word for word in "built made held led won sold bought found taught brought caught lost sent spent set put split cut hit left kept met paid said told thought".split()} | {
    "written": "wrote", "given": "gave", "taken": "took", "seen": "saw", "known": "knew", "chosen": "chose",
    "driven": "drove", "shown": "showed", "begun": "began", "broken": "broke", "drawn": "drew", "grown": "grew",
    "thrown": "threw", "done": "did", "overseen": "oversaw", "overthrown": "overthrew", "beaten": "beat",
}  # fmt: skip


@dataclass(frozen=True)
class Verbs:
    """A group of verbs in two: what changes places with the subject, and what stays behind it."""

    first: str  # "must", "is", "did"
    rest: str  # "be operated", "", "occur"


def invert(auxiliaries: Sequence[str], adverbs: str, verb: str, lemma: str, tag: str) -> Verbs | None:
    """The group as a question has it; None where the verb is not finite, so that nothing can be asked."""
    if auxiliaries[:1] == ("need",):  # "need not be": "does ... not need to be"
        return Verbs("does", " ".join(["need to", *auxiliaries[1:], adverbs, verb]))
    if auxiliaries:
        first = "must" if auxiliaries[0] == "shall" else auxiliaries[0]
        return Verbs(first, " ".join([*auxiliaries[1:], adverbs, verb]))
    if lemma == "be" and tag in _DO:
        return Verbs(verb, adverbs)
    if tag in _DO:
        return Verbs(_DO[tag], f"{adverbs} {lemma}")
    return None


def past(participle: str) -> str:
    """The past tense of a participle, "" where it is not known: "held" gives "held", "written" gives "wrote"."""
    return participle if participle.endswith("ed") else _PAST.get(participle, "")


def agree(word: str, tag: str) -> str:
    """The verb behind "who" or "what", which are singular: "are" gives "is", "occur" gives "occurs"."""
    if word.lower() in _AGREE:
        return _AGREE[word.lower()]
    return third_person(word) if tag == "VBP" else word


def third_person(verb: str) -> str:
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def plural(noun: str) -> str:
    """The plural of the last word: "amateur station" gives "amateur stations"."""
    head, _, last = noun.rpartition(" ")
    lowered = last.lower()
    if lowered in _IRREGULAR:
        last = _IRREGULAR[lowered]
    elif lowered.endswith(("s", "x", "z", "ch", "sh")):
        last = f"{last}es"
    elif lowered.endswith("y") and lowered[-2:-1] not in ("a", "e", "i", "o", "u"):
        last = f"{last[:-1]}ies"
    else:
        last = f"{last}s"
    return f"{head} {last}".strip()


def singular(noun: str) -> str:
    """The singular of a regular plural: "ways" gives "way"."""
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def article(noun: str) -> str:
    """ "a" or "an" by the first letter, which is right for all but a few words."""
    lowered = noun.lower()
    vowel = lowered[:1] in "aeiou" and not lowered.startswith(("one", "uni", "use", "eu"))
    return "an" if vowel or lowered.startswith(("hour", "honest", "honor", "heir")) else "a"


def with_article(term: str) -> str:
    """A term as the subject of a sentence: "a space station", but "broadcasting", "third party communications"."""
    uncounted = term[:1].isupper() or re.search(r"^\S*(?:ing|tion|ment|ity|ness|ence|ance)$", term)
    if uncounted or (term.endswith("s") and not term.endswith("ss")):
        return term
    return f"{article(term)} {term}"
