"""Slides: each is a section under its title, in the order in which they are shown; speaker notes say that they are notes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from byheart.documents.grids import fill, table_text
from byheart.documents.office.formulas import M, formula_text
from byheart.documents.office.markup import STEP, Markdown
from byheart.documents.office.package import Read, open_office, title_of
from byheart.records import counted

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
RUNNING = ("DATE", "FOOTER", "SLIDE_NUMBER", "HEADER")  # kinds of placeholders
BODY = ("BODY", "OBJECT", "VERTICAL_BODY", "VERTICAL_OBJECT")
LEAST_REPEATS = 3


def read_pptx(path: Path) -> Read:
    """Raises UserError, or whatever the parsers raise on damaged XML."""
    from pptx import Presentation

    package, _ = open_office(path)
    slides = list(Presentation(str(path)).slides)
    out = Markdown()
    hidden: list[int] = []
    title = ""
    repeated = repeated_texts(slides)
    for number, slide in enumerate(slides, 1):
        if slide._element.get("show") in ("0", "false"):
            hidden.append(number)
            continue
        named = slide.shapes.title
        words = " ".join(named.text_frame.text.split()) if named is not None else ""
        opening = number == 1 and bool(words) and kind_of(named) == "CENTER_TITLE"
        title = words if opening else title
        before = len(out.parts)
        out.add_heading(words, 1 if opening else 2)
        for shape in flat(slide.shapes):
            if named is None or shape.shape_id != named.shape_id:
                write_shape(shape, out, repeated)
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None and notes.text.strip():
            out.add_heading("Speaker notes", 3)
            write_frame(notes, out, listed=False)
        if not words and len(out.parts) > before:
            out.parts.insert(before, ("heading", f"## Slide {number}"))
        out.left_out["file of comments"] += sum(rel.reltype.endswith("/comments") for rel in slide.part.rels.values())
    remarks = []
    if hidden:
        which = ", ".join(map(str, hidden[:12])) + ", ..." * (len(hidden) > 12)
        remarks.append(f"{counted(len(hidden), 'hidden slide')} left out ({which}). Show them if they are to be read")
    return Read(out.text(), title or title_of(package), out.left_out, remarks)


def flat(shapes: Any) -> Iterator[Any]:
    """All shapes in the order in which a slide is read aloud, those of groups in place."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from flat(shape.shapes)
        else:
            yield shape


def kind_of(shape: Any) -> str:
    """The kind of a placeholder, "" for another shape."""
    return shape.placeholder_format.type.name if shape.is_placeholder and shape.placeholder_format.type else ""


def repeated_texts(slides: Sequence[Any]) -> set[tuple[str, int, int]]:
    """Texts at one place on at least half of the slides, like the name of a firm: text and place."""
    seen = Counter(
        place
        for slide in slides
        for place in {place_of(shape) for shape in flat(slide.shapes) if not shape.is_placeholder}
    )
    return {place for place, count in seen.items() if place[0] and count >= max(LEAST_REPEATS, len(slides) / 2)}


def place_of(shape: Any) -> tuple[str, int, int]:
    text = " ".join(shape.text_frame.text.split()) if shape.has_text_frame else ""
    return text, shape.top or 0, shape.left or 0


def write_shape(shape: Any, out: Markdown, repeated: set[tuple[str, int, int]]) -> None:
    kind = kind_of(shape)
    if kind in RUNNING or place_of(shape) in repeated:
        out.left_out["running head"] += bool(place_of(shape)[0])
    elif getattr(shape, "has_table", False):
        write_table(shape.table, out)
    elif getattr(shape, "has_chart", False):
        write_chart(shape.chart, out)
    elif shape.has_text_frame:
        bare = kind in BODY and says_no_bullet(shape)
        single = sum(bool(each.text.strip()) for each in shape.text_frame.paragraphs) == 1
        if bare and single:  # as the layout of a comparison has them, above each list
            out.add(paragraph_text(shape.text_frame.paragraphs[0]), "loud")
        else:
            write_frame(shape.text_frame, out, listed=kind in BODY and not bare)
    elif points := diagram_points(shape):
        for point in points:
            out.add(f"- {point}")
    elif shape.shape_type is not None and "PICTURE" in shape.shape_type.name:
        out.left_out["picture"] += 1
    elif getattr(shape, "shape_type", None) is not None and "OLE" in shape.shape_type.name:
        out.left_out["embedded object"] += 1


