"""Small real Office files and e-books, written by hand as zip archives of XML."""

import zipfile
from pathlib import Path

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml"


def paragraph(text: str, style: str = "", props: str = "", run: str = "") -> str:
    """A paragraph of one run; `props` and `run` are XML of its properties and of its run's."""
    styled = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{styled}{props}</w:pPr><w:r><w:rPr>{run}</w:rPr>{words(text)}</w:r></w:p>"


def words(text: str) -> str:
    return f'<w:t xml:space="preserve">{text}</w:t>'


def item(text: str, depth: int = 0, list_id: int = 1) -> str:
    return paragraph(text, props=f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{list_id}"/></w:numPr>')


def table(*rows: list[str], props: str = "") -> str:
    """A table; a cell may be XML of a whole <w:tc>. `props` is XML of the first row's properties."""
    out = ""
    for at, row in enumerate(rows):
        cells = [cell if cell.startswith("<w:tc>") else f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row]
        out += f"<w:tr>{f'<w:trPr>{props}</w:trPr>' if props and not at else ''}{''.join(cells)}</w:tr>"
    return f"<w:tbl><w:tblPr/>{out}</w:tbl>"


def write_docx(path: Path, *blocks: str, parts: dict[str, str] | None = None, kind: str = "document.main+xml") -> Path:
    """A Word file. `parts` are further XML files in the folder "word": styles, numbering, footnotes, header1, ..."""
    body = f'<w:document {W} {M} xmlns:r="{RELS}"><w:body>{"".join(blocks)}</w:body></w:document>'
    parts = parts or {}
    overrides = f'<Override PartName="/word/document.xml" ContentType="{MAIN}.{kind}"/>'
    related = ""
    for number, name in enumerate(parts, 1):
        plain = name.rstrip("0123456789")
        overrides += f'<Override PartName="/word/{name}.xml" ContentType="{MAIN}.{plain}+xml"/>'
        related += f'<Relationship Id="r{number}" Type="{RELS}/{plain}" Target="{name}.xml"/>'
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default '
        f'Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{overrides}</Types>',
        "_rels/.rels": relationships(f'<Relationship Id="a" Type="{RELS}/officeDocument" Target="word/document.xml"/>'),
        "word/_rels/document.xml.rels": relationships(related),
        "word/document.xml": body,
        **{f"word/{name}.xml": text for name, text in parts.items()},
    }
    return write_zip(path, files)


def relationships(inner: str) -> str:
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>'
    )


def styles(*each: str) -> str:
    return f"<w:styles {W}>{''.join(each)}</w:styles>"


def style(name: str, identifier: str, props: str = "", run: str = "", based: str = "") -> str:
    above = f'<w:basedOn w:val="{based}"/>' if based else ""
    inner = f"<w:pPr>{props}</w:pPr><w:rPr>{run}</w:rPr>"
    return f'<w:style w:type="paragraph" w:styleId="{identifier}"><w:name w:val="{name}"/>{above}{inner}</w:style>'


def numbering(*levels: tuple[str, str], lists: int = 1) -> str:
    """One definition of these levels (format, pattern), and so many lists that follow it."""
    inner = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{pattern}"/></w:lvl>'
        for at, (form, pattern) in enumerate(levels)
    )
    nums = "".join(f'<w:num w:numId="{at}"><w:abstractNumId w:val="0"/></w:num>' for at in range(1, lists + 1))
    return f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">{inner}</w:abstractNum>{nums}</w:numbering>'


def write_epub(path: Path, chapters: dict[str, str], title: str = "", more: dict[str, str] | None = None) -> Path:
    """An e-book of these chapters (file name and body) in this order; one named nav.xhtml is its table of contents."""
    manifest = "".join(
        f'<item id="i{at}" href="{name}" media-type="application/xhtml+xml"'
        + (' properties="nav"/>' if name == "nav.xhtml" else "/>")
        for at, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="i{at}"/>' for at in range(len(chapters)))
    book = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/" version="3.0"><metadata>'
        f"<dc:title>{title}</dc:title></metadata><manifest>{manifest}</manifest><spine>{spine}</spine></package>"
    )
    page = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="{}"><body>{}</body></html>'
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": book,
        **{f"OEBPS/{name}": page.format("http://www.idpf.org/2007/ops", body) for name, body in chapters.items()},
        **(more or {}),
    }
    return write_zip(path, files)


def write_zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path
