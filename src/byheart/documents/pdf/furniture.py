"""Running heads, running feet and page numbers."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from byheart.documents.pdf.layout import rows_of
from byheart.documents.pdf.words import Line
from byheart.documents.structure.outline import BULLET
from byheart.records import LeftOut

EDGE_ROWS = 3  # at the top and the bottom of a page
ROMAN = re.compile(r"\b[ivxlc]+\b")
# Pages before and behind, where a chapter's head is seen again, also where only odd pages have it.
STEPS = (-4, -3, -2, -1, 1, 2, 3, 4)
PAGE_NUMBER = re.compile(r"[^\w]*(?:\d{1,4}|[ivxlc]{1,7})[^\w]*", re.IGNORECASE)


def without_furniture(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], list[str]]:
    """The pages without furniture, and the texts left out.

    Furniture is a row at the edge of a page whose words stand at the same height on a page near by, and whose figures
    are the same or count the pages; and what stands alone at a height where most pages have furniture (the head of a
    chapter of one page).
    """
    edges = [edge_rows(lines) for lines in pages]
    seen: dict[tuple[str, int], dict[int, list[Line]]] = defaultdict(dict)  # the row by the page
    for number, sides in enumerate(edges):
        for row in (row for side in sides for row in side):
            seen[key_of(row), height_of(row)][number] = row

    parts: dict[tuple[str, int], set[int]] = defaultdict(set)  # the same for each part of a row that blanks cut up
    for number, sides in enumerate(edges):
        for row in (row for side in sides for row in side if len(row) > 1):
            for line in row:
                if len(line.words) > 1:
                    parts[key_of([line]), height_of(row)].add(number)

    def partly(row: Sequence[Line], number: int) -> bool:
        """Whether a part of a page's first row is said on a page near by: "Chapter 3. Lamps      3.2 Oil"."""
        if (
            len(row) < 2
            or row[0].y < max(line.y for line in pages[number]) - 1
            or not stands_alone(row, pages[number])
            or not spans_page(row, pages[number])
        ):
            return False
        whole = len(
            seen[key_of(row), height_of(row)]
        )  # a row that is the same everywhere is a list's, of slides one by one
        found = (parts[key_of([line]), height_of(row)] for line in row if len(line.words) > 1)
        return any(
            len(numbers) >= max(3, whole + 1) and any(number + by in numbers for by in STEPS) for numbers in found
        )

    def again(row: Sequence[Line], number: int) -> bool:
        if partly(row, number):
            return True
        others = [seen.get((key_of(row), height_of(row) + shift), {}) for shift in (-1, 0, 1)]
        near = ((by_page[number + by], by) for by_page in others for by in STEPS if number + by in by_page)
        return (sum(map(len, others)) >= 3 or len(pages) < 3) and any(
            counts_pages(row, other, by) for other, by in near
        )

    again_at = [[[again(row, number) for row in side] for side in sides] for number, sides in enumerate(edges)]
    taken: Counter[int] = Counter()
    among: Counter[int] = Counter()
    for sides, answers in zip(edges, again_at, strict=True):
        for row, answer in (
            (row, answer)
            for side, yes in zip(sides, answers, strict=True)
            for row, answer in zip(side, yes, strict=True)
        ):
            taken[height_of(row)] += answer
            among[height_of(row)] += 1
    usual = {at for at, count in taken.items() if count >= 0.5 * among[at] and count >= 0.3 * len(pages) > 0.6}
    kept: list[list[Line]] = []
    dropped: list[str] = []
    for lines, sides, answers in zip(pages, edges, again_at, strict=True):
        out: set[int] = set()
        for side, sure in zip(sides, answers, strict=True):
            for row, yes in zip(side, sure, strict=True):
                alone = height_of(row) in usual and stands_alone(row, lines)
                if belongs_to_text(row, lines) or not (yes or alone or lone_number(row, lines)):
                    break  # what is further in is text
                if not out >= {id(line) for line in row}:
                    out |= {id(line) for line in row}
                    dropped.append(text_of(row))
        kept.append([line for line in lines if id(line) not in out])
    return kept, dropped


def count_furniture(texts: Sequence[str]) -> list[LeftOut]:
    """What was left out, counted as page numbers and as running heads, which stand for the feet too."""
    heads = [text for text in texts if not PAGE_NUMBER.fullmatch(text)]
    parts = (LeftOut("running heads", len(heads), heads[0][:40] if heads else ""),)
    return [part for part in (*parts, LeftOut("page numbers", len(texts) - len(heads))) if part.count]


def edge_rows(lines: Sequence[Line]) -> tuple[list[list[Line]], list[list[Line]]]:
    """The first rows and the last rows of a page, each from the edge inwards."""
    rows = rows_of(lines)
    return rows[:EDGE_ROWS], rows[: -EDGE_ROWS - 1 : -1]


def counts_pages(row: Sequence[Line], other: Sequence[Line], apart: int) -> bool:
    """Whether the figures of two rows are the same, or are page numbers of pages so far apart."""
    own, others = (list(map(int, re.findall(r"\d{1,9}", text_of(side)))) for side in (row, other))
    pairs = zip(sorted(own), sorted(others), strict=False)
    return len(own) == len(others) and all(b - a in (0, apart) for a, b in pairs)


def text_of(row: Sequence[Line]) -> str:
    return " ".join(line.text for line in row)


def key_of(row: Sequence[Line]) -> str:
    """The row's words without figures: left and right pages may set them in another order."""
    return " ".join(sorted(ROMAN.sub("#", re.sub(r"\d+", "#", text_of(row))).split()))


def height_of(row: Sequence[Line]) -> int:
    return round(row[0].y / 3)


def gap_beside(row: Sequence[Line], lines: Sequence[Line]) -> float:
    """The blank between the row and the page's other text, towards the middle, in sizes of its font."""
    own = row[0].y
    middle = (max(line.y for line in lines) + min(line.y for line in lines)) / 2
    side = [abs(line.y - own) for line in lines if (line.y - own) * (middle - own) > 0 and abs(line.y - own) > 1]
    return min(side, default=1e9) / max(row[0].size, 1.0)


def stands_alone(row: Sequence[Line], lines: Sequence[Line]) -> bool:
    return gap_beside(row, lines) > 1.8 and len(text_of(row)) <= 120


def spans_page(row: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether the row reaches from side to side of the page's text."""
    left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
    return row[-1].x1 - row[0].x0 > 0.8 * (right - left)


def lone_number(row: Sequence[Line], lines: Sequence[Line]) -> bool:
    """A page number at the foot, far from the text, also where there is one page only."""
    lowest = min(line.y for line in lines)
    alone = len(row) == 1 and row[0].y - lowest < 1 and gap_beside(row, lines) > 2.2
    return alone and bool(re.fullmatch(r"[-–—|\s]*\d{1,4}[-–—|\s]*|[ivxlc]{1,7}", text_of(row)))


def belongs_to_text(row: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether the row is an item of a list, or of a table: of three cells and more, close to others in the same columns."""
    if BULLET.match(text_of(row)):
        return True
    if len(row) < 3 or gap_beside(row, lines) > 2.2:
        return False
    beside = min(
        (other for other in rows_of(lines) if abs(other[0].y - row[0].y) > 1),
        key=lambda other: abs(other[0].y - row[0].y),
        default=[],
    )
    return len(beside) >= len(row) - 1
