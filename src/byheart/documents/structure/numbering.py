"""Numbers at the beginnings of lines: of clauses ("3.3.1 are damaged", "§ 4 The fee is 5 euros.", "第三条 ...") and of headings."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from byheart.documents.blocks import Heading, Line

Number = tuple[int, ...]
DOTTED = re.compile(r"(\d{1,3}(?:\.\d{1,3})+)[.)]?[ \t]+(?=\S)")
LEADING = re.compile(r"(?:[^\W\d_]{1,12}\.?[ \t]+|§+[ \t]*)?(\d{1,3}(?:\.\d{1,3})*)(?![\d:,])")
TITLED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,4})\.?[ \t]+(?=[\"“]?[^\W\d_])")
ENDED = re.compile(r"(?:[.:;!?—–。：；！？।۔؟]|[,，、][ \t]*(?:and|or)|\b(?:and|or))[\"”’)*_]*[ \t]*$")
LED = re.compile(r"[:—–：][\"”*_]*[ \t]*$")
# "§ 3 Abs. 2 gilt" and "Section 4 BGB" begin a sentence about a section; "§ 3 The fee is 5 euros." is one.
NAMED = re.compile(
    r"(?P<label>(?P<name>§{1,2}|art(?:icle|ikel|icolo|[ií]culo|igo)?\.?|section|sec\.|clause|klausel|ziffer|rule|paragraph|статья)"
    r"[ \t]?(?P<number>\d{1,4}(?:\.\d{1,4})*)(?-i:[a-z]?))(?:[.:)](?=[ \t])|[ \t]*[–—-](?=[ \t]))*[ \t]+"
    r"(?-i:(?!Abs|Satz|Nr|Nummer|Buchst|Al|Lit|Para|[A-ZÄÖÜ]{2})(?=[\"“„«(]?[A-ZÀ-ÞА-ЯЁ\d(]))"
    r"|(?P<cjk>第[ ]?(?P<count>[\d一二三四五六七八九十百千〇零]+)[ ]?[条條])[ \t\u3000：:]+(?=\S)",
    re.IGNORECASE,
)
PARAGRAPH = re.compile(r"(\d{1,3})[ \t](?=[\"“]?[A-ZÀ-Þ][^|\t]*$)")
LONGEST_TITLE = 12  # words


class Numbering:
    """Reads the clause numbers of a document line by line. A number is one where it goes on from the last."""

    def __init__(self) -> None:
        self.last: Number = ()
        self._lists: set[Number] = set()  # the numbers whose sentence the clauses below complete

    def note(self, words: str, heading: bool = False) -> None:
        """Take notice of a heading or list marker, which may bear a number."""
        match = LEADING.match(words.lstrip("*_# "))
        number = number_of(match[1]) if match else ()
        inner = len(number) == 1 < len(self.last) and number[0] != self.last[0] + 1  # "1." in a list below "3.3"
        if number and (heading or not inner):
            self.last = number

    def read(self, line: str, above: str, wrapped: bool) -> str:
        """The number that the line begins with and the blanks behind it; "" where it is none. `above` is the last line that
        is not blank, "" below a heading; `wrapped` says whether no blank line stands between."""
        match = DOTTED.match(line)
        number = number_of(match[1]) if match else ()
        if not match or not (self._goes_on(number) or (not self.last and number[-1] == 1)):
            return ""
        parent = number[:-1]
        ends = not above or not wrapped or bool(ENDED.search(above))
        if not line[match.end()].islower():
            return match.group() if ends else ""
        # Only what completes a sentence begins with a small letter: "clause\n3.2 does not apply" is a wrapped line.
        opens = (
            parent == self.last and number[-1] == 1 and bool(LED.search(above) or (above and not ENDED.search(above)))
        )
        if opens:
            self._lists.add(parent)
            return match.group()
        listed = parent in self._lists and (ends or above.rstrip().endswith(","))
        return match.group() if listed else ""

    def _goes_on(self, number: Number) -> bool:
        """(3, 3) is followed by (3, 3, 1), (3, 4) and (4, 1)."""
        last, same = self.last, 0
        while same < min(len(last), len(number)) and last[same] == number[same]:
            same += 1
        if not last or same == len(number):
            return False
        begins = all(part == 1 for part in number[same + 1 :])
        return begins and number[same] == (1 if same == len(last) else last[same] + 1)


def number_of(words: str) -> Number:
    return tuple(int(part) for part in words.split("."))


def named_labels(lines: Sequence[Line], written: Iterable[int]) -> dict[int, str]:
    """By line, the beginning "§ 4 ", "Article 5. " or "第三条　" of a clause, where the one before or after it has its own."""
    found: dict[int, re.Match[str]] = {}
    for index in written:
        match = NAMED.match(lines[index].text.lstrip(" \t>"))
        if match and (index == 0 or lines[index - 1].blank or ENDED.search(lines[index - 1].text)):
            found[index] = match
    kinds = {index: (match["name"] or match["cjk"][-1]).casefold() for index, match in found.items()}
    numbers = {(kinds[index], number_of(match["number"])) for index, match in found.items() if match["number"]}
    many = {kind for kind, count in Counter(kinds.values()).items() if count > 1}
    return {
        index: match.group()
        for index, match in found.items()
        if (kinds[index] in many if match["cjk"] else has_neighbour(kinds[index], match["number"], numbers))
    }


def paragraph_numbers(lines: Sequence[Line], written: Iterable[int]) -> dict[int, str]:
    """By line, the number of a paragraph without a full stop, "12 The applicant ...", where three in a row have theirs."""
    found = [
        (index, match)
        for index in written
        if (index == 0 or lines[index - 1].blank) and (match := PARAGRAPH.match(lines[index].text))
    ]
    runs: list[list[tuple[int, re.Match[str]]]] = []
    for index, match in found:
        follows = runs and int(match[1]) == int(runs[-1][-1][1][1]) + 1
        runs[-1].append((index, match)) if follows else runs.append([(index, match)])
    return {index: match.group() for run in runs if len(run) > 2 for index, match in run}


def has_neighbour(kind: str, number: str, numbers: set[tuple[str, Number]]) -> bool:
    *head, last = number_of(number)
    return any((kind, (*head, last + step)) in numbers for step in (-1, 1))


def titles_between(
    lines: Sequence[Line], written: Sequence[int], headings: Mapping[int, Heading]
) -> dict[int, Heading]:
    """Lines without marks that are headings beside marked ones by their numbers: "1.1.2 Storage" below "### 1.1.1 Materials"."""
    levels: dict[Number, int] = {}
    for heading in headings.values():
        if match := LEADING.match(heading.title.lstrip("*_ ")):
            levels.setdefault(number_of(match[1]), heading.level)
    found: dict[int, Heading] = {}
    for at in range(len(written) - 1) if levels else ():
        index = written[at]
        line, below = lines[index], lines[written[at + 1]]
        title = line.text.strip().strip("*_").strip()
        match = TITLED.match(title)
        alone = (index == 0 or lines[index - 1].blank or index - 1 in headings) and lines[index + 1].blank
        short = len(title.split()) <= LONGEST_TITLE and title[-1:] not in (*".,;:!?。，；：！？",)
        if not match or index in headings or not alone or not short or title[match.end()].islower():
            continue
        number = number_of(match[1])
        beside = [(*number[:-1], number[-1] + step) for step in (-1, 1)]
        level = next((levels[other] for other in beside if other in levels), 0)
        level = level or (levels.get(number[:-1], 0) + 1 if len(number) > 1 and number[:-1] in levels else 0)
        listed = [TITLED.match(other.text.strip().strip("*_ ")) for other in (lines[written[at - 1]], below) if at]
        if level and not any(other and number_of(other[1]) in beside for other in listed):
            found[index] = Heading(line.start, line.end, level, title)
            levels.setdefault(number, level)
    return found
