"""What a document is made of, and what its reader left out or doubts, is said once and kept with the run."""

import json

import pytest
from lxml import html

from byheart import cli
from byheart.documents.composition import describe, left_out, with_kinds
from byheart.documents.load import load_documents
from byheart.records import Chunk, Document, LeftOut
from byheart.report.ledger_page import write_ledger_page
from byheart.store import read_jsonl, read_records, write_jsonl
from documents.pages import write_placed

NOTES = """---
tags: boats
---
# The boatyard

The yard opens at seven. <!-- ask Ida -->

It closes at six. ![slip](slip.png)

- Boats over nine metres need the long slip.
- The crane lifts six tonnes.

| Slip | Metres |
| --- | --- |
| Long | 14 |
| Short | 9 |

```
launch --slip long
```

## How much is a night at the quay?

A night at the quay costs eleven euros.
"""
CHAT = "The ferry carries ninety cars. The captain is Ida Holm. The bar is closed on Sundays."


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A note of many kinds, a text of prose only, and a PDF whose second page has two texts on top of each other."""
    here = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        (here / "yard.md").write_text(NOTES)
        (here / "plain.txt").write_text(CHAT)
        pages = []
        for number in (1, 2, 3):
            lines = [f"The quay has {name} rings on page {number}." for name in ("brass", "steel", "iron", "zinc")]
            body = [(50.0, 700 - 13.0 * at, 10.0, line) for at, line in enumerate(lines)]
            pages.append([(50.0, 800.0, 9.0, "Quay handbook"), *body, (290.0, 40.0, 9.0, str(number))])
        pages[1] += [(52.0, 699 - 13.0 * at, 10.0, "Quite another text was printed over it") for at in range(4)]
        write_placed(here / "quay.pdf", pages)
        assert cli.main(["expand", "documents=[yard.md,plain.txt,quay.pdf]", "hydra.run.dir=run"]) == 0
    return here


MADE = (
    "yard.md: 2 paragraphs, 2 list items, 1 table of 2 rows, 1 block of code, 1 question with its answer; "
    "left out: 1 block of front matter, 1 comment, 1 picture"
)
GONE = "left out: 3 running heads, 3 page numbers"
DOUBT = "the order of reading is in doubt on page 2"


@pytest.mark.parametrize("command", ["check", "expand"])
def test_it_is_said_where_there_is_more_than_prose(written, command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(written)
    assert cli.main([command, "documents=[yard.md,plain.txt,quay.pdf]", f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert MADE in said and said.count("1 comment") == 1
    assert GONE in said and DOUBT in said
    assert "plain.txt:" not in said


def test_it_is_kept_with_the_documents_and_the_chunks(written):
    yard, plain, quay = read_jsonl(written / "run/documents.jsonl", Document)
    kinds = {"text": 2, "item": 2, "header": 1, "row": 2, "code": 1, "pair": 1}
    assert yard.kinds == kinds and plain.kinds == {"text": 1}
    assert quay.left_out == (LeftOut("running heads", 3, "Quay handbook"), LeftOut("page numbers", 3))
    assert len(quay.doubts) == 1 and quay.doubts[0].startswith(DOUBT)
    chunks = read_jsonl(written / "run/chunks.jsonl", Chunk)
    assert [chunk.kinds for chunk in chunks if chunk.document == yard.id] == [
        {"text": 2, "item": 2, "header": 1, "row": 2, "code": 1},
        {"pair": 1},
    ]


def test_the_ledger_shows_it_and_the_kind_of_each_fact(written):
    page = html.fromstring((written / "run/ledger.html").read_text("utf-8"))
    shown = [" ".join(line.text_content().split()) for line in page.xpath("//dl[@class='made']/*")]
    assert shown[0] == "The boatyard" and f"{shown[0]}.md" not in shown
    assert f"yard.md: {shown[1]}; {shown[2]}" == MADE
    assert "left out: 3 running heads (“Quay handbook”), 3 page numbers" in shown
    assert any(line.startswith(DOUBT) for line in shown)
    kinds = {
        article.xpath("string(blockquote)"): article.xpath("string(p[@class='key']/span[1])")
        for article in page.xpath("//article[blockquote]")
    }
    assert kinds["| Long | 14 |"] == "table row" and kinds["The crane lifts six tonnes."] == "list item"
    assert kinds["The yard opens at seven."] == "prose" and "launch --slip long" in kinds
    assert kinds["A night at the quay costs eleven euros."] == "question with its answer"


def test_a_run_of_before_has_a_page_too(written, tmp_path):
    """Its records have no kinds, and nothing of what was left out."""
    for name in ("examples.jsonl", "facts.jsonl", "chunks.jsonl", "documents.jsonl"):
        rows = read_records(written / "run" / name)
        gone = ("kinds", "left_out", "doubts", "kind")
        write_jsonl(tmp_path / name, [{key: value for key, value in row.items() if key not in gone} for row in rows])
    (tmp_path / "ledger.json").write_text((written / "run/ledger.json").read_text())
    source = write_ledger_page(tmp_path).read_text("utf-8")
    assert "made of" not in source and "The crane lifts six tonnes." in source


def test_a_reader_says_what_it_left_out_beside_its_warnings(tmp_path, monkeypatch):
    """As a new reader does it: a string is a warning, a LeftOut a count."""
    (tmp_path / "talk.srt.txt").write_text("x")
    (tmp_path / "empty.txt").write_text("x")
    remarks = ["two cues overlap", LeftOut("cue times", 1, "00:01"), LeftOut("entries of contents", 1)]
    monkeypatch.setattr("byheart.documents.load.reader_of", lambda path: lambda path: (CHAT, "Talk", remarks))
    loaded = load_documents([str(tmp_path / "talk.srt.txt")])
    assert loaded.warnings == ("two cues overlap",) == loaded.documents[0].doubts
    assert left_out(loaded.documents[0].left_out) == "1 cue time, 1 entry of contents"
    (line,) = describe([with_kinds(document) for document in loaded.documents])
    assert line == "talk.srt.txt: 1 paragraph; left out: 1 cue time, 1 entry of contents"


def test_many_documents_are_summed_in_one_line():
    document = Document("a", "A", "- One rope.\n- Two ropes.\n", "a.md", (LeftOut("comments", 2),))
    (line,) = describe([*[with_kinds(document)] * 1200, Document("b", "B", "Prose.", "b.md")])
    assert line == "1,200 of 1,201 documents: 2,400 list items; left out: 2,400 comments"


def test_check_says_what_is_wrong_with_a_document_before_the_run(tmp_path, capsys):
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4\n%%EOF")
    assert cli.main(["check", f"documents={tmp_path / 'scan.pdf'}"]) == 2
    assert "the PDF is broken" in capsys.readouterr().err


def test_json_of_the_records_is_plain(written):
    row = json.loads((written / "run/documents.jsonl").read_text().splitlines()[0])
    assert row["left_out"][1] == {"kind": "comments", "count": 1, "example": ""}
