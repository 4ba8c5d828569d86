"""Examples from what a document asks and explains itself: the pair as it stands, in other words, and turned round."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from byheart.documents.blocks import DEFINITION, ENTRY, PAIR
from byheart.expansion.citation import Citation
from byheart.expansion.rules.phrases import bare_words, cuts, stopped
from byheart.expansion.rules.questions import Draft, fill_blanks, name_sources, place_in_words, uncited
from byheart.records import FORWARD, REVERSE, Fact

if TYPE_CHECKING:
    from spacy.tokens import Doc

QUOTED = 60  # words of an answer that are quoted whole; of a longer one the beginning is
OPENING = 16


class OwnPairs:
    """The pairs of all facts, which must be known together: what two of them say alike tells neither from the other."""

    def __init__(self, facts: Sequence[Fact]):
        pairs = [fact for fact in facts if fact.paired]
        answers = {(bare_words(fact.question), bare_words(fact.answer)) for fact in pairs}
        self._asked = Counter(question for question, _ in answers)
        self._said = Counter(bare_words(_quoted(fact.answer)) for fact in pairs)

    def families(self, fact: Fact, place: Citation, parsed: "Doc | None") -> dict[str, list[Draft]]:
        """Drafts by the names of the rules' families. `parsed` is `fact.statement`, None where no parser reads it."""
        statement = fact.statement
        begun = len(statement) - len(" ".join(fact.answer.split()))
        asked = {PAIR: _ask, DEFINITION: _define, ENTRY: _look_up}[fact.kind]
        drafts = asked(fact.question, fact.answer, place, self._asked[bare_words(fact.question)] == 1)
        if self._said[bare_words(_quoted(fact.answer))] > 1:  # "Yes." answers several questions
            drafts = [draft for draft in drafts if draft.direction == FORWARD]
        return {
            "asked": drafts,
            "completion": [
                Draft("completion", FORWARD, f"Complete the sentence: “{start} …”", statement[cut:], start)
                for cut in cuts(statement)
                if cut > begun
                for start in [statement[:cut].rstrip()]
            ],
            "blank": fill_blanks(parsed, begun) if parsed else [],
            "source": name_sources(statement, place)[:1],
        }


# The angle of the pair as it stands is "recitation", which the split never holds out: it is always taught. What may be
# held out are the other angles, each with wording of its own.


def _ask(question: str, answer: str, place: Citation, unique: bool) -> list[Draft]:
    quoted, title = _quoted(answer), place.title
    asked = question if unique else f"{question} ({place_in_words(place)})"
    return [
        Draft("recitation", FORWARD, asked, answer, asked, cited=False),
        uncited("reverse", REVERSE, f"Which question does {title} answer with “{quoted}”?", question),
        uncited("detailed", FORWARD, f"What does {place_in_words(place)} answer to the question “{question}”?", answer),
        uncited("scenario", REVERSE, f"“{quoted}” is an answer in {title}. What was the question?", question),
        uncited(
            "scenario",
            FORWARD,
            f"Somebody asks: “{question}” What is the answer, according to {place_in_words(place)}?",
            answer,
        ),
        uncited("simple", FORWARD, f"{title if unique else place_in_words(place)}: {question}", answer, question),
    ]


def _define(term: str, meaning: str, place: Citation, unique: bool) -> list[Draft]:
    quoted, title, whole = _quoted(meaning), place.title, place_in_words(place)
    return [
        Draft(
            "recitation",
            FORWARD,
            f"What does “{term}” mean in {title if unique else whole}?",
            meaning,
            term,
            cited=False,
        ),
        uncited("reverse", REVERSE, f"Which term of {title} means “{quoted}”?", stopped(term)),
        uncited("detailed", FORWARD, f"How does {whole} define “{term}”?", f"{term}: {meaning}"),
        uncited("scenario", REVERSE, f"“{quoted}”: which term does {title} use for this?", stopped(term)),
        uncited(
            "scenario", FORWARD, f"Somebody does not know the term “{term}”. How does {whole} explain it?", meaning
        ),
    ]


def _look_up(name: str, said: str, place: Citation, unique: bool) -> list[Draft]:
    quoted, title, whole = _quoted(said), place.title, place_in_words(place)
    asked = f"What does {title if unique else whole} say under “{name}”?"
    return [
        Draft("recitation", FORWARD, asked, said, name, cited=False),
        uncited("reverse", REVERSE, f"Under which entry does {whole} say “{quoted}”?", stopped(name)),
        uncited("detailed", FORWARD, f"What is written about “{name}” in {whole}?", f"{name}: {said}"),
        uncited("scenario", REVERSE, f"“{quoted}”: which entry of {title} is this?", stopped(name)),
        uncited("scenario", FORWARD, f"Somebody looks up “{name}” in {whole}. What stands there?", said),
    ]


def _quoted(answer: str) -> str:
    words = answer.split()
    return " ".join(words).rstrip(".。") if len(words) <= QUOTED else f"{' '.join(words[:OPENING])} ..."
