"""How a question names its source, so that it can be understood alone, in as few words as will do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_KIND = r"(?:chapter|section|part|rule|clause|schedule|annexe?|appendix|art(?:icle|ikel|icolo|[ií]culo|igo)?\.?|kapitel|chapitre|статья)\s+"
_ROMAN = r"(?-i:(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?!\w)"  # "In", "Live" and "CIVIL" are none
_CAPITAL = r"(?-i:(?=[\"“(]?[A-Z]))"
# A number without a full stop is one where a title follows: "1.1 Screens", not "2.4 GHz radio", "24 hours a day" or "3 Ways".
# A lone "I", "V" or "C" is a number behind "Part" or before a full stop only ("C compilers", "V belts"), "XL" nowhere else.
_NUMBERED = re.compile(
    rf"^(?:(?P<named>§+\s*\d+(?:[.\-]\d+)*[a-z]?|{_KIND}\d+(?:[.\-]\d+)*[a-z]?|{_KIND}{_ROMAN}(?=$|[.:)\s–—-]+{_CAPITAL}))"
    rf"|(?P<bare>\d+(?:\.\d+)*(?=[.:)]\s)|\d+(?:\.\d+)+(?=\s+(?-i:[\"“]?[A-Z][a-z]))|{_ROMAN}(?=[.:)])"
    rf"|(?=[A-Z]{{2}})(?!XL){_ROMAN}(?=\s+{_CAPITAL})))(?(named)(?=$|[.:)\s]))[.:)]?(?:\s+[–—-])?(?:\s+(?P<topic>.+))?$",
    re.I,
)
_NAMED_ITEM = re.compile(rf"(?:§+\s?|{_KIND})\d+(?:\.\d+)*[a-z]?(?![\w])|第[^条條]+[条條]", re.I)
_OUTER = re.compile(r"(?:schedule|annexe?|appendix|exhibit|anlage|anhang)\s+(?:\d+|[A-Z]|[IVX]+)\b", re.I)
_ARTICLE = re.compile(r"art(?:icle|ikel|icolo|[ií]culo|igo)?\.?\s|第.+[条條]$|статья\s", re.I)
_LABELS = re.compile(r"\([^)]*\)|[^\s().]+[.)]?")


@dataclass(frozen=True)
class Citation:
    """The short name of the document, its section and item."""

    title: str  # "FCC Part 97"
    section: str  # "§ 97.25 License term"; empty where the document has no sections
    number: str  # "§ 97.25"; empty where sections bear no numbers
    topic: str  # "License term"
    item: str  # "§ 97.101(b)", "clause 3.3.1": where the number of the item is known

    @property
    def kind(self) -> str:
        """What the item is called where it is smaller than its section: "clause", "article"; else empty."""
        if self.item.startswith("clause"):
            return "clause"
        if not self.item or (self.number and self.item.startswith(self.number)):
            return ""
        return (
            "article"
            if _ARTICLE.match(self.item)
            else "section"
            if self.item[0] == "§"
            else self.item.split()[0].lower()
        )

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


def cite(title: str, headings: Sequence[str], labels: str = "") -> Citation:
    """`labels` is the number of the clause within its section, "(a)(3)", or of the document, "3.3.1(a)"."""
    sections = [heading for heading in headings if heading.strip() != title.strip()]
    section = re.sub(r"\s+", " ", sections[-1]).strip().rstrip(".:") if sections else ""
    match = _NUMBERED.match(section)
    number = (match["named"] or match["bare"]) if match else ""
    topic = (match["topic"] or "") if match else section
    if not match and labels.startswith("(") and (bare := re.match(r"(\d{1,3})\s+(?=[A-Z])", section)):
        number, topic = bare[1], section[bare.end() :]  # "3 Meetings" above "(a)"
    item = _item(number, labels)
    if match and match["named"] and _NAMED_ITEM.match(labels):  # "Art. 5." below the heading of article 4
        section = number = re.match(r"[^(（]+", item)[0].strip()  # type: ignore[index]
        topic = ""
    elif number[:1].isdigit() or (match and match["bare"]):
        number = f"{'clause' if item.startswith('clause') else 'section'} {number}"
    outer = [found.group() for heading in sections if (found := _OUTER.match(heading))]
    if outer and item.startswith("clause"):
        item = f"{item} of {outer[0]}"
    return Citation(short_title(title), section, number, topic, item)


def _item(number: str, labels: str) -> str:
    """ "clause 3.3(a)" for "3.3(a)"; "Article 5(1)(b)" for "1.(b)" in Article 5; "§ 4(2) no. 3" for "(2)3." in § 4."""
    if match := re.match(r"\d{1,3}(?:\.\d{1,3})+", labels):
        return f"clause {match.group()}{_bracketed(labels[match.end() :])}"
    if match := _NAMED_ITEM.match(labels):
        return f"{match.group()}{_bracketed(labels[match.end() :])}"
    if number and labels and (labels.startswith("(") or not number[:1].isdigit()):
        return f"{'clause ' * number[:1].isdigit()}{number}{_bracketed(labels)}"
    return ""


def _bracketed(labels: str) -> str:
    parts: list[str] = []
    for label in _LABELS.findall(labels):
        below = parts and label[:1].isdigit() and label.endswith(".")
        parts.append(
            f" no. {label[:-1]}" if below else label if label[0] in "(（①②③④⑤⑥⑦⑧⑨⑩" else f"({label.rstrip('.)')})"
        )
    return "".join(parts)


def short_title(title: str) -> str:
    """The title without parentheses and subtitle: "FCC Part 97" of "FCC Part 97: Rules of ... (excerpts)"."""
    plain = re.sub(r"\s*\([^)]*\)", "", title).strip()
    head = re.split(r"\s*[:–—|]\s+", plain, maxsplit=1)[0].strip()
    return head if len(head.split()) >= 2 or head == plain else plain
