"""The text of a chunk, prepared for the filters."""

import re
from collections.abc import Sequence

from byheart.documents.blocks import SPEECH
from byheart.documents.languages.language import document_language, language_of, script_of
from byheart.expansion.base import Source
from byheart.expansion.filters.orders import is_order
from byheart.expansion.filters.words import content_stems, numbers, written_numbers
from byheart.records import Chunk

LANGUAGE_SAMPLE = 4000  # characters of the document from which its language is found


_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{(\d{1,9})\}|(\d))\s*(?:\{(\d{1,9})\}|(\d))")


def fractions(text: str) -> set[str]:
    """Those of formulas as a plain text has them: "1/2" for "\\frac{1}{2}" and "\\frac12"."""
    parts = [(a or b, c or d) for a, b, c, d in _FRACTION.findall(text)]
    return {f"{above}/{below}" for above, below in parts} | {part for pair in parts for part in pair}


class Ground:
    """A chunk's words, numbers, language and orders, computed once."""

    def __init__(self, text: str, facts: Sequence[str], around: Sequence[str], language: str | None = None):
        """`around` are title and headings; `language`: of the text, where it is known; "" for one of several."""
        self.text = "\n".join([*around, text])
        self.language = language_of(text) if language is None else language
        self.script = script_of(text)
        self.stems = {*content_stems(self.text, self.language)}
        self.numbers = numbers(self.text) | written_numbers(self.text) | fractions(self.text)
        self.orders = [fact for fact in facts if is_order(fact)]
        sound = "\n".join([*around, *(fact for fact in facts if not is_order(fact))]) if self.orders else self.text
        self.sound_stems = {*content_stems(sound, self.language)}
        self.order_stems = {s for order in self.orders for s in content_stems(order, self.language)} - self.sound_stems

    @classmethod
    def of(cls, chunk: Chunk, source: Source) -> "Ground":
        """The chunk with its title, headings, list labels and the lead-ins of its list items."""
        facts = source.facts_of(chunk)
        lead_ins = [source.lead_ins[fact.id] for fact in facts if fact.id in source.lead_ins]
        labels = [
            f"the {fact.label}" if fact.kind == SPEECH else fact.label for fact in facts
        ]  # "the narrator" says it
        around = [source.titles[chunk.document], *chunk.headings, *labels, *lead_ins]
        document = next(document for document in source.documents if document.id == chunk.document)
        spoken = {fact.language for fact in facts} - {""}
        if spoken <= {document_language(document.text)}:
            language = language_of(document.text[:LANGUAGE_SAMPLE])
        else:  # a part of the document in another language, or a chunk of several
            language = spoken.pop() if len(spoken) == 1 else ""
        ground = cls(chunk.text, [fact.text for fact in facts], around, language)
        if len(spoken) > 1:
            ground.script = ""  # any of them will do
        return ground
