"""Reading takes work that grows with the text, not with the product of its rows and its widest row."""

import sys
import time

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.documents.load import load_documents
from byheart.documents.structure.outline import is_table_rule

FEW, MANY = 100, 400


def wide_csv(n):
    return ".csv", ",".join(f"name{at}" for at in range(n)) + "\n" + "".join(f"row{at},{at}\n" for at in range(n))


def long_guide(n):
    return ".txt", "Pump  Flow\n" + "==  " * n + "\n" + "".join(f"A{at}  {at}\n" for at in range(n))


def rare_fields(n):
    rare = (f"Note {at}: seen by {at}\n" if at % 3 == 0 else "" for at in range(n))
    return ".txt", "".join(f"Pump: A{at}\nFlow: {at}\nPrice: 2{at}\n{more}\n" for at, more in enumerate(rare))


def wide_page(n):
    return ".html", f"<table><tr>{'<td>a' * n}</tr>{''.join(f'<tr><td>row {at}' for at in range(n))}</table>"


def calls(tmp_path, made):
    """Calls of functions, steps of generators included, from the file to the facts."""
    suffix, content = made
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        (document,) = load_documents([str(path)]).documents
        find_facts(document, Chunking().split(document))
    finally:
        sys.setprofile(None)
    return count, len(document.text)


@pytest.mark.parametrize("make", [wide_csv, long_guide, rare_fields, wide_page])
def test_four_times_the_table_takes_about_four_times_the_work(tmp_path, make):
    calls(tmp_path, make(8))  # what is imported and cached on the way is not counted
    (few, short), (many, long) = (calls(tmp_path, make(n)) for n in (FEW, MANY))
    assert many <= 6.5 * few  # sixteen times, where rows are filled up to the widest
    assert long <= 6.5 * short


def test_a_rule_with_empty_cells_is_no_riddle():
    """Two ways to read each blank cell made 2 to the power of 25 ways to read the line."""
    begun = time.process_time()
    assert not is_table_rule("--- | " + "| | " * 12 + "x")
    assert is_table_rule("| --- | :-: || ---|")
    assert time.process_time() - begun < 1


def test_a_long_name_of_an_element_takes_no_time(tmp_path):
    (tmp_path / "page.html").write_text(
        f'<p class="{"a1" * 50_000}">The pump stops at 60 degrees.</p>', encoding="utf-8"
    )
    begun = time.process_time()
    assert "60 degrees" in load_documents(["page.html"], tmp_path).documents[0].text
    assert time.process_time() - begun < 2
