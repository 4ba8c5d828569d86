"""Small marks of web pages are read as a reader sees them."""

import pytest

from byheart.documents.load import load_documents

BODY = "<p>The lake lies in the north of the county and gives drinking water to four towns all the year round.</p>"


def read(tmp_path, inner: str) -> str:
    page = f"<html><head><title>Lake</title></head><body><article><h1>Lake</h1>{BODY}{inner}{BODY.replace('lake', 'pond')}</article></body></html>"
    (tmp_path / "a.html").write_text(page)
    return load_documents([str(tmp_path / "a.html")]).documents[0].text


@pytest.mark.parametrize(
    ("inner", "seen"),
    [
        (
            "<p>It covers 3.7 km<sup>2</sup> and holds H<sub>2</sub>O at 10<sup>-3</sup> of a litre.</p>",
            "3.7 km² and holds H₂O at 10⁻³ of",
        ),
        ("<p>The 4<sup>th</sup> weir was built in 1931 by the county.</p>", "The 4th weir was built"),
        (
            '<p>Fishing is allowed from April.<sup><a href="#n1">[1]</a></sup> A permit is needed.</p>',
            "allowed from April. A permit",
        ),
        (
            '<p>Fishing is allowed from May.[<a href="#n1">1</a>]<span class="mw-editsection">[<a href="/e">edit</a>]</span></p>',
            "from May.",
        ),
        ('<p>See <a href="#n1">the second part</a> of these rules for the prices.</p>', "the second part"),
        (
            '<p>Dogs are kept on a lead.</p><p hidden>Secret draft of the rules.</p><p style="display: none">Old rules of 1950.</p>',
            "kept on a lead",
        ),
    ],
)
def test_marks_are_read_as_they_are_seen(tmp_path, inner, seen):
    text = read(tmp_path, inner)
    assert seen in text
    for never in ("<sup>", "<sub>", "[1]", "[edit]", "\\[", "Secret", "Old rules"):
        assert never not in text
