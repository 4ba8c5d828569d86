"""Examples on a name and what is said of it, in both orders: the name asked for by the description, and the description
by the name (against the reversal curse, arXiv 2309.12288)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from byheart.expansion.question_generation.identity import Identity, find_identities
from byheart.expansion.question_generation.wording import capital, full_stop
from byheart.expansion.rules.phrases import bare_words
from byheart.expansion.rules.questions import Draft
from byheart.records import FORWARD, REVERSE, Fact

if TYPE_CHECKING:
    from spacy.tokens import Doc


def ask_identities(facts: Sequence[Fact], parsed: "Mapping[str, Doc]") -> dict[str, list[Draft]]:
    """By fact id the drafts, the two orders in turn. What is said of two names is asked of neither."""
    found = {fact.id: find_identities(parsed[fact.id]) for fact in facts if fact.id in parsed}
    names: dict[str, set[str]] = defaultdict(set)
    for one in (one for each in found.values() for one in each):
        for said in _said(one):
            names[said].add(bare_words(one.name))
    drafts: dict[str, list[Draft]] = {}
    for fact, own in found.items():
        alone = [all(len(names[said]) == 1 for said in _said(one)) for one in own]
        asked = [draft for one, single in zip(own, alone, strict=True) for draft in _ask(one, single)]
        if asked:
            drafts[fact] = asked
    return drafts


def _said(one: Identity) -> list[str]:
    return [bare_words(said) for said in (one.what and one.definite, one.given) if said]


def _ask(one: Identity, single: bool) -> list[Draft]:
    names = _for_name(one) if single else []
    both = zip_longest(names, _for_what(one))
    return [draft for pair in both for draft in pair if draft is not None]


def _for_name(one: Identity) -> list[Draft]:
    """The name asked for by what is said of it."""
    direction, who, be = (REVERSE if one.name_first else FORWARD), one.who, one.be
    name, what = full_stop(one.name), one.definite

    def draft(angle: str, question: str, answer: str = name, free: bool = False) -> Draft:
        return Draft(angle, direction, question, answer, question.rstrip("?"), free=free)

    drafts = []
    if one.tells:
        drafts += [
            draft("simple", f"{capital(who)} {be} {what}?", free=True),
            draft("reverse" if one.name_first else "scenario", f"“{capital(what)}”: {who} is meant?"),
        ]
    if one.deed and one.tells:
        drafts.insert(1, draft("simple", f"{capital(who)} {one.deed}?", free=True))
    if one.fame:
        said = f"{one.fame} {one.given}"
        drafts.insert(1, draft("simple", f"{capital(who)} {be} {said}?", free=True))
        drafts.append(draft("scenario", f"{capital(said)}: {who} is that?"))
    if one.tells:
        drafts += [
            draft("completion", f"Complete the sentence: “{capital(what)} {be} …”"),
            draft("simple", f"What {be} the name of {what}?", free=True),
            draft("detailed", f"{capital(who)} {be} {what}?", f"{capital(what)} {be} {one.name}.", free=True),
        ]
    return drafts


def _for_what(one: Identity) -> list[Draft]:
    """What is said, asked for by the name; answers of the same kind, a phrase."""
    direction, be = (FORWARD if one.name_first else REVERSE), one.be
    name = one.name[:1].lower() + one.name[1:] if one.name.startswith("The ") else one.name

    def draft(angle: str, question: str, answer: str, free: bool = False) -> Draft:
        return Draft(angle, direction, question, full_stop(answer), question.rstrip("?"), free=free)

    drafts = []
    if one.what:
        drafts += [
            draft("simple", f"{capital(one.who)} {be} {name}?", one.what, free=True),
            draft("scenario", f"“{one.name}”: {one.who} is that?", one.what),
        ]
    if one.fame:
        drafts.insert(1, draft("simple", f"What {be} {name} {one.fame.removesuffix(' being')}?", one.given, free=True))
    if one.what:
        drafts += [
            draft("completion", f"Complete the sentence: “{capital(name)} {be} …”", f"{one.what}"),
            draft("detailed", f"{capital(one.who)} {be} {name}?", f"{capital(name)} {be} {one.what}.", free=True),
        ]
    return drafts
