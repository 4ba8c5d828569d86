"""Examples on numbered clauses and on lists: what clause 3.3 says, which clause says it, and all that a list holds.

A question that several items of a list answer asks for all of them, or names its own.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from byheart.documents.languages.language import UNSPACED, count_words
from byheart.expansion.citation import Citation, cite
from byheart.expansion.question_generation.wording import WORDS, capital, small
from byheart.expansion.rules.phrases import CONDITION_WORDS
from byheart.expansion.rules.questions import ORDINALS, Draft
from byheart.records import FORWARD, NEITHER, Fact

LONGEST = 80  # words of several sentences or items that are recited in one
LONGEST_LEAD = 25  # words of a lead-in that is quoted
_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(
    r"[;,，；]*\s*(?:[;,，；]\s*(?P<word>and/or|and|or|und|oder|et|ou|y|e|o|и|или|en|of)|\b(?P<bare>and|or|und|oder|et|ou))?\s*$"
)
_LAST = re.compile(r"\([^()]*\)$|\.\d+$|[^\s().]+[.)]$")
_INNER_LEAD = re.compile(r"\s*[:—–]\s+(?=[a-z(])")
_CHOICE = re.compile(r",?\s+(?:either|both|one of the following)$", re.IGNORECASE)
_PREDICATE = re.compile(
    r"(?:shall|must|may|might|can|cannot|will|would|should|is|are|was|were|be|has|have|does|do|not)\b"
)
_CONDITIONAL = re.compile(rf"\b(?:{CONDITION_WORDS}|provided|that|who|which)\b[^,;]*$", re.IGNORECASE)
_DEMANDS = re.compile(r"\b(?:must|shall|has to|have to|(?:is|are) (?:to|required to))\b", re.IGNORECASE)
_DENIES = re.compile(r"\b(?:no|not|never|nor|neither|none|nobody)\b", re.IGNORECASE)
_EXPLAINS = re.compile(r"[\"“„«][^\"”“»]{1,60}[\"”“»],?\s+(?:means?|has|have|shall|refers?|includes?|is|are)\b")
_FRONTED = re.compile(rf"(?:{CONDITION_WORDS})\b", re.IGNORECASE)
_BULLET = r"\s*\n\s*(?:[-*+•‣▪◦○●■□☐☑☒✓✔]\s*(?:\[[ xX]\]\s+)?)(?=\S)"
_LISTED = re.compile(rf"(?<![.!?:\s])[;,]?{_BULLET}")
_INNER_MARK = re.compile(rf"([.!?:]){_BULLET}")


def head_of(lead_in: str) -> str:
    """The lead-in as the beginning of a sentence: "The Buyer may refuse Goods that"."""
    return _CHOICE.sub("", _INNER_LEAD.sub(" ", lead_in.strip().rstrip(":—–：").rstrip()))


def explains(text: str) -> bool:
    """Whether an item is a sentence of its own: "“Goods” means the valves" below "In this Agreement:"."""
    return _EXPLAINS.match(text) is not None


def body_of(text: str) -> str:
    """An item as a part of a sentence, without its last "; or"; items that stand in one fact between semicolons."""
    return _ENDING.sub("", " ".join(_INNER_MARK.sub(r"\1 ", _LISTED.sub("; ", text)).split()).rstrip(";,"))


def completed(head: str, body: str, closing: str) -> str:
    """The sentence that an item makes with its lead-in and with the words behind the list."""
    if not head:
        return body
    said = f"{head}：{body}" if UNSPACED.match(head[-1]) else f"{head} {small(body)}"
    if not closing:
        if _FRONTED.match(head) and not re.search("[,:]", head):  # "Before you open: Wipe the tables."
            return f"{head}{':' if small(body)[:1].isupper() else ','} {small(body)}"
        return said
    return f"{said}{'' if _PREDICATE.match(closing) else ','} {closing.rstrip('.;,')}"


def ask_clauses(
    facts: Sequence[Fact], lead_ins: Mapping[str, str], statements: Mapping[str, str], titles: Mapping[str, str],
    announces: Callable[[str], bool],
) -> dict[str, dict[str, list[Draft]]]:  # fmt: skip
    """By fact id and family, the drafts on its clause and its list; of several facts in one the first has them."""
    lists: dict[tuple[str, ...], list[Fact]] = defaultdict(list)
    clauses: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    places: dict[tuple[str, str], Citation] = {}
    deep: set[tuple[str, str]] = set()
    for fact in facts:
        named = ancestors(fact.labels)
        for depth, labels in enumerate(named if lead_ins.get(fact.id) else named[:1]):
            place = cite(titles[fact.document], fact.headings, labels)
            key = (fact.document, place.item)
            if place.item and depth <= 1:
                clauses[key].append(fact)
                places[key] = place
            deep |= {key} if depth > 1 else set()
        if lead := lead_ins.get(fact.id):
            lists[(fact.document, *fact.headings, lead)].append(fact)
    drafts: dict[str, dict[str, list[Draft]]] = defaultdict(lambda: defaultdict(list))
    for key, own in clauses.items():
        whole = said_by(own, places[key], lead_ins, statements, announces) if key not in deep else ""
        if whole and (len(own) == 1 or count_words(whole) <= LONGEST):
            asked = f"What does {places[key].item} of {places[key].title} say?"
            said = Draft("recitation", FORWARD, asked, whole, places[key].item, cited=False)
            listed = cite(titles[own[0].document], own[0].headings, own[0].labels).item != places[key].item
            drafts[own[0].id]["asked" if listed else "recitation"].append(said)
    for fact in facts:
        place = cite(titles[fact.document], fact.headings, fact.labels)
        if place.kind:
            asked = f"Which {place.kind} of {place.title} says: “{statements[fact.id]}”"
            answer = f"{capital(place.item)}."
            found = Draft("source", NEITHER, asked, answer, statements[fact.id], cited=False)
            drafts[fact.id]["source"].append(found)
    inner: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for section in lists:
        inner[section[:-1]].append(section[-1])
    for section, own in lists.items():
        lead = section[-1]
        nested = any(other.startswith(f"{lead} ") for other in inner[section[:-1]])
        items = listing([fact.text for fact in own])
        nested = nested or explains(own[0].text)
        if len(own) > 1 and not nested and count_words(items) <= LONGEST and len(lead.split()) <= LONGEST_LEAD:
            asked = f"What is listed after “{head_of(lead)}”?"
            drafts[own[0].id]["asked"].append(Draft("detailed", FORWARD, asked, f"{capital(items)}.", lead))
    return drafts


def ancestors(labels: str) -> list[str]:
    """A clause's number and those of the clauses around it: "3.3(a)(i)", "3.3(a)", "3.3", "3"."""
    found = []
    while labels:
        found.append(labels)
        labels = labels[: match.start()].rstrip() if (match := _LAST.search(labels)) else ""
    return found


