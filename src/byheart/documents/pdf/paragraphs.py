"""Paragraphs from the lines of a layout: headings marked, wrapped lines joined, notes and captions behind the sentence that they cut."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from byheart.documents.grids import table_row, table_text
from byheart.documents.languages.folding import RAISED
from byheart.documents.pdf.layout import Layout, Region, Table
from byheart.documents.pdf.words import Line
from byheart.documents.structure.outline import BULLET, MARKER, NAMED

HYPHENATED = re.compile(r"(\w*[^\W\d_])[-\u00ad\u2010]\Z")
SENTENCE_END = re.compile(r"[.!?:;。！？][\"”’»)\]\d⁰¹²³⁴⁵⁶⁷⁸⁹]*$")
TAIL = 100  # letters of a paragraph that tell whether it goes on: all of a hostile one would take hours
CAPTION = re.compile(
    r"(?:fig(?:ure|\.)?|table|tab\.|abb(?:ildung|\.)|tabelle|tableau|figura|tabla|plate|chart|box)\s*[\dIVX]+", re.I
)
NOTE = re.compile(r"(?:[\d⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}|[*†‡§¶]{1,3})[.)]?\s*(?=\S)")
DEPTH = re.compile(r"(?:\d{1,3}|[A-Z](?=\.\d))(?:\.\d{1,3})*\.?\s+(?=\S)")
WIDE_LETTER = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u30ff]")
NO_LEAD = re.compile(r"\s*(?:\.\s?){4,}\s*|…{2,}")


@dataclass
class Piece:
    """A paragraph in the making. "note", "caption", "table" and "code" stand apart from the running text."""

    kind: str  # "text", "heading", "note", "caption", "table", "code"
    text: str
    full: bool = True  # whether its last line reaches the end of its column
    size: float = 0.0
    bold: bool = False


@dataclass(frozen=True)
class Type:
    """How the document is set: the size of most letters, and by size the usual step from line to line."""

    size: float
    steps: dict[int, float]
    mono: bool = False  # whether the text itself is in letters of one width, which then tell no code

    def step(self, size: float) -> float:
        return self.steps.get(round(size), 1.25 * size)


def find_type(layouts: Sequence[Layout]) -> Type:
    letters: Counter[float] = Counter()
    mono = 0
    steps: dict[int, list[float]] = defaultdict(list)
    for region in regions(layouts):
        for row in region.rows:
            for line in row:
                letters[round(line.size, 1)] += len(line.text)
                mono += len(line.text) * line.mono
        for above, below in pairwise(region.rows):
            if abs(above[0].size - below[0].size) < 0.5 and above[0].y > below[0].y:
                steps[round(below[0].size)].append(round(above[0].y - below[0].y, 1))
    usual = {size: Counter(found).most_common(1)[0][0] for size, found in steps.items() if len(found) >= 3}
    usual = {size: step for size, step in usual.items() if step < 2.6 * size}
    return Type(letters.most_common(1)[0][0] if letters else 1.0, usual, mono > 0.6 * letters.total())


def regions(layouts: Sequence[Layout]) -> Iterator[Region]:
    return (part for layout in layouts for part in layout.parts if isinstance(part, Region))


def write_text(layouts: Sequence[Layout], heights: Sequence[float]) -> str:
    """The text of the pages as paragraphs, Markdown headings and tables. `heights` are the pages' heights."""
    type = find_type(layouts)
    words = Counter(
        re.findall(
            r"\w+(?:-\w+)*",
            " ".join(line.text for region in regions(layouts) for row in region.rows for line in row).lower(),
        )
    )
    pieces: list[Piece] = []
    tables: list[Table] = []
    for layout, height in zip(layouts, heights, strict=True):
        first = len(pieces)
        for part in layout.parts:
            if isinstance(part, Table):
                if pieces and pieces[-1].kind == "table" and same_table(tables[-1], part):
                    rows = part.rows[part.rows[0] == tables[-1].rows[0] :]
                    pieces[-1].text += "".join("\n" + table_row(row) for row in rows)
                    tables[-1] = replace(part, rows=tables[-1].rows)
                else:
                    pieces.append(Piece("table", table_text(part.rows, part.header)))
                    tables.append(part)
            else:
                pieces += read_pieces(part, type, height, words)
        drop_marks(pieces[first:])
    return "\n\n".join(joined(mark_headings(pieces, type), words))


def drop_marks(pieces: Sequence[Piece]) -> None:
    """Takes the numbers of a page's notes from the notes, and from behind the words that they belong to."""
    marks = []
    for piece in pieces:
        if piece.kind == "note" and (mark := NOTE.match(piece.text)):
            marks.append(mark[0].strip(" .)").translate(RAISED))
            piece.text = piece.text[mark.end() :]
    if marks:
        signs = re.compile(
            rf"(?:(?<=[^\W\d_]{{3}})|(?<=[.,;:!?\"”’)]))(?:{'|'.join(map(re.escape, marks))})(?![\d⁰¹²³⁴⁵⁶⁷⁸⁹])"
        )
        for piece in pieces:
            piece.text = signs.sub("", piece.text)


