"""Text files: their encoding, text and title."""

import codecs
import re
from pathlib import Path

from byheart.documents.markdown.front_matter import read_front_matter
from byheart.documents.markdown.read import read_marks
from byheart.documents.structure.outline import outline
from byheart.errors import Problem, UserError
from byheart.records import LeftOut

BOMS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = {
    b"%PDF-": "PDF",
    b"PK\x03\x04": "zip or Office",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"\x1f\x8b": "gzip",
}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
BREAKS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
LONGEST_LINE = 5_000_000  # characters; more is data, which would take minutes and gigabytes
GUESS_CHAOS = 0.1  # charset-normalizer's "mess"; a guess above this is not used
# Left to itself, charset-normalizer takes "Café" for UTF-16 and koi8-r for Japanese.
LIKELY = (
    "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 iso8859_2 koi8_r mac_roman cp437 cp932 euc_jp gb18030 big5 euc_kr"
).split()
NO_TEXT = re.compile(r"[^\W\d_][¢£¤¥¦±¬¯¸]|[¤¦¬¶¯¸][^\W\d_]|[\x80-\x9f]")  # a sign within a word, a control character
ODD_IN_WESTERN = re.compile(r"[À-ÿŠšŽžŒœŸ]{3}|[¤¦¨¬¯´¸\xadþÞðÐƒˆ˜†‡‰]|[^\W\d_][¢£¥§©®±¶¿¡‚„…¹²³¼½¾×÷€™«»‹›“][^\W\d_]")


def read_text(path: Path) -> tuple[str, str, list[str | LeftOut]]:
    """The text of a .txt or Markdown file, its title ("" if it has none), and remarks."""
    text, warnings = decode(path.read_bytes(), str(path))
    remarks: list[str | LeftOut] = [*warnings]
    text = BREAKS.sub("\n", text)
    refuse_endless(text, str(path))
    markdown = path.suffix.lower() not in (".txt", ".text", ".srt", ".vtt")
    text, title, settings = read_front_matter(text, markdown)
    remarks += [LeftOut("blocks of front matter", 1)] if settings else []
    if markdown:
        text, left_out = read_marks(text)
        remarks += left_out
    return text, title or find_title(text), remarks


def decode(data: bytes, where: str, declared: str = "") -> tuple[str, list[str]]:
    """The text of the bytes, and a warning if the encoding had to be guessed. Raises UserError for bytes that are no text."""
    for magic, kind in MAGIC.items():
        if data.startswith(magic):
            fix = "give it the suffix that belongs to it"
            raise UserError(Problem(f"it is a {kind} file, not text", where, fix=fix))
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return strict(data, encoding, where), []
    if b"\0" in data:
        encoding = wide_encoding(data)
        if not encoding:
            raise binary(where, data.index(b"\0"))
        return refuse_controls(strict(data, encoding, where), where), []
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
    return refuse_controls(text, where), warnings


def refuse_controls(text: str, where: str) -> str:
    controls = [match.start() for match in CONTROL.finditer(text)]
    if len(controls) > len(text) / 1000:  # a stray one does no harm
        raise binary(where, controls[0])
    return text


def refuse_endless(text: str, where: str) -> None:
    """Raises UserError for a line that no prose has."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if end - start > LONGEST_LINE:
            number = text.count("\n", 0, start) + 1
            what = f"line {number:,} has {end - start:,} characters; a line may have {LONGEST_LINE:,}"
            raise UserError(Problem(what, where, fix="break it into paragraphs, or leave the file out if it is data"))
        start = end + 1


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
        if half.count(0) > 0.7 * len(half) and data[1 - first :: 2].count(0) == 0:
            return encoding
    return ""


def guess(data: bytes) -> str:
    """The most plausible encoding, or "" where none stands out."""
    from charset_normalizer import from_bytes

    found = from_bytes(data, cp_isolation=LIKELY)
    matches = [match for match in found if match.chaos <= GUESS_CHAOS and not NO_TEXT.search(str(match))]
    best = max(matches, key=lambda match: (round(match.coherence, 1), -match.chaos), default=None)
    western = is_western(data)
    own = next((match.coherence for match in matches if match.encoding == "cp1252"), 0.0)
    if western and (best is None or best.coherence <= own + 0.1):  # by chance, a rare code page often fits as well
        return "cp1252"
    if best is None or best.encoding == "cp1252":
        return ""
    if data.decode("cp1252", "ignore") == str(best):  # the same text by a better known name
        return "cp1252"
    rivals = [match.chaos for match in matches if str(match) != str(best)]
    high = sum(byte > 127 for byte in data)
    if (
        high < 8 and len(data) > 50 * high
    ):  # the rest is ASCII: that it is good English is no evidence for these few bytes
        return ""
    stands_out = min(rivals, default=1.0) >= best.chaos + 0.05 and high >= 8
    return best.encoding if best.coherence >= 0.2 or stands_out else ""


def is_western(data: bytes) -> bool:
    """Whether windows-1252 makes sense: no three accents in a row (that is Cyrillic or Greek), no odd signs."""
    try:
        return not ODD_IN_WESTERN.search(data.decode("cp1252"))
    except UnicodeDecodeError:
        return False


def binary(where: str, offset: int) -> UserError:
    what = f"it is not text: a control character at position {offset}"
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
    short = len(first) <= 80 and len(first.split()) <= 12
    return (
        first if alone and starts_well and short and "::" not in first and first[-1] not in ".,;:。，；：！？" else ""
    )
