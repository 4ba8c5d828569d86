"""What a teacher is shown of a chunk in the middle of a table or list: the header, the lead-in, the speaker."""

from dataclasses import replace

import pytest

import toys
from byheart.data.chunks import Chunking
from byheart.data.facts import find_facts, lead_ins
from byheart.expansion.base import Source
from byheart.expansion.from_teacher.judge import find_unsupported
from byheart.expansion.from_teacher.ladder import Ladder
from byheart.expansion.from_teacher.prompts import shown_fact, shown_text
from byheart.expansion.from_teacher.rewrites import Rewrites
from byheart.records import FORWARD, Document, Example, Fact
from expansion.scripted import Scripted

ROWS = [f"| Wren {at} | {at + 20} | {at * 7} kg |" for at in range(24)]
TABLE = "# Winches\n\nAll winches are green.\n\n| Model | Pull (kN) | Weight |\n| --- | --- | --- |\n" + "\n".join(ROWS)
ITEMS = [f"({at}) carry more than {at + 3} passengers across the sound in fog" for at in range(1, 19)]
LIST = "# Ferries\n\nNo ferry may:\n\n" + ";\n\n".join(ITEMS) + "."
NESTED = "# Ferries\n\nNo ferry may:\n\n(a) in winter:\n\n" + ";\n\n".join(
    f"({number}) call at the {name} pier after dark or in a gale from the north"
    for number, name in zip(
        "i ii iii iv v vi vii viii".split(), "old new east west long short stone coal".split(), strict=True
    )
)


def source(text, max_tokens=64):
    document = Document("doc", text.partition("\n")[0].lstrip("# "), text, "a.md")
    chunks = Chunking(max_tokens).split(document)
    facts = find_facts(document, chunks)
    return Source((document,), tuple(chunks), tuple(facts), lead_ins(document, facts))


@pytest.mark.parametrize(
    ("text", "above"),
    [(TABLE, ["| Model | Pull (kN) | Weight |"]), (LIST, ["No ferry may:"]), (NESTED, ["No ferry may:", "in winter:"])],
    ids=["table", "list", "nested list"],
)
def test_every_request_shows_the_header_or_the_lead_in(text, above):
    given = source(text)
    assert len(given.chunks) > 2
    judged = [(chunk, [Example("e", "Q?", "A", (), "simple", FORWARD, "x", chunk.id)]) for chunk in given.chunks[1:]]
    teacher = Scripted()
    find_unsupported(replace(given, teacher=teacher), judged)
    asked = [*Ladder(rungs=1).requests(given), *Rewrites().requests(given), *teacher.asked]
    inner = [request.user for request in asked if "All winches" not in request.user]
    assert len(inner) > 5
    for user in inner:
        shown = user.split("<text>\n")[1].split("\n</text>")[0]
        assert [shown.count(part) for part in above] == [1] * len(above)


def test_what_stands_in_the_chunk_is_not_shown_twice():
    """Nor are requests changed of which the answers are paid already."""
    for given in (toys.ham_radio(), source(TABLE, 4096), source(NESTED, 4096)):
        assert [shown_text(chunk, given) for chunk in given.chunks] == [chunk.text for chunk in given.chunks]


def test_no_table_header_ends_a_chunk():
    assert not [chunk for chunk in source(TABLE).chunks if chunk.text.rstrip().endswith("--- |")]


def test_a_fact_says_who_speaks():
    fact = Fact("f", "d", "c", 0, 9, "I built it\nin 1961.", 5, label="M. Dunn", kind="speech")
    assert shown_fact(fact) == "M. Dunn: I built it in 1961."
    assert shown_fact(replace(fact, label="(a)", kind="item")) == "I built it in 1961."
