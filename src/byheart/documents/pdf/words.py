"""The words of a page with their places, and the lines that they form."""

import ctypes
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import atan2, degrees, hypot
from statistics import median
from typing import Any

from byheart.documents.languages.folding import LIGATURES, LOWERED, RAISED

SOFT = re.compile(r"\u00ad(?=.)|[\u200b\u2060\ufeff]")
SYMBOL_BULLETS = (0xF0B7, 0xF0A7, 0xF0D8, 0xF076, 0xF06E)  # of the fonts Symbol and Wingdings
LINE_HYPHEN = 2  # what pdfium writes for a hyphen at the end of a line
BOLD = re.compile(rb"bold|black|heavy|cmbx|-bd", re.IGNORECASE)
MONO = re.compile(rb"mono|courier|consol|typewriter|cmtt|cmsltt|menlo|inconsolata", re.IGNORECASE)
FIXED_PITCH = 1  # of a font's flags
MATH_LETTERS = re.compile("[\U0001d400-\U0001d7ff]+")  # of formulas: "𝑥" is an "x"
WIDE_GAP = 1.0  # of the font's size: what is further apart may stand in two columns
RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


@dataclass(frozen=True)
class Word:
    """Places are in points; `y` is the baseline and grows upwards; `spaced` says that a blank stands before it."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    spaced: bool
    mono: bool = False  # in letters of one width, as code is


@dataclass(frozen=True)
class Line:
    """Words on one baseline that no wide gap parts."""

    words: tuple[Word, ...]
    page: int  # from 1

    @cached_property
    def x0(self) -> float:
        return min(word.x0 for word in self.words)

    @cached_property
    def x1(self) -> float:
        return max(word.x1 for word in self.words)

    @cached_property
    def size(self) -> float:
        return median(word.size for word in self.words for _ in word.text)

    @cached_property
    def y(self) -> float:
        return median(word.y for word in self.words)

    @cached_property
    def bold(self) -> bool:
        return all(word.bold for word in self.words)

    @cached_property
    def mono(self) -> bool:
        return all(word.mono for word in self.words)

    @cached_property
    def text(self) -> str:
        parts = [self.words[0].text]
        for left, right in pairwise(self.words):
            apart = right.spaced or max(right.x0 - left.x1, left.x0 - right.x1) > 0.2 * self.size
            parts.append(" " * apart + right.text)
        return "".join(parts)


@dataclass(frozen=True)
class Page:
    """The lines of a page by their direction of writing, most words first, and what is odd about it."""

    number: int  # from 1
    width: float
    height: float
    directions: list[list[Line]]
    rules: list[tuple[float, float, float]]  # horizontal strokes: y, x0, x1
    pictures: float = 0.0  # the share of the page that the largest picture covers
    unknown: int = 0  # characters whose meaning the file does not tell
    chars: int = 0


def read_page(page: Any, number: int) -> Page:
    """Words, strokes and pictures of a page of pdfium."""
    import pypdfium2_raw as pdfium

    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    textpage = pdfium.FPDFText_LoadPage(page)
    turned, unknown, chars = read_words(textpage)
    pdfium.FPDFText_ClosePage(textpage)
    rules, pictures = read_shapes(page, width * height)
    directions = [lines_of(words, number) for _, words in sorted(turned.items(), key=lambda kind: -len(kind[1]))]
    return Page(number, width, height, directions, rules, pictures, unknown, chars)


def read_words(textpage: Any) -> tuple[dict[int, list[Word]], int, int]:
    """Words by their angle in quarter turns, turned upright; the number of characters without meaning, and of all."""
    import pypdfium2_raw as pdfium

    found: dict[int, list[Word]] = defaultdict(list)
    box, matrix, name = pdfium.FS_RECTF(), pdfium.FS_MATRIX(), ctypes.create_string_buffer(80)
    x, y, flags = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    letters: list[str] = []
    places: list[float] = []
    last: tuple[int, float, float, float, float] = (0, 0.0, 0.0, 0.0, 0.0)  # turn, x0, x1, y, size
    bold = mono = spaced = blank = guessed = False
    unknown = total = 0

    def end_word() -> None:
        if letters:
            turn, x0, x1, base, size = last
            if RIGHT_TO_LEFT.match(letters[0]):  # some programs write these in the order seen
                letters[:] = [letters[at] for at in sorted(range(len(letters)), key=lambda at: -places[at])]
            text = SOFT.sub("", "".join(letters).translate(LIGATURES)) or letters[0]
            text = MATH_LETTERS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
            found[turn].append(Word(text, x0, x1, base, size, bold, spaced, mono))
            letters.clear()
            places.clear()

    for at in range(pdfium.FPDFText_CountChars(textpage)):
        code = pdfium.FPDFText_GetUnicode(textpage, at)
        if 0xD800 <= code < 0xDC00 and 0xDC00 <= (low := pdfium.FPDFText_GetUnicode(textpage, at + 1)) < 0xE000:
            code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00  # UTF-16
        elif 0xDC00 <= code < 0xE000 and at and 0xD800 <= pdfium.FPDFText_GetUnicode(textpage, at - 1) < 0xDC00:
            continue
        if 0xD800 <= code < 0xE000 or code in (0, 0xFFFE, 0xFFFF):
            unknown += 1
            code = 0xFFFD
        letter = "-" if code == LINE_HYPHEN else "•" if code in SYMBOL_BULLETS else chr(code)
        if letter.isspace() or (code < 32 and code != LINE_HYPHEN):
            end_word()
            blank = blank or pdfium.FPDFText_IsGenerated(textpage, at) != 1
            guessed = True
            continue
        total += 1
        if (
            (0xE000 <= code < 0xF900 and letter != "•")
            or code == 0xFFFD
            or pdfium.FPDFText_HasUnicodeMapError(textpage, at) == 1
        ):
            unknown += 1
        pdfium.FPDFText_GetLooseCharBox(textpage, at, box)
        pdfium.FPDFText_GetCharOrigin(textpage, at, x, y)
        pdfium.FPDFText_GetMatrix(textpage, at, matrix)
        size = (pdfium.FPDFText_GetFontSize(textpage, at) * hypot(matrix.c, matrix.d)) or 1.0
        turn = round(degrees(atan2(matrix.b, matrix.a)) / 90) % 4
        x0, x1, base = upright(turn, box, x.value, y.value)
        if letters:
            same = turn == last[0] and abs(base - last[3]) < 0.1 * last[4] and 0.85 < size / last[4] < 1.18
            if not same or x0 - last[2] > 0.2 * size or last[1] - x1 > 0.2 * size:
                end_word()
        if not letters:
            # pdfium's own guess counts where there is some gap: it puts blanks into formulas
            spaced = blank or (guessed and not abs(x0 - last[2]) < 0.1 * size)
            blank = guessed = False
            length = pdfium.FPDFText_GetFontInfo(textpage, at, name, 80, flags)
            bold = bool(BOLD.search(name.value)) if 0 < length <= 80 else False
            mono = bool(flags.value & FIXED_PITCH) or (0 < length <= 80 and bool(MONO.search(name.value)))
            last = (turn, x0, x1, base, size)
        last = (turn, min(last[1], x0), max(last[2], x1), last[3], last[4])
        letters.append(letter)
        places.append(x0)
    end_word()
    return found, unknown, total


def upright(turn: int, box: Any, x: float, y: float) -> tuple[float, float, float]:
    """Left end, right end and baseline of a character as if its text ran from left to right."""
    if turn == 1:
        return box.bottom, box.top, -x
    if turn == 2:
        return -box.right, -box.left, -y
    if turn == 3:
        return -box.top, -box.bottom, x
    return box.left, box.right, y


def read_shapes(page: Any, area: float) -> tuple[list[tuple[float, float, float]], float]:
    """Horizontal strokes and edges, and the share of the page under its largest picture."""
    import pypdfium2_raw as pdfium

    rules: list[tuple[float, float, float]] = []
    largest = 0.0
    ends = [ctypes.c_float() for _ in range(4)]
    for at in range(min(pdfium.FPDFPage_CountObjects(page), 5000)):
        shape = pdfium.FPDFPage_GetObject(page, at)
        kind = pdfium.FPDFPageObj_GetType(shape)
        if kind not in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE):
            continue
        if not pdfium.FPDFPageObj_GetBounds(shape, *ends):
            continue
        left, bottom, right, top = (end.value for end in ends)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            largest = max(largest, (right - left) * (top - bottom) / max(area, 1.0))
        elif right - left > 10:
            rules += [(bottom, left, right)] if top - bottom < 3 else [(bottom, left, right), (top, left, right)]
    return rules, largest


def lines_of(words: Sequence[Word], page: int) -> list[Line]:
    """Lines from the top down, those of one baseline from left to right."""
    if not words:
        return []
    usual = median(word.size for word in words)
    rows: list[list[Word]] = []
    small: list[Word] = []
    for word in sorted(words, key=lambda word: -word.y):
        if word.size < 0.85 * usual and len(word.text) <= 4:
            small.append(word)
        elif rows and abs(rows[-1][0].y - word.y) < 0.25 * min(word.size, rows[-1][0].size):
            rows[-1].append(word)
        else:
            rows.append([word])
    tops = [row[0].y for row in rows]
    alone: list[Word] = []
    for word in small:
        near = [row for row, top in zip(rows, tops, strict=True) if abs(top - word.y) < 0.7 * usual]
        hosts = [(row, other) for row in near for other in row if abs(word.x0 - other.x1) < 0.25 * usual]
        if hosts:
            row, other = min(hosts, key=lambda host: abs(host[1].y - word.y))
            row.append(beside(word, other))
        elif near and min(abs(row[0].y - word.y) for row in near) < 0.1 * usual:
            min(near, key=lambda row: abs(row[0].y - word.y)).append(word)
        else:
            alone.append(word)
    for word in alone:  # a marker before its footnote, or a row of small print
        hosts_right = [
            row for row in rows if 0 < word.y - row[0].y < 0.6 * usual and any(0 <= w.x0 - word.x1 < usual for w in row)
        ]
        if hosts_right:
            hosts_right[0].append(replace(word, y=hosts_right[0][0].y))
            continue
        level = [row for row in rows if abs(row[0].y - word.y) < 0.25 * word.size]
        if level:
            level[0].append(word)
        else:
            rows.append([word])
    rows.sort(key=lambda row: -row[0].y)
    return [line for row in rows for line in split_row(row, page)]


def beside(word: Word, other: Word) -> Word:
    """A raised or lowered word at its host's level: "m" and a raised "2" are "m²", a footnote's "*" stays."""
    shift = word.y - other.y
    table = RAISED if shift > 0.12 * other.size else LOWERED if shift < -0.08 * other.size else None
    text = word.text.translate(table) if table else word.text
    return replace(word, text=text, y=other.y, size=other.size, bold=other.bold, spaced=word.spaced and not table)


def split_row(row: Sequence[Word], page: int) -> list[Line]:
    letters = "".join(word.text for word in row)
    backwards = len(RIGHT_TO_LEFT.findall(letters)) > len(letters) / 2
    row = sorted(row, key=lambda word: -word.x1 if backwards else word.x0)
    if len(row) > 1 and len(row[0].text) == 1 and 0xE000 <= ord(row[0].text) < 0xF900:  # of a font of symbols
        row[0] = replace(row[0], text="•")
    parts: list[list[Word]] = [[row[0]]]
    for left, right in pairwise(row):
        gap = left.x0 - right.x1 if backwards else right.x0 - left.x1
        if gap > WIDE_GAP * min(left.size, right.size):
            parts.append([right])
        else:
            parts[-1].append(right)
    return [Line(tuple(part), page) for part in parts]