def same_table(above: Table, below: Table) -> bool:
    """Whether a table goes on at the top of the next page: the same columns, or the same header."""
    if len(above.gutters) != len(below.gutters) or below.page != above.page + 1:
        return False
    near = all(max(a, c) < min(b, d) for (a, b), (c, d) in zip(above.gutters, below.gutters, strict=True))
    return above.rows[0] == below.rows[0] or (near and not below.bold)


def read_pieces(region: Region, type: Type, height: float, words: Counter[str]) -> list[Piece]:
    """The paragraphs of a column."""
    rows = [row for row in region.rows if row]
    if not rows:
        return []
    left, right = min(row[0].x0 for row in rows), sorted(row[-1].x1 for row in rows)[int(0.9 * (len(rows) - 1))]
    pieces: list[Piece] = []
    above: list[Line] | None = None
    for row in rows:
        text = NO_LEAD.sub(" ..... ", " ".join(line.text for line in row))
        size = median(line.size for line in row)
        bold = all(line.bold for line in row)
        full = row[-1].x1 > right - 0.12 * (right - left)
        if not type.mono and all(line.mono for line in row) and is_code(above, row, pieces, type):
            if above is None or not pieces or pieces[-1].kind != "code" or not 0 < above[0].y - row[0].y < 4 * size:
                pieces.append(Piece("code", code_line(row, left), size=size))
            else:
                blank = "\n" * (above[0].y - row[0].y > 1.7 * type.step(size))
                pieces[-1].text += "\n" + blank + code_line(row, left)
            above = row
            continue
        if (
            above is None
            or pieces[-1].kind == "code"
            or starts_paragraph(above, row, pieces[-1], text, type, left, right)
        ):
            kind = "text"
            if CAPTION.match(text) and (
                size < 0.97 * type.size or bold or re.match(r"\w+\.?\s*[\dIVX.]+\s*[:.–—|]", text)
            ):
                kind = "caption"
            elif size < 0.93 * type.size and NOTE.match(text) and row[0].y < 0.45 * height:
                kind = "note"
            pieces.append(Piece(kind, text, full, size, bold))
        else:
            piece = pieces[-1]
            piece.text, piece.full, piece.bold = join(piece.text, text, words), full, piece.bold and bold
        above = row
    return pieces


def is_code(above: Sequence[Line] | None, row: Sequence[Line], pieces: Sequence[Piece], type: Type) -> bool:
    """Whether a row in letters of one width stands apart: an address may fill a line of a paragraph."""
    if above is None or pieces[-1].kind == "code":
        return True
    if pieces[-1].bold and all(line.bold for line in row):  # a heading of two lines
        return False
    ended = bool(SENTENCE_END.search(pieces[-1].text[-TAIL:]))
    indented = row[0].x0 > above[0].x0 + row[0].size
    return (
        (ended and indented) or above[0].y - row[0].y > 1.15 * type.step(row[0].size) or pieces[-1].text.endswith(":")
    )


def code_line(row: Sequence[Line], left: float) -> str:
    """The row with as many blanks as fit before it and into its gaps."""
    text = ""
    for line in row:
        width = max((line.x1 - line.x0) / max(len(line.text), 1), 0.3 * line.size)
        text += " " * min(max(round((line.x0 - left) / width) - len(text), bool(text)), 200) + line.text
    return text


def starts_paragraph(
    above: Sequence[Line], row: Sequence[Line], piece: Piece, text: str, type: Type, left: float, right: float
) -> bool:
    size, step = row[0].size, above[0].y - row[0].y
    usual = type.step(size)
    ended = bool(SENTENCE_END.search(piece.text[-TAIL:]))
    if not 0.88 < size / max(piece.size, 0.1) < 1.13 or step < 0:
        return True
    if len(row) > 1 and len(above) > 1:  # what stands in rows without being a table
        return True
    if HYPHENATED.search(piece.text[-TAIL:]) and text[:1].islower() and step < 2 * usual:
        return False
    runs_on = text[:1].islower() and not ended and not (MARKER.match(text) or NOTE.match(text))
    if step > 1.35 * usual and not (runs_on and step < 2.2 * usual):
        return True
    bold = all(line.bold for line in row)
    if bold != all(line.bold for line in above) and not runs_on:
        return True
    if BULLET.match(text) or (piece.kind == "note" and NOTE.match(text) and ended):
        return True
    share = (above[-1].x1 - above[0].x0) / max(right - left, 1.0)
    opens = text[:1].isupper() or not text[:1].isalpha()
    if MARKER.match(text) and (
        ended or re.search(r"\b(?:and|or)$", piece.text[-TAIL:]) or (MARKER.match(piece.text) and share < 0.8)
    ):
        return True
    if ended:
        indented = row[0].x0 > left + 0.8 * size and above[0].x0 < left + 0.4 * size
        return bool(NAMED.match(text)) or (opens and (indented or above[-1].x1 - left < 0.85 * (right - left)))
    return opens and (share < 0.6 or bool(NAMED.match(text))) and not piece.text.endswith(",")


