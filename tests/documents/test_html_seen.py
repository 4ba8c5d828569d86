"""A page is read as a reader sees it: no furniture, nothing hidden, nothing visible lost."""

import time

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.documents.composition import left_out
from byheart.documents.load import load_documents

BODY = "<p>The lake lies in the north of the county and gives water to four towns.</p>"


def read(tmp_path, body: str, head: str = ""):
    page = f"<html><head><title>Lake</title>{head}</head><body>{body}</body></html>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    loaded = load_documents([str(tmp_path / "a.html")])
    document = loaded.documents[0]
    return document, " ".join([left_out(document.left_out), *loaded.warnings])


LOST = {  # what no reader sees, or what is furniture of the page -> what the warning says
    "<p hidden>SECRET words.</p>": "1 hidden passage",
    "<p aria-hidden='true'>SECRET words.</p>": "1 hidden passage",
    "<div style='display: none'>SECRET words.</div>": "1 hidden passage",
    "<span class='visually-hidden'>SECRET words.</span>": "1 hidden passage",
    "<p class='off'>SECRET words.</p>": "1 hidden passage",
    "<p style='position:absolute; left:-9999px'>SECRET words.</p>": "1 hidden passage",
    "<dialog><p>SECRET words.</p></dialog>": "1 hidden passage",
    "<div class='cookie-consent'><p>We use SECRET cookies to improve your experience.</p><button>OK</button></div>": "1 cookie banner",
    "<nav><a href='/'>SECRET</a></nav>": "1 navigation block",
    "<ul class='breadcrumb'><li><a>SECRET</a></li></ul>": "1 navigation block",
    "<div class='share-buttons'><a>SECRET</a></div>": "1 page widget",
    "<div class='related-posts'><h3>SECRET</h3><a>SECRET</a></div>": "1 page widget",
    "<section id='comments'><p>SECRET post, I liked it very much.</p></section>": "1 comment section",
    "<footer>SECRET Ltd</footer>": "1 site footer",
    "<template><p>SECRET</p></template><noscript>SECRET</noscript><script>SECRET</script>": "",
    "<p>The fee is <del>SECRET</del> five euros.</p>": "1 struck-out passage",
    "<p>A map: <img src='m.png' alt='SECRET map of the lake'></p>": "1 picture",
}


@pytest.mark.parametrize("inner", LOST)
def test_what_no_reader_sees_and_furniture_are_left_out_and_counted(tmp_path, inner):
    document, warning = read(
        tmp_path, f"{BODY}{inner}{BODY.replace('lake', 'pond')}", "<style>.off{display:none}</style>"
    )
    assert "SECRET" not in document.text and LOST[inner] in warning
    assert "The lake lies" in document.text and "The pond lies" in document.text


KEPT = {  # all that a reader sees
    "<aside class='note'>KEPT</aside>": "KEPT",
    "<div role='tabpanel' hidden><p>KEPT words.</p></div>": "KEPT words.",
    "<button class='accordion'>May I swim?</button><div class='panel' style='display:none'><p>KEPT words.</p></div>": "May I swim?\n\n: KEPT words.",
    "<p>Press <button>Save</button> to keep it, or <img alt='Undo' src=u.png> to leave.</p>": "Press Save to keep it, or Undo to leave.",
    "<p class='d-none d-md-block'>KEPT words.</p>": "KEPT words.",
    "<div class='related'><p>KEPT is a rule that is related to the third rule of the house.</p></div>": "KEPT is a rule",
    "<h2>Cookies</h2><p>KEPT cookies are baked for ten minutes.</p>": "## Cookies\n\nKEPT cookies",
    "<div><span class='k'>Phone</span><span class='v'>0555</span></div>": "Phone 0555",
    "<div>One<div>Two</div>Three</div>": "One\n\nTwo\n\nThree",
    "<p>One<br>Two<br><br>Three</p>": "One\nTwo\n\nThree",
    "<ol start=3><li>One</li><li value=7>Two</li></ol>": "3. One\n7. Two",
    "<ol type=a><li>One<ol type=i><li>Two</li></ol></li></ol>": "(a) One\n  (i) Two",
    "<ol reversed><li>One</li><li>Two</li></ol>": "2. One\n1. Two",
    "<ul><li><p>One</p><p>Two</p></li><li>Three</li></ul>": "- One\n\n  Two\n\n- Three",
    "<p>Type <kbd>x y</kbd>, see <code>a<b>b</b></code>.</p>": "Type `x y`, see `ab`.",
    "<pre><code class='language-py'>if x:\n    # four\n    y()\n</code></pre>": "```py\nif x:\n    # four\n    y()\n```",
    "<figure><img src=a><figcaption>The dam</figcaption></figure>": "Figure: The dam",
    "<p>So <math alttext='x^2'><mi>x</mi></math> and <math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>.</p>": "So $x^2$ and $\\frac{1}{2}$.",
    "<p>R&amp;D &lt;b&gt; caf&eacute; &#8364;2 &bogus;</p>": "R&D <b> café €2 &bogus;",
    "<p>He said <q>no</q> to <ruby>漢<rt>kan</rt></ruby>.</p>": "He said “no” to 漢(kan).",
    "<article><p>KEPT one.</p></article><article><p>KEPT two.</p></article>": "KEPT one.\n\nKEPT two.",
    "<h3>Fines<h3><p>A late book.": "### Fines\n\nA late book.",
}


