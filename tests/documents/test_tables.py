"""Each row of a table and each record is one fact with the names of its columns, whatever the table is drawn with."""

import os
import time
from pathlib import Path

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.documents.structure.outline import outline
from byheart.errors import UserError

CASES = Path(os.environ.get("BYHEART_DATA", "shared/data")).parent / "cases" / "documents"
BOATS = ["Boat: Heron; Built: 1931; Length (m): 12", "Boat: Gull; Built: 1950; Length (m): 8"]
KEYS = ["Front door; brass; 12 cm", "Cellar; iron; 20 cm"]
WIDE = [
    "Name: Ada Lorne; Voice: alto; Town: Wick",
    "Name: Bo Strand; Voice: bass; Town: Kelso",
    "Name: Cy Orr; Voice: bass; Town: Wick",
]


def facts(folder, text, name="boats.md", max_tokens=256):
    (folder / name).write_text(text, encoding="utf-8")
    document = load_documents([name], folder).documents[0]
    found = find_facts(document, Chunking(max_tokens).split(document))
    assert all(document.text[fact.start : fact.end] == fact.text for fact in found)
    return found


def rows(folder, text, name="boats.md"):
    return [fact.statement.rstrip(".") for fact in facts(folder, text, name) if fact.cells]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("| Boat | Built | Length (m) |\n|---|:-:|--:|\n| Heron | 1931 | 12 |\n| **Gull** | 1950 | 8 |", BOATS),
        ("Boat | Built | Length (m)\n--- | --- | ---\nHeron | 1931 | 12\nGull | 1950 | 8", BOATS),
        ("> | Boat | Built | Length (m) |\n> |--|--|--|\n> | Heron | 1931 | 12 |\n> | Gull | 1950 | 8 |", BOATS),
        ("| Boat | Built | Length (m) |\n| Heron | 1931 | 12 |\n| Gull | 1950 | 8 |", BOATS),
        ("Boat | Built | Length (m)\nHeron | 1931 | 12\nGull | 1950 | 8", BOATS),
        ("| Boat | Built | Length (m) |\n|-----+-------+-----|\n| Heron | 1931 | 12 |\n| Gull | 1950 | 8 |", BOATS),
        (" Boat  | Built | Length (m)\n-------+-------+------\n Heron |  1931 | 12\n Gull  |  1950 | 8", BOATS),
        ("+-------+-------+------------+\n| Boat  | Built | Length (m) |\n+=======+=======+============+\n| Heron | 1931  | 12         |\n+-------+-------+------------+\n| Gull  | 1950  | 8          |\n+-------+-------+------------+", BOATS),
        ("+-------+-------+------------+\n| Boat  | Built | Length (m) |\n+-------+-------+------------+\n| Heron | 1931  | 12         |\n| Gull  | 1950  | 8          |\n+-------+-------+------------+", BOATS),
        ("┌───────┬───────┬────────────┐\n│ Boat  │ Built │ Length (m) │\n├───────┼───────┼────────────┤\n│ Heron │ 1931  │ 12         │\n│ Gull  │ 1950  │ 8          │\n└───────┴───────┴────────────┘", BOATS),
        ("Boat\tBuilt\tLength (m)\nHeron\t1931\t12\nGull\t1950\t8", BOATS),
        ("Boat\t\tBuilt\tLength (m)\nHeron\t\t1931\t12\nGull\t1950\t\t8", BOATS),
        ("Boat    Built   Length (m)\nHeron   1931    12\nGull    1950    8", BOATS),
        ("  Boat    Built  Length (m)\n  Heron    1931          12\n  Gull     1950           8", BOATS),
        ("=====  =====  ==========\nBoat   Built  Length (m)\n=====  =====  ==========\nHeron  1931   12\nGull   1950   8\n=====  =====  ==========", BOATS),
        ("Boat   Built  Length (m)\n-----  -----  ----------\nHeron  1931   12\nGull   1950   8", BOATS),
        ("Boat: Heron\nBuilt: 1931\nLength (m): 12\n\nBoat: Gull\nBuilt: 1950\nLength (m): 8", BOATS),
        ("- **Boat:** Heron\n- **Built:** 1931\n- **Length (m):** 12\n\n- **Boat:** Gull\n- **Built:** 1950\n- **Length (m):** 8", BOATS),
        ("Boat: Heron\nBuilt: 1931\nLength (m): 12\nBoat: Gull\nBuilt: 1950\nLength (m): 8", BOATS),
        ("## Heron\n\nBuilt: 1931\nLength (m): 12\n\n## Gull\n\n- **Built:** 1950\n- **Length (m):** 8\n- Crew: 3\n\n## Care", ["Heron; Built: 1931; Length (m): 12", "Gull; Built: 1950; Length (m): 8; Crew: 3"]),
        ("Name       Voice  Town\nAda Lorne  alto   Wick\nBo Strand  bass   Kelso\nCy Orr     bass   Wick", WIDE),
        ("Name\tVoice\tTown\nAda Lorne\talto\tWick\nBo Strand\tbass\tKelso\nCy Orr\tbass\tWick", WIDE),
        ("| Front door | brass | 12 cm |\n| Cellar | iron | 20 cm |", KEYS),
        ("| | | |\n|---|---|---|\n| Front door | brass | 12 cm |\n| Cellar | iron | 20 cm |", KEYS),
        ("| Lake Orrin | |\n|---|---|\n| Depth | 42 m |\n| Inflow | Mill Burn |", ["Depth: 42 m", "Inflow: Mill Burn"]),
        ("| | 2021 | 2022 |\n|--|--|--|\n| North | 4.1 | 3.9 |\n| South | 2.2 | |", ["North; 2021: 4.1; 2022: 3.9", "South; 2021: 2.2"]),
        ("| | Rain | | Sun | |\n|--|--|--|--|--|\n| | May | June | May | June |\n| Wick | 3 | 4 | 7 | 9 |", ["Wick; Rain May: 3; Rain June: 4; Sun May: 7; Sun June: 9"]),
        ("| Sign | Use |\n|--|--|\n| a \\| b | either `x|y` of them |\n| a & b | both | more | still |\n| none |", ["Sign: a | b; Use: either `x|y` of them", "Sign: a & b; Use: both; more; still", "Sign: none"]),
        ("| Region | Town | Wells |\n|--|--|--|\n| North | Wick | 4 |\n| | Kelso | 7 |\n| South | Orr | 2 |", ["Town: Wick; Region: North; Wells: 4", "Town: Kelso; Region: North; Wells: 7", "Town: Orr; Region: South; Wells: 2"]),
        ("| No. | part_name | Note |\n|--|--|--|\n| 4 | Belt | a<br>b |\n| 7 | Chuck | c |", ["part name: Belt; No.: 4; Note: a b", "part name: Chuck; No.: 7; Note: c"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".md", ".txt"])
