"""What a PDF says is read in the order of reading: told from where its lines stand."""

import os
import random
import re
import time
from pathlib import Path

import pytest

from byheart.documents.composition import left_out
from byheart.documents.load import load_documents
from byheart.documents.structure.outline import outline
from byheart.errors import UserError

from .pages import write_pdf, write_placed

LEFT = [
    "The ferry between Hallow and Stean",
    "sails every forty minutes from six",
    "in the morning until ten at night.",
    "It carries sixty cars and has four",
    "hundred seats. Bicycles travel free",
    "of charge. Dogs must be kept near",
]
RIGHT = [
    "their owners. Tickets are sold at",
    "both piers and on board. A return",
    "ticket costs nine pounds. Children",
    "under five pay nothing. The ferry",
    "waits when the wind is stronger",
    "than force nine, and a bus runs.",
]
WORDS = (
    "tank water pump inlet valve keeper spring county meter litre winter frost straw wall mill pond lorry box".split()
)


def read(path):
    loaded = load_documents([str(path)])
    (document,) = loaded.documents
    return document.text, " ".join([*loaded.warnings, left_out(document.left_out, examples=True)])


@pytest.fixture
def case():
    """A file of the shared cases by its name."""
    folder = Path(os.environ.get("BYHEART_DATA", "")).parent / "cases" / "documents"
    if not os.environ.get("BYHEART_DATA") or not folder.is_dir():
        pytest.skip("BYHEART_DATA is not set: the shared cases are not here")
    return lambda name: read(folder / name)


def columns(step=13.0, shift=0.0):
    left = [(50.0, 700 - step * at, 10.0, text) for at, text in enumerate(LEFT)]
    right = [(320.0, 700 - shift - step * at, 10.0, text) for at, text in enumerate(RIGHT)]
    return left, right


def rowwise(left, right):
    return [text for pair in zip(left, right, strict=True) for text in pair]


@pytest.mark.parametrize("name", ["two_col_rowwise.pdf", "two_col_colwise.pdf"])
def test_case_columns(case, name):
    text, _ = case(name)
    assert "on a lead on the open deck.\n\nTickets are sold at both piers and on board." in text


def test_case_ligatures(case):
    text, _ = case("ligatures.pdf")
    assert "officer first checks the flow in the baffle" in text and "Three different filters" in text
    assert "The manufacturer sells Wertpapierindex lists and temperature sensors" in text and "stiff plastic" in text


def test_case_running_heads(case):
    text, said = case("headers.pdf")
    assert "open to swimmers in summer. The east tank" in text
    assert "\n\nThe county paid 400 pounds for the pond.\n\n" in text
    assert not re.search(r"Wellford|Chapter|recycled|\b1[1-6]\b", text)
    assert said == "12 running heads (“The Wellford Water Supply”), 6 page numbers"


def test_case_table(case):
    text, _ = case("pdf_table.pdf")
    assert "| Tank | Built | Litres | Keeper |\n| --- | --- | --- | --- |\n| West | 1922 | 9,000 | H. Orr |" in text
    shape = outline(text)
    assert [block.kind for block in shape.blocks].count("row") == 3
    assert [heading.title for heading in shape.headings] == ["Tanks of the parish"]
    assert "• the air is tested with the gas meter for at least five minutes; and\n\n• a second" in text


@pytest.mark.parametrize("order", ["by row", "by column", "right first"])
@pytest.mark.parametrize("shift", [0.0, 5.0])  # of the right column's baselines
def test_columns_are_read_one_by_one_however_they_are_written(tmp_path, order, shift):
    left, right = columns(shift=shift)
    texts = {"by row": rowwise(left, right), "by column": left + right, "right first": right + left}[order]
    title = (50.0, 740.0, 16.0, "The Hallow Ferry")
    text, said = read(write_placed(tmp_path / "ferry.pdf", [[title, *texts]]))
    assert text == "# The Hallow Ferry\n\n" + " ".join(LEFT + RIGHT)
    assert "doubt" not in said


