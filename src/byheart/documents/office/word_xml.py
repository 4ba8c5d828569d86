"""The XML of a Word file, made ready for mammoth: what a reader does not see goes, what Word computes is written out.

mammoth knows runs, tables and notes. It does not count numbers of lists and headings, and drops formulas, simple fields
and text boxes without a fallback.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.documents.office.formulas import M, formula_text
from byheart.documents.office.numbering import Numbering, W, read_numbering

if TYPE_CHECKING:
    from lxml.etree import _Element

MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
CLASSES = [*(f"BhH{level}" for level in range(1, 7)), *(f"BhItem{depth}" for depth in range(9)), "BhLoud"]
CONTENTS = re.compile(r"(?:toc|table of figures|contents)(?: heading)?\b", re.I)
UNWRAPPED = [W + name for name in ("fldSimple", "dir", "bdo", "customXml", "smartTag")]
COUNTED = {
    "picture": "*[local-name()='pic']",
    "chart": "*[local-name()='chart' and @*[local-name()='id']]",
    "diagram": "*[local-name()='relIds']",
    "embedded object": "*[local-name()='OLEObject']",
}


@dataclass(frozen=True)
class Style:
    """What a paragraph or run has by its style; None is inherited, and looked up already."""

    name: str = ""
    outline: int | None = None
    bold: bool = False
    size: float = 0.0
    hidden: bool = False
    number_id: str = ""
    depth: int = 0


@dataclass
class Styles:
    by_id: dict[str, Style]
    numbering: Numbering
    default: Style
    title: str = ""  # what the first paragraph in the style of titles says


def parse(data: bytes) -> "_Element":
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))


def words_in(data: bytes) -> str:
    return "".join(each.text or "" for each in parse(data).iter(W + "t")) if data else ""


def read_styles(styles: bytes, numbering: bytes) -> Styles:
    lists = read_numbering(parse(numbering)) if numbering else Numbering()
    if not styles:
        return Styles({}, lists, Style(size=11))
    tree = parse(styles)
    elements = {str(each.get(W + "styleId")): each for each in tree.iterchildren(W + "style")}
    by_id: dict[str, Style] = {}
    for name in elements:
        chain: list[str] = []
        while name in elements and name not in by_id and name not in chain:
            chain.append(name)
            name = _value(elements[name], "basedOn")
        above = by_id.get(name, Style())
        for each in reversed(chain):
            above = by_id[each] = read_style(elements[each], above)
    found = tree.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr/{W}sz")
    size = _float(None if found is None else found.get(W + "val"), 20.0) / 2  # it is told in half points
    first = next(
        (
            str(key)
            for key, each in elements.items()
            if each.get(W + "default") == "1" and each.get(W + "type") == "paragraph"
        ),
        "",
    )
    base = by_id.get(first, Style())
    return Styles(by_id, lists, Style(base.name, size=base.size or size))


def read_style(element: "_Element", above: Style) -> Style:
    look, place = element.find(W + "rPr"), element.find(W + "pPr")
    outline, number_id, depth = above.outline, above.number_id, above.depth
    if place is not None:
        outline = _int(_value(place, "outlineLvl"), outline)
        if (list_of := place.find(W + "numPr")) is not None:
            number_id = _value(list_of, "numId") or number_id
            depth = _int(_value(list_of, "ilvl"), depth) or 0
    name = _value(element, "name")
    if outline is None and (heading := re.fullmatch(r"heading ([1-9])", name, re.I)):
        outline = int(heading[1]) - 1
    return Style(
        name,
        outline,
        _on(look, "b", above.bold),
        _float(_value(look, "sz"), 2 * above.size) / 2,
        _on(look, "vanish", above.hidden),
        number_id,
        depth,
    )


def clean_text(data: bytes, styles: Styles, left_out: Counter[str]) -> bytes:
    """The main text, its paragraphs marked as headings, items and loud lines by the names of CLASSES."""
    from lxml import etree

    tree = parse(data)
    clean(tree, styles, left_out)
    drop_contents(tree, styles, left_out)
    paragraphs = list(tree.iter(W + "p"))
    titles = [each for each in paragraphs if styles.by_id.get(_style_of(each), Style()).name.lower() == "title"]
    styles.title = next(filter(None, (" ".join("".join(each.itertext(W + "t")).split()) for each in titles)), "")
    for paragraph in paragraphs:
        mark_paragraph(paragraph, styles)
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def clean_notes(data: bytes, styles: Styles, left_out: Counter[str]) -> bytes:
    from lxml import etree

    tree = parse(data)
    clean(tree, styles, left_out)
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def clean(tree: "_Element", styles: Styles, left_out: Counter[str]) -> None:
    """Takes out what no reader sees, and counts it."""
    left_out["comment"] += len(tree.findall(f".//{W}commentReference"))
    for tag in ("del", "moveFrom"):
        for each in list(tree.iter(W + tag)):
            if each.getparent().tag not in (W + "rPr", W + "trPr"):
                left_out["deleted text"] += any(True for _ in each.iter(W + "delText", W + "t"))
                _remove(each)
    for run in list(tree.iter(W + "r")):
        look = run.find(W + "rPr")
        style = styles.by_id.get(_value(look, "rStyle"), Style())
        says = run.find(W + "t") is not None
        if _on(look, "vanish", style.hidden):
            left_out["hidden text"] += says
            _remove(run)
        elif _on(look, "strike", False) or _on(look, "dstrike", False):
            left_out["struck text"] += says
            _remove(run)
    for field_ in list(tree.iter(W + "sdt")):
        if field_.find(f"{W}sdtPr/{W}showingPlcHdr") is not None:
            left_out["empty field"] += 1
            _remove(field_)
    for base in list(tree.iter(W + "rubyBase")):  # the reading above the signs goes
        run = next(base.iterancestors(W + "r"))
        for each in reversed(list(base)):
            run.addnext(each)
        _remove(base.getparent())
    for each in list(tree.iter(*UNWRAPPED)):
        _unwrap(each)
    for each in list(tree.iter(W + "altChunk")):
        left_out["text of another format"] += 1
        _remove(each)
    write_formulas(tree)
    lift_boxes(tree)
    for name, path in COUNTED.items():
        left_out[name] += len(tree.xpath(f".//{path}"))
    for each in list(tree.iter(W + "drawing", W + "pict", W + "object")):
        _remove(each)


def write_formulas(tree: "_Element") -> None:
    for each in list(tree.iter(M + "oMath")):
        run = each.makeelement(W + "r")
        text = run.makeelement(W + "t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"})
        text.text = formula_text(each)
        run.append(text)
        run.tail = each.tail
        each.getparent().replace(each, run)
    for each in list(tree.iter(M + "oMathPara")):
        _unwrap(each)


def lift_boxes(tree: "_Element") -> None:
    """The paragraphs of a text box stand behind the paragraph that it is anchored in; of two ways to say it, one."""
    for each in list(tree.iter(MC + "AlternateContent")):
        for other in each.findall(MC + "Fallback") if each.find(MC + "Choice") is not None else []:
            each.remove(other)
    for box in list(tree.iter(W + "txbxContent")):
        host = next((above for above in box.iterancestors(W + "p")), None)
        if host is not None:
            for child in reversed(list(box)):
                host.addnext(child)


def drop_contents(tree: "_Element", styles: Styles, left_out: Counter[str]) -> None:
    """Tables of contents and of figures: told by their gallery, or by the styles of their lines."""
    for block in list(tree.iter(W + "sdt")):
        gallery = block.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
        if gallery is not None and "contents" in str(gallery.get(W + "val", "")).lower():
            left_out["line of contents"] += len(list(block.iter(W + "p")))
            _remove(block)
    for paragraph in list(tree.iter(W + "p")):
        if CONTENTS.match(styles.by_id.get(_style_of(paragraph), Style()).name):
            left_out["line of contents"] += paragraph.find(f".//{W}t") is not None
            _remove(paragraph)


def mark_paragraph(paragraph: "_Element", styles: Styles) -> None:
    """Gives a paragraph the style that says what it is, and writes its number out."""
    place = paragraph.find(W + "pPr")
    style = styles.by_id.get(_style_of(paragraph), styles.default)
    outline, number_id, depth = style.outline, style.number_id, style.depth
    if place is not None:
        outline = _int(_value(place, "outlineLvl"), outline)
        if (list_of := place.find(W + "numPr")) is not None:
            number_id = _value(list_of, "numId") or number_id
            depth = _int(_value(list_of, "ilvl"), depth) or 0
            place.remove(list_of)
    if paragraph.find(f".//{W}t") is None:
        return
    label = styles.numbering.label(number_id, depth)
    if label:
        paragraph.insert(0 if place is None else 1, _text_run(paragraph, label + " "))
    kind = ""
    if style.name.lower() == "title":
        kind = "BhH1"
    elif outline is not None and outline < 9:
        kind = f"BhH{min(outline + 1 + bool(styles.title), 6)}"  # below the title
    elif label:
        kind = f"BhItem{min(depth, 8)}"
    elif is_loud(paragraph, style, styles.default.size):
        kind = "BhLoud"
    if kind:
        if place is None:
            place = paragraph.makeelement(W + "pPr")
            paragraph.insert(0, place)
        for each in place.findall(W + "pStyle"):
            place.remove(each)
        place.insert(0, place.makeelement(W + "pStyle", {W + "val": kind}))


def is_loud(paragraph: "_Element", style: Style, size: float) -> bool:
    """Whether all words are bold, or larger than the document's text by a fifth."""
    runs = [run for run in paragraph.iter(W + "r") if "".join(run.itertext(W + "t")).strip()]
    looks = [run.find(W + "rPr") for run in runs]
    return bool(runs) and all(
        _on(look, "b", style.bold) or _float(_value(look, "sz"), 2 * (style.size or size)) / 2 >= 1.2 * size
        for look in looks
    )


def _text_run(paragraph: "_Element", words: str) -> "_Element":
    run = paragraph.makeelement(W + "r")
    text = run.makeelement(W + "t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"})
    text.text = words
    run.append(text)
    return run


def _style_of(paragraph: "_Element") -> str:
    return _value(paragraph.find(W + "pPr"), "pStyle")


def _value(element: "_Element | None", child: str) -> str:
    found = None if element is None else element.find(W + child)
    return "" if found is None else str(found.get(W + "val", ""))


def _on(look: "_Element | None", name: str, other: bool) -> bool:
    found = None if look is None else look.find(W + name)
    return other if found is None else found.get(W + "val") not in ("0", "false", "off")


def _int(text: str, other: int | None) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,3}", text) else other


def _float(text: str | None, other: float) -> float:
    return float(text) if text and re.fullmatch(r"\d{1,4}(\.\d{1,3})?", text) else other


def _remove(element: "_Element") -> None:
    """The element goes; in this format no text follows one."""
    if (parent := element.getparent()) is not None:
        parent.remove(element)


def _unwrap(element: "_Element") -> None:
    parent = element.getparent()
    at = parent.index(element)
    parent[at : at + 1] = list(element)
