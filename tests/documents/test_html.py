import pytest

from byheart.documents.load import load_documents
from byheart.errors import UserError

PAGE = """<!DOCTYPE html><html><head><title>Pump &amp; Valve</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop</a></nav>
<main><article><h1>The pump</h1><p>The pump must be checked on every morning by the operator of the station.</p>
<h2>Oil</h2><p>It needs <b>two</b> litres of oil each week, and the oil must be warm when it is filled in.</p>
<ul><li>Open the cap with the large key.</li><li>Fill in the oil slowly.</li></ul>
<table><tr><th>Class</th><th>Oil</th></tr><tr><td>Small pump</td><td>2 litres</td></tr></table>
<p>Beware: &lt;/script&gt; is no command here.</p></article></main><script>track("you")</script></body></html>"""


def load(folder, page, name="pump.html"):
    (folder / name).write_bytes(page.encode() if isinstance(page, str) else page)
    return load_documents([name], folder).documents[0]


def test_headings_lists_and_tables_are_kept_and_decoration_is_not(tmp_path):
    document = load(tmp_path, PAGE)
    assert document.title == "Pump & Valve"
    for words in (
        "# The pump",
        "## Oil",
        "- Open the cap",
        "2 litres",
        "every morning",
        " </script> is no command",
        "needs two litres",
    ):
        assert words in document.text, words
    for words in ("track(", "color", "Shop"):
        assert words not in document.text, words


def test_a_page_that_is_hardly_one_still_gives_its_words(tmp_path):
    assert "The pump needs oil." in load(tmp_path, "<p>The pump needs oil.</p>").text
    assert load(tmp_path, "<h1>Oil</h1>The pump needs it.", "b.htm").title == "Oil"


def test_the_declared_encoding_is_used(tmp_path):
    page = PAGE.replace("<head>", '<head><meta charset="iso-8859-2">').replace("Open the cap", "Otwórz gęś")
    assert "Otwórz gęś" in load(tmp_path, page.encode("iso-8859-2")).text


@pytest.mark.parametrize("page", ["   \n", "<html><body></body></html>", "</a></b>"])
def test_an_empty_page_is_refused(tmp_path, page):
    with pytest.raises(UserError, match="empty"):
        load(tmp_path, page)
