"""E-books (EPUB): the chapters in the order of the book's spine, without its table of contents and page marks."""

import posixpath
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from byheart.documents.html.marks import fold_marks
from byheart.documents.html.pairs import mark_pairs
from byheart.documents.office.formats import damaged
from byheart.documents.office.markup import Markdown, write_markup
from byheart.documents.office.package import Read, open_package, part_of
from byheart.errors import Problem, UserError

if TYPE_CHECKING:
    from lxml.etree import _Element
    from lxml.html import HtmlElement

PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
FONT_MANGLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
LEAST_LINKS = 4
TYPE = "{http://www.idpf.org/2007/ops}type"


def read_epub(path: Path) -> Read:
    """Raises UserError, or whatever the parsers raise on damaged XML."""
    package = open_package(path)
    names = set(package.namelist())
    if "META-INF/container.xml" not in names:
        raise UserError(damaged(str(path), ".epub", "it holds no book"))
    if "META-INF/encryption.xml" in names and is_locked(package):
        raise UserError(Problem("the book is encrypted (DRM)", str(path), fix="name a copy without it"))
    container = parse(part_of(package, "META-INF/container.xml", path))
    root = next((str(each.get("full-path")) for each in container.iter("{*}rootfile")), "")
    book = parse(part_of(package, root, path))
    folder = posixpath.dirname(root)
    items = {str(each.get("id")): each for each in book.iter("{*}item")}
    left_out: Counter[str] = Counter()
    out = Markdown(left_out)
    missing: list[str] = []
    for entry in book.iter("{*}itemref"):
        item = items.get(str(entry.get("idref")))
        if item is None or item.get("media-type") not in PAGES:
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(str(item.get("href")))))
        if name not in names:
            missing.append(name)
            continue
        body = page_of(part_of(package, name, path))
        if body is None:
            continue
        if "nav" in str(item.get("properties", "")).split() or is_contents(body):
            left_out["page of contents"] += 1
            continue
        clean(body, left_out)
        write_markup(body, out)
    titles = (" ".join((each.text or "").split()) for each in book.iter("{http://purl.org/dc/elements/1.1/}title"))
    remarks = [f"the book names {missing[0]}, which it does not hold"] if missing else []
    return Read(out.text(), next(filter(None, titles), ""), left_out, remarks)


def is_locked(package: zipfile.ZipFile) -> bool:
    """Whether something is encrypted: fonts may be mangled in a free book too."""
    methods = parse(package.read("META-INF/encryption.xml")).iter("{*}EncryptionMethod")
    return any(each.get("Algorithm") not in FONT_MANGLING for each in methods)


def parse(data: bytes) -> "_Element":
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))


def page_of(data: bytes) -> "HtmlElement | None":
    """The body of a chapter. XHTML is read as HTML, because many books are not well formed."""
    from lxml import etree, html

    declared = re.search(rb"""encoding=["']([\w-]+)""", data[:200])
    encoding = declared[1].decode() if declared else "utf-8"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    data = re.sub(rb"<(script|style|title|a|p|div|span|td|i|b|em|strong)\b([^>]*)/>", rb"<\1\2></\1>", data)
    data = re.sub(rb"^\s*<\?xml[^>]*\?>", b"", data) if encoding != "utf-16" else data
    if not data.strip():
        return None
    try:
        tree = html.fromstring(data, parser=html.HTMLParser(encoding=encoding))
    except etree.ParserError:  # nothing but the ends of elements that never began
        return None
    return next(tree.iter("body"), tree)


def is_contents(body: "HtmlElement") -> bool:
    """Whether most words of a page are links: a table of contents, or an index."""
    words = len("".join(body.text_content().split()))
    linked = [len("".join(link.text_content().split())) for link in body.iter("a") if link.get("href")]
    return len(linked) >= LEAST_LINKS and sum(linked) > 0.7 * words


def clean(body: "HtmlElement", left_out: Counter[str]) -> None:
    """Takes out numbers of printed pages and signs of notes; what is marked as in a web page is folded."""
    for each in list(body.iter()):
        kinds = str(each.get("epub:type") or each.get("role") or "") if isinstance(each.tag, str) else ""
        if "pagebreak" in kinds:
            left_out["page number"] += bool(each.text_content().strip())
            each.drop_tree()
        elif "noteref" in kinds or "backlink" in kinds:
            each.drop_tree()
    for each in body.xpath(".//img|.//*[local-name()='svg']"):
        left_out["picture"] += each.tag == "svg"
    fold_marks(body)
    mark_pairs(body)