def test_a_text_across_the_page_parts_the_columns_above_and_below(tmp_path):
    left, right = columns()
    across = (
        50.0,
        600.0,
        10.0,
        "This notice runs over both of the columns, from the left edge to the right one of them.",
    )
    below = [(x, y - 150, size, text.replace("ferry", "bus")) for x, y, size, text in rowwise(left, right)]
    text, _ = read(write_placed(tmp_path / "ferry.pdf", [[*rowwise(left, right), across, *below]]))
    order = ["The ferry between", "a bus runs", "This notice runs", "The bus between"]
    assert sorted(order, key=text.index) == order


def test_heads_feet_and_numbers_go_where_left_and_right_pages_differ(tmp_path):
    rng = random.Random(0)
    pages = []
    for number in range(1, 41):
        chapter = f"Chapter {1 + number // 7}: {WORDS[number // 7]} and {WORDS[number // 7 + 1]}"
        head = (50.0, 800.0, 9.0, "Water Supply") if number % 2 else (380.0, 800.0, 9.0, chapter)
        lines = [f"Page text {number} line {at}: {' '.join(rng.choices(WORDS, k=9))} and" for at in range(30)]
        body = [(50.0, 760 - 13.0 * at, 10.0, line) for at, line in enumerate(lines)]
        pages.append([head, *body, (50.0 if number % 2 else 540.0, 40.0, 10.0, str(number))])
    text, said = read(write_placed(tmp_path / "book.pdf", pages))
    assert "Water Supply" not in text and "Chapter" not in text
    assert len(re.findall(r"Page text \d+ line \d+:", text)) == 40 * 30
    assert said == "40 running heads (“Water Supply”), 40 page numbers"


def test_what_repeats_inside_the_text_stays(tmp_path):
    pages = [
        [f"Rule {name} comes first and is long enough.", "Lock the gate.", f"Then {name} ends."] for name in "abcdefg"
    ]
    text, _ = read(write_pdf(tmp_path / "rules.pdf", [[*page, "", *page, "", *page] for page in pages]))
    assert text.count("Lock the gate") == 21


def test_a_table_goes_on_over_the_page_under_its_repeated_header(tmp_path):
    def row(y, cells):
        return [(50.0 + 120 * at, y, 10.0, cell) for at, cell in enumerate(cells)]

    pages = []
    for page in range(3):
        texts = row(780.0, ["Tank", "Built", "Litres"])
        for at in range(40):
            texts += row(764.0 - 15 * at, [f"Tank {page}-{at}", str(1900 + at), f"{page + 1},{at:03}"])
        pages.append(texts)
    text, _ = read(write_placed(tmp_path / "tanks.pdf", pages))
    rows = text.split("\n")
    assert rows[:3] == ["| Tank | Built | Litres |", "| --- | --- | --- |", "| Tank 0-0 | 1900 | 1,000 |"]
    assert len(rows) == 122 and rows[-1] == "| Tank 2-39 | 1939 | 3,039 |"
    assert not outline(text).headings


def test_cells_of_several_lines_are_one_row(tmp_path):
    texts = [(50.0, 700.0, -10.0, "Duty"), (150.0, 700.0, -10.0, "What is done"), (400.0, 700.0, -10.0, "By whom")]
    for at, (duty, lines, who) in enumerate(
        [
            ("Gate", ["It is locked at", "ten and opened"], "Keeper"),
            ("Lamp", ["It is lit before", "dusk by hand"], "Warden"),
        ]
    ):
        texts += [(50.0, 680.0 - 40 * at, 10.0, duty), (400.0, 680.0 - 40 * at, 10.0, who)]
        texts += [(150.0, 680.0 - 40 * at - 12 * line, 10.0, part) for line, part in enumerate(lines)]
    text, _ = read(write_placed(tmp_path / "duties.pdf", [texts]))
    assert (
        "| Gate | It is locked at ten and opened | Keeper |\n| Lamp | It is lit before dusk by hand | Warden |" in text
    )
    assert text.startswith("| Duty | What is done | By whom |\n| --- | --- | --- |")


