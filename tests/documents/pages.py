"""Small real PDF files, written by hand: no library of ours writes one."""

from pathlib import Path

FONTS = ("Helvetica", "Helvetica-Bold")
Placed = tuple[float, float, float, str]  # x and y of the first letter from the lower left, size (below 0: bold), text


def write_pdf(path: Path, pages: list[list[str]], title: str = "") -> Path:
    """A PDF whose pages hold these lines (ASCII), from the top down."""
    placed = [[(50.0, 780.0 - 13 * at, 11.0, line) for at, line in enumerate(lines)] for lines in pages]
    return write_placed(path, placed, title)


def write_placed(path: Path, pages: list[list[Placed]], title: str = "", drawn: bytes = b"") -> Path:
    """A PDF whose pages hold these texts (windows-1252) at these places, in this order, on `drawn` operators."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    fonts = [
        add(b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % name.encode())
        for name in FONTS
    ]
    contents = []
    for texts in pages:
        shown = b"\n".join(
            b"BT /F%d %g Tf %g %g Td (%s) Tj ET" % (1 + (size < 0), abs(size), x, y, escape(text).encode("cp1252"))
            for x, y, size, text in texts
        )
        stream = drawn + b"\n" + shown
        contents.append(add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)))
    tree = len(objects) + len(pages) + 1
    kids = [
        add(
            b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 %d 0 R /F2 %d 0 R >> >> >>" % (tree, content, *fonts)
        )
        for content in contents
    ]
    add(b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids)))
    catalog = add(b"<< /Type /Catalog /Pages %d 0 R >>" % tree)
    info = add(b"<< /Title (%s) >>" % escape(title).encode("ascii"))
    data = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root %d 0 R /Info %d 0 R >>" % (len(objects) + 1, catalog, info)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%s%s\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table,
        trailer,
        start,
    )
    path.write_bytes(data)
    return path


def escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
