"""Damaged and hostile documents, read in processes of their own: crashes, hangs and words lost without a word.

    python benchmarks/fuzz_readers.py 60                   # minutes, on the project's own examples
    python benchmarks/fuzz_readers.py 60 notes/ page.html  # and on the files given
    python benchmarks/fuzz_readers.py --again FOLDER       # the inputs that failed, once more

Each input is a real file that was cut, spliced with another, repeated, nested, given odd bytes or another suffix. Of files
that are archives (Word, slides, sheets, e-books) mostly one member is damaged so. It goes the way of `byheart expand` up to
the facts. Right ends are: read, or refused with a sentence. What fails is kept in `fuzz-failures/`. One process a core;
each input has ten seconds of processor time, since other programs may be at work.
"""

import io
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path

SECONDS = 10  # of processor time
GIB = 4
STUCK = 60  # times as long a process may be silent, whatever else the machine does
MOST_BYTES = 150_000
KEPT = Path("fuzz-failures")
SUFFIXES = ".txt .md .html .pdf .csv .tsv .srt .vtt".split()
ARCHIVES = ".docx .pptx .xlsx .epub".split()
OWN = Path(__file__).parent.parent
ODD = [
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\x0c", b"\x1b[31m", b"\xe2\x80\xae", b"\xc2\xad"),
    *(b"<", b">", b"</", b"<div>", b"<table><tr><td>", b"<script>", b"<!--", b"-->", b"<![CDATA[", b"&#x110000;", b"&amp"),
    *(b"|", b"| a | b |\n|---|---|\n", b"```", b"~~~\n", b"$$", b"$", b"\\[", b"%%", b"[[", b"]](", b"[^1]", b"[^1]: ", b"---\n"),
    *(b"# ", b"###### ", b"\n\n", b"\n", b"\t", b"  ", b"> ", b"- ", b"1. ", b"(a) ", b"(i)(ii) ", b"1.1.1.1 ", b"Q: ", b"A: "),
    *(b"00:00:01,000 --> 00:00:02,000\n", b"[00:00:03] HOST: ", b"WEBVTT\n\n", b"................ 12\n", b'"', b'"",', b";", b","),
    *("。".encode(), "第三条".encode(), "अ".encode(), "مرحبا ".encode(), "ﬁ".encode(), "²".encode(), "\u2028".encode(), b"_", b"*"),
    *(b"stream\n", b"endobj\n", b"/Type /Page", b"xref\n0 99999999\n", b"<< /Length 99999999 >>", b"%PDF-1.7\n"),
]  # fmt: skip


def office_files(folder: Path) -> list[Path]:
    """A small file of each kind of archive."""
    import openpyxl
    import pptx

    sys.path.insert(0, str(OWN / "tests"))
    from documents.office_files import item, numbering, paragraph, table, write_docx, write_epub

    rows = [["Pump", "Flow", "Price"], ["Aster 100", "20", "149"], ["Borel 2", "35", "1,200"], ["Cato", "7", "88"]]
    parts = {"numbering": numbering(("decimal", "%1."), ("lowerLetter", "(%2)"))}
    said = [paragraph("The pump runs on mains water.", "Heading1"), item("Close the valve."), item("Open the tap.", 1)]
    paths = [write_docx(folder / "a.docx", *said, table(*rows), paragraph("It stops at 60 degrees."), parts=parts)]
    page = f"<h1>Pumps</h1><p>Each pump has a valve.</p><table>{''.join(map(cells, rows))}</table><ul><li>One</li></ul>"
    paths.append(
        write_epub(folder / "b.epub", {"one.xhtml": page, "two.xhtml": "<p>The valve is of brass.</p>"}, "Pumps")
    )
    book = openpyxl.Workbook()
    for row in [["Prices of 2026"], *rows, [], ["All prices in euros"]]:
        book.active.append(row)
    book.active.merge_cells("A1:C1")
    book.save(folder / "c.xlsx")
    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Pumps", "Close the valve.\nOpen the tap."
    grid = slide.shapes.add_table(4, 3, 0, 0, 10**6, 10**6).table
    for (at, row), column in product(enumerate(rows), range(3)):
        grid.cell(at, column).text = row[column]
    slide.notes_slide.notes_text_frame.text = "The valve is of brass."
    slides.save(folder / "d.pptx")
    return [*paths, folder / "c.xlsx", folder / "d.pptx"]


def cells(row: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"


def spoilt(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    """The data, damaged in one to four ways."""
    for _ in range(dice.randint(1, 4)):
        data = dice.choice(WAYS)(data, files, dice)[:MOST_BYTES]
    return data


def spoilt_archive(data: bytes, dice: random.Random) -> bytes:
    """The archive with one of its members damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    others = [inside for name, inside in members.items() if name.endswith(("ml", ".rels", ".opf"))]
    name = dice.choice([name for name, inside in members.items() if inside in others])
    members[name] = spoilt(members[name], others, dice)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inside in members.items():
            archive.writestr(name, inside)
    return out.getvalue()


def cut(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    a, b = sorted(dice.choices(range(len(data) + 1), k=2))
    return dice.choice([data[:b], data[a:], data[:a] + data[b:]])


def splice(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    other, at = dice.choice(files), dice.randrange(len(data) + 1)
    a, b = sorted(dice.choices(range(len(other) + 1), k=2))
    return data[:at] + other[a:b] + data[at:]


def repeat(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    start = dice.randrange(len(data) + 1)
    piece = data[start : start + dice.choice([1, 2, 8, 40, 400])]
    return data[:start] + piece * dice.choice([3, 30, 1000, 20_000]) + data[start:]


def nest(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    opening, closing = dice.choice(
        [
            (b"<div>", b"</div>"),
            (b"<b>", b""),
            (b"(", b")"),
            (b"> ", b""),
            (b"[", b"]"),
            (b"- ", b""),
            (b"<ul><li>", b""),
        ]
    )
    depth, at = dice.choice([10, 300, 5000, 60_000]), dice.randrange(len(data) + 1)
    return data[:at] + opening * depth + data[at : at + 50] + closing * depth + data[at + 50 :]


def sprinkle(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    parts, last = [], 0
    for at in sorted(dice.choices(range(len(data) + 1), k=dice.choice([1, 3, 20, 300]))):
        parts += [data[last:at], dice.choice(ODD)]
        last = at
    return b"".join([*parts, data[last:]])


def flip(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(dice.choice([1, 10, 500]) if spoilt else 0):
        spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
    return bytes(spoilt)


def one_line(data: bytes, files: Sequence[bytes], dice: random.Random) -> bytes:
    return data.replace(dice.choice([b"\n", b" ", b"."]), dice.choice([b"", b" ", b"\n", b"\r\n", b"\t"]))


WAYS: list[Callable[[bytes, Sequence[bytes], random.Random], bytes]] = [
    cut, splice, repeat, nest, sprinkle, sprinkle, flip, one_line
]  # fmt: skip


def read(path: Path) -> str:
    """What became of a document: "" if all is well, else what is wrong."""
    from byheart.data.chunks import Chunking
    from byheart.data.facts import find_facts
    from byheart.documents.load import load_documents
    from byheart.errors import UserError

    try:
        loaded = load_documents([str(path)])
    except UserError as error:
        return "" if all(problem.what for problem in error.problems) else "refused without a reason"
    for document in loaded.documents:
        chunks = Chunking().split(document)
        facts = find_facts(document, chunks)
        text = document.text
        if any(text[each.start : each.end] != each.text for each in (*chunks, *facts)):
            return "a chunk or fact is not where it says"
        missing = "".join(text.split())
        held = "".join("".join(chunk.text.split()) for chunk in chunks)
        if missing != held:
            return f"chunks hold {len(held)} of {len(missing)} characters"
        if not facts:
            return "no fact"
    return lost(path, loaded)


def lost(path: Path, loaded: object) -> str:
    """Of plain text, words that are neither in the document nor told in a warning."""
    warnings, documents = loaded.warnings, loaded.documents  # type: ignore[attr-defined]
    if path.suffix != ".txt" or warnings or not documents or documents[0].left_out:
        return ""
    try:
        plain = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if plain.startswith(("---", "+++")):  # front matter
        return ""
    from byheart.documents.languages.folding import fold_typesetting

    texts = (fold_typesetting(plain), f"{documents[0].title} {documents[0].text}")
    # without case: "INGRID BAKKE" above what she says becomes "Ingrid Bakke:"
    asked, given = (Counter(re.findall(r"[^\W_]{4,}", text.casefold())) for text in texts)
    gone = asked - given
    return f"lost without a word: {', '.join(list(gone)[:8])}" if gone else ""


def tried(data: bytes, suffix: str) -> tuple[str, float]:
    """What is wrong with how an input was read ("" for nothing), and the seconds of processor time it took."""
    path = Path(f"fuzz-{os.getpid()}{suffix}")
    path.write_bytes(data)
    begun = time.process_time()
    # Where the signal waits for the end of a call outside Python, the system ends the process.
    resource.setrlimit(resource.RLIMIT_CPU, (int(begun + 2 * SECONDS) + 1, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        wrong = read(path)
    except BaseException as error:
        kind = "hang" if isinstance(error, Late) else f"crash: {type(error).__name__}: {str(error)[:80]}"
        stack = traceback.extract_tb(error.__traceback__)
        own = [f"{Path(each.filename).name}:{each.lineno}" for each in stack if "byheart" in each.filename]
        wrong = f"{kind}: {' > '.join(own[-3:])}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.unlink(missing_ok=True)
    return wrong, time.process_time() - begun


class Late(BaseException):
    """The time is over. No reader that catches what libraries raise may take it for a damaged file."""


def _late(number: int, frame: object) -> None:
    raise Late


def job(files: Sequence[tuple[bytes, str]], seed: int, number: int) -> tuple[bytes, str]:
    dice = random.Random(f"{seed}:{number}")
    data, suffix = dice.choice(files)
    if suffix in ARCHIVES:
        return (spoilt_archive(data, dice) if dice.random() < 0.9 else spoilt(data, [data], dice)), suffix
    return spoilt(data, [other for other, kind in files if kind not in ARCHIVES], dice), dice.choice(SUFFIXES)


def work(files: Sequence[tuple[bytes, str]], seed: int, number: int, step: int, out: Connection) -> None:
    """Tries inputs until it is killed. The number goes out before the input is read: what kills the process is known."""
    resource.setrlimit(resource.RLIMIT_AS, (GIB << 30, GIB << 30))
    while True:
        out.send((number, None, 0.0))
        out.send((number, *tried(*job(files, seed, number))))
        number += step


def main() -> None:
    if sys.argv[1:2] == ["--again"]:
        for path in sorted(Path(sys.argv[2]).iterdir()):
            wrong, seconds = tried(path.read_bytes(), path.suffix)
            print(f"{path.name}: {wrong or 'well'} ({seconds:.1f} s)")
        return
    minutes = float(sys.argv[1]) if sys.argv[1:] else 1
    given = [Path(name) for name in sys.argv[2:]] or [OWN / "examples", OWN / "README.md", OWN / "docs"]
    paths = [path for each in given for path in ([each] if each.is_file() else sorted(each.rglob("*")))]
    files = [(path.read_bytes()[:MOST_BYTES], path.suffix) for path in paths if path.suffix in SUFFIXES]
    with tempfile.TemporaryDirectory() as folder:
        made = office_files(Path(folder))
        files += [(path.read_bytes(), path.suffix) for path in [*paths, *made] if path.suffix in ARCHIVES]
    files = [(data, suffix) for data, suffix in files if data]
    seed, end, cores = int(os.environ.get("SEED", "0")), time.monotonic() + 60 * minutes, os.cpu_count() or 1
    cores = int(os.environ.get("CORES", cores))
    counts: Counter[str] = Counter()
    slowest = 0.0

    def begin(number: int) -> tuple[multiprocessing.Process, Connection]:
        inward, outward = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(target=work, args=(files, seed, number, cores, outward), daemon=True)
        process.start()
        outward.close()
        return process, inward

    workers = [begin(number) for number in range(cores)]
    under_way = list(range(cores))
    while time.monotonic() < end:
        for at, (process, inward) in enumerate(workers):
            wrong: str | None = None
            try:
                if not inward.poll(STUCK * SECONDS):
                    wrong = "hang: it waits"
                    process.kill()
                else:
                    under_way[at], wrong, seconds = inward.recv()
                    slowest = max(slowest, seconds)
            except EOFError:
                process.join()
                late = process.exitcode == -signal.SIGXCPU
                wrong = "hang: outside Python" if late else f"crash: the process ended with {process.exitcode}"
            if wrong is None:
                continue
            counts[wrong.partition(":")[0] or "well"] += 1
            if wrong:
                data, suffix = job(files, seed, under_way[at])
                KEPT.mkdir(exist_ok=True)
                (KEPT / f"{seed}-{under_way[at]}{suffix}").write_bytes(data)
                print(f"{seed}-{under_way[at]}{suffix}: {wrong}", flush=True)
            if not process.is_alive() or wrong == "hang: it waits":
                process.join()
                workers[at] = begin(under_way[at] + cores)
    for process, _ in workers:
        process.kill()
    print(
        f"{sum(counts.values()):,} inputs of {len(files)} files, slowest {slowest:.1f} s of processor time: {dict(counts.most_common())}"
    )


if __name__ == "__main__":
    main()
