"""Web pages: the main text as Markdown, with headings, lists and tables kept."""

import re
from pathlib import Path

from byheart.documents.html_marks import fold_marks
from byheart.documents.html_pairs import mark_pairs
from byheart.documents.language import count_words
from byheart.documents.text import decode
from byheart.errors import Problem, UserError

CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.IGNORECASE)
LEAST_SHARE = 0.3  # of the page's words; where the extractor returns fewer, its text is not used
INLINE = "a b i em strong span code sub sup abbr u q cite".split()


def read_html(path: Path) -> tuple[str, str, list[str]]:
    """The text of a page, its title ("" if it has none), and warnings."""
    from lxml import etree, html
    from trafilatura import extract

    data = path.read_bytes()
    declared = CHARSET.search(data[:4096])
    page, warnings = decode(data, str(path), declared[1].decode("ascii") if declared else "")
    # lxml refuses a str with an encoding declaration; the text is decoded already.
    page = re.sub(r"^\s*<\?xml[^>]*\?>", "", page)
    tree = html.fromstring(page) if page.strip() else None
    if tree is None:
        raise UserError(Problem("the page is empty", str(path)))
    title = first_text(tree, "//title") or first_text(tree, "//h1")
    fold_marks(tree)
    mark_pairs(tree)
    plain = plain_text(tree)
    etree.strip_tags(tree, "b", "strong", "i", "em", "u", "mark")  # "**two** litres" is no answer to learn
    text = extract(tree, output_format="markdown", include_tables=True, include_comments=False, favor_recall=True) or ""
    if "\\<" not in plain:
        text = text.replace("\\<", "<")  # an escape of the extractor's own
    if count_words(text) < LEAST_SHARE * count_words(plain):
        text = plain
    return re.sub(r"\r\n?", "\n", text), title, warnings


def first_text(tree: object, path: str) -> str:
    texts = (" ".join(element.text_content().split()) for element in tree.xpath(path))  # type: ignore[attr-defined]
    return next(filter(None, texts), "")


def plain_text(tree: object) -> str:
    """All words of the body: a paragraph for each block element, headings marked as in Markdown."""
    from lxml import etree

    blocks: list[str] = []
    body = (tree.xpath("//body") or [tree])[0]  # type: ignore[attr-defined]
    for element in body.xpath(".//script|.//style|.//noscript|.//template|.//nav|.//head"):
        element.drop_tree()

    def walk(element: etree._Element, mark: str) -> None:
        if not isinstance(element.tag, str):  # a comment
            return
        level = re.fullmatch(r"h([1-6])", element.tag)
        mark = "#" * int(level[1]) + " " if level else "- " if element.tag == "li" else mark
        is_block = element.tag not in INLINE
        if is_block:
            blocks.append(mark)
        blocks[-1] += element.text or ""
        for child in element:
            walk(child, "")
            blocks[-1] += child.tail or ""
        if is_block:
            blocks.append("")

    blocks.append("")
    walk(body, "")
    lines = [" ".join(block.split()) for block in blocks]
    return "\n\n".join(line for line in lines if line.strip("#- "))
