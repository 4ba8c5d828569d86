"""A Markdown text is read as a reader sees it: every mark has its case, and what is left out is counted."""

import time

import pytest

from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts
from byheart.documents.composition import left_out
from byheart.documents.load import load_documents


def read(tmp_path, text: str, name: str = "note.md"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = load_documents([str(tmp_path / name)])
    document = loaded.documents[0]
    return document, " ".join([left_out(document.left_out), *loaded.warnings])


def facts(document):
    return find_facts(document, Chunking().split(document))


SEEN = {
    'Use the [pot](https://x.example/a_(b).png?c=1 "Pot").': "Use the pot.",
    "Use [the `pan`][1] or [the pot][].\n\n[1]: <https://x.example> 'X'\n[the pot]: /pot": "Use the `pan` or the pot.",
    "See <https://x.example> or write to <me@x.example>.": "See https://x.example or write to me@x.example.",
    "It is un*believ*able, **very** _good_, and snake_case_name is 2 * 3*4*5.": "It is unbelievable, very good, and snake_case_name is 2 * 3*4*5.",
    r"A \*star\*, 24\ cm, \$5 &amp; 6&deg;.": "A *star*, 24 cm, $5 & 6°.",
    "The fee is ~~five~~ four euros.": "The fee is four euros.",
    "One line<br>and <kbd>Ctrl</kbd>+<kbd>C</kbd> for 3 m<sup>2</sup> of H~2~O.": "One line\nand `Ctrl`+`C` for 3 m² of H₂O.",
    "It is done :tada: at 10:30:15 by :nobody_here:.": "It is done 🎉 at 10:30:15 by :nobody_here:.",
    "> Quoted words\n> go on.": "Quoted words\ngo on.",
    "Fill in <your-name>, where 3 < 4 and a > b.": "Fill in <your-name>, where 3 < 4 and a > b.",
    ":::note[Mind]\nStop the pump.\n:::": "Mind\n\nStop the pump.",
    '!!! tip "Oil"\n    Use two litres.': "Oil\n\nUse two litres.",
    "The pump {{< icon wheel >}} turns {% include x.html %}.": "The pump  turns .",
    "# Care {#care .wide}": "# Care",
    "import X from '@x'\n\nThe pump runs.": "The pump runs.",
    "Heat flows [@a2001; @b2002, p. 3] down.": "Heat flows down.",
    "1\\. May is a holiday.": "1\\. May is a holiday.",
}


@pytest.mark.parametrize(("source", "seen"), SEEN.items(), ids=range(len(SEEN)))
def test_marks_go_and_words_stay(tmp_path, source, seen):
    assert read(tmp_path, f"{source}\n\nThe end is here.")[0].text.strip() == f"{seen}\n\nThe end is here.".strip()


def test_all_that_is_left_out_is_counted(tmp_path):
    text = (
        "+++\ntitle = 'Pumps'\n+++\n\n[![Build](b.svg)](https://ci) ![x][cov]\n\n- [One](#one)\n- [Two](#two)\n- [Six](#six)\n\n"
        "The <!-- old --> pump has [a lid](lid.md) and ~~no~~ one key.\n\n[cov]: c.svg\n"
    )
    document, warning = read(tmp_path, text)
    assert (document.title, " ".join(document.text.split())) == ("Pumps", "The pump has a lid and one key.")
    for said in (
        "1 block of front matter",
        "1 comment",
        "2 pictures",
        "1 contents list",
        "1 link target",
        "1 struck-out passage",
    ):
        assert said in warning


def test_code_stays_as_it_is(tmp_path):
    code = "```md\n[a](b) **c** <!-- d --> $e$ [^1]\n> f\n```"
    text = f"Set `*a*` and ``b`c``.\n\n{code}\n\n1. Do this:\n\n   ```sh\n   x\n     y\n   ```\n"
    document, _ = read(tmp_path, text)
    assert code in document.text and "Set `*a*` and ``b`c``." in document.text
    assert [fact.text for fact in facts(document) if fact.kind == "code"][1] == "x\n  y"


def test_a_footnote_stands_below_its_paragraph_and_says_what_it_is_on(tmp_path):
    text = "The dam is old.[^a] It was built of granite[^b] in 1931.^[By hand.]\n\n- A road.[^c]\n\n[^a]: Older than *most*.\n    See the map.\n[^b]: From Orrin.\n\nThe lake is deep. [^gone]\n"
    document, warning = read(tmp_path, text)
    notes = [(fact.label, fact.text) for fact in facts(document) if fact.kind == "note"]
    assert notes == [
        ("note on “The dam is old”", "Older than most. See the map."),
        ("note on “It was built of granite”", "From Orrin."),
        ("note on “It was built of granite in 1931”", "By hand."),
    ]
    assert "[^" not in document.text.replace("[^“", "") and "2 missing notes" in warning
    assert document.text.index("From Orrin") < document.text.index("A road")


def test_a_note_between_items_breaks_no_list(tmp_path):
    from byheart.data.facts import lead_ins

    text = "A guest may:\n\n- use the pool[^1]\n\n- park a car\n\n[^1]: Until nine in the evening."
    document, _ = read(tmp_path, text)
    found = facts(document)
    assert list(lead_ins(document, found).values()) == ["A guest may:"] * 2


@pytest.mark.parametrize(
    "head",
    [
        "---\ntitle: Pumps\n---\n",
        '+++\ntitle = "Pumps"\n+++\n',
        '{"title": "Pumps", "draft": true}\n',
        "% Pumps\n% A. Author\n",
    ],
)
def test_settings_at_the_head_give_the_title(tmp_path, head):
    document, warning = read(tmp_path, f"{head}\nThe pump needs oil.")
    assert (document.title, document.text.strip()) == (
        "Pumps",
        "The pump needs oil.",
    ) and "1 block of front matter" in warning


@pytest.mark.parametrize(
    "sign", ["[", "*", "<", "`", "$", "![", "[a](", "<!--", "[^a]", "```a\n", "\\begin{align}", " "]
)
def test_hostile_texts_are_read_in_time(tmp_path, sign):
    start = time.process_time()
    read(tmp_path, "Words.\n\n" + sign * (200_000 // len(sign)) + "\n\nThe pump needs oil.")
    assert time.process_time() - start < 5
