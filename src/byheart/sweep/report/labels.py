"""Texts of a drawing that lie upon nothing: those that find no free place are left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LETTER, LINE = 6.4, 12.0  # width of a letter and height of a line of the style sheet's 11 pixels
Place = tuple[float, float, str]  # x and y of the base line, and text-anchor


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Labels:
    """`frame`: what no text may leave. Ask for the most important text first."""

    def __init__(self, frame: Box, taken: Iterable[Box] = ()):
        self.frame, self.taken, self.parts = frame, [*taken], list[str]()

    def put(self, text: str, places: Sequence[Place], kind: str = "") -> bool:
        """Draws the text in the first free place; False where there is none."""
        for x, y, anchor in places:
            box = text_box(text, x, y, anchor)
            inside = self.frame.left <= box.left and box.right <= self.frame.right
            inside = inside and self.frame.top <= box.top and box.bottom <= self.frame.bottom
            if inside and not any(box.overlaps(each) for each in self.taken):
                self.taken.append(box)
                self.parts.append(tick(x, y, anchor, text, kind))
                return True
        return False


def text_box(text: str, x: float, y: float, anchor: str) -> Box:
    wide = LETTER * len(text)
    left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
    return Box(left, y - 0.8 * LINE, left + wide, y + 0.2 * LINE)


def tick(x: float, y: float, anchor: str, text: str, kind: str = "") -> str:
    name = f"tick {kind}".rstrip()
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def around(x: float, y: float, off: float = 7.0) -> list[Place]:
    """Places for a text beside a dot."""
    sides: list[Place] = [(x + off, y + 4, "start"), (x - off, y + 4, "end")]
    for shift in (-off - 2, off + 9):
        sides += [(x, y + shift, "middle"), (x + 3, y + shift, "start"), (x - 3, y + shift, "end")]
    return sides


def in_rows(ticks: Sequence[tuple[str, float]], left: float, right: float, most: int = 3) -> list[tuple[str, Place]]:
    """Texts below an axis, in as many rows as they need, at most `most`. The first and the last stay within the ends.

    y counts from the first row's base line.
    """
    found, ends = list[tuple[str, Place]](), [float("-inf")] * most
    for text, x in ticks:
        half = LETTER * len(text) / 2
        x, anchor = (left, "start") if x - half < left else (right, "end") if x + half > right else (x, "middle")
        begin = text_box(text, x, 0, anchor)
        row = next((row for row in range(most) if ends[row] + LETTER <= begin.left), None)
        if row is not None:
            ends[row] = begin.right
            found.append((text, (x, row * LINE, anchor)))
    return found
