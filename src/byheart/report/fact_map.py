"""The picture of all facts in reading order on the ledger's page, each with the profile that `evaluation/profile.py` found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from byheart.evaluation.profile import CHOOSES, ENDS, NONE, PROFILES, SAYS
from byheart.records import Chunk, Fact, Json

UNMEASURED = "unmeasured"
NAMES = {
    SAYS: "says it",
    CHOOSES: "cannot say it, chooses it among others",
    ENDS: "knows only the end of its sentence",
    NONE: "shows nothing of it",
    UNMEASURED: "not measured",
}
_SHOWN = 70  # characters of a fact under the pointer


@dataclass(frozen=True)
class Cell:
    """A fact. `place` is that of its text on the page."""

    place: int
    after: str  # one of NAMES
    opens: bool  # whether it is the first of its chunk
    words: str  # under the pointer


@dataclass(frozen=True)
class Group:
    """The facts below one of a document's outermost headings."""

    name: str
    cells: list[Cell]

    @property
    def counts(self) -> Counter[str]:
        return Counter(cell.after for cell in self.cells)

    @property
    def measured(self) -> int:
        return len(self.cells) - self.counts[UNMEASURED]


@dataclass(frozen=True)
class FactMap:
    """`documents`: (title, its groups). `before` and `after` count the measured facts by profile."""

    documents: list[tuple[str, list[Group]]]
    before: Counter[str]
    after: Counter[str]
    held_out: int  # of those that it says, how many to a held-out question

    @property
    def facts(self) -> int:
        return sum(len(group.cells) for _, groups in self.documents for group in groups)

    @property
    def measured(self) -> int:
        return self.after.total()


def fact_map(
    documents: Sequence[tuple[str, Sequence[tuple[Chunk, Sequence[tuple[int, Fact]]]]]], rows: Sequence[Json]
) -> FactMap | None:
    """Of each document, its title and its chunks with their facts and places; `rows` of profile.jsonl. None without rows."""
    found = {row["fact"]: row for row in rows if row.get("after") in PROFILES}
    if not found:
        return None
    kinds = [(row["after"], row["held_out"]) for row in found.values()]
    return FactMap(
        [(title, _groups(title, chunks, found)) for title, chunks in documents],
        Counter(row["before"] for row in found.values() if row.get("before") in PROFILES),
        Counter(after for after, _ in kinds),
        kinds.count((SAYS, True)),
    )


def _groups(
    title: str, chunks: Sequence[tuple[Chunk, Sequence[tuple[int, Fact]]]], found: Mapping[str, Json]
) -> list[Group]:
    groups: list[Group] = []
    for chunk, facts in chunks:
        headings = chunk.headings[1:] if chunk.headings[:1] == (title,) else chunk.headings
        name = (headings or (title,))[0]
        if not groups or groups[-1].name != name:
            groups.append(Group(name, []))
        for number, (place, fact) in enumerate(facts):
            groups[-1].cells.append(_cell(place, fact, found.get(fact.id), number == 0))
    return [group for group in groups if group.cells]


def _cell(place: int, fact: Fact, row: Json | None, opens: bool) -> Cell:
    text = " ".join(fact.text.split())
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    if row is None:
        return Cell(place, UNMEASURED, opens, f"not measured: {text}")
    before = f" (before: {NAMES[row['before']]})" if row.get("before") in PROFILES else ""
    return Cell(place, row["after"], opens, f"{NAMES[row['after']]}{before}: {text}")
