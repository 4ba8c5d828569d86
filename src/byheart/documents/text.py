"""Text files: bytes to text without ever mangling it, and a title."""

import codecs
import re
from pathlib import Path

from byheart.documents.outline import outline
from byheart.errors import Problem, UserError

BOMS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = (
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "zip or Office"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x1f\x8b", "gzip"),
)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
BREAKS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
FRONT_MATTER = re.compile(
    r"---[ \t]*\n((?:(?:[A-Za-z_][\w -]*:.*|[ \t]+.*|- .*|#.*|)\n)*?)(?:---|\.\.\.)[ \t]*(?:\n|$)"
)
TITLE_KEY = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE)
GUESS_CHAOS = 0.1  # charset-normalizer's "mess"; above this a guess is none


def read_text(path: Path) -> tuple[str, str, list[str]]:
    """The text of a .txt or Markdown file, its title ("" if it has none), and warnings."""
    text, warnings = decode(path.read_bytes(), str(path))
    text = BREAKS.sub("\n", text)
    title = ""
    if matter := FRONT_MATTER.match(text):
        found = TITLE_KEY.search(matter[1])
        title = found[1] if found else ""
        text = text[matter.end() :]
    return text, title or find_title(text), warnings


def decode(data: bytes, where: str, declared: str = "") -> tuple[str, list[str]]:
    """The text of the bytes, and a warning where the encoding had to be guessed. What cannot be read is refused."""
    for magic, kind in MAGIC:
        if data.startswith(magic):
            raise UserError(
                Problem(f"it is a {kind} file, not text", where, fix="give it the suffix that belongs to it")
            )
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return strict(data, encoding, where), []
    if b"\0" in data:
        encoding = wide_encoding(data)
        if not encoding:
            raise binary(where, data.index(b"\0"))
        return strict(data, encoding, where), []
    warnings: list[str] = []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        encoding = declared or guess(data)
        if not encoding:
            raise undecodable(where, data, fault.start, "UTF-8") from None
        text = strict(data, encoding, where)
        if not declared:
            warnings.append(f"{where}: not UTF-8; read as {encoding}, a guess. Save it as UTF-8 to be sure.")
    controls = [match.start() for match in CONTROL.finditer(text)]
    if len(controls) > len(text) / 1000:  # a stray one does no harm
        raise binary(where, controls[0])
    return text, warnings


def strict(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as fault:
        raise undecodable(where, data, fault.start, encoding) from None
    except LookupError:
        raise UserError(Problem("it declares an unknown encoding", where, encoding, "save it as UTF-8")) from None


def wide_encoding(data: bytes) -> str:
    """UTF-16 without its mark: nearly every other byte of Western text is NUL."""
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = data[first::2]
        if half.count(0) > 0.4 * len(half) and data[1 - first :: 2].count(0) == 0:
            return encoding
    return ""


def guess(data: bytes) -> str:
    """The most plausible encoding, or "" where none is plausible."""
    from charset_normalizer import from_bytes

    # Western text has few bytes to tell by, and the rare code pages win by chance: windows-1252 goes first if all of
    # its high characters are letters or typography.
    try:
        high = {character for character in data.decode("cp1252") if ord(character) > 127}
    except UnicodeDecodeError:
        high = set()
    western = "äöüßÄÖÜéèêëáàâãåæçíìîïñóòôõøúùûýÿÉÈÊÁÀÂÃÅÆÇÍÎÑÓÔÕØÚÛœŒšŠžŽŸ‘’“”„‚«»–—…•€£§©®°±²³µ·¿¡ªº½¼¾×÷™\xa0"
    if high and high <= set(western) and is_spread_like_western(data):
        return "cp1252"
    best = from_bytes(data).best()
    return best.encoding if best and best.chaos <= GUESS_CHAOS else ""


def is_spread_like_western(data: bytes) -> bool:
    """Few high bytes and hardly ever three in a row; Cyrillic or Greek letters come in whole words."""
    high = sum(byte > 127 for byte in data)
    return high < 0.15 * len(data) and not re.search(rb"[\xc0-\xff]{3}", data)


def binary(where: str, offset: int) -> UserError:
    what = f"it is not text: a control character at byte {offset}"
    return UserError(Problem(what, where, fix="name a .txt, .md, .html or .pdf file that holds text"))


def undecodable(where: str, data: bytes, offset: int, encoding: str) -> UserError:
    line = data.count(b"\n", 0, offset) + 1
    what = f"cannot be read as text: byte {offset} (line {line}) is 0x{data[offset]:02X}, which is not {encoding}"
    return UserError(Problem(what, where, fix="save it as UTF-8, e.g. iconv -f <its encoding> -t utf-8 in > out"))


def find_title(text: str) -> str:
    """The first heading if it is outermost; else the first line if it stands alone and looks like a title; else ""."""
    head = text[:20_000]
    lines = head.strip().split("\n")
    first = lines[0].strip()
    for heading in outline(head).headings[:1]:
        if heading.level <= 1:
            return heading.title
        if head[heading.start : heading.end].lstrip().startswith("#") and not head[: heading.start].strip():
            return heading.title
    alone = len(lines) > 1 and not lines[1].strip()
    starts_well = first[:1].isalnum() or first[:1] in "\"'“‘«¡¿§"
    if alone and starts_well and len(first) <= 80 and len(first.split()) <= 12 and first[-1] not in ".,;:":
        return first
    return ""
