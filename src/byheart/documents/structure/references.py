"""Lists of references: they say where other texts stand, not what this one says. They are left out and counted."""

import re
from dataclasses import dataclass

from byheart.documents.languages.language import count_words
from byheart.documents.markdown.masks import Masks
from byheart.records import LeftOut, all_left_out

_NAMES = (
    r"references?(?: cited| list)?|list of references|bibliography|selected bibliography|works cited|literature(?: cited)?|cited literature|sources|"
    r"further reading|literatur(?:verzeichnis|angaben|hinweise|nachweise)?|quellen(?:verzeichnis|angaben)?|einzelnachweise|bibliographie|"
    r"r[ée]f[ée]rences(?: bibliographiques)?|bibliograf[íi]a|referencias(?: bibliogr[áa]ficas)?|riferimenti(?: bibliografici)?|"
    r"refer[êe]ncias(?: bibliogr[áa]ficas)?|literatuur(?:lijst)?|bibliografie|källor|litteratur|источники|(?:список )?литератур[аы]|参考文献|文献|引用文献|참고문헌"
)
_HEADING = re.compile(
    rf"^(?:#{{1,6}}[ \t]+)?(?:\**)(?:\d{{1,2}}(?:\.\d{{1,2}})*\.?[ \t]+|[A-Z]\.[ \t]+)?(?:{_NAMES}):?(?:\**)[ \t]*#*[ \t]*$",
    re.I | re.M,
)
_MARKER = re.compile(
    r"[ \t]*(?:\[(?P<number>\d{1,3})\]|\[\w{1,20}[+\d]{1,6}\]|(?P<point>\d{1,3})\.(?=\s)|[-*•])[ \t]*(?:\^[ \t]*)?"
)
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
_PLACE = re.compile(
    r"https?://|\bdoi\b|\barXiv\b|\bISBN\b|\bISSN\b|\bpp?\.\s?\d|\bS\.\s?\d|\bvol\.|\bBd\.|\d+\s?\(\d+\)|:\s?\d+[–-]\d+|\d+[–-]{1,2}\d+"
)
_AUTHOR = re.compile(
    r"\b[A-ZÀ-Þ]\.[ -]?(?:[A-ZÀ-Þ]\.[ -]?){0,3}[A-ZÀ-Þ][\w’'-]+|\b[A-ZÀ-Þ][\w’'-]+,\s(?:[A-ZÀ-Þ]\.|[A-ZÀ-Þ][a-zà-ÿ]+[.,(;:])|\bet al\b|\bu\. ?a\.|^[A-ZÀ-Þ][\w’'-]+ [A-ZÀ-Þ][\w’'-]+[:,(]"
)
_WORK = re.compile(
    r"\b(?:Press|Publish\w+|Journal|J\.|Proc\.|Proceedings|Conference|Conf\.|University|Universit\w+|Verlag|Trans\.|Ann\.|Rev\.|Eds?\.|[Ee]ds?\.|Hrsg\.|edn?\.|Aufl\.|Retrieved|Abgerufen|Accessed|archived?|thesis|Dissertation|Magazine)|\[(?:[MJDCNRSG]|EB/OL|DB/OL)\]|出版社|学报|雑誌|論文|[\"“„«][^\"”“»]{8,}[\"”“»]|\*[^*]{6,}\*"
)
_CITED = re.compile(r"(?P<before>[\w)\"”’.,])[ \t]?\[(?P<numbers>\d{1,3}(?:[ \t]?[,;–-][ \t]?\d{1,3}){0,12})\]")
_GOVERNS = re.compile(
    r"\b(?:in|of|see|by|from|to|and|or|with|cf|at|ref|refs|reference|references|siehe|vgl|than|as|following)\.?$", re.I
)
LEAST = 2  # entries; a lone one is left out where it bears a number
MOST_SHARE = 0.5  # of the words; a text that is a bibliography is read


@dataclass(frozen=True)
class _Entry:
    start: int
    end: int
    words: str
    number: str


def leave_out_references(text: str) -> tuple[str, list[LeftOut]]:
    """The text without lists of references and without the marks "[3]" that lead into them, and a remark on what went."""
    if not (_HEADING.search(text) or re.search(r"^[ \t]*\[1\]", text, re.M)):
        return text, []
    cuts: list[tuple[int, int]] = []
    numbers: set[str] = set()
    left = 0
    for heading in [*_HEADING.finditer(text), *re.finditer(r"^(?=[ \t]*\[1\][ \t])", text, re.M)]:
        if any(start <= heading.start() < end for start, end in cuts):
            continue
        entries = _entries(text, heading.end())
        bare = not heading[0]
        if bare and not all(entry.number for entry in entries):
            entries = entries[: next(at for at, entry in enumerate(entries) if not entry.number)]
        if len(entries) < (3 if bare else LEAST) and not (entries and not bare and entries[0].number):
            continue
        rest = text[entries[-1].end :].lstrip("\n")
        # Where text goes on below, its heading stays above it.
        start = heading.start() if not rest or rest.startswith("#") or bare else entries[0].start
        cuts.append((start, entries[-1].end))
        numbers |= {entry.number for entry in entries}
        left += len(entries)
    gone = sum(count_words(text[start:end]) for start, end in cuts)
    if not cuts or gone > MOST_SHARE * count_words(text):
        return text, []
    for start, end in sorted(cuts, reverse=True):
        text = f"{text[:start].rstrip()}\n\n{text[end:].lstrip(chr(10))}"
    text, marks = _without_marks(text.strip("\n"), numbers)
    return text, all_left_out({"reference": left, "reference mark": marks})


def _entries(text: str, start: int) -> list[_Entry]:
    """The entries from there on that cite a work; an entry is a paragraph, or a line with a marker and what continues it."""
    found: list[_Entry] = []
    at = start
    own: list[tuple[int, str]] = []
    blank = True

    def close() -> bool:
        """Take the open entry. False where it is none."""
        if not own:
            return True
        words = " ".join(line.strip() for _, line in own)
        marker = _MARKER.match(words)
        number = (marker["number"] or marker["point"] or "") if marker else ""
        if not cites(words[marker.end() :] if marker else words):
            return False
        found.append(_Entry(own[0][0], own[-1][0] + len(own[-1][1]), words, number))
        own.clear()
        return True

    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end]
        if not line.strip():
            blank = True
        elif line.startswith("#") or line.lstrip().startswith(("|", "```")):
            break
        else:
            # An entry begins at a marker, behind a blank line, or where each line is one.
            if (_MARKER.match(line) or blank or (own and cites(own[-1][1]) and cites(line))) and not close():
                return found
            own.append((at, line))
            blank = False
        at = end + 1
        if len(own) > 12:
            return found
    close()
    return found


def cites(words: str) -> bool:
    """Whether the words name a work: at least two of author, year, place in a volume or on the web, publisher or title."""
    if not 3 <= count_words(words) <= 120:
        return False
    signs = [bool(pattern.search(words)) for pattern in (_YEAR, _PLACE, _AUTHOR, _WORK)]
    return sum(signs) >= 2 and (signs[0] or signs[1])


def _without_marks(text: str, numbers: set[str]) -> tuple[str, int]:
    masks = Masks()
    marks = 0

    def cited(match: re.Match[str]) -> str:
        nonlocal marks
        named = re.findall(r"\d+", match["numbers"])
        governed = match["before"].isalpha() and _GOVERNS.search(
            match.string[max(0, match.start() - 12) : match.start() + 1]
        )
        if not set(named) <= numbers or governed:
            return match[0]
        marks += 1
        return match["before"]

    return masks.show(_CITED.sub(cited, masks.hide_code(text))), marks