def test_each_row_is_a_fact_with_the_names_of_its_columns(tmp_path, table, expected, suffix):
    text = f"The harbour museum shows what is left of the old fleet of the town.\n\n{table}\n\nIt is open in summer. Entry is free.\n"
    found = facts(tmp_path, text, f"boats{suffix}")
    assert [fact.statement.rstrip(".") for fact in found if fact.cells] == expected
    others = " ".join(fact.text for fact in found if not fact.cells)
    assert others.endswith("fleet of the town. It is open in summer. Entry is free.")


@pytest.mark.parametrize(
    "text",
    [
        "The house is old.  It was built in 1850.  Nobody lives there.\nThe garden is  wild.  A fox sleeps in it.\nThe well is  dry.  It has been so since 1911.",
        "\tIt was night. Nobody spoke for an hour or so.\n\tThen the bell rang, and all of them got up.\n\tThe door was open.",
        "1.\tOpen the lid.\n2.\tFill in two litres of water.\n3.\tClose the lid.",
        "a)\tthe first night costs 40 euros\nb)\tthe second costs 30\nc)\tall others cost 20",
        "Onion soup      4.50\nFried fish      9.00\nApple tart      5.00",
        "Name:\tAda Lorne\nStreet:\tMill Lane 4\nTown:\tWick",
        "Ada Lorne        12 Mill Lane      Wick\nBo Strand        4 Hill Road       Kelso\nCy Orr           9 High Street     Wick",
        "- Heron - a boat of 1931\n- Gull - a boat of 1950\n- Tern - a boat of 1962",
        "Tell me, O muse,        of that ingenious hero\nwho travelled far       and wide after he had\nsacked the town         and many men he saw",
        "for (i = 0; i < n; i++) {\n    total  = total + i;   // the sum\n    count  = count + 1;   // how many\n    print(total);         // shown\n}",
        "Home | About | Contact",
        "Either a | b or c is meant.\nThis is no table | at all.\nIt has | bars.",
        "ANNA: Where were you born?\nBEN: In Wick.\n\nANNA: When was that?\nBEN: In 1931, I think.\n\nANNA: And your brother?\nBEN: In 1935.",
        "## 1.2\n\n- Added: a second pump\n- Fixed: the valve leaks no more\n\n## 1.1\n\n- Added: a lid\n- Fixed: the lid opens",
        "Opening hours: nine to five\nPhone: 01955 44\nAddress: Mill Lane 4, Wick",
        "The norm |x| of a vector x\n|x| < |y| holds where y is longer than x\n|y| > |x| says the same",
        "The left column of a        the right column goes on\nnewspaper, which was set    with another story about\nby hand in the year 1931    the harbour and its boats",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_table_stays_prose(tmp_path, text):
    for name in ("prose.txt", "prose.md"):
        assert rows(tmp_path, f"A page of the harbour museum.\n\n{text}\n\nThat is all.\n", name) == []


def test_sentences_in_cells_stay_in_their_record_and_long_cells_are_prose_of_their_own(tmp_path):
    text = (
        "id\tname\tnote\n1\tHeron\tIt leaks. It is blue.\n2\tGull\t"
        + "The crew of the Gull was paid in fish. " * 12
        + "\n3\tTern\t-\n"
    )
    found = facts(tmp_path, text, "boats.txt")
    assert [fact.statement for fact in found if fact.cells] == [
        "name: Heron; id: 1; note: It leaks. It is blue.",
        "name: Gull; id: 2.",
        "name: Tern; id: 3; note: -.",
    ]
    assert sum(fact.text == "The crew of the Gull was paid in fish." for fact in found) == 12


def test_a_row_that_chunks_cut_leaves_each_its_own_cells(tmp_path):
    names = [f"Value {n}" for n in range(30)]
    text = (
        f"| Boat | {' | '.join(names)} |\n|{'---|' * 31}\n| Heron | {' | '.join(str(n + 500) for n in range(30))} |\n"
    )
    found = [fact for fact in facts(tmp_path, text, max_tokens=60) if fact.cells]
    assert len(found) > 1 and all(fact.cells[0] == ("Boat", "Heron") for fact in found)
    assert [cell for fact in found for cell in fact.cells[1:]] == [(name, str(n + 500)) for n, name in enumerate(names)]


def test_the_header_governs_each_row(tmp_path):
    (tmp_path / "boats.txt").write_text("Boat\tBuilt\tCrew\nHeron\t1931\t4\nGull\t1950\t3\n")
    document = load_documents(["boats.txt"], tmp_path).documents[0]
    found = find_facts(document, Chunking().split(document))
    assert [*lead_ins(document, found).values()] == ["Boat Built Crew"] * 2


CSV = {
    "plain.csv": "Boat,Built,Length (m)\nHeron,1931,12\nGull,1950,8\n",
    "german.csv": "Boat;Built;Length (m)\r\nHeron;1931;12\r\nGull;1950;8\r\n",
    "tabs.tsv": 'Boat\tBuilt\tLength (m)\n"Heron"\t1931\t12\nGull\t1950\t8\n',
    "excel.csv": "sep=;\nBoat;Built;Length (m);\nHeron;1931;12;\nGull;1950;8;\n",
    "titled.csv": "Boats of the museum,,\n,,\nBoat,Built,Length (m)\nHeron,1931,12\nGull,1950,8\n",
}


@pytest.mark.parametrize("name", CSV)
def test_files_of_rows_are_tables(tmp_path, name):
    assert rows(tmp_path, CSV[name], name) == BOATS


def test_quotes_breaks_and_bars_in_a_csv_cell(tmp_path):
    text = 'Sign,Use\n"a | b","either, or\nboth"\n"say ""x""",\\path\n'
    assert rows(tmp_path, text, "signs.csv") == ["Sign: a | b; Use: either, or both", 'Sign: say "x"; Use: \\path']


def test_a_csv_file_without_names_of_columns_names_none(tmp_path):
    assert rows(tmp_path, "Heron,1931,12\nGull,1950,8\n", "boats.csv") == ["Heron; 1931; 12", "Gull; 1950; 8"]


def test_a_quotation_mark_that_is_never_closed_loses_no_row(tmp_path):
    (tmp_path / "a.csv").write_text('Boat,Note\n"Heron,old\n' + "".join(f"Gull {n},blue\n" for n in range(3000)))
    loaded = load_documents(["a.csv"], tmp_path)
    assert "Gull 2999" in loaded.documents[0].text.splitlines()[-1] and "never closed" in loaded.warnings[0]


def test_json_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(UserError, match=r"(?s)\.csv.*expansion=file expansion\.file\.path"):
        load_documents(["a.jsonl"], tmp_path)


@pytest.mark.parametrize(
    "piece",
    [
        "|",
        "-",
        "+",
        " ",
        "\t",
        "a |",
        "| a ",
        "--- ",
        "a  b",
        ": ",
        "a: b\n",
        "a\tb\n",
        "a  b\n",
        "| a\n",
        "+-+\n",
        "|-\n",
        "`$",
        "$|",
    ],
)
def test_hostile_text_is_read_in_time(piece):
    start = time.perf_counter()
    outline(piece * (30_000 // len(piece)))
    assert time.perf_counter() - start < 4


def test_the_cases_from_the_field(tmp_path):
    if not CASES.is_dir():
        pytest.skip("the shared cases are not here")
    counts = {}
    for name in ("wines_tab.txt", "pumps.md", "pumps_bare.md", "attention.md", "tables.html"):
        document = load_documents([str(CASES / name)]).documents[0]
        counts[name] = sum(bool(fact.cells or fact.paired) for fact in find_facts(document, Chunking().split(document)))
    assert counts == {"wines_tab.txt": 5, "pumps.md": 24, "pumps_bare.md": 3, "attention.md": 3, "tables.html": 5}