def test_a_note_and_a_caption_do_not_cut_a_sentence(tmp_path):
    first = [
        (50.0, 760.0, 10.0, "The overflow pipe leads to the mill pond"),
        (226.5, 764.0, 6.0, "1"),
        (233.0, 760.0, 10.0, "which holds forty m"),
        (318.8, 764.0, 6.0, "3"),
        (325.0, 760.0, 10.0, "and is open to"),
        (50.0, 700.0, 8.0, "Figure 2: The mill pond in winter."),
        (50.0, 110.0, 8.0, "1 The county paid 400 pounds for the pond."),
    ]
    second = [(50.0, 760.0, 10.0, "swimmers in summer. The east tank is smaller and older.")]
    text, _ = read(write_placed(tmp_path / "pond.pdf", [first, second]))
    paragraphs = text.split("\n\n")
    assert paragraphs[0].startswith(
        "The overflow pipe leads to the mill pond which holds forty m³ and is open to swimmers in"
    )
    assert paragraphs[1:] == ["Figure 2: The mill pond in winter.", "The county paid 400 pounds for the pond."]


def test_an_order_that_cannot_be_told_is_said_with_its_pages(tmp_path):
    rng = random.Random(2)
    scattered = [
        (50.0 + 115 * (at % 4) + rng.randrange(40), 760.0 - 9.3 * at, 10.0, " ".join(rng.choices(WORDS, k=1 + at % 2)))
        for at in range(60)
    ]
    plain = [(50.0, 760.0 - 13 * at, 10.0, " ".join(WORDS)) for at in range(20)]
    over = [(52.0, 759.0 - 13 * at, 10.0, " ".join(reversed(WORDS))) for at in range(20)]
    _, said = read(write_placed(tmp_path / "plan.pdf", [plain, scattered, plain + over]))
    assert "the order of reading is in doubt on page" in said and re.search(r"pages? (?:2-3|3)\b", said)
    _, said = read(write_placed(tmp_path / "plain.pdf", [plain]))
    assert said == ""


def test_scanned_pages_among_others_are_named(tmp_path):
    picture = b"q 500 0 0 700 40 60 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q"
    text, said = read(
        write_placed(tmp_path / "mixed.pdf", [[(50.0, 760.0, 10.0, "The pump needs oil. " * 8)], []], drawn=picture)
    )
    assert text.startswith("The pump needs oil.") and "on page 2:" in said and "ocrmypdf" in said


def test_a_file_that_is_cut_off_says_so(tmp_path):
    path = write_pdf(tmp_path / "cut.pdf", [["The pump needs oil."], ["The valve needs none."]])
    path.write_bytes(path.read_bytes().partition(b"startxref")[0])
    text, said = read(path)
    assert "The pump needs oil." in text and "its end is missing" in said


def test_broken_files_end_in_a_message_or_in_text_within_seconds(tmp_path):
    whole = write_placed(tmp_path / "whole.pdf", [rowwise(*columns())] * 3, "Ferry").read_bytes()
    rng = random.Random(0)
    path = tmp_path / "broken.pdf"
    for _ in range(60):
        data = bytearray(whole[: rng.randrange(20, len(whole))] if rng.random() < 0.5 else whole)
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(9, len(data))
            data[at : at + rng.randrange(3)] = rng.choice(
                [b"0", b"<<", b"endobj", b"9999999", b"(", whole[at : at + 40]]
            )
        path.write_bytes(data)
        begun = time.monotonic()
        try:
            text, _ = read(path)
            assert text.strip()
        except UserError as error:
            assert error.problems[0].fix
        assert time.monotonic() - begun < 5


def test_a_page_of_one_row_is_read(tmp_path):
    row = [(50.0 + 150 * at, 700.0, 10.0, word) for at, word in enumerate(["Hallow", "Ferry", "Harbour"])]
    assert read(write_placed(tmp_path / "one.pdf", [row]))[0] == "Hallow Ferry Harbour"


def test_code_keeps_its_lines_and_stands_apart(tmp_path):
    prose = [
        (50, 780 - 12 * at, 10, f"The keeper reads line {at} of the plan aloud before the lamp is lit, and")
        for at in range(6)
    ]
    code = [(70, 690, 10, "if dusk:"), (94, 678, 10, "light(lamp)"), (70, 666, 10, "wait()")]
    after = [(50, 642, 10, "The lamp burns until dawn.")]
    mono = [(x, y, -size, words) for x, y, size, words in code]
    path = write_placed(tmp_path / "c.pdf", [[*prose, (50, 708, 10, "writes it down:"), *mono, *after]])
    path.write_bytes(path.read_bytes().replace(b"/Helvetica-Bold", b"/Courier-Bold  "))
    text, _ = read(path)
    assert text.endswith(
        "writes it down:\n\n```\n   if dusk:\n       light(lamp)\n   wait()\n```\n\nThe lamp burns until dawn."
    )