def mark_headings(pieces: list[Piece], type: Type) -> list[Piece]:
    """Larger or bold lines between the text become Markdown headings, the largest type the outermost."""
    likely = [piece.kind == "text" and is_heading(piece, type) for piece in pieces]
    # One of several in a row heads nothing: these are the lines of an address or of a cover, and nobody asks about headings.
    heads = [
        piece
        for piece, yes, following, next_yes in zip(pieces, likely, pieces[1:], likely[1:], strict=False)
        if yes and not (next_yes and round(piece.size) <= round(following.size))
    ]
    sizes = sorted({round(piece.size) for piece in heads}, reverse=True)[:5]
    placed = [
        (next((at for at, size in enumerate(sizes) if round(piece.size) >= size), len(sizes)), piece) for piece in heads
    ]
    # Of one size, "2.1" stands below "2", and what has no number as high as the highest.
    ranks: dict[int, int] = {}
    for place, piece in placed:
        if number := DEPTH.match(piece.text):
            ranks[place] = min(ranks.get(place, 9), number[0].strip(" .").count("."))
    levels = sorted({(place, depth_of(piece, ranks.get(place, 0)) - ranks.get(place, 0)) for place, piece in placed})
    for place, piece in placed:
        level = levels.index((place, depth_of(piece, ranks.get(place, 0)) - ranks.get(place, 0))) + 1
        piece.kind, piece.text = "heading", "#" * min(level, 6) + " " + piece.text
    return pieces


def depth_of(piece: Piece, other: int = 0) -> int:
    """1 for "2.1 Scope", 0 for "2 Scope"."""
    number = DEPTH.match(piece.text)
    return number[0].strip(" .").count(".") if number else other


def is_heading(piece: Piece, type: Type) -> bool:
    text = piece.text
    if " ..... " in text or len(text) > 160 or len(text.split()) > 16 or not re.search(r"[^\W\d_]{2}", text):
        return False
    if text.endswith((",", ";")) or BULLET.match(text):
        return False
    larger = piece.size > 1.12 * type.size
    bold = piece.bold and piece.size > 0.85 * type.size and not text.endswith((".", ":"))
    capitals = bool(DEPTH.match(text)) and text.isupper() and len(re.findall(r"[^\W\d_]", text)) >= 4
    return capitals or (larger and not (text.endswith(".") and len(text.split()) > 6)) or bold


def joined(pieces: Sequence[Piece], words: Counter[str]) -> list[str]:
    """The texts, a sentence that a page, a column, a note or a table cuts made whole again."""
    out: list[str] = []
    waiting: list[str] = []
    last: Piece | None = None
    for piece in pieces:
        if piece.kind == "code":
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", piece.text)), default=0))
            out += [*waiting, f"{fence}\n{piece.text}\n{fence}"]
            waiting, last = [], None
            continue
        if piece.kind in ("note", "caption", "table"):
            (waiting if last and is_open(last) else out).append(piece.text)
            continue
        if last and piece.kind == "text" and is_open(last) and continues(last, piece):
            last.text, last.full = join(last.text, piece.text, words), piece.full
            out[-1] = last.text
            continue
        out += waiting
        waiting = []
        out.append(piece.text)
        last = piece
    return [*out, *waiting]


def is_open(piece: Piece) -> bool:
    return piece.kind == "text" and not SENTENCE_END.search(piece.text[-TAIL:])


def continues(above: Piece, below: Piece) -> bool:
    if MARKER.match(below.text) or NAMED.match(below.text) or not 0.9 < below.size / max(above.size, 0.1) < 1.1:
        return False
    return (
        below.text[:1].islower() or bool(HYPHENATED.search(above.text[-TAIL:])) or (above.full and len(above.text) > 40)
    )


def join(paragraph: str, line: str, words: Counter[str]) -> str:
    """ "exam-" and "ple" are "example", but "well-" and "known" stay "well-known" where the text has that elsewhere."""
    broken = HYPHENATED.search(paragraph[-TAIL:])
    if broken and line[:1].islower():
        rest = re.match(r"\w+", line)
        before, after = broken[1].lower(), rest[0].lower() if rest else ""
        keeps = words[f"{before}-{after}"] > 0 and words[before + after] == 0
        return (paragraph if keeps else paragraph[:-1]) + line
    if paragraph and line and WIDE_LETTER.match(paragraph[-1]) and WIDE_LETTER.match(line[0]):
        return paragraph + line
    dashed = re.search(r"\w[-\u2010]$", paragraph[-2:]) and line[:1].isalnum()  # "COVID-" and "19"
    return paragraph + ("" if dashed else " ") + line
