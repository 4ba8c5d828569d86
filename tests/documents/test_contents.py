"""Tables of contents, lists of figures and indexes are left out and counted; headings whose levels skip lose nothing."""

import time

import pytest

from byheart.data.chunks import Chunking
from byheart.documents.load import load_documents
from byheart.documents.structure.contents import leave_out_contents
from byheart.documents.structure.outline import outline
from byheart.records import LeftOut

BODY = (
    "\n\n1 Rivers\n\nThe Arn flows into the bay. It freezes in May.\n\n2 Lakes\n\nLake Moss is deep.\n\n"
    "3 Springs\n\nThe upper spring is warm.\n"
)
MARKED = "\n\n## Rivers\n\nAll rivers are short.\n\n### The Arn\n\nIt freezes.\n\n## Lakes\n\nLake Moss is deep. See [Rivers](#rivers).\n"


@pytest.mark.parametrize(
    ("contents", "body"),
    [
        ("TABLE OF CONTENTS\n\n1 Rivers ........ 3\n2 Lakes ......... 7\n2.1 Depths\n  that were measured .... 9\n3 Springs ....... 12", BODY),
        ("Contents\n\nPreface\tiii\n1 Rivers\t3\n2 Lakes\t7\n3 Springs\t12", BODY),
        ("Contents\n\n1 Rivers        3\n2 Lakes         7\n3 Springs      12\nIndex          40", BODY),
        ("Contents\n1. Rivers\n2. Lakes\n3. Springs", BODY),
        ("1 Rivers . . . . . 3\n2 Lakes . . . . . 7\n3 Springs . . . . 12", BODY),
        ("Inhaltsverzeichnis\n\n1 Rivers …… 3\n2 Lakes …… 7\n\nAbbildungsverzeichnis\n\nAbb. 1: Der Moossee .... 4\nAbb. 2: Die Arn ..... 6", BODY),
        ("Sommaire\n\nRivers ...... p. 3\nLakes ....... p. 7", BODY),
        ("目录\n\n第一章 河流……1\n第二章 湖泊……5", "\n\n第一章 河流\n\n阿恩河流入托勒湾。\n"),
        ("- [Rivers](#rivers)\n  - [The Arn](#the-arn)\n- [Lakes](#lakes)", MARKED),
        ("In this guide:\n\n- Rivers\n- The Arn\n- Lakes", MARKED),
    ],
)  # fmt: skip
def test_a_table_of_contents_is_left_out_and_counted(contents, body, tmp_path):
    head = "# Waters\n\n" if body == MARKED else "Waters of Tolle\n\n"
    rest, said = leave_out_contents(head + contents + body)
    assert rest.split() == (head + body).split()
    assert [each.kind for each in said] == ["tables of contents"]


@pytest.mark.parametrize(
    "text",
    [
        "The Harbour Café\n\nDrinks\n\nCoffee .......... 3\nTea ............. 4\nCocoa ........... 5\n\nAll come with a biscuit.",
        "Results\n\nAnna Berg        1\nLotte Maas       2\nIda Falk         3\n\nThe race was held in May.",
        "Down to the river\nDown to the sea\nCarry the water\nCarry it free\n\nHe sleeps.\n\n"
        "Down to the river\nDown to the sea\nCarry the water\nCarry it free\n\nHe wakes.",
        "# Setup\n\n## Contents\n\nThe box contains a pump and hoses.\n\n- Pump\n- Hoses\n\n## Pump\n\nIt weighs 3 kg.",
        "Prices\n\nIndex\n\nThe index rose to 104 points in May. It fell by 3 points in June.",
        "Contents ........ 3\nIndex ........ 9",
    ],
)
def test_what_only_looks_like_contents_stays(text):
    assert leave_out_contents(text) == (text, [])


def test_the_index_of_a_book_is_left_out():
    text = "Knots\n\nThe bowline is a loop.\n\nIndex\n\nB\nbowline, 3, 12\nbend, sheet 14–16\nR\nrope, see hemp\n"
    rest, said = leave_out_contents(text)
    assert rest.split() == ["Knots", "The", "bowline", "is", "a", "loop."] and said == [LeftOut("indexes", 1, "Index")]


def test_contents_are_no_parent_and_no_title(tmp_path):
    (tmp_path / "waters.txt").write_text("Contents\n\n1 Rivers ..... 3\n2 Lakes ..... 7\n3 Springs ..... 9" + BODY)
    loaded = load_documents([str(tmp_path / "waters.txt")])
    document = loaded.documents[0]
    assert document.title == "Waters" and document.left_out == (LeftOut("tables of contents", 1, "Contents"),)
    assert [chunk.headings for chunk in Chunking().split(document)] == [("1 Rivers",), ("2 Lakes",), ("3 Springs",)]


def test_skipped_levels_and_lines_without_marks_are_headings(tmp_path):
    text = (
        "# Chapter 1 Basics\n\n## 1.1 Ropes\n\n### 1.1.1 Materials\n\nNylon stretches.\n\n1.1.2 Storage\n\nRopes are dry.\n\n"
        "##### 1.1.2.1.1 Racks\n\nRacks are of oak.\n\n#### 1.1.3.2 Yearly\n\n### 1.1.4 Disposal\n\nIt is cut up.\n"
    )
    (tmp_path / "ropes.md").write_text(text)
    loaded = load_documents([str(tmp_path / "ropes.md")])
    paths = [chunk.headings[1:] for chunk in Chunking().split(loaded.documents[0])]
    assert paths == [
        ("1.1 Ropes", "1.1.1 Materials"),
        ("1.1 Ropes", "1.1.2 Storage"),
        ("1.1 Ropes", "1.1.2 Storage", "1.1.2.1.1 Racks"),
        ("1.1 Ropes", "1.1.4 Disposal"),
    ]
    assert len(loaded.warnings) == 1 and "1 heading with no text below" in loaded.warnings[0]
    assert "“1.1.3.2 Yearly”" in loaded.warnings[0]


def test_a_list_between_headings_stays_a_list():
    text = "# 1 Kit\n\n## 1.1 Ropes\n\nThere are three.\n\n1.1.1 Nylon\n\n1.1.2 Hemp\n\n1.1.3 Steel\n\n## 1.2 Hooks\n\nThey are big."
    assert [heading.title for heading in outline(text).headings] == ["1 Kit", "1.1 Ropes", "1.2 Hooks"]


@pytest.mark.parametrize(
    "text",
    [". " * 400_000, "a  " * 300_000, "Contents\n" * 20_000, "x ... 1\n" * 20_000, "index\n" * 20_000, "[a](#b)" * 100_000],
    ids=["dots", "blanks", "headings", "entries", "indexes", "links"],
)  # fmt: skip
def test_hostile_text_takes_no_time(text):
    start = time.process_time()
    leave_out_contents(text)
    assert time.process_time() - start < 4
