"""A formula is one token of its sentence, from the text to the questions and the filters."""

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.documents.load import load_documents
from byheart.documents.structure.formulas import find_formulas, join_formulas
from byheart.expansion.base import Source
from byheart.expansion.filters.checks import Filters
from byheart.expansion.filters.ground import Ground
from byheart.expansion.rules.rules import Rules


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("It costs $5 and $7, US$5 to US$7, or $1,200.", []),
        ("Set $HOME/$USER or $PATH$ or `$x$`.", []),
        ("A mass $m$ with $f(x)$ and $10$.", ["$m$", "$f(x)$", "$10$"]),
        (r"Take \(a+b\), but \(see the notes below\).", [r"\(a+b\)"]),
        (r"So \[x = 1\] and $$y$$.", [r"\[x = 1\]", "$$y$$"]),
    ],
)
def test_formulas_are_found_and_prices_are_none(text, formulas):
    assert [text[a:b] for a, b in find_formulas(text)] == formulas


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        (
            "The ratio is\n\n$$\nz = \\frac{c}{2} .\n$$\n\nwhere $c$ is small.",
            "The ratio is $$z = \\frac{c}{2}$$. where $c$ is small.",
        ),
        ("The ratio is\n\\[\na.\n\\]\nThe end.", "The ratio is \\[a\\]. The end."),
        ("Ready.\n\n$$a$$\n\nNext.", "Ready.\n\n$$a$$\n\nNext."),
        ("It is\n\n```math\na = b\n```\n", "It is $$a = b$$\n\n"),
        ("# Head\n\n$$a$$\n", "# Head\n\n$$a$$\n"),
        ("```tex\n$$\na\n$$\n```\n", "```tex\n$$\na\n$$\n```\n"),
        (
            "One has\n\n\\begin{align}\na &= b \\\\ % so\nc &= d\n\\end{align}\n",
            "One has \\begin{align}a &= b \\\\ c &= d\\end{align}\n",
        ),
    ],
)
def test_a_displayed_formula_joins_its_sentence(text, joined):
    assert join_formulas(text).rstrip() == joined.rstrip()
    assert join_formulas(join_formulas(text)) == join_formulas(text)


NOTE = r"""# Springs

A mass $m$ hangs on a spring. The ratio is

$$
\zeta = \frac{c}{2\sqrt{mk}}
$$

It is critical if $\zeta = 1.0$, e.g. in a door. The option `--rate N. x` sets the rate $r$.
"""


@pytest.fixture(scope="module")
def spring(tmp_path_factory):
    path = tmp_path_factory.mktemp("spring") / "a.md"
    path.write_text(NOTE)
    document = load_documents([str(path)]).documents[0]
    chunks = Chunking().split(document)
    return Source((document,), tuple(chunks), tuple(find_facts(document, chunks)))


def test_a_sentence_keeps_its_formula(spring):
    assert [fact.text for fact in spring.facts] == [
        "A mass $m$ hangs on a spring.",
        r"The ratio is $$\zeta = \frac{c}{2\sqrt{mk}}$$",
        r"It is critical if $\zeta = 1.0$, e.g. in a door.",
        "The option `--rate N. x` sets the rate $r$.",
    ]


def test_rules_tear_no_formula_and_lose_no_back_quote(spring):
    parts = ["$m$", r"$$\zeta = \frac{c}{2\sqrt{mk}}$$", r"$\zeta = 1.0$", "`--rate N. x`", "$r$"]
    examples = Rules().expand(spring).examples
    for example in examples:
        for text in (example.question, example.answer):
            for part in parts:
                text = text.replace(part, "")
            assert not set("$`\\{}") & set(text), text
            assert "zq" not in text.lower()
    pairs = {(example.question, example.answer) for example in examples}
    assert ("Complete the sentence: “The ratio is …” (Springs)", r"$$\zeta = \frac{c}{2\sqrt{mk}}$$.") in pairs
    assert "When does a mass $m$ hang? (Springs)" not in dict(pairs)
    assert any("`--rate N. x`" in question for question, _ in pairs)


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (r"$\zeta = \frac{c}{2\sqrt{mk}}$", True),
        (r"\(\zeta = \frac{c}{2 \sqrt{mk}}\)", True),
        ("ζ = c/(2√(mk))", True),
        ("$m$", True),
        (r"$\zeta = \frac{c}{3\sqrt{mk}}$", False),
    ],
)
def test_a_teachers_formulas_pass_the_filters_where_they_are_those_of_the_text(answer, passes):
    ground = Ground(NOTE, [NOTE], ["Springs"], "en")
    assert (Filters().refuse("What is the ratio of a spring?", answer, "simple", ground) is None) == passes


def test_a_fraction_may_be_written_plainly():
    ground = Ground(r"The energy is $\frac12 mv^2$ or $\frac{3}{4} k$.", [], ["Springs"])
    assert {"1/2", "3/4"} <= ground.numbers
