"""Web pages: what a reader sees as Markdown, with headings, lists and tables kept, and without the furniture of the page."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.documents.html.page import page_text, parse
from byheart.documents.text import decode
from byheart.errors import Problem, UserError
from byheart.records import LeftOut, all_left_out

if TYPE_CHECKING:
    from lxml.html import HtmlElement

CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)


def read_html(path: Path) -> tuple[str, str, list[str | LeftOut]]:
    """The text of a page, its title ("" if it has none), warnings, and what was left out."""
    data = path.read_bytes()
    declared = CHARSET.search(data[:4096])
    page, warnings = decode(data, str(path), declared[1].decode("ascii") if declared else "")
    remarks: list[str | LeftOut] = [*warnings]
    tree = parse(page)
    if tree is None:
        raise UserError(Problem("the page is empty", str(path)))
    title = first_text(tree, "//title[not(ancestor::*[local-name()='svg'])]") or first_text(tree, "//h1")
    if frames := [frame.get("src") for frame in tree.iter("frame") if frame.get("src")]:
        remarks.append(
            f"{path}: the page is made of frames; their text is in {', '.join(frames[:5])}: name those files too"
        )
    counts: Counter[str] = Counter()
    text, left_out = page_text(tree, page, counts)
    remarks += all_left_out(counts)
    if left_out:
        remarks.append(LeftOut("short lines around the text", len(left_out), " ".join(left_out[0].split()[:6])))
    return text, title, remarks


def first_text(tree: "HtmlElement", path: str) -> str:
    texts = (" ".join(element.text_content().split()) for element in tree.xpath(path))
    return next(filter(None, texts), "")