def said_by(
    facts: Sequence[Fact], place: Citation, lead_ins: Mapping[str, str], statements: Mapping[str, str],
    announces: Callable[[str], bool],
) -> str:  # fmt: skip
    """All sentences of a clause; the items of a list below it make one."""
    parts: list[str] = []
    below: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        lead = lead_ins.get(fact.id, "")
        if not lead or cite(place.title, fact.headings, fact.labels).item == place.item:
            parts.append(statements[fact.id])
        else:
            below[lead].append(fact)
            if len(below[lead]) == 1:
                parts.append(lead)
    for lead, items in below.items():
        head, listed = head_of(lead), listing([fact.text for fact in items])
        whole = f"{head}: {listed}" if announces(lead) else completed(head, listed, items[0].closing)
        parts[parts.index(lead)] = f"{whole}."
        parts = [part for part in parts if part.rstrip(".:") != head]  # a lead-in that is a fact itself
    return " ".join(parts)


def needs_all(lead_in: str, texts: Sequence[str]) -> bool:
    """Whether the items are conditions that hold together: "may renew if the Tenant: (a) has paid; and (b) gives notice"."""
    joined = any(match["word"] == "and" or match["bare"] == "and" for text in texts if (match := _ENDING.search(text)))
    return joined and _CONDITIONAL.search(head_of(lead_in)) is not None


def are_alternatives(lead_in: str, texts: Sequence[str]) -> bool:
    """Whether one of the items is enough, so that none alone is demanded: "must be a person: (a) who is licensed, or (b) ..."."""
    joined = any(match["word"] == "or" or match["bare"] == "or" for text in texts if (match := _ENDING.search(text)))
    return joined and _DEMANDS.search(lead_in) is not None and _DENIES.search(lead_in) is None


def listing(texts: Sequence[str]) -> str:
    """The items of a list on one line, with the "or" before the last."""
    words = [match["word"] or match["bare"] for text in texts if (match := _ENDING.search(text))]
    word = next((word for word in reversed(words) if word), "")
    items = [body_of(text).rstrip(".。") for text in texts]
    items[1:] = map(small, items[1:])
    return "; ".join([*items[:-1], f"{word} {items[-1]}".strip()])


def tell_apart(drafts: Sequence[Draft], fact: Fact, lead_in: str) -> list[Draft]:
    """The drafts about an item of a list; those whose question names nothing of the item itself must name its clause."""
    own = content(fact.text) - content(f"{lead_in} {fact.closing}")
    named = [not draft.cited or own & content(draft.question) or draft.subject.startswith(ORDINALS) for draft in drafts]
    return [draft if names else replace(draft, exact=True) for draft, names in zip(drafts, named, strict=True)]


def content(words: str) -> set[str]:
    return {word for word in _WORD.findall(words.casefold()) if word not in WORDS["function"]}
