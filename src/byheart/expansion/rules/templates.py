"""Ways of asking about a statement as it stands: recite it, complete it, fill its blanks, name its source, turn it round."""

from typing import TYPE_CHECKING

from byheart.expansion.citation import Citation
from byheart.expansion.question_generation.wording import capital, sentences_of
from byheart.expansion.rules.conditions import find_condition
from byheart.expansion.rules.phrases import cuts, key_phrases
from byheart.expansion.rules.questions import Draft
from byheart.records import FORWARD, REVERSE

if TYPE_CHECKING:
    from spacy.tokens import Doc

BLANK = "____"


def fill_templates(parsed: "Doc", place: Citation) -> dict[str, list[Draft]]:
    """By family, the ways of asking about a parsed statement, the best of each first."""
    statement = parsed.text
    return {
        "condition": [draft for sentence in sentences_of(statement) for draft in _ask_condition(sentence)],
        "recitation": _recitations(statement, place),
        "completion": _completions(statement),
        "source": _sources(statement, place),
        "blank": _blanks(parsed),
        "before": _before(statement),
        "reordered": _reorderings(statement),
    }


def _ask_condition(sentence: str) -> list[Draft]:
    """What follows if, and the duty that follows."""
    found = find_condition(sentence)
    if found is None or len(found.condition.split()) > 24:
        return []
    asked = f"What is the result {found.word} {found.condition}?"
    return [Draft("scenario", FORWARD, asked, f"{capital(found.result)}.", found.condition, free=True)]


def _recitations(statement: str, place: Citation) -> list[Draft]:
    drafts = []
    if place.item:
        asked = f"What does {place.item} of {place.title} say?"
        drafts.append(Draft("recitation", FORWARD, asked, statement, place.item, cited=False))
    if len(statement.split()) > 5:
        opening = " ".join(statement.split()[:4])
        asked = f"Recite the sentence that begins “{opening}”."
        return [*drafts, Draft("recitation", FORWARD, asked, statement, opening)]
    asked = f"Recite what {place.whole} says."
    return [*drafts, Draft("recitation", FORWARD, asked, statement, place.whole, cited=False)]


def _completions(statement: str) -> list[Draft]:
    return [
        Draft("completion", FORWARD, f"Complete the sentence: “{begun} …”", statement[cut:], begun)
        for cut in cuts(statement)
        for begun in [statement[:cut].rstrip()]
    ]


def _blanks(parsed: "Doc") -> list[Draft]:
    drafts = []
    for phrase in key_phrases(parsed):
        answer = parsed.text[phrase.start : phrase.end]
        gapped = parsed.text[: phrase.start] + BLANK + parsed.text[phrase.end :]
        drafts.append(Draft("blank", FORWARD, f"Fill in the blank: “{gapped}”", answer, gapped))
    return drafts


def _before(statement: str) -> list[Draft]:
    """The words before a given end of the sentence: the reverse of a completion."""
    drafts = []
    for cut in cuts(statement):
        begun, rest = statement[:cut].rstrip(" ,"), statement[cut:]
        if len(rest.split()) >= 3:
            drafts.append(Draft("reverse", REVERSE, f"Which words come before “{rest.rstrip('.')}”?", begun, rest))
    return drafts


def _sources(statement: str, place: Citation) -> list[Draft]:
    """Which section says this, asked with the whole statement and with its second half."""
    if not place.section:
        asked = f"Which document says: “{statement}”"
        return [Draft("reverse", REVERSE, asked, place.title, statement, cited=False)]
    where, answer = f"Which section of {place.title}", f"{place.section}."
    drafts = [Draft("reverse", REVERSE, f"{where} says: “{statement}”", answer, statement, cited=False)]
    for cut in cuts(statement)[:1] if len(statement.split()) > 8 else []:
        if half := statement[cut:].rstrip("."):
            asked = f"{where} contains the words “{half}”?"
            drafts.append(Draft("reverse", REVERSE, asked, answer, half, cited=False))
    return drafts


def _reorderings(statement: str) -> list[Draft]:
    """A condition told the other way round (against the reversal curse, arXiv 2309.12288), and asked from its result."""
    found = find_condition(statement)
    if not found:
        return []
    result, when = f"{capital(found.result)}", f"{capital(found.word)} {found.condition}"
    other = f"{result} {found.word} {found.condition}." if found.fronted else f"{when}, {found.result}."
    asked = f"In which case does this hold: “{result}”?"
    return [
        Draft("detailed", FORWARD, f"Say it the other way round: “{statement}”", other, statement),
        Draft("scenario", REVERSE, asked, f"{when}.", found.result),
    ]
