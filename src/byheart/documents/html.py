"""Web pages: what a reader sees as Markdown, with headings, lists and tables kept, and without the furniture of the page."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.documents.html_page import page_text, parse
from byheart.documents.text import decode
from byheart.errors import Problem, UserError
from byheart.records import counted

if TYPE_CHECKING:
    from lxml.html import HtmlElement

CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)


def read_html(path: Path) -> tuple[str, str, list[str]]:
    """The text of a page, its title ("" if it has none), and warnings."""
    data = path.read_bytes()
    declared = CHARSET.search(data[:4096])
    page, warnings = decode(data, str(path), declared[1].decode("ascii") if declared else "")
    tree = parse(page)
    if tree is None:
        raise UserError(Problem("the page is empty", str(path)))
    title = first_text(tree, "//title[not(ancestor::*[local-name()='svg'])]") or first_text(tree, "//h1")
    if frames := [frame.get("src") for frame in tree.iter("frame") if frame.get("src")]:
        warnings.append(
            f"{path}: the page is made of frames; their text is in {', '.join(frames[:5])}: name those files too"
        )
    counts: Counter[str] = Counter()
    text, left_out = page_text(tree, page, counts)
    said = [counted(number, kind) for kind, number in counts.items()]
    if left_out:
        words = ", ".join(f"“{' '.join(part.split()[:6])}”" for part in left_out[:4])
        said.append(f"{counted(len(left_out), 'short line')} around the text ({words}{', ...' * (len(left_out) > 4)})")
    if said:
        warnings.append(f"{path}: left out, as no text to learn: {', '.join(said)}")
    return text, title, warnings


def first_text(tree: "HtmlElement", path: str) -> str:
    texts = (" ".join(element.text_content().split()) for element in tree.xpath(path))
    return next(filter(None, texts), "")
