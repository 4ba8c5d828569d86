"""PDF files: their text in the order of reading, without running heads and page numbers."""

import contextlib
import logging
import os
import re
import threading
import time
from ctypes import create_string_buffer
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from byheart.documents.languages.folding import LIGATURES
from byheart.documents.pdf.furniture import count_furniture, without_furniture
from byheart.documents.pdf.layout import Layout, lay_out
from byheart.documents.pdf.paragraphs import write_text
from byheart.documents.pdf.words import Line, Page, read_page
from byheart.errors import Problem, UserError
from byheart.records import LeftOut

PATIENCE_S = 10.0  # and as much again for each half megabyte
INNER_HYPHEN = re.compile(r"\w-[^\W\d_]")
OCR = "run OCR first, e.g. ocrmypdf --skip-text in.pdf out.pdf"
busy: list[str] = []  # the file that pdfium hangs on
MADE_UP = (".doc", ".docx", ".tex", ".dvi", ".indd", ".odt", ".qxd", ".pptx", ".xlsx", ".pdf")


def read_pdf(path: Path) -> tuple[str, str, list[str | LeftOut]]:
    """The text of a PDF, the title of its metadata ("" if it has none), and remarks."""
    where = str(path)
    with path.open("rb") as file:
        head = file.read(1024)
        file.seek(max(0, path.stat().st_size - 2048))
        whole = b"%%EOF" in file.read()
    if b"%PDF-" not in head:
        raise UserError(Problem("it is not a PDF", where, fix="give it the suffix that belongs to it"))
    pages, unread, filled, title = within_patience(path, where)
    warnings = [] if whole else ["its end is missing; what could be saved of it was read. Get the whole file"]
    if unread:
        warnings.append(f"{on_pages(unread)} could not be read: the file is damaged there. Save it again in a viewer")
    if filled:
        warnings.append("it is a form; what was filled in is not read. Print it to a PDF first, if that matters")
    text, furniture, remarks = write(pages, path)
    if not re.search(r"\w", text):
        what = (
            "no page of it can be read" if unread and len(unread) >= len(pages) else "no text in it: it looks scanned"
        )
        fix = "open it in a viewer and save it again" if "read" in what else OCR
        raise UserError(Problem(what, where, fix=fix))
    if (
        title.lower().endswith(MADE_UP)
        or title.lower().startswith("microsoft word - ")
        or title.lower() in ("untitled", "title")
    ):
        title = ""  # what the word processor wrote, not the author
    said = [f"{where}: {warning}" for warning in warnings + remarks]
    return text, " ".join(title.split()), [*said, *count_furniture(furniture)]


def within_patience(path: Path, where: str) -> tuple[list[Page], list[int], bool, str]:
    """The pages, read in a thread: a hostile file keeps pdfium busy for hours, and nothing else stops it.

    After such a file pdfium still works, and is not made for two threads: no other PDF is read in this process.
    """
    reached: list[float] = [time.monotonic()]
    result: list[Any] = []

    def work() -> None:
        import pypdfium2_raw as pdfium

        try:
            pdf = open_pdf(path, where)
            found = read_pages(pdf, PATIENCE_S + PATIENCE_S * path.stat().st_size / 500_000, reached)
            result.append((*found, title_of(pdf)))
            pdfium.FPDF_CloseDocument(pdf)
        except BaseException as error:
            result.append(error)

    if busy:
        raise UserError(Problem("not read, because another PDF hangs", where, fix=f"leave out {busy[0]}, or mend it"))
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive() and time.monotonic() - reached[-1] < PATIENCE_S:
        thread.join(0.2)
    if thread.is_alive():
        busy.append(where)
        what = f"page {len(reached)} could not be read in {PATIENCE_S:.0f} s"
        raise UserError(Problem(what, where, fix="print it to a new PDF in a viewer, or leave that page out"))
    if isinstance(result[0], BaseException):
        raise result[0]
    return cast(tuple[list[Page], list[int], bool, str], result[0])


def open_pdf(path: Path, where: str) -> Any:
    """The document's handle. Raises UserError for one that is encrypted or broken."""
    import pypdfium2_raw as pdfium

    # Not by way of pypdfium2: what it does at exit ends in a crash where a thread still hangs in pdfium.
    pdfium.FPDF_InitLibraryWithConfig(pdfium.FPDF_LIBRARY_CONFIG(version=2))
    if pdf := pdfium.FPDF_LoadDocument(os.fsencode(path), None):
        return pdf
    if pdfium.FPDF_GetLastError() in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
        fix = "save a copy without password, e.g. qpdf --decrypt in.pdf out.pdf"
        raise UserError(Problem("the PDF is encrypted", where, fix=fix))
    raise UserError(Problem("the PDF is broken", where, fix="open it in a viewer and save it again"))


def title_of(pdf: Any) -> str:
    import pypdfium2_raw as pdfium

    room = create_string_buffer(2000)  # UTF-16, ended by a zero
    length = pdfium.FPDF_GetMetaText(pdf, b"Title", room, 2000)
    return room.raw[: max(0, min(length, 2000) - 2)].decode("utf-16-le", "ignore").strip()


