"""Files of word processors, slides, spreadsheets and e-books, by their suffix."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

from byheart.documents.office.formats import advice, damaged
from byheart.documents.office.package import Read
from byheart.documents.text import find_title
from byheart.errors import Problem, UserError
from byheart.records import LeftOut, all_left_out


def read_office(path: Path) -> tuple[str, str, list[str | LeftOut]]:
    """The text as Markdown, the title, and remarks: warnings, and what was left out. Raises UserError."""
    suffix, where = path.suffix.lower(), str(path)
    if (wrong := advice(suffix))[0]:
        raise UserError(Problem(wrong[0], where, fix=wrong[1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl's, about what it does not keep when it writes
            found = reader_of(suffix)(path)
    except UserError:
        raise
    except Exception as error:  # each of the parsers has its own ways to stumble over a damaged file
        raise UserError(damaged(where, suffix, f"{type(error).__name__} {error}".strip()[:120])) from error
    if not re.search(r"\w", found.text):
        fix = "if it holds pictures of pages, save it as a PDF and run OCR: ocrmypdf --skip-text in.pdf out.pdf"
        raise UserError(Problem("no text in it", where, fix=fix))
    title = found.title or " ".join(find_title(found.text).split())
    return found.text, title, [*all_left_out(found.left_out), *(f"{where}: {remark}" for remark in found.remarks)]


def reader_of(suffix: str) -> Callable[[Path], Read]:
    if suffix == ".docx":
        from byheart.documents.office.word import read_docx as read
    elif suffix == ".pptx":
        from byheart.documents.office.slides import read_pptx as read
    elif suffix == ".xlsx":
        from byheart.documents.office.sheets import read_xlsx as read
    else:
        from byheart.documents.office.books import read_epub as read
    return read