@pytest.mark.parametrize("inner", KEPT)
def test_what_a_reader_sees_is_kept_in_its_shape(tmp_path, inner):
    document, _ = read(tmp_path, f"{BODY}{inner}")
    assert KEPT[inner] in document.text


TABLES = {
    "<table><tr><th rowspan=2>Month<th colspan=2>Level</tr><tr><th>2021<th>2022</tr><tr><td>May<td>3<td>4</tr></table>": "| Month | Level 2021 | Level 2022 |\n|---|---|---|\n| May | 3 | 4 |",
    "<table><caption>Levels</caption><tr><th>Day<th>m</tr><tr><td rowspan=2>May<td>3</tr><tr><td>4 <br>or 5</tr></table>": "Table: Levels\n\n| Day | m |\n|---|---|\n| May | 3 |\n| May | 4 or 5 |",
    "<table><tr><th colspan=2>Orrin</tr><tr><th>Depth<td>42 m</tr><tr><th>Inflows<td><ul><li>Beck<li>Burn</ul></tr></table>": "Table: Orrin\n\nDepth\n\n: 42 m\n\nInflows\n\n: Beck; Burn",
    "<table><tr><td>Day<td>Price</tr><tr><td>May<td>3 €</tr></table>": "| Day | Price |\n|---|---|\n| May | 3 € |",
    "<table><tr><td>North<td>red</tr><tr><td>South<td>a|b</tr></table>": "| North | red |\n| South | a\\|b |",
    "<table><tr><th>Plan<th>Fee</tr><tr><td colspan=2>Firms</tr><tr><td>Basic<td>5</tr></table>": "| Firms: Basic | 5 |",
    "<table><tr><th>A<th>B</tr><tr><td>x<td><table><tr><td>in<td>ner</tr><tr><td>c<td>d</tr></table></tr></table>": "| x | in, ner; c, d |",
    "<table><tr><td><h2>Left</h2><p>One.</p></td><td><p>Two.</p></td></tr></table>": "## Left\n\nOne.\n\nTwo.",
}


@pytest.mark.parametrize("table", TABLES)
def test_tables(tmp_path, table):
    document, _ = read(tmp_path, f"{BODY}{table}{BODY}")
    assert TABLES[table] in document.text


def test_notes_of_a_page_stand_below_their_paragraphs_and_references_are_left_out(tmp_path):
    page = (
        "<h1>Lake</h1>"
        + BODY * 3
        + "<p>It was dammed in 1931.<sup><a href='#n1'>[1]</a></sup> It is deep.<sup><a href='#n2'>[2]</a></sup></p>"
        "<h2>Notes</h2><ol><li id=n1><a href='#b'>^</a> By hand, in two years.</li></ol>"
        "<h2>References</h2><ol><li id=n2>Brandt, Karl (1990). <i>The Lake</i>. Bern: Alpen Verlag. p. 12.</li>"
        "<li>Dietz, Carl (1998). Lakes. Journal of Water, 12(3), 4–5.</li></ol>"
    )
    document, warning = read(tmp_path, page)
    (note,) = [fact for fact in find_facts(document, Chunking().split(document)) if fact.kind == "note"]
    assert (note.label, note.text) == ("note on “It was dammed in 1931”", "By hand, in two years.")
    assert "Notes" not in document.text and "Brandt" not in document.text and "[" not in document.text.replace("[^", "")
    assert "2 references" in warning


def test_a_list_keeps_its_lead_in_and_a_caption_is_one_fact(tmp_path):
    page = f"{BODY}<ol><li>A guest must:<ol type=a><li>pay the rent;</li><li>be quiet.</li></ol></li></ol><table><caption>Levels</caption><tr><th>Day<th>m</tr><tr><td>May<td>3</tr></table>"
    document, _ = read(tmp_path, page)
    facts = find_facts(document, Chunking().split(document))
    assert [(fact.kind, fact.label) for fact in facts][1:] == [
        ("item", "(a)"),
        ("item", "(b)"),
        ("caption", "Table"),
        ("row", ""),
    ]
    assert set(lead_ins(document, facts).values()) == {"A guest must:", "| Day | m |"}


@pytest.mark.parametrize(
    "sign",
    ["<div>", "<ul><li>", "<a href=#x>1</a>", "<p hidden>", "<table><tr><td>", "<td colspan=1000>", "<dl><dt>a<dd>b"],
)
def test_hostile_pages_are_read_in_time(tmp_path, sign):
    start = time.process_time()
    assert "gives water" in read(tmp_path, BODY + sign * (60_000 // len(sign)))[0].text
    assert time.process_time() - start < 5