def read_pages(pdf: Any, seconds: float, reached: list[float]) -> tuple[list[Page], list[int], bool]:
    """The pages, the numbers of those that cannot be read in these seconds, and whether a form on them is filled in. The time
    at which each page was left is added to `reached`."""
    import pypdfium2_raw as pdfium

    pages: list[Page] = []
    unread: list[int] = []
    filled = False
    begun = time.monotonic()
    count = pdfium.FPDF_GetPageCount(pdf)
    for number in range(1, count + 1):
        if time.monotonic() - begun > seconds:
            unread += range(number, count + 1)
            break
        if page := pdfium.FPDF_LoadPage(pdf, number - 1):
            pages.append(read_page(page, number))
            filled = filled or is_filled_form(page)
            pdfium.FPDF_ClosePage(page)
        else:
            unread.append(number)
        reached.append(time.monotonic())
    return pages, unread, filled


def is_filled_form(page: Any) -> bool:
    import pypdfium2_raw as pdfium

    for at in range(min(pdfium.FPDFPage_GetAnnotCount(page), 1000)):
        annotation = pdfium.FPDFPage_GetAnnot(page, at)
        field = pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_WIDGET
        value = field and pdfium.FPDFAnnot_GetStringValue(annotation, b"V", None, 0) > 2  # UTF-16 and its end
        pdfium.FPDFPage_CloseAnnot(annotation)
        if value:
            return True
    return False


def write(pages: list[Page], path: Path) -> tuple[str, list[str], list[str]]:
    """The text of the pages, the furniture that was left out, and remarks about what is in doubt."""
    main = [page.directions[0] if page.directions else [] for page in pages]
    kept, furniture = without_furniture(main)
    if not any(kept):  # the same on every page, and nothing else
        kept, furniture = main, []
    kept = without_soft_hyphens(kept, path)
    layouts: list[Layout] = []
    doubtful = []
    for page, lines in zip(pages, kept, strict=True):
        layout = lay_out(lines, page.rules)
        for turned in page.directions[1:]:  # a label at the side of a table or a drawing
            layout.parts += lay_out(turned, []).parts
            layout.doubtful |= sum(len(line.text) for line in turned) > 200
        layouts.append(layout)
        if layout.doubtful or overlap(lines):
            doubtful.append(page.number)
    remarks = []
    if doubtful:
        remarks.append(f"the order of reading is in doubt on {on_pages(doubtful)}. Look at chunks.jsonl")
    if scanned := [page.number for page in pages if is_scanned(page)]:
        remarks.append(
            f"pictures and hardly any text on {on_pages(scanned)}: it looks scanned there. To have that read, {OCR}"
        )
    if unknown := [page.number for page in pages if page.unknown > max(2, 0.01 * page.chars)]:
        remarks.append(
            f"the file does not tell what some letters on {on_pages(unknown)} mean. Try {OCR.replace('skip-text', 'force-ocr')}"
        )
    return write_text(layouts, [page.height for page in pages]), furniture, remarks


def is_scanned(page: Page) -> bool:
    return page.chars < 100 and page.pictures > 0.4


def overlap(lines: list[Line]) -> bool:
    """Whether many words are printed one over another."""
    pairs = [pair for line in lines for pair in pairwise(sorted(line.words, key=lambda word: word.x0))]
    over = sum(left.x1 - right.x0 > 0.7 * left.size for left, right in pairs)
    pairs_down = list(pairwise(lines[:3000]))
    over += sum(
        above.y - below.y < 0.5 * below.size and min(above.x1, below.x1) - max(above.x0, below.x0) > 2 * below.size
        for above, below in pairs_down
    )
    return over > max(2, 0.05 * (len(pairs) + len(pairs_down)))


def without_soft_hyphens(pages: list[list[Line]], path: Path) -> list[list[Line]]:
    """The pages with "Wert-papier" in one where the file has a soft hyphen: pdfium gives a hard one for it."""
    suspects = [at for at, lines in enumerate(pages) if any(INNER_HYPHEN.search(line.text) for line in lines)]
    if not suspects:
        return pages
    soft: dict[str, str] = {}
    begun = time.monotonic()
    with contextlib.suppress(Exception):  # a second look only: what pdfium has read stays
        import pypdf

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        reader = pypdf.PdfReader(path)
        for at in suspects:
            contents = reader.pages[at].get_contents()
            data = b"" if contents is None else contents.get_data()
            if len(data) < 200_000 and (b"\xad" in data or b"\\255" in data) and time.monotonic() - begun < 5:
                for word in re.findall(r"\w+(?:\u00ad\w+)+", reader.pages[at].extract_text()):
                    soft[word.replace("\u00ad", "-").translate(LIGATURES)] = word.replace("\u00ad", "").translate(
                        LIGATURES
                    )
    if not soft:
        return pages
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in soft))
    return [[retold(line, pattern.sub(lambda found: soft[found[0]], line.text)) for line in lines] for lines in pages]


def retold(line: Line, text: str) -> Line:
    """The line with another text, as a single word."""
    if text == line.text:
        return line
    word = replace(line.words[0], text=text, x0=line.x0, x1=line.x1, y=line.y, size=line.size, bold=line.bold)
    return replace(line, words=(word,))


def on_pages(numbers: list[int]) -> str:
    """ "page 7", or "pages 2-4, 9": runs of numbers in short."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number, number])
    named = [f"{a}-{b}" if b > a else f"{a}" for a, b in runs]
    more = ", ..." if len(named) > 12 else ""
    return ("pages " if len(numbers) > 1 else "page ") + ", ".join(named[:12]) + more
