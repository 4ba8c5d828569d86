"""How a question names its source, so that it can be understood alone, in as few words as will do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_KIND = r"(?:chapter|section|part|article|rule)\s+"
_ROMAN = r"(?-i:(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?!\w)"  # "In", "Live" and "CIVIL" are none
# A lone "I", "V" or "C" is a number behind "Part" or before a full stop only: "C compilers", "V belts".
_NUMBERED = re.compile(
    rf"^(?P<number>(?:§+\s*)?(?:{_KIND})?\d+(?:[.\-]\d+)*[a-z]?|{_KIND}{_ROMAN}|{_ROMAN}(?=[.:)])|(?=[A-Z]{{2}}){_ROMAN})[.:)]?\s+(?P<topic>.+)$",
    re.I,
)


@dataclass(frozen=True)
class Citation:
    """The short name of the document, its section and item."""

    title: str  # "FCC Part 97"
    section: str  # "§ 97.25 License term"; empty where the document has no sections
    number: str  # "§ 97.25"; empty where sections bear no numbers
    topic: str  # "License term"
    item: str  # "§ 97.101(b)", where both a number and an item label are known

    @property
    def whole(self) -> str:
        return f"{self.section} of {self.title}" if self.section else self.title

    def behind(self, question: str, exact: bool = False) -> str:
        """The question with its source behind it, " (FCC Part 97, § 97.25)", unless it names the source itself; with its
        item where `exact`."""
        place = (exact and self.item) or self.number or self.section
        if not place and self.title.lower() in question.lower():
            return question
        return f"{question} ({self.title}, {place})" if place else f"{question} ({self.title})"

    def by(self, question: str, exact: bool = False) -> str:
        """The question with its source before it: "According to FCC Part 97, § 97.25, how long ...?"."""
        place = (exact and self.item) or self.number
        return self._before(f"According to {self.title}, {place}", question)

    def under(self, question: str, exact: bool = False) -> str:
        """The question with its source before it: "Under § 97.25 of FCC Part 97, how long ...?"."""
        place = (exact and self.item) or self.number
        return self._before(f"Under {place} of {self.title}", question)

    def _before(self, source: str, question: str) -> str:
        return f"{source}, {question[:1].lower()}{question[1:]}" if self.number else self.behind(question)


def cite(title: str, headings: Sequence[str], label: str = "") -> Citation:
    sections = [heading for heading in headings if heading.strip() != title.strip()]
    section = re.sub(r"\s+", " ", sections[-1]).strip().rstrip(".:") if sections else ""
    match = _NUMBERED.match(section)
    number = match["number"] if match else ""
    topic = match["topic"] if match else section
    item = f"{number}{label}" if number and re.fullmatch(r"(?:\(\w+\))+", label) else ""
    return Citation(short_title(title), section, number, topic, item)


def short_title(title: str) -> str:
    """The title without parentheses and subtitle: "FCC Part 97" of "FCC Part 97: Rules of ... (excerpts)"."""
    plain = re.sub(r"\s*\([^)]*\)", "", title).strip()
    head = re.split(r"\s*[:–—|]\s+", plain, maxsplit=1)[0].strip()
    return head if len(head.split()) >= 2 or head == plain else plain