def test_a_table_of_three_strokes_keeps_its_rows(tmp_path):
    cells = [("Lamp", "Power"), ("North", "1,500"), ("East", "4,000"), ("West", "900")]
    texts = [
        (100 + 150 * at, 700 - 14 * row, 10, cell) for row, each in enumerate(cells) for at, cell in enumerate(each)
    ]
    above = [(50, 780, 10, "The harbour has three lamps, each with its power in watts, as the keeper noted it.")]
    drawn = b"\n".join(b"90 %d m 350 %d l S" % (y, y) for y in (712, 696, 652))
    text, _ = read(write_placed(tmp_path / "a.pdf", [[*above, *texts]], drawn=drawn))
    assert "| Lamp | Power |\n| --- | --- |\n| North | 1,500 |\n| East | 4,000 |\n| West | 900 |" in text


def test_a_head_with_a_section_that_changes_is_left_out(tmp_path):
    rng = random.Random(0)
    pages = []
    for number in range(6):
        head = [(50, 810, 9, "Chapter 3. Care of lamps"), (430, 810, 9, f"3.{number} {WORDS[number]} and oil")]
        body = [(50, 770 - 12 * at, 10, f"Mark {at}: " + " ".join(rng.choices(WORDS, k=14))) for at in range(20)]
        pages.append([*head, *body])
    text, said = read(write_placed(tmp_path / "a.pdf", pages))
    assert "Chapter" not in text and "and oil" not in text and len(re.findall(r"Mark \d+:", text)) == 120
    assert "6 running heads" in said


def test_numbers_of_headings_of_one_size_tell_their_level(tmp_path):
    texts, y = [], 800
    for title in ("1 Lamps", "1.1 Oil", "1.2 Wicks", "2 Boats"):
        texts += [
            (50, y, -14, title),
            (50, y - 30, 10, "The keeper writes down what he sees, and the council reads it each May."),
        ]
        y -= 80
    shape = outline(read(write_placed(tmp_path / "a.pdf", [texts]))[0])
    assert [(heading.level, heading.title) for heading in shape.headings] == [
        (1, "1 Lamps"), (2, "1.1 Oil"), (2, "1.2 Wicks"), (1, "2 Boats"),
    ]  # fmt: skip


def test_small_print_keeps_its_blanks_and_formulas_their_letters(tmp_path):
    body = [
        (50, 780 - 12 * at, 10, "The keeper writes down what he sees, and the council reads it each May.")
        for at in range(12)
    ]
    text, _ = read(
        write_placed(tmp_path / "a.pdf", [[*body, (50, 100, 7, "Copies of all or part of it are free of any fee.")]])
    )
    assert text.endswith("Copies of all or part of it are free of any fee.")


def test_names_over_several_columns_name_each_and_dots_do_not_hide_the_columns(tmp_path):
    columns = (250, 300, 350, 420, 470, 520)
    head = [(300, 700, 9, "Male"), (470, 700, 9, "Female"), (60, 686, 9, "Offence")]
    head += [(x, 686, 9, name) for x, name in zip(columns, ("All", "Old", "New") * 2, strict=True)]
    rows = []
    names = ("Fraud", "Arson", "Murder and", "manslaughter", "Theft")
    for at, name in enumerate(names):
        y = 672 - 12 * at
        rows.append(
            (
                60,
                y,
                9,
                name + ("" if name == "Murder and" else " . . . . . . . . . . ." + " ." * (20 - 2 * len(name) // 2)),
            )
        )
        rows += [] if name == "Murder and" else [(x, y, 9, f"{at + 1},{x}") for x in columns]
    text, _ = read(
        write_placed(
            tmp_path / "a.pdf", [[(60, 760, 10, "The county counts what its courts hear each year."), *head, *rows]]
        )
    )
    assert "| Offence | Male All | Male Old | Male New | Female All | Female Old | Female New |" in text
    assert "| Fraud | 1,250 | 1,300 | 1,350 | 1,420 | 1,470 | 1,520 |" in text
    assert "| Murder and manslaughter | 4,250 |" in text
