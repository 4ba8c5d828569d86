"""The rows of tables are asked for cell by cell, forward and back, and only for what the table tells."""

import re

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.load import load_documents
from byheart.expansion.base import Source
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.ledger import ledger
from byheart.expansion.question_generation.columns import read_column
from byheart.expansion.rules.rules import Rules
from byheart.records import FORWARD

TREES = "Aster Birch Cedar Dahlia Elm Fern Gorse Hazel Iris Juniper Kale Larch Maple Nettle Oak Poppy Quince Rowan Sorrel Thyme Ulex Vetch Willow Yarrow".split()
PUMPS = [
    (f"{tree} {100 + 10 * n}", f"{20 + 3 * n}", f"{5 + n}", f"{3 + n / 2}", f"{149 + 37 * n}")
    for n, tree in enumerate(TREES)
]
COLUMNS = ("Model", "Flow (l/min)", "Max. head (m)", "Weight (kg)", "Price (EUR)")
LINES = [COLUMNS, ("---",) * 5, *PUMPS]
SHAPES = {
    "pumps.md": "# Pumps\n\nAll run on 230 V.\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in LINES),
    "bare.md": "# Pumps\n\n" + "\n".join(" | ".join(line) for line in LINES),
    "pumps.csv": "\n".join(",".join(line) for line in (COLUMNS, *PUMPS)),
    "pumps.txt": "Garden pumps\n\n" + "\n".join("\t".join(line) for line in (COLUMNS, *PUMPS)),
    "aligned.txt": "Garden pumps\n\n" + "\n".join("".join(f"{cell:<16}" for cell in line) for line in (COLUMNS, *PUMPS)),
    "records.txt": "Garden pumps\n\n" + "\n\n".join("\n".join(map(": ".join, zip(COLUMNS, line, strict=True))) for line in PUMPS),
    "pumps.html": "<html><body><main><h1>Pumps</h1><p>All pumps run on 230 V and are made here.</p><table><tr><th>"
    + "</th><th>".join(COLUMNS) + "</th></tr>" + "".join(f"<tr><td>{'</td><td>'.join(line)}</td></tr>" for line in PUMPS) + "</table></main></body></html>",
}  # fmt: skip


def read(folder, text, name="table.md") -> Source:
    (folder / name).write_text(text + "\n", encoding="utf-8")
    document = load_documents([name], folder).documents[0]
    chunks = Chunking().split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


def asked(folder, text, name="table.md") -> dict[str, str]:
    """The answers by their questions, without the source behind them."""
    examples = Rules().expand(read(folder, text, name)).examples
    return {re.sub(r" \([^()]*\)$", "", example.question): example.answer for example in examples}


@pytest.mark.parametrize("name", SHAPES)
def test_every_row_and_cell_is_taught_in_both_directions(tmp_path, name):
    source = read(tmp_path, SHAPES[name], name)
    written = Rules().expand(source)
    account = ledger(source, {"rules": written}, written.examples, [], {})
    prose = {fact.id for fact in source.facts if not fact.cells}  # "All run on 230 V."
    assert account["coverage"][FORWARD] == 1.0 and {fact["fact"] for fact in account["uncovered"]} <= prose
    assert [tuple(value for _, value in fact.cells) for fact in source.facts if fact.cells] == PUMPS
    found = {(re.sub(r" \([^()]*\)$", "", e.question), e.answer) for e in written.examples}
    for pump in PUMPS:
        for column, value in zip(COLUMNS[1:], pump[1:], strict=True):
            words = column[0].lower() + column[1:]
            assert (f"What is the {words} of the model {pump[0]}?", value) in found
            assert (f"Which model has {value} under “{column}”?", pump[0]) in found
    assert not any("|" in f"{e.question}{e.answer}" for e in written.examples)


BOATS = "# Boats\n\n| Boat | Built | Litres | Keeper | Roofed | Seen |\n|--|--|--|--|--|--|\n"
BOATS += "| West | 1931 | 9000 | H. Orr | yes | ✓ |\n| north pier | 1931 | 400 | A. Lind | no | |\n| East | 1931 | 400 | A. Lind | yes | - |"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is given under “Built” for the boat West?", "1931"),
        ("How many litres are given for the boat West?", "9000"),
        ("Which keeper is given for the boat West?", "H. Orr"),
        ("Is “Roofed” given as yes or no for the boat “north pier”?", "No"),
        ("Is “Seen” ticked for the boat West?", "Yes"),
        ("Which boat has 9000 under “Litres”?", "West"),
        ("Which boat has “no” under “Roofed”?", "north pier"),
        ("Which boat has 400 under “Litres” and “yes” under “Roofed”?", "East"),
    ],
)
def test_a_column_is_asked_for_by_its_shape(tmp_path, question, answer):
    assert asked(tmp_path, BOATS)[question] == answer


