"""Questions about what is no running prose: code, formulas that stand alone, footnotes and captions."""

import re
from collections import Counter
from collections.abc import Sequence

from byheart.documents.blocks import CAPTION, CODE, FORMULA, NOTE
from byheart.expansion.citation import Citation
from byheart.expansion.rules.questions import Draft, place_in_words, uncited
from byheart.records import FORWARD, NEITHER, REVERSE, Fact

QUOTED = 14  # words of what stands before, or of a caption
SHOWN = 3  # lines of code in a question
_ASSIGNED = re.compile(r"^(?P<before>\s*[\w.\"'-]+\s*[=:]\s*)(?P<value>[^\s=].*?)(?P<behind>[,;]?\s*(?:(?:#|//).*)?)$")
_SAYS = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|may|must|will|shows?|stands?|lies?|runs?|does|do|did|\w+ed)\b", re.I
)
PROSE = ("text", "item", "")


class Apart:
    """All facts of these kinds, which must be known together: what stands twice in a section needs other words."""

    def __init__(self, facts: Sequence[Fact]):
        self._count = Counter(self._key(fact) for fact in facts)
        self._before: dict[str, str] = {}
        seen: set[tuple[str, str]] = set()
        for above, fact in zip([None, *facts], facts, strict=False):
            if (
                above is None
                or above.document != fact.document
                or above.headings != fact.headings
                or above.kind not in PROSE
            ):
                continue
            words = " ".join(above.text.split()).rstrip(":")
            if len(words.split()) <= 2 * QUOTED and (fact.document, words) not in seen:
                self._before[fact.id] = words
                seen.add((fact.document, words))

    @staticmethod
    def _key(fact: Fact) -> tuple[str, tuple[str, ...], str, str]:
        return fact.document, fact.headings, fact.kind, fact.label if fact.kind in (CAPTION, NOTE) else ""

    def families(self, fact: Fact, place: Citation) -> dict[str, list[Draft]]:
        """Drafts by the names of the rules' families; none for other kinds. Those of notes and captions come before those
        that prose has."""
        alone = self._count[self._key(fact)] == 1
        before = self._before.get(fact.id, "")
        if fact.kind == CODE:
            return _about_code(fact.text, place, alone, before)
        if fact.kind == FORMULA:
            return _about_formula(" ".join(fact.text.split()), place, alone, before)
        if fact.kind == NOTE:
            return {"asked": _about_note(fact, place)[0 if alone else 1 :]}  # a note of two paragraphs has one label
        return {"asked": _about_caption(fact, place, alone)} if fact.kind == CAPTION else {}


def is_sentence(fact: Fact) -> bool:
    """Whether the other families may ask about it too: all prose, and captions that say something."""
    words = fact.text.split()
    if fact.kind == CAPTION:
        return len(words) >= 5 and bool(_SAYS.search(fact.text))
    return fact.kind not in (CODE, FORMULA) and (fact.kind != NOTE or len(words) >= 4)


def _about_code(code: str, place: Citation, alone: bool, before: str) -> dict[str, list[Draft]]:
    where = place_in_words(place)
    asked = []
    if alone and place.section:
        asked += [
            uncited("recitation", FORWARD, f"Which code stands in {where}?", code),
            uncited("detailed", FORWARD, f"Write out the code that {where} gives.", code),
        ]
    if before:
        asked.append(uncited("simple", FORWARD, f"Which code in {place.title} follows the words “{before}”?", code))
        asked.append(
            uncited("before", NEITHER, f"What does {place.title} say before the code “{_shown(code)}”?", before)
        )
    if not asked:
        asked.append(
            uncited(
                "recitation",
                FORWARD,
                f"Which code in {place.title} begins with “{code.split(chr(10))[0].strip()}”?",
                code,
            )
        )
    lines = [line for line in code.split("\n") if line.strip()]
    completions, earlier = [], []
    if len(lines) > 1:
        half = (len(lines) + 1) // 2
        begun, rest = "\n".join(lines[:half][-SHOWN:]), "\n".join(lines[half:])
        completions.append(uncited("completion", FORWARD, f"Which code follows in {where}?\n{begun}", rest))
        last = lines[-1].strip()
        if [line.strip() for line in lines].count(last) == 1:
            earlier.append(
                uncited("before", NEITHER, f"Which line stands before “{last}” in the code of {where}?", lines[-2])
            )
    elif len(words := lines[0].split()) > 2:
        begun, rest = " ".join(words[:2]), " ".join(words[2:])
        completions.append(
            uncited("completion", FORWARD, f"How does the line of code “{begun} …” in {where} go on?", rest)
        )
    return {
        "asked": asked,
        "completion": completions,
        "blank": _values(lines, where),
        "before": earlier,
        "source": [_source(f"the code “{_shown(code)}”", place)],
    }


