"""How long PDFs take to read, and what of their furniture and tables went wrong.

    python benchmarks/pdf_pages.py              # a file of 200 pages, made here
    python benchmarks/pdf_pages.py manual.pdf papers/   # real files and folders: time, warnings, what looks wrong

The made file has two columns on most pages, tables of figures, footnotes, and heads that differ on left and right pages.
It is written by the tests' own writer, so that what it holds is known.
"""

import random
import re
import sys
import tempfile
import time
from pathlib import Path

from pypdf import PdfReader

from byheart.documents.pdf.read import read_pdf
from byheart.documents.structure.outline import outline
from byheart.errors import UserError

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from documents.pages import write_placed

PAGES = 200
WORDS = (
    "the harbour keeper inspects every lamp before dusk and records a height of water in the ledger that council reads"
).split()


def make(path: Path) -> tuple[int, int]:
    """Writes the file; the numbers of marked lines and of table rows in it."""
    rng = random.Random(0)
    lines = rows = 0
    pages = []
    for number in range(1, PAGES + 1):
        chapter = f"Chapter {1 + number // 9}"
        texts = [(50.0, 810.0, 9.0, "Harbour Manual") if number % 2 else (430.0, 810.0, 9.0, f"{chapter} - Lamps")]
        top = 780.0
        if number % 3 == 0:
            for at in range(12):
                cells = (
                    ["Lamp", "Lit", "Power", "Keeper"]
                    if at == 0
                    else [f"L{number}-{at}", str(1900 + at), f"{at},500", "H. Orr"]
                )
                texts += [(50.0 + 120 * place, top - 14 * at, 10.0, cell) for place, cell in enumerate(cells)]
            rows += 11
            top -= 14 * 12 + 30
        for x in (50.0, 310.0):
            y = top
            while y > 90:
                texts.append((x, y, 10.0, f"Mark{number} " + " ".join(rng.choices(WORDS, k=6))))
                lines += 1
                y -= 12
        texts.append((50.0, 70.0, 8.0, f"1 {' '.join(rng.choices(WORDS, k=6))} Note{number}."))
        texts.append((50.0 if number % 2 else 540.0, 30.0, 10.0, str(number)))
        pages.append(texts)
    write_placed(path, pages, "Harbour Manual")
    return lines, rows


def read_files(names: list[str]) -> None:
    """Reads files, and all PDFs in folders: seconds, headings that are rows of figures, words that a line's end cut."""
    found = [Path(name) for name in names]
    paths = [path for each in found for path in (sorted(each.rglob("*.pdf")) if each.is_dir() else [each])]
    total = pages = figures = cut = refused = 0
    for path in paths:
        begun = time.process_time()
        try:
            text, _, warnings = read_pdf(path)
        except UserError as error:
            refused += 1
            print(f"{path.name}: refused: {error.problems[0].what}")
            continue
        seconds = time.process_time() - begun
        titles = [heading.title for heading in outline(text).headings]
        rows = [
            title for title in titles if len(re.findall(r"\d[\d.,]*", title)) > len(re.findall(r"[^\W\d_]{3,}", title))
        ]
        broken = re.findall(r"[^\W\d_]{2,}- [a-zà-ÿ]{3,}", text)
        total, pages = total + seconds, pages + len(PdfReader(path).pages)
        figures, cut = figures + len(rows), cut + len(broken)
        print(
            f"{path.name}: {seconds:.1f} s of CPU, {len(text):,} characters, {len(titles)} headings",
            *warnings,
            sep="\n  ",
        )
        print(
            *(f"  a row of figures as a heading: {row}" for row in rows),
            *(f"  cut: {word}" for word in broken[:5]),
            sep="\n",
        )
    print(f"{len(paths)} files, {refused} refused, {pages} pages: {total:.1f} s of CPU")
    print(f"rows of figures as headings: {figures}; words cut by a line's end: {cut}")


def main() -> None:
    if sys.argv[1:]:
        read_files(sys.argv[1:])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manual.pdf"
        lines, rows = make(path)
        begun = time.process_time()
        text, _, warnings = read_pdf(path)
        seconds = time.process_time() - begun
    shape = outline(text)
    figures = [heading.title for heading in shape.headings if re.search(r"\d,\d|L\d", heading.title)]
    print(f"{PAGES} pages, {len(text):,} characters: {seconds:.1f} s of CPU")
    print(f"lines kept: {len(re.findall('Mark', text))} of {lines}")
    print(f"rows of tables: {sum(block.kind == 'row' for block in shape.blocks)} of {rows}")
    print(f"rows of figures as headings: {len(figures)}; headings: {len(shape.headings)}")
    print(f"heads and page numbers left in: {len(re.findall('Harbour Manual|Chapter', text))}")
    print(f"notes kept: {len(re.findall('Note', text))} of {PAGES}")
    print(*warnings, sep="\n")


if __name__ == "__main__":
    main()
