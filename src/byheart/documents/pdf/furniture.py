"""Running heads, running feet and page numbers."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from byheart.documents.outline import BULLET
from byheart.documents.pdf.layout import rows_of
from byheart.documents.pdf.words import Line

EDGE_ROWS = 3  # at the top and the bottom of a page
ROMAN = re.compile(r"\b[ivxlc]+\b")
PAGE_NUMBER = re.compile(r"(?:[-–—|]\s*)?(?:\w+\s)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de|sur)\s*\d{1,4})?(?:\s*[-–—|])?", re.I)
REACH = 4  # pages before and behind: a chapter's head is seen again there, also where only odd pages have it


def without_furniture(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], list[str]]:
    """The pages without furniture, and the texts left out.

    Furniture is a row at the edge of a page whose words, figures apart, stand at the same height on a page near by;
    and whatever stands alone at a height where most pages have furniture (the head of a chapter of one page).
    """
    edges = [edge_rows(lines) for lines in pages]
    seen: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, rows in enumerate(edges):
        for row in rows:
            seen[key_of(row), height_of(row)].append(number)

    def again(row: Sequence[Line], number: int) -> bool:
        others = [at for shift in (-1, 0, 1) for at in seen.get((key_of(row), height_of(row) + shift), ())]
        near = {at for at in others if at != number and abs(at - number) <= REACH}
        return bool(near) and (len(others) >= 3 or len(pages) < 3)

    taken = [[row for row in rows if again(row, number)] for number, rows in enumerate(edges)]
    slots = Counter(height_of(row) for rows in taken for row in rows)
    others = Counter(height_of(row) for rows in edges for row in rows)
    usual = {slot for slot, count in slots.items() if count >= 0.5 * others[slot] and count >= 0.3 * len(pages)}
    kept: list[list[Line]] = []
    dropped: list[str] = []
    for lines, rows, sure in zip(pages, edges, taken, strict=True):
        out = set()
        for row in rows:
            single = len(pages) > 2 and height_of(row) in usual and stands_alone(row, lines)
            if BULLET.match(text_of(row)) or continues_table(row, lines) and not PAGE_NUMBER.fullmatch(text_of(row)):
                continue
            if any(row is other for other in sure) or single or lone_number(row, lines):
                out |= {id(line) for line in row}
                dropped.append(text_of(row))
        kept.append([line for line in lines if id(line) not in out])
    return kept, dropped


def edge_rows(lines: Sequence[Line]) -> list[list[Line]]:
    rows = rows_of(lines)
    return rows if len(rows) <= 2 * EDGE_ROWS else rows[:EDGE_ROWS] + rows[-EDGE_ROWS:]


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


def lone_number(row: Sequence[Line], lines: Sequence[Line]) -> bool:
    """A page number at the foot, far from the text, also where there is one page only."""
    lowest = min(line.y for line in lines)
    alone = len(row) == 1 and row[0].y - lowest < 1 and gap_beside(row, lines) > 2.2
    return alone and bool(re.fullmatch(r"[-–—|\s]*\d{1,4}[-–—|\s]*|[ivxlc]{1,7}", text_of(row)))


def continues_table(row: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether the row heads a table: of three cells and more, close above others in the same columns."""
    if len(row) < 3 or gap_beside(row, lines) > 2.2:
        return False
    below = [other for other in rows_of(lines) if other[0].y < row[0].y - 1][:1]
    return bool(below) and len(below[0]) >= len(row) - 1