def _values(lines: Sequence[str], where: str) -> list[Draft]:
    """Gaps for the values that names are given."""
    drafts = []
    for line in lines:
        match = _ASSIGNED.match(line)
        if match and len(match["value"]) <= 60 and sum(each.startswith(match["before"]) for each in lines) == 1:
            gapped = f"{match['before'].strip()} ____"
            drafts.append(
                uncited(
                    "blank", FORWARD, f"Fill in the blank in the code of {where}: “{gapped}”", match["value"].strip()
                )
            )
    return drafts[:6]


def _about_formula(formula: str, place: Citation, alone: bool, before: str) -> dict[str, list[Draft]]:
    where, asked = place_in_words(place), []
    if alone and place.section:
        asked.append(uncited("recitation", FORWARD, f"Which formula stands in {where}?", formula))
    if before:
        asked.append(
            uncited("simple", FORWARD, f"Which formula in {place.title} follows the words “{before}”?", formula)
        )
        asked.append(
            uncited("before", NEITHER, f"Which words stand before the formula {formula} in {place.title}?", before)
        )
    head, equals, _ = formula.strip("$\\[] ").partition("=")
    if equals and 0 < len(head.strip()) <= 40:
        asked.append(uncited("detailed", FORWARD, f"What is ${head.strip()}$ equal to in {where}?", formula))
    return {"asked": asked, "source": [_source(f"the formula {formula}", place)]}


def _about_note(fact: Fact, place: Citation) -> list[Draft]:
    note = " ".join(fact.text.split())
    if fact.label == "note":
        return [
            uncited("recitation", FORWARD, f"What does the note in {place_in_words(place)} say?", note),
            _source(f"the note “{note}”", place),
        ]
    words = fact.label.removeprefix("note on ")
    return [
        uncited("recitation", FORWARD, f"What does the {fact.label} in {place.title} say?", note),
        uncited("reverse", REVERSE, f"On which words of {place.title} is there this note: “{note}”", words),
    ]


def _about_caption(fact: Fact, place: Citation, alone: bool) -> list[Draft]:
    words, label = " ".join(fact.text.split()), fact.label
    where, title = place_in_words(place), place.title
    if any(map(str.isdigit, label)):
        return [
            uncited("recitation", FORWARD, f"What is the caption of {label} of {title}?", words),
            uncited("reverse", REVERSE, f"What in {title} has the caption “{words.rstrip('.')}”?", f"{label}."),
        ]
    drafts = [_source(f"the {label.lower()} “{words.rstrip('.')}”", place)]
    if alone:
        drafts.insert(
            0, uncited("recitation", FORWARD, f"What is the caption of the {label.lower()} in {where}?", words)
        )
    return drafts


def _source(what: str, place: Citation) -> Draft:
    if place.section:
        return uncited("source", NEITHER, f"Which section of {place.title} has {what}?", f"{place.section}.")
    return uncited("source", NEITHER, f"Which document has {what}?", place.title)


def _shown(code: str) -> str:
    lines = code.strip().split("\n")
    return "\n".join(lines[:SHOWN]) + ("\n…" if len(lines) > SHOWN else "")
