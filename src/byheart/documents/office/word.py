"""Word files: a clean copy goes through mammoth to HTML, and from there to Markdown."""

import io
import posixpath
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from byheart.documents.markdown.notes import anchor_of
from byheart.documents.office.markup import Markdown, write_markup
from byheart.documents.office.package import Read, open_office, part_of, title_of
from byheart.documents.office.word_xml import CLASSES, clean_notes, clean_text, read_styles, words_in

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MEDIA = re.compile(r"(?:^|/)(?:media|embeddings|fonts|theme|charts|diagrams)/")
RUNNING = re.compile(r"(?:^|/)(?:header|footer)\d*\.xml$")
NOTE = re.compile(r"(?:footnote|endnote)-\d+")
STYLE_MAP = "\n".join(
    [
        *(f"p.BhH{level} => h{level}:fresh" for level in range(1, 7)),
        *(f"p.BhItem{depth} => p.item{depth}:fresh" for depth in range(9)),
        "p.BhLoud => p.loud:fresh",
    ]
)
assert {line.split()[0][2:] for line in STYLE_MAP.split("\n")} == set(CLASSES)


def read_docx(path: Path) -> Read:
    """Raises UserError, or whatever the parsers raise on damaged XML."""
    import mammoth
    from lxml import html

    package, main = open_office(path)
    left_out: Counter[str] = Counter()
    names = set(package.namelist())
    folder = posixpath.dirname(main)

    def part(name: str) -> bytes:
        return part_of(package, name, path) if name in names else b""

    styles = read_styles(part(f"{folder}/styles.xml"), part(f"{folder}/numbering.xml"))
    changed = {main: clean_text(part_of(package, main, path), styles, left_out)}
    for kind in ("footnotes", "endnotes"):
        if data := part(f"{folder}/{kind}.xml"):
            changed[f"{folder}/{kind}.xml"] = clean_notes(data, styles, left_out)
    left_out["running head"] += sum(bool(words_in(part(name))) for name in names if RUNNING.search(name))
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as out:
        for name in sorted(names):
            if not MEDIA.search(name) and name.endswith((".xml", ".rels")) and "comments" not in name:
                out.writestr(name, changed.get(name) or part_of(package, name, path))
    markup = mammoth.convert_to_html(copy, style_map=STYLE_MAP).value
    remarks = []
    body = html.fragment_fromstring(markup, create_parent="div")
    place_notes(body)
    out_text = Markdown(left_out)
    write_markup(body, out_text)
    written, read = len("".join(words_in(changed[main]).split())), len("".join(body.text_content().split()))
    if read < 0.98 * written:
        remarks.append(f"{written - read:,} of {written:,} letters could not be read. Save it as a PDF and read that")
    if left_out["text of another format"]:
        remarks.append(
            "text that was inserted from a file of another format is not read. Save it as a PDF and read that"
        )
    return Read(out_text.text(), styles.title or title_of(package), left_out, remarks)


def place_notes(body: "HtmlElement") -> None:
    """Each note behind the block that refers to it, as a paragraph that says what words it is on."""
    notes = {}
    for item in list(body.iter("li")):
        if NOTE.fullmatch(name := item.get("id", "")):
            for back in item.xpath(".//a[starts-with(@href, '#')]"):
                if (back.text or "").strip() == "↑":
                    back.drop_tree()
            notes[name] = " ".join(" ".join(each.text_content().split()) for each in item)
            parent = item.getparent()
            parent.remove(item)
            if len(parent) == 0:
                parent.drop_tree()
    last: dict[object, HtmlElement] = {}
    for link in list(body.xpath(".//sup/a[starts-with(@href, '#')]")):
        note = notes.pop(link.get("href")[1:], "")
        block = link
        while block.getparent() is not body:
            block = block.getparent()
        host = next((above for above in link.iterancestors("p", "td", "th", "li")), block)
        mark = link.getparent()
        link.text = "\ue000"  # where the mark stands in the words
        before = host.text_content().partition("\ue000")[0]
        mark.drop_tree()
        if note:
            paragraph = body.makeelement("p")
            paragraph.text = f"[^“{anchor_of(before)}”]: {note}" if before.strip() else f"[^note]: {note}"
            last.get(block, block).addnext(paragraph)
            last[block] = paragraph
    for note in notes.values():
        paragraph = body.makeelement("p")
        paragraph.text = f"[^note]: {note}"
        body.append(paragraph)
