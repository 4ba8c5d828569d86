import pypdf
import pytest

from byheart.documents.load import load_documents
from byheart.errors import UserError

from .pages import write_pdf

WRAPPED = [
    "The pump must be checked by the operator on every morning before it is started, as de-",
    "scribed by the well-known manual of the maker. A well-known fault is a leaking seal.",
    "It is mended with tape.",
    "The valve stands beside the pump. It must never be opened while the pump is running, since",
    "that would flood the cellar.",
]


def test_wrapped_lines_become_paragraphs(tmp_path):
    write_pdf(tmp_path / "pump.pdf", [["Care of the pump", *WRAPPED]], "The Pump")
    (document,) = load_documents(["pump.pdf"], tmp_path).documents
    assert document.title == "The Pump"
    heading, first, second = document.text.split("\n\n")
    assert heading == "Care of the pump"
    assert "described by the well-known manual" in first and first.endswith("tape.")
    assert second.startswith("The valve") and "running, since that would" in second


def test_a_hyphen_stays_where_the_text_writes_the_word_with_one(tmp_path):
    lines = ["The well-known pump was made long ago by a maker in the north, who was also well-", "known in the south."]
    write_pdf(tmp_path / "pump.pdf", [lines])
    assert load_documents(["pump.pdf"], tmp_path).documents[0].text.endswith("also well-known in the south.")


def test_headers_footers_and_page_numbers_are_left_out(tmp_path):
    pages = [
        ["ACME Pump Handbook", f"Text number {word} stands here.", f"Page {n} of 4"] for n, word in enumerate("abcd", 1)
    ]
    write_pdf(tmp_path / "pump.pdf", pages)
    text = load_documents(["pump.pdf"], tmp_path).documents[0].text
    assert "ACME" not in text and "Page" not in text
    assert all(f"number {word} stands" in text for word in "abcd")


def test_encrypted_scanned_and_broken_files_are_told_apart(tmp_path):
    write_pdf(tmp_path / "open.pdf", [["The pump needs oil."]])
    for name, password in (("locked", "secret"), ("empty_password", "")):
        writer = pypdf.PdfWriter(clone_from=tmp_path / "open.pdf")
        writer.encrypt(password, "owner", algorithm="RC4-128")
        writer.write(tmp_path / f"{name}.pdf")
    write_pdf(tmp_path / "scanned.pdf", [[], []])
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    assert load_documents(["empty_password.pdf"], tmp_path).documents[0].text == "The pump needs oil."
    with pytest.raises(UserError) as caught:
        load_documents(["locked.pdf", "scanned.pdf", "broken.pdf"], tmp_path)
    said = [str(problem) for problem in caught.value.problems]
    assert ["encrypted" in said[0], "ocrmypdf" in said[1], "broken" in said[2]] == [True] * 3
