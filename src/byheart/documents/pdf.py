"""PDF files: the text of the pages as paragraphs, without headers, footers and page numbers."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from byheart.documents.outline import MARKER, NAMED
from byheart.documents.text import BREAKS
from byheart.errors import Problem, UserError

EDGE_LINES = 2  # at the top and the bottom of a page, where headers, footers and page numbers stand
REPEATED_SHARE = 0.6  # of the pages
HYPHENATED = re.compile(r"(\w*[^\W\d_])[-\u00ad\u2010]\Z")
SENTENCE_END = re.compile(r"[.!?:;][\"”’)\]]*$")


def read_pdf(path: Path) -> tuple[str, str, list[str]]:
    """The text of a PDF, the title of its metadata ("" if it has none), and warnings."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    where = str(path)
    fix = "save a copy without password, e.g. qpdf --decrypt in.pdf out.pdf"
    locked = Problem("the PDF is encrypted", where, fix=fix)
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            raise UserError(Problem("it is not a PDF", where, fix="give it the suffix that belongs to it"))
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UserError(locked)
        pages = [BREAKS.sub("\n", page.extract_text()).split("\n") for page in reader.pages]
        title = str((reader.metadata and reader.metadata.title) or "").strip()
    except DependencyError:
        raise UserError(locked) from None
    except (PyPdfError, ValueError, KeyError, OSError) as fault:
        fix = "open it in a viewer and save it again"
        raise UserError(Problem("the PDF is broken", where, str(fault), fix)) from None
    text = join_lines(drop_repeated(pages))
    if not re.search(r"\w", text):
        fix = "run OCR first, e.g. ocrmypdf in.pdf out.pdf"
        raise UserError(Problem("no text in it: it looks scanned", where, fix=fix))
    if title.lower().endswith((".doc", ".docx", ".tex", ".dvi", ".indd")) or title.lower() in ("untitled", "title"):
        title = ""  # what the word processor wrote, not the author
    return text, " ".join(title.split()), []


def drop_repeated(pages: list[list[str]]) -> list[list[str]]:
    """The pages without their headers, footers and page numbers: edge lines that most pages share, digits apart."""
    pages = [[line.rstrip() for line in page if line.strip()] for page in pages]
    if len(pages) < 3:
        return pages

    def key(line: str) -> str:
        return re.sub(r"\d+", "#", " ".join(line.split()))

    seen = Counter(name for page in pages for name in {key(line) for line in page[:EDGE_LINES] + page[-EDGE_LINES:]})
    repeated = {name for name, count in seen.items() if count >= REPEATED_SHARE * len(pages)}
    kept = []
    for page in pages:
        first, last = 0, len(page)
        while first < min(EDGE_LINES, last) and key(page[first]) in repeated:
            first += 1
        while last > max(first, len(page) - EDGE_LINES) and key(page[last - 1]) in repeated:
            last -= 1
        kept.append(page[first:last])
    return kept


def join_lines(pages: list[list[str]]) -> str:
    """Paragraphs from wrapped lines: hyphens at line ends mended, a short line or a marker ends a paragraph."""
    lines = [line.strip() for page in pages for line in page]
    if not lines:
        return ""
    words = Counter(re.findall(r"\w+(?:-\w+)*", " ".join(lines).lower()))
    widths = sorted(len(line) for line in lines)
    width = widths[int(0.9 * (len(widths) - 1))]  # a full line
    paragraphs = [lines[0]]
    for above, line in pairwise(lines):
        broken = HYPHENATED.search(paragraphs[-1])
        if broken and line[:1].islower():
            paragraphs[-1] = mend(paragraphs[-1], broken, line, words)
        elif ends_paragraph(above, line, width):
            paragraphs.append(line)
        else:
            paragraphs[-1] += " " + line
    return "\n\n".join(paragraphs)


def mend(paragraph: str, broken: re.Match[str], line: str, words: Counter[str]) -> str:
    """ "exam-" and "ple" are "example", but "well-" and "known" stay "well-known" where the text has that elsewhere."""
    rest = re.match(r"\w+", line)
    before, after = broken[1].lower(), rest[0].lower() if rest else ""
    keeps = words[f"{before}-{after}"] > 0 and words[before + after] == 0
    return (paragraph if keeps else paragraph[:-1]) + line


def ends_paragraph(above: str, line: str, width: int) -> bool:
    opens = line[:1].isupper() or not line[:1].isalpha()
    if SENTENCE_END.search(above):
        return bool(MARKER.match(line) or NAMED.match(line)) or (opens and len(above) < 0.8 * width)
    # Without a full stop it is a heading or a list item, if it is clearly shorter than a full line.
    short = len(above) < 0.6 * width
    return opens and (short or bool(NAMED.match(line))) and not above.endswith(",")
