"""Blocks that a reader or a text marks as no running prose: footnotes, captions, formulas that stand alone."""

import re

from byheart.documents.blocks import CAPTION, FORMULA, NOTE
from byheart.documents.markdown.notes import NOTE_MARK
from byheart.documents.structure.formulas import find_formulas

_CAPTION = re.compile(
    r"(?P<word>Figure|Fig\.?|Table|Plate|Chart|Diagram|Exhibit|Listing|Scheme|Photo|Abbildung|Abb\.|Tabelle|Tab\.|Figura|Tabla|Tableau|Figuur|Tabel"
    r"|Рисунок|Рис\.|Таблица|图|表|図)(?:[ \t]?(?P<number>[A-Z]?\d{1,3}(?:[.-]\d{1,3})*[a-z]?))?[ \t]*[.:：|–—][ \t]*(?=\S)",
)


def read_apart(text: str, start: int, end: int) -> tuple[str, int, str] | None:
    """What a block that begins like prose is instead: its kind, where its words begin, and its label."""
    words = text[start:end]
    if note := NOTE_MARK.match(words):
        return NOTE, start + note.end(), f"note on {note[1]}" if note[1].startswith("“") else "note"
    if (caption := _CAPTION.match(words)) and len(words) <= 400 and (caption["number"] or ":" in caption[0]):
        return CAPTION, start + caption.end(), caption[0].strip().rstrip(".:：|–— ")
    if words.startswith(("$", "\\")) and (found := find_formulas(words)):
        rest = "".join(
            words[a:b] for a, b in zip([0, *(b for _, b in found)], [*(a for a, _ in found), len(words)], strict=True)
        )
        if not any(map(str.isalnum, rest)):
            return FORMULA, start, ""
    return None
