"""Tables of contents, lists of figures and indexes: they repeat headings and are no text to learn.

They are told by their page numbers, by links to anchors, or by the headings below that they name. What only looks like
one (a menu with prices) stays.
"""

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from byheart.records import LeftOut

PLURALS = {"table of contents": "tables of contents", "index": "indexes"}
LEAST_ENTRIES = 3
MOST_BETWEEN = 2  # lines without a page number inside a table of contents: names of parts, titles of two lines
OPENING = 60  # lines; a list of chapters without page numbers and without a heading "Contents" stands among them
MOST_CHAPTERS = 300
LINE = 200  # characters; a longer line is text
_WORDS = (
    r"(?:table of )?contents|toc|in this (?:document|guide|article|chapter)|inhalt(?:sverzeichnis|sübersicht)?|sommaire|table des matières|"
    r"tabla de contenidos?|[ií]ndice(?: general)?|contenidos?|indice|sommario|sumário|inhoud(?:sopgave)?|spis treści|obsah|"
    r"содержание|оглавление|目\s?录|目\s?錄|目\s?次|차례|목차|المحتويات|فهرس|İçindekiler|innehåll|indhold|innhold|sisällys"
)
_FIGURES = (
    r"(?:list|table|index) of (?:figures|tables|illustrations|maps|plates|abbreviations)|(?:figures|tables|illustrations)|"
    r"abbildungsverzeichnis|tabellenverzeichnis|(?:table|liste) des (?:figures|tableaux|illustrations)|"
    r"[ií]ndice de (?:figuras|tablas|tabelas|cuadros)|图\s?目录|表\s?目录|図目次|表目次|список (?:рисунков|таблиц)"
)
_MARKS = r"[#*_\s\d.]*"
HEADED = re.compile(rf"{_MARKS}(?:{_WORDS}|{_FIGURES})[\s:：*_#]*", re.IGNORECASE)
INDEX = re.compile(
    r"[#*_\s]*(?:(?:general |subject |name |author )?index|(?:sach|stichwort|personen|namens)?(?:register|verzeichnis)|"
    r"index (?:des .{1,20}|alphabétique|général)|índice (?:alfabético|analítico|temático)|indice analitico|索\s?引|"
    r"предметный указатель|указатель)[\s:：*_#]*",
    re.IGNORECASE,
)
_PAGE = r"(?:(?:p\.|pp\.|page|seite|s\.|стр\.|第)\s?)?(?P<page>\d{1,4}|[ivxlc]{1,7}|[A-Z]?-?\d{1,3}-\d{1,3})\s?页?"
# ". . . . 7", "....... 7", "…… 7", "___ 7", a tab or three blanks before the page.
LEADER = re.compile(
    rf"^(?P<title>.*?[^\s.·…_‥・-])\s*(?:(?:[.·…_‥・]\s?){{3,}}|…+|-{{3,}}|\s-\s-\s-[\s-]*)\s*{_PAGE}\s*$"
)
BLANKS = re.compile(rf"^(?P<title>.*?\S)(?:\t+| {{2,}}|\u3000+)[ \t]*{_PAGE}\s*$")
LOOSE = re.compile(rf"^(?P<title>.*?[^\s\d]) {_PAGE}\s*$")
ANCHOR = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)])?\s*\[(?P<title>[^\]]+)\]\(#[^)]*\)\s*$")
ENTRY = re.compile(r"^\s*(?:[-*+•]\s+)?(?P<title>.*?\S)\s*$")
INDEXED = re.compile(
    r"^.{1,80}?[,:]?\s+\d{1,4}(?:\s?[-–]\s?\d{1,4})?f{0,2}(?:[,;]\s*\d{1,4}(?:\s?[-–]\s?\d{1,4})?f{0,2}\.?)*\s*$"
    r"|^.{1,60}[,.;]?\s(?:see(?: also)?|siehe(?: auch)?|s\.\s?a\.|voir(?: aussi)?|véase)\s.{1,60}$|^\s*\w\s*$",
    re.IGNORECASE,
)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(
    r"^(?:(?:chapter|part|section|kapitel|teil|chapitre|partie|§)\s*)?[\divxlc]+(?:\.\d+)*[.):]?\s+", re.IGNORECASE
)


@dataclass(frozen=True)
class Found:
    """A table of contents or an index: `first` to `last` are indices of lines, its heading among them."""

    kind: str
    first: int
    last: int
    entries: int


def leave_out_contents(text: str) -> tuple[str, list[LeftOut]]:
    """The text without tables of contents and indexes, and what was left out."""
    lines = text.split("\n")
    found = find_contents(lines)
    kept: list[str] = []
    last = 0
    for each in found:
        kept += lines[last : each.first]
        last = each.last + 1
    rest = "\n".join([*kept, *lines[last:]])
    if not found or not any(map(str.isalnum, rest)):
        return text, []
    counts = Counter(each.kind for each in found)
    first = {each.kind: lines[each.first].strip()[:40] for each in reversed(found)}
    return rest, [LeftOut(PLURALS[kind], count, first[kind]) for kind, count in counts.items()]


def find_contents(lines: list[str]) -> list[Found]:
    later: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        if line and len(line) <= LINE and may_head(line) and (title := normal(line)):
            later.setdefault(title, []).append(index)
    found: list[Found] = []
    tried: dict[str, int] = {}  # by pattern, the end of a run that was no table of contents: it is not read again
    index = written = 0
    while index < len(lines):
        if lines[index] and len(lines[index]) <= LINE and may_head(lines[index]):
            written += 1
            each = contents_at(lines, index, later, tried, written <= OPENING) or index_at(lines, index)
            if each:
                found.append(each)
                index = each.last
        index += 1
    return found


def contents_at(
    lines: list[str], index: int, later: dict[str, list[int]], tried: dict[str, int], opening: bool
) -> Found | None:
    """The table of contents that begins with this line, which is its heading or its first entry."""
    headed = HEADED.fullmatch(lines[index]) is not None
    begin = next_written(lines, index + 1) if headed else index
    for pattern in (ANCHOR, LEADER, BLANKS, *((LOOSE,) if headed else ())):
        if index <= tried.get(pattern.pattern, -1) or (not headed and not pattern.match(lines[index])):
            continue
        at = run(lines, begin, pattern)
        matches = [match for number in at if (match := pattern.match(lines[number]))]
        if not matches:
            continue
        titles = [normal(match["title"]) for match in matches]
        named = sum(title in later and later[title][-1] > at[-1] for title in titles)
        few = len(at) < (2 if headed or pattern is ANCHOR else LEAST_ENTRIES)
        paged = pattern is ANCHOR or are_pages([match["page"] for match in matches])
        # Without a heading "Contents", entries must be headings below: prices stand behind dots too.
        sure = pattern is ANCHOR or (headed and pattern is not LOOSE) or named >= 0.5 * len(titles)
        if not few and paged and sure:
            return Found("table of contents", index, at[-1], len(at))
        tried[pattern.pattern] = at[-1]
    at = chapters(lines, begin, later) if headed or opening else []
    marked = bool(at) and all(lines[later[normal(lines[place])][-1]].startswith("#") for place in at)
    if len(at) < (2 if headed else 3 if marked else 4):
        return None
    above = next((place for place in range(index - 1, -1, -1) if not blank(lines[place])), index)
    leads = not headed and lines[above].rstrip().endswith((":", "：")) and len(lines[above].split()) <= 6
    return Found("table of contents", above if leads else index, at[-1], len(at))


def run(lines: list[str], begin: int, pattern: re.Pattern[str]) -> list[int]:
    """Indices of the entries from a line on, until lines that are none."""
    found: list[int] = []
    between = 0  # lines in a row that are no entries
    for index in range(begin, len(lines)):
        text = lines[index]
        if blank(lines[index]):
            continue
        if found and HEADED.fullmatch(text):  # a list of figures has a heading of its own
            break
        if len(text) <= LINE and pattern.match(text) and not text.rstrip().endswith(("!", "?")):
            found.append(index)
            between = 0
        elif (
            len(text) > 80
            or text.rstrip().endswith((".", "。", ":"))
            or between == MOST_BETWEEN
            or (not found and between)
        ):
            break
        else:
            between += 1
    return found


def are_pages(pages: list[str]) -> bool:
    """Whether numbers rise as pages do; one in ten may be a misprint."""
    numbers = [int(page) for page in pages if page.isdigit()]
    falls = sum(b < a for a, b in pairwise(numbers))
    return len(numbers) < 2 or falls <= 0.1 * len(numbers)


def chapters(lines: list[str], begin: int, later: dict[str, list[int]]) -> list[int]:
    """The lines from one on that are all headings of the text below them, in this order and with text between."""
    found: dict[str, tuple[int, int]] = {}  # by title, the line of the entry and that of the heading
    last = begin
    for index in range(begin, len(lines)):
        title = "" if blank(lines[index]) else normal(lines[index])
        places = later.get(title, [])
        at = bisect_right(places, last)
        first = next(iter(found.values()))[1] if found else len(lines)
        if blank(lines[index]) and index < first:
            continue
        if title in found or at == len(places) or index >= first or len(found) > MOST_CHAPTERS:
            break
        found[title] = index, last = index, places[at]
    entries = [entry for entry, _ in found.values()]
    places = [place for _, place in found.values()]
    if not found or places[0] <= entries[-1]:
        return []
    headings = set(places)
    apart = [next_written(lines, place + 1) not in headings for place in places]
    alone = all(blank(lines[place - 1]) or lines[place].startswith("#") for place in places)
    return entries if alone and sum(apart) >= 0.5 * len(apart) else []


def index_at(lines: list[str], index: int) -> Found | None:
    """The index of a book that begins with this line, its heading."""
    if not INDEX.fullmatch(lines[index]):
        return None
    found: list[int] = []
    for at in range(index + 1, len(lines)):
        if blank(lines[at]):
            continue
        if not INDEXED.match(lines[at][:LINE]):
            break
        found.append(at)
    return Found("index", index, found[-1], len(found)) if len(found) >= LEAST_ENTRIES else None


def next_written(lines: list[str], index: int) -> int:
    while index < len(lines) and blank(lines[index]):
        index += 1
    return index


def may_head(line: str) -> bool:
    """Whether a line can be a heading or an entry: it is no sentence."""
    line = line.strip()
    return line != "" and (line[-1] not in ".,;!。，；" or line[0] in "#§" or line[0].isdigit())


def blank(line: str) -> bool:
    return not line or line.isspace()


def normal(title: str) -> str:
    """A heading or entry without its number, marks and case, to compare them."""
    title = (_LINK.sub(r"\1", title) if "[" in title else title).strip("#*_+-•> \t")
    return " ".join(_WORD.findall(_NUMBER.sub("", title).casefold()))
