"""How a question names its source, so that it can be understood alone, in as few words as will do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBERED = re.compile(
    r"^(?P<number>(?:§+\s*)?(?:(?:chapter|section|part|article|rule)\s+)?[\dIVXLC]+(?:[.\-]\d+)*[a-z]?)[.:)]?\s+(?P<topic>.+)$",
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

    @property
    def suffix(self) -> str:
        """What is put behind a question, the number alone where there is one: " (FCC Part 97, § 97.25)"."""
        place = self.number or self.section
        return f" ({self.title}, {place})" if place else f" ({self.title})"

    def behind(self, question: str, exact: bool = False) -> str:
        """The question with its source behind it, unless it names the source itself; with its item where `exact`."""
        if exact and self.item:
            return f"{question} ({self.title}, {self.item})"
        if not self.section and self.title.lower() in question.lower():
            return question
        return f"{question}{self.suffix}"

    def by(self, question: str, exact: bool = False) -> str:
        """The question with its source before it: "According to FCC Part 97, § 97.25, how long ...?"."""
        if not self.number:
            return self.behind(question)
        item = self.item if exact and self.item else self.number
        return f"According to {self.title}, {item}, {question[:1].lower()}{question[1:]}"

    def under(self, question: str, exact: bool = False) -> str:
        """The question with its source before it: "Under § 97.25 of FCC Part 97, how long ...?"."""
        if not self.number:
            return self.behind(question)
        return f"Under {self.item if exact and self.item else self.number} of {self.title}, {question[:1].lower()}{question[1:]}"


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
