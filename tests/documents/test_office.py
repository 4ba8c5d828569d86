"""Word files, slides, spreadsheets and e-books. What needs the extra [office] is skipped without it."""

import datetime
import importlib.util
import zipfile

import pytest

from byheart.documents.composition import left_out
from byheart.documents.load import find_documents, load_documents
from byheart.documents.structure.outline import outline
from byheart.errors import UserError

from .office_files import (
    W,
    item,
    numbering,
    paragraph,
    style,
    styles,
    table,
    words,
    write_docx,
    write_epub,
    write_zip,
)

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
NOTES = (
    f'<w:footnotes {W}><w:footnote w:id="2"><w:p><w:r><w:t>A crate holds twelve jars.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)


def read(path):
    loaded = load_documents([str(path)])
    document = loaded.documents[0]
    return document, " ".join([left_out(document.left_out), *loaded.warnings]).strip()


def refused(path):
    """What is said of a file that is not read, before it is opened or after."""
    with pytest.raises(UserError) as caught:
        load_documents([str(path)])
    (problem,) = caught.value.problems
    assert problem.fix
    return f"{problem.what}: {problem.fix}"


@pytest.fixture
def docx(tmp_path):
    pytest.importorskip("mammoth")
    return lambda *blocks, **parts: read(write_docx(tmp_path / "a.docx", *blocks, parts=parts))


def test_headings_numbers_and_levels_of_a_contract_are_those_that_word_shows(docx):
    clause = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    document, _ = docx(
        paragraph("Supply of Honey", "Titel"),
        paragraph("Delivery", "Klausel"),
        item("The Buyer may refuse jars that:", 1),
        item("are cracked; or", 2),
        item("have no label.", 2),
        paragraph("The refusal is told within three days."),
        item("The Seller collects refused jars.", 1),
        paragraph("Payment", "Klausel"),
        item("The Buyer pays within 30 days.", 1),
        item("Ask Ann Orr.", 0, 2),
        styles=styles(
            style("heading 1", "berschrift1", '<w:outlineLvl w:val="0"/>'),
            style("Klausel", "Klausel", clause, based="berschrift1"),
            style("Title", "Titel"),
        ),
        numbering=numbering(("decimal", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)"), lists=2),
    )
    shape = outline(document.text, document.title)
    assert document.title == "Supply of Honey"
    assert [(each.level, each.title) for each in shape.headings] == [
        (1, "Supply of Honey"), (2, "1. Delivery"), (2, "2. Payment"),
    ]  # fmt: skip
    labels = [block.label for block in shape.blocks if block.kind == "item"]
    assert labels == ["1.1", "(a)", "(b)", "1.2", "2.1", "3."]
    assert (
        document.text.index("(b) have no label.")
        < document.text.index("The refusal")
        < document.text.index("1.2 The Seller")
    )


def test_what_a_reader_does_not_see_is_left_out_and_counted(docx):
    change = (
        f"<w:p><w:r>{words('The price is ')}</w:r><w:del><w:r><w:delText>9</w:delText></w:r></w:del>"
        f"<w:ins><w:r>{words('11')}</w:r></w:ins><w:r>{words(' euros.')}</w:r><w:r><w:commentReference w:id='1'/></w:r></w:p>"
    )
    document, said = docx(
        paragraph("Delivery ..... 4", "Verzeichnis1"),
        change,
        paragraph("The margin is 40 percent.", run="<w:vanish/>"),
        paragraph("The old price was 8 euros.", run="<w:strike/>"),
        paragraph("Jars are clean.", props="<w:rPr><w:vanish/></w:rPr>"),
        styles=styles(style("toc 1", "Verzeichnis1")),
        header1=f"<w:hdr {W}>{paragraph('Honey Ltd')}</w:hdr>",
        footer1=f"<w:ftr {W}>{paragraph('')}</w:ftr>",
    )
    assert document.text == "The price is 11 euros.\n\nJars are clean."
    assert "1 comment, 1 deleted text, 1 hidden text, 1 struck text, 1 line of contents, 1 running head" in said


def test_tables_notes_captions_formulas_and_boxes_keep_their_place(docx):
    merged = [
        f"<w:tc><w:tcPr><w:vMerge{value}/></w:tcPr>{paragraph(text)}</w:tc>"
        for value, text in ((' w:val="restart"', "Heather"), ("", ""))
    ]
    fraction = "<m:f><m:num><m:r><m:t>m</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    box = "<w:txbxContent>" + paragraph("Bees sleep in winter.") + "</w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    document, said = docx(
        f"<w:p><w:r>{words('Each delivery has forty crates')}</w:r><w:r><w:footnoteReference w:id='2'/></w:r><w:r>"
        f"{words(' of jars.')}</w:r></w:p>",
        f"<w:p><w:r>{words('Table ')}</w:r><w:fldSimple w:instr='SEQ'><w:r>{words('1')}</w:r></w:fldSimple><w:r>"
        f"{words('. Prices of honey')}</w:r></w:p>",
        table(["Kind", "Jar", "Price"], [merged[0], "500 g", "11"], [merged[1], "1 kg", "20"], props="<w:tblHeader/>"),
        f"<w:p><w:r>{words('The share is ')}</w:r><m:oMath>{fraction}</m:oMath><w:r>{words(' of it.')}</w:r><w:r>"
        f"<mc:AlternateContent {mc}><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>",
        table(["The whole box is one cell."]),
        footnotes=NOTES,
    )
    assert document.text.split("\n\n") == [
        "Each delivery has forty crates of jars.",
        "[^“Each delivery has forty crates”]: A crate holds twelve jars.",
        "Table 1. Prices of honey",
        "| Kind | Jar | Price |\n| --- | --- | --- |\n| Heather | 500 g | 11 |\n| Heather | 1 kg | 20 |",
        r"The share is $\frac{m}{2}$ of it.",
        "Bees sleep in winter.",
        "The whole box is one cell.",
    ]
    assert not said


def test_bold_lines_above_text_are_headings_where_no_style_says_so(docx):
    document, _ = docx(
        paragraph("Care of the hive", run="<w:b/>"),
        paragraph("Feed the bees in March."),
        paragraph("Larger", run='<w:sz w:val="32"/>'),
        paragraph("A hive has ten frames."),
        paragraph("Never smoke beside the hive.", run="<w:b/>"),
        paragraph("The end is bold", run="<w:b/>"),
    )
    assert [each.title for each in outline(document.text).headings] == ["Care of the hive", "Larger"]
    assert "\n\nNever smoke beside the hive.\n\nThe end is bold" in document.text


def test_slides_in_order_with_notes_that_say_so(tmp_path):
    pytest.importorskip("pptx")
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    deck = Presentation()

    def slide(layout, title):
        new = deck.slides.add_slide(deck.slide_layouts[layout])
        if title:
            new.shapes.title.text = title
        new.shapes.add_textbox(0, 6_500_000, 900_000, 300_000).text_frame.text = "Bee School"
        return new

    slide(0, "Care of bees").placeholders[1].text = "A course"
    spring = slide(1, "Spring")
    frame = spring.placeholders[1].text_frame
    frame.text = "Feed the bees"
    further = frame.add_paragraph()
    further.text, further.level = "One litre a week", 1
    spring.notes_slide.notes_text_frame.text = "Syrup is half sugar."
    two = slide(4, "Two kinds")
    for at, text in zip((1, 2, 3, 4), ("Workers", "They gather.", "Drones", "They rest."), strict=True):
        two.placeholders[at].text = text
    cells = slide(5, "Yields").shapes.add_table(2, 2, 0, 0, 900_000, 900_000).table
    for at, text in enumerate(("Hive", "Honey", "A", "31")):
        cells.cell(at // 2, at % 2).text = text
    data = CategoryChartData()
    data.categories = ["2021", "2022"]
    data.add_series("Honey", (31, 17.5))
    slide(6, "").shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 900_000, 900_000, data)
    slide(1, "Hidden")._element.set("show", "0")
    deck.save(tmp_path / "bees.pptx")
    document, said = read(tmp_path / "bees.pptx")
    assert document.title == "Care of bees"
    assert document.text.split("\n\n") == [
        "# Care of bees", "A course",
        "## Spring", "- Feed the bees", "  - One litre a week", "### Speaker notes", "Syrup is half sugar.",
        "## Two kinds", "#### Workers", "- They gather.", "#### Drones", "- They rest.",
        "## Yields", "| Hive | Honey |\n| --- | --- |\n| A | 31 |",
        "## Slide 5", "|  | Honey |\n| --- | --- |\n| 2021 | 31 |\n| 2022 | 17.5 |",
    ]  # fmt: skip
    assert "5 running heads" in said and "1 hidden slide left out (6)" in said


def test_sheets_show_values_as_they_are_seen_and_say_what_is_hidden(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    from openpyxl.styles import Font

    book = openpyxl.Workbook()
    lamps = book.active
    lamps.title = "Lamps"
    for row in (
        ["Lamps of the harbour"],
        ["Lamp", "Power", "Share"],
        ["North", 1500, 0.25],
        ["Old", 1, 0.1],
        ["East", 40.5, 0.5],
    ):
        lamps.append(row)
    lamps.merge_cells("A1:C1")
    lamps.row_dimensions[4].hidden = True
    for row in (3, 4, 5):
        lamps.cell(row, 2).number_format, lamps.cell(row, 3).number_format = '#,##0.0 "W"', "0%"
    lamps["A6"], lamps["A8"] = "Source: harbour office.", "All lamps are checked at dusk."
    heads = book.create_sheet("Fees")
    for row in (["Place", "2023", None], [None, "May", "June"], ["Quay", 1, 2], ["Sum", "=B3", None]):
        heads.append(row)
    heads.merge_cells("A1:A2")
    heads.merge_cells("B1:C1")
    facts = book.create_sheet("Boat")
    for row in (["Name", "Hallow"], ["Built", datetime.datetime(1961, 5, 3)]):
        facts.append(row)
    facts["A1"].font = Font(bold=True)
    book.create_sheet("Secret").append(["hidden"])
    book["Secret"].sheet_state = "hidden"
    book.save(tmp_path / "lamps.xlsx")
    document, said = read(tmp_path / "lamps.xlsx")
    assert document.text.split("\n\n") == [
        "## Lamps", "### Lamps of the harbour",
        "| Lamp | Power | Share |\n| --- | --- | --- |\n| North | 1,500.0 W | 25% |\n| East | 40.5 W | 50% |",
        "Source: harbour office.", "All lamps are checked at dusk.",
        "## Fees", "| Place | 2023 May | 2023 June |\n| --- | --- | --- |\n| Quay | 1 | 2 |", "Sum",
        "## Boat", "| Name | Hallow |\n| Built | 1961-05-03 |",
    ]  # fmt: skip
    for part in ("1 hidden sheet left out (“Secret”)", "1 hidden row", "1 formula without a saved value"):
        assert part in said


@pytest.mark.parametrize(
    ("value", "pattern", "shown"),
    [
        (0.25, "0%", "25%"), (1500, "#,##0.00 [$€-407]", "1,500.00 €"), (-3, "0.00;[Red]-0.00", "-3.00"), (7, "000", "007"),
        (2.0, "0.##", "2"), (12, '0 "Stück"', "12 Stück"), (1_500_000, "#,##0,", "1,500"), (3.5, "0.00E+00", "3.5"),
        (0.1 + 0.2, "General", "0.3"), (-1500.5, '"$"#,##0.00', "$-1,500.50"), (5, "# ?/?", "5"),
    ],
)  # fmt: skip
def test_numbers_as_a_spreadsheet_shows_them(value, pattern, shown):
    from byheart.documents.office.numbers import shown_number

    assert shown_number(value, pattern) == shown


def test_an_e_book_in_the_order_of_its_spine(tmp_path):
    chapters = {
        "nav.xhtml": "<nav><a href='2.xhtml'>Signals</a></nav>",
        "2.xhtml": '<h1>The quay</h1><p>Built in 1906.<a epub:type="noteref" href="#n"><sup>1</sup></a> It is <b>ninety</b> '
        'metres long<span epub:type="pagebreak">12</span>.</p><aside epub:type="footnote" id="n"><p>By Ann Orr.</p></aside>'
        '<ol start="3"><li>Ring the bell.<ul><li>Twice in fog.</li></ul></li><li><p>Light the lamp.</p></li></ol>',
        "1.xhtml": "<h2>Signals</h2><dl><dt>Red flag</dt><dd>No entry.</dd></dl><table><tr><th>Day</th><th>High</th></tr><tr>"
        "<td>Monday</td><td>4 m</td></tr></table><pre>ls\ncat x</pre><div>Loose words<p>A paragraph.</p>and a tail.</div>",
    }
    document, said = read(write_epub(tmp_path / "quay.epub", chapters, "The Quay Book"))
    assert document.title == "The Quay Book"
    assert document.text.split("\n\n") == [
        "# The quay", "Built in 1906. It is ninety metres long.", "By Ann Orr.",
        "3. Ring the bell.", "  - Twice in fog.", "4. Light the lamp.",
        "## Signals", "Red flag", ": No entry.", "| Day | High |\n| --- | --- |\n| Monday | 4 m |", "```\nls\ncat x\n```",
        "Loose words", "A paragraph.", "and a tail.",
    ]  # fmt: skip
    assert "1 page of contents, 1 page number" in said


def test_without_the_extra_the_line_that_installs_it_is_said_before_anything_is_opened(tmp_path, monkeypatch):
    here = importlib.util.find_spec
    missing = {"mammoth", "pptx", "openpyxl"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in missing else here(name, *more))
    for name in ("a.docx", "b.pptx", "c.XLSX"):
        (tmp_path / name).write_bytes(b"PK\3\4 not opened")
        with pytest.raises(UserError) as caught:
            find_documents([str(tmp_path / name)])
        assert caught.value.problems[0].fix == "pip install 'byheart[office]'"
    (tmp_path / "d.txt").write_text("The pump stands in the cellar.")
    loaded = load_documents([str(tmp_path)])
    assert [document.title for document in loaded.documents] == ["D"]
    (warning,) = loaded.warnings
    assert "3 files left out" in warning and warning.endswith("pip install 'byheart[office]'")
    write_epub(tmp_path / "e.epub", {"1.xhtml": "<p>The quay was built in 1906.</p>"})
    assert read(tmp_path / "e.epub")[0].text == "The quay was built in 1906."  # an e-book needs no extra


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.doc", "save it as .docx"), ("a.docm", "macros: save it as .docx"), ("a.xls", "as .xlsx"), ("a.odt", "as .docx"), ("a.mobi", "as .epub")],
)  # fmt: skip
def test_formats_that_are_not_read_name_the_one_to_save_as(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"some bytes")
    assert words in refused(tmp_path / name)


def test_encrypted_damaged_hostile_and_other_files_are_refused_by_name(tmp_path):
    pytest.importorskip("mammoth")
    path = tmp_path / "a.docx"
    for data, what in (
        (OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        (OLE + "WordDocument".encode("utf-16-le"), "it is an old .doc file"),
        (b"PK\3\4 and no more", "damaged"),
        (b"plain text", "damaged"),
    ):
        path.write_bytes(data)
        assert what in refused(path)
    whole = write_docx(path, paragraph("The pump needs oil.")).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refused(path)
    assert "no text in it" in refused(write_docx(path, paragraph("")))
    assert "holds macros" in refused(write_docx(path, kind="ms-word.document.macroEnabled.main+xml"))
    assert "is damaged" in refused(write_docx(path, "<w:p><w:r>"))
    assert "holds no .docx document" in refused(write_zip(path, {"[Content_Types].xml": "<Types/>"}))
    laughs = '<!DOCTYPE a [<!ENTITY a "ha">]><w:styles xmlns:w="a">&a;</w:styles>'
    assert "document type" in refused(write_docx(path, paragraph("Oil."), parts={"styles": laughs}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", b" " * 30_000_000)
    assert "zip bomb" in refused(path)
    deep = "<w:ins>" * 5000 + "</w:ins>" * 5000
    assert "damaged" in refused(write_docx(path, f"<w:p>{deep}</w:p>"))


def test_an_e_book_that_is_locked_or_lacks_a_chapter_says_so(tmp_path):
    locked = (
        '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptionMethod Algorithm="aes"/></encryption>'
    )
    pages = {"1.xhtml": "<p>The quay was built in 1906.</p>"}
    assert "DRM" in refused(write_epub(tmp_path / "a.epub", pages, more={"META-INF/encryption.xml": locked}))
    with zipfile.ZipFile(write_epub(tmp_path / "b.epub", pages)) as book:
        files = {name: book.read(name).decode() for name in book.namelist()}
    files["OEBPS/book.opf"] = files["OEBPS/book.opf"].replace("1.xhtml", "2.xhtml")
    assert "no text" in refused(write_zip(tmp_path / "b.epub", files))
    assert "damaged" in refused(write_zip(tmp_path / "c.epub", {"mimetype": "application/epub+zip"}))
