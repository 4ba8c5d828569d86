"""Marks of Markdown editors are no text to learn; code and all words stay."""

import pytest

from byheart.documents.load import load_documents
from byheart.documents.markdown.read import read_marks

NOTE = """# Tea

> [!WARNING]
> Boiling water makes [[Sencha|sencha]] bitter.

It comes from [[Shizuoka]] and [[Kagoshima#South|Kagoshima]]. ![[leaf.png]] #tea/green #japan
%% ask Mori about the second
infusion %%
<!-- TODO: price list -->
A second infusion takes ==only ten seconds==. ![cup](cup.jpg "A cup")
"""


def test_comments_pictures_and_tags_are_left_out_and_counted(tmp_path):
    (tmp_path / "tea.md").write_text(NOTE)
    loaded = load_documents([str(tmp_path / "tea.md")])
    text = " ".join(loaded.documents[0].text.split())
    assert text == (
        "# Tea Boiling water makes sencha bitter. It comes from Shizuoka and Kagoshima. "
        "A second infusion takes only ten seconds."
    )
    gone = {part.kind: part.count for part in loaded.documents[0].left_out}
    assert gone["comments"] == gone["pictures"] == 2 and gone["tag lines"] == 1 and not loaded.warnings


@pytest.mark.parametrize(
    "text",
    [
        "Write `<!-- so -->` and ``%%x%%``.",
        "```html\n<!-- kept -->\n[[x]] #tag\n```",
        "The colour is #fff.",
        "C# and F# are languages; issue #12 is open.",
        "# Heading #sharp",
        "a == b and c == d",
        "It costs 5 % more, and 10 % later.",
    ],
)
def test_all_else_stays(text):
    assert read_marks(text) == (text, [])


def test_a_plain_text_is_not_markdown(tmp_path):
    (tmp_path / "a.txt").write_text("Keep <!-- this --> and [[that]] here.")
    assert load_documents([str(tmp_path / "a.txt")]).documents[0].text == "Keep <!-- this --> and [[that]] here."
