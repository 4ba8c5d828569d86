"""Formulas and code as one word each while a sentence is parsed, cut and asked about, and put back as they were."""

import re
from collections.abc import Sequence
from dataclasses import replace

from byheart.documents.markdown.masks import SPAN
from byheart.documents.structure.formulas import find_formulas
from byheart.expansion.rules.questions import Draft
from byheart.records import Fact

# A noun that no text holds; its first letter is lowered and raised again on the way.
_SIGN = re.compile(r"zq[xy]([a-j]{2,6})", re.I)
# "The mass $m$ hangs": a noun with its letter is one word to the parser, which else takes one of them for a verb.
_NAMED = re.compile(r"\b(?:an?|the|its|their|each|every)\s+[a-z]{3,}(?P<blank> )$", re.I)
_LETTER = re.compile(r"\$[^$=<>+]{1,20}\$|\\\([^=<>+]{1,20}\\\)")
_LETTERS = "abcdefghij"
_SENTENCE = ("code", "formula")  # kinds that are no sentence: they have questions of their own


class Signs:
    """Remembers what it hides. The same formula has the same sign in all facts."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}  # by what is hidden, its sign in lower case
        self._shown: dict[str, str] = {}

    def hide(self, text: str) -> str:
        if "`" not in text and "$" not in text and "\\" not in text:
            return text
        spans = sorted([*find_formulas(text), *(match.span() for match in SPAN.finditer(text))])
        out, last = [], 0
        for start, end in spans:
            if start < last:
                continue
            before, part = text[last:start], text[start:end]
            if _NAMED.search(before[-40:]) and _LETTER.fullmatch(part):
                out += [before[:-1], self._sign(f" {part}", "zqy")]
            else:
                out += [before, self._sign(part).capitalize()]
            last = end
        return "".join([*out, text[last:]])

    def hide_in(self, fact: Fact) -> Fact:
        if fact.kind in _SENTENCE:
            return fact
        return replace(
            fact, text=self.hide(fact.text), question=self.hide(fact.question), answer=self.hide(fact.answer)
        )

    def show(self, text: str) -> str:
        return _SIGN.sub(lambda sign: self._shown.get(sign[0].lower(), sign[0]), text) if self._shown else text

    def show_in(self, drafts: Sequence[Draft]) -> list[Draft]:
        if not self._shown:
            return list(drafts)
        return [
            replace(
                each, question=self.show(each.question), answer=self.show(each.answer), subject=self.show(each.subject)
            )
            for each in drafts
        ]

    def _sign(self, part: str, begins: str = "zqx") -> str:
        sign = self._kept.get(part)
        if sign is None:
            number = "".join(_LETTERS[int(digit)] for digit in f"{len(self._kept):02d}")
            sign = self._kept[part] = f"{begins}{number}"
            self._shown[sign] = part
        return sign