def test_what_several_rows_share_tells_none_and_what_is_empty_is_not_asked(tmp_path):
    found = asked(tmp_path, BOATS)
    assert not any("1931 under" in question or "400 under “Litres”?" in question for question in found)
    assert not any(
        "“Seen”" in question and not ("West" in question or answer == "West") for question, answer in found.items()
    )
    assert "-" not in found.values() and "" not in found.values()


def test_rows_without_a_name_of_their_own_are_told_apart_by_two_columns(tmp_path):
    text = "# Courses\n\n| Day | Time | Course |\n|--|--|--|\n| Monday | 9:00 | Weaving |\n| Monday | 11:00 | Pottery |\n| Friday | 9:00 | Weaving |"
    found = asked(tmp_path, text)
    assert found["Which course is given for the day Friday and the time 9:00?"] == "Weaving"
    assert found["Which day has “Pottery” under “Course”?"] == "Monday"
    assert not any(question.startswith("Which course is given for the day Monday?") for question in found)


def test_tables_without_names_and_with_figures_for_names(tmp_path):
    found = asked(tmp_path, "# Keys\n\n| Front door | brass | 12 cm |\n| Cellar | iron | 7 cm |")
    assert found["What is given for Front door?"] == "brass; 12 cm."
    assert found["For which entry is “iron; 7 cm” given?"] == "Cellar"
    found = asked(tmp_path, "# Rain\n\n| | 2021 | 2022 |\n|--|--|--|\n| Wick | 801 | 790 |\n| Orr | 702 | 688 |")
    assert (
        found["What is given under “2021” for Wick?"] == "801" and found["Which entry has 688 under “2022”?"] == "Orr"
    )
    found = asked(tmp_path, "# Cup\n\n| Year | Winner |\n|--|--|\n| 1998 | Wick |\n| 1999 | Orr |")
    assert (
        found["Which winner is given for the year 1998?"] == "Wick"
        and found["Which year has “Orr” under “Winner”?"] == "1999"
    )


def test_records_under_headings_are_told_apart_like_rows(tmp_path):
    text = "# Tools\n\n## Rake 7\n\nWeight: 1.2 kg\nHandle: ash\nPrice: 19 EUR\n\n## Spade 3\n\nWeight: 2.1 kg\nHandle: ash\nPrice: 24 EUR"
    found = asked(tmp_path, text)
    assert (
        found["What is the weight of Rake 7?"] == "1.2 kg"
        and found["Which entry has 24 EUR under “Price”?"] == "Spade 3"
    )
    assert "Which entry has “ash” under “Handle”?" not in found


def test_rows_of_another_language_are_asked_in_its_own_words(tmp_path):
    text = "# Preise\n\nDie Preise gelten bis zum Ende des Jahres und werden dann von dem Verein neu festgelegt. Kinder zahlen nichts.\n\n"
    found = asked(tmp_path, text + "| Boot | Preis |\n|--|--|\n| Reiher | 12 Euro |\n| Möwe | 9 Euro |")
    assert found["What is given under “Preis” for Reiher?"] == "12 Euro"


def test_a_teacher_sees_the_header_above_every_part_of_a_table(tmp_path):
    source = read(tmp_path, SHAPES["pumps.md"], "pumps.md")
    shown = {request.user.split("<text>")[1].split("</text>")[0] for request in Ladder(rungs=1).requests(source)}
    assert len(shown) > 2 and all(text.count("| Model | Flow (l/min) |") == 1 for text in shown)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("Flow (l/min)", "one", "flow (l/min)"), ("Fat (g)", "one", "fat (g)"), ("Speed", "one", "speed"),
        ("Date of birth", "one", "date of birth"), ("Spanish name", "one", "Spanish name"), ("Seats", "many", "seats"),
        ("Countries", "many", "countries"), ("Built", "other", "built"), ("Died", "other", "Died"), ("Open", "other", "open"),
        ("Goals for", "other", "goals for"), ("From", "other", "From"), ("2021", "other", "2021"), ("Departs", "other", "departs"),
        ("Dishwasher-safe", "other", "Dishwasher-safe"), ("VAT", "other", "VAT"), ("Preis", "other", "Preis"),
    ],
)  # fmt: skip
def test_only_a_noun_is_put_into_a_sentence(name, shape, words):
    column = read_column(name)
    assert (column.shape, column.words) == (shape, words)
