"""Office files and e-books are zip archives. What is encrypted, damaged, hostile or something else is refused here."""

import html
import re
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from byheart.documents.office.formats import damaged
from byheart.errors import Problem, UserError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of Office files before 2007, and of encrypted ones since
OLD = {"WordDocument": ".doc", "PowerPoint Document": ".ppt", "Workbook": ".xls", "Book": ".xls"}
MIB = 1 << 20
MOST_TEXT = 24 * MIB  # a book of a thousand pages has 15; each takes about a second
MOST = 1024 * MIB
MOST_PARTS = 20_000
BOMB_RATIO, BOMB_SIZE = 150, 8 * MIB  # XML of real files shrinks to a twentieth, at most to a hundredth
TEXT = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".svg")
MACROS = re.compile(rb"macroEnabled", re.I)
DOCTYPE = re.compile(rb"<\0?!\0?(?:D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)")


@dataclass
class Read:
    """What a reader got out of a file: its text as Markdown, and the numbers of things left out, by their nouns."""

    text: str
    title: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)


def open_package(path: Path) -> zipfile.ZipFile:
    """The archive. Raises UserError for a file that is not to be opened. What it unpacks to is bounded from here on."""
    where, suffix = str(path), path.suffix.lower()
    with path.open("rb") as file:
        if file.read(8) == OLE:
            raise UserError(old_or_encrypted(path, suffix))
    try:
        package = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UserError(damaged(where, suffix)) from None
    parts = package.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise UserError(Problem("the file is encrypted", where, fix="save a copy without password"))
    whole = sum(part.file_size for part in parts)
    text = sum(part.file_size for part in parts if part.filename.lower().endswith(TEXT))
    squeezed = any(
        part.file_size > BOMB_SIZE and part.file_size > BOMB_RATIO * max(part.compress_size, 1) for part in parts
    )
    if squeezed or whole > MOST or len(parts) > MOST_PARTS:
        what = f"it unpacks to {whole // MIB:,} MB in {len(parts):,} parts: a zip bomb?"
        raise UserError(Problem(what, where, fix="export what you need to a file of its own, e.g. a PDF"))
    if text > MOST_TEXT:
        what = f"its text unpacks to {text // MIB:,} MB; byheart opens up to {MOST_TEXT // MIB}"
        raise UserError(Problem(what, where, fix="split it into several files"))
    return package


def open_office(path: Path) -> tuple[zipfile.ZipFile, str]:
    """The archive of an Office file, and the name of its main part. Raises UserError also for macros and entities."""
    package = open_package(path)
    where, suffix = str(path), path.suffix.lower()
    types = part_of(package, "[Content_Types].xml", path)
    if MACROS.search(types):
        raise UserError(Problem("the file holds macros", where, fix=f"save it as {suffix} without macros"))
    for part in package.infolist():
        if part.filename.lower().endswith((".xml", ".rels")) and DOCTYPE.search(head_of(package, part, path)):
            raise UserError(damaged(where, suffix, f"{part.filename} has a document type, which Office never writes"))
    kind = {
        ".docx": "wordprocessingml.document",
        ".pptx": "presentationml.presentation",
        ".xlsx": "spreadsheetml.sheet",
    }
    for override in re.findall(rb"<\w*:?Override\b[^>]*>", types):
        if kind[suffix].encode() + b".main+xml" in override and (name := re.search(rb'PartName="/?([^"]+)"', override)):
            return package, name[1].decode("utf-8", "replace")
    raise UserError(damaged(where, suffix, f"it holds no {suffix} document"))


def part_of(package: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """A part's bytes. Raises UserError where it is missing or damaged."""
    try:
        return package.read(name)
    except (KeyError, zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError):
        raise UserError(damaged(str(path), path.suffix.lower(), f"its part {name} cannot be read")) from None


def head_of(package: zipfile.ZipFile, part: zipfile.ZipInfo, path: Path) -> bytes:
    try:
        with package.open(part) as file:
            return file.read(4096)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError):
        raise UserError(damaged(str(path), path.suffix.lower(), f"its part {part.filename} cannot be read")) from None


def title_of(package: zipfile.ZipFile) -> str:
    """The title in the properties of an Office file; "" where it is what the program writes by itself."""
    if "docProps/core.xml" not in package.namelist():
        return ""
    found = re.search(rb"<dc:title[^>]*>([^<]{1,300})</dc:title>", package.read("docProps/core.xml"))
    title = " ".join(html.unescape(found[1].decode("utf-8", "replace")).split()) if found else ""
    return "" if title.lower() in ("word document", "untitled", "title", "powerpoint presentation") else title


def old_or_encrypted(path: Path, suffix: str) -> Problem:
    with path.open("rb") as file:
        data = file.read(64 * MIB)
    if "EncryptedPackage".encode("utf-16-le") in data:
        return Problem("the file is encrypted", str(path), fix="save a copy without password")
    old = next((kind for name, kind in OLD.items() if name.encode("utf-16-le") in data), "")
    what = f"it is an old {old} file, whatever its name says" if old else f"it is no {suffix} file"
    return Problem(what, str(path), fix=f"open it in an office program, and save it as {suffix}")