def says_no_bullet(shape: Any) -> bool:
    """Whether the outermost level of a placeholder has no bullet, by its own list style or by that of its layout."""
    base = getattr(shape, "_base_placeholder", None)
    for each in (shape, base) if base is not None else (shape,):
        for level in each._element.iter(A + "lvl1pPr"):
            return level.find(A + "buNone") is not None
    return False


def write_frame(frame: Any, out: Markdown, listed: bool) -> None:
    """The paragraphs of a text frame; of a list each is an item, unless it says that it has no bullet."""
    count: Counter[int] = Counter()
    for paragraph in frame.paragraphs:
        words = paragraph_text(paragraph)
        if not words.strip():
            continue
        look = paragraph._p.pPr
        numbered = look is not None and look.find(A + "buAutoNum") is not None
        bare = look is not None and look.find(A + "buNone") is not None
        marked = numbered or (look is not None and look.find(A + "buChar") is not None)
        level = paragraph.level
        count = Counter({depth: number for depth, number in count.items() if depth <= level})
        if not numbered:
            count[level] = 0
        if marked or (listed and not bare):
            count[level] += numbered
            words = (f"{count[level]}. " if numbered else "- ") + words
        out.add(words, indent=STEP * level)


def paragraph_text(paragraph: Any) -> str:
    """The words with formulas, which python-pptx leaves out, and with a line's breaks."""
    parts = []
    for child in paragraph._p.iter(A + "t", A + "br", M + "oMath", M + "t"):
        if child.tag == A + "t" and not any(True for _ in child.iterancestors(M + "oMath")):
            parts.append(child.text or "")
        elif child.tag == A + "br":
            parts.append("\n")
        elif child.tag == M + "oMath":
            parts.append(formula_text(child))
    return "".join(parts).replace("\x0b", "\n")


def write_table(table: Any, out: Markdown) -> None:
    """A cell over several rows or columns is said in each of them."""
    cells = [
        [
            (
                " ".join(" ".join(paragraph_text(each) for each in cell.text_frame.paragraphs).split()),
                cell.span_width if cell.is_merge_origin else 1,
                cell.span_height if cell.is_merge_origin else 1,
            )
            for cell in row.cells
            if not cell.is_spanned
        ]
        for row in table.rows
    ]
    if rows := [row for row in fill(cells) if any(row)]:
        out.parts.append(("text", table_text(rows, bool(table.first_row) and len(rows) > 1)))


def write_chart(chart: Any, out: Markdown) -> None:
    """The numbers that a chart shows, as a table."""
    if chart.has_title and chart.chart_title.has_text_frame:
        out.add(chart.chart_title.text_frame.text)
    try:
        plots = [
            ([str(each) for each in plot.categories], [(each.name, list(each.values)) for each in plot.series])
            for plot in chart.plots
        ]
    except NotImplementedError:  # rare kinds, of areas in three dimensions
        out.left_out["chart"] += 1
        return
    for categories, series in plots:
        rows = [["", *(name or "Value" for name, _ in series)]]
        for at, category in enumerate(categories):
            numbers = [values[at] if at < len(values) else None for _, values in series]
            rows.append([" ".join(category.split()), *("" if each is None else f"{each:.12g}" for each in numbers)])
        if len(rows) > 1:
            out.parts.append(("text", table_text(rows, True)))


def diagram_points(shape: Any) -> list[str]:
    """The texts of a diagram (SmartArt), which lie in a part of their own."""
    for element in shape._element.iter():
        if isinstance(element.tag, str) and element.tag.endswith("}relIds"):
            name = next((value for key, value in element.attrib.items() if key.endswith("}dm")), "")
            if name in shape.part.rels:
                return points_in(shape.part.rels[name].target_part.blob)
    return []


def points_in(data: bytes) -> list[str]:
    from lxml import etree

    tree = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    paragraphs = ("".join(each.itertext(A + "t")) for each in tree.iter(A + "p"))
    return [words for words in (" ".join(each.split()) for each in paragraphs) if words]
