"""What the terminal and the page show of a run's table: each kind of probe under each condition, and what follows from it.

`scores` is the content of scores.json; one of an older byheart has none of this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byheart.evaluation.kinds import KINDS, USERS
from byheart.records import Json, Value, counted
from byheart.report.tables import interval, percent, points, value

if TYPE_CHECKING:
    from rich.table import Table

CONDITIONS = {
    "untuned": "untuned",
    "open_book": "untuned, open book",
    "tuned": "tuned",
    "retrained": "retrained",
    "tuned_open_book": "tuned, open book",
}
TESTED = {  # of `by_kind.TESTS`
    "tuned_vs_untuned": "tuned against untuned",
    "tuned_vs_open_book": "tuned, closed book, against untuned, open book",
    "tuned_open_book_vs_open_book": "open book: tuned against untuned",
}

HEADLINE = "Learned"


@dataclass(frozen=True)
class Row:
    """One line of the table. `words`: the overlap of words (F1), which tells long answers apart; without options only."""

    label: str
    what: str
    probes: int
    values: dict[str, Value]
    words: dict[str, Value]
    inner: bool = False  # a part of the line above it


@dataclass(frozen=True)
class Test:
    """A paired difference of two conditions, in shares, with McNemar's exact p over facts."""

    label: str
    value: Value
    better: int
    worse: int
    p: float


@dataclass(frozen=True)
class Finding:
    """What follows from the table: its name, the figure, and the rest of the sentence. HEADLINE is the run's headline."""

    name: str
    figure: str
    why: str


def rows(scores: Json) -> list[Row]:
    """The headline set first, with those of it that the untuned model got wrong; then each other kind."""
    kinds = scores.get("kinds") or {}
    whole, wrong = _values(scores.get("all")), _values(scores.get("unknown"))
    found = []
    if kinds and whole:
        theirs = scores.get("probes") == USERS
        label, what = KINDS[USERS] if theirs else ("held-out questions", "on trained facts: the kinds below together")
        words = {} if scores.get("headline") == "choice_norm" else _words(scores)
        found.append(Row(label, what, _most(whole), whole, words))
        if wrong:
            found.append(
                Row("of them, wrong when untuned", "what training had to teach", _most(wrong), wrong, {}, True)
            )
    for name, (label, what) in KINDS.items():
        if name != USERS and name in kinds:
            values = {c: at for c in CONDITIONS if (at := value((kinds[name].get(c) or {}).get("right")))}
            if values:
                found.append(Row(label, what, int(kinds[name]["probes"]), values, _words(kinds[name])))
    return found


def kinds_table(scores: Json) -> "Table | None":
    """For a terminal of 80 columns."""
    from rich.table import Table

    found = rows(scores)
    heads = {"untuned": "untuned", "open_book": "open book", "tuned": "tuned", "tuned_open_book": "tuned+book"}
    shown = [name for name in heads if any(name in row.values for row in found)]
    if not found or not shown:
        return None
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("")
    table.add_column("", justify="right")
    for name in shown:
        table.add_column(heads[name], justify="right", style="bold" if name == "tuned" else "")
    for row in found:
        cells = (_cell(row.values.get(name), row.probes) for name in shown)
        table.add_row(f"{'  ' * row.inner}{row.label}", f"{row.probes:,}", *cells)
    return table


def tests(scores: Json) -> list[tuple[str, list[Test]]]:
    """(label of the kind, its tests), for kinds of which two conditions were asked."""
    found = []
    for name, (label, _) in KINDS.items():
        own = ((scores.get("kinds") or {}).get(name) or {}).get("tests") or {}
        read = [test for key in TESTED if (test := _test(key, own.get(key)))]
        if read:
            found.append((label, read))
    return found


def findings(scores: Json) -> list[Finding]:
    """The headline and what is derived, each in a sentence."""
    kinds, found = scores.get("kinds") or {}, []
    if now := value((scores.get("unknown") or {}).get("tuned")):
        why = f"questions that the untuned model got wrong are right now ({percent(now.value)}, {interval(now, True)})"
        found.append(Finding(HEADLINE, _count(now), why))
    for key, name, what in (
        ("overfit_gap", "Overfit gap", "wordings"),
        ("angle_gap", "Angle gap", "angles or directions"),
    ):
        if gap := _derived(scores, key):
            why = f"{_range(gap)} from held-out {what} to trained wordings of {counted(gap.count, 'fact')}"
            found.append(Finding(name, _points(gap), why + _before(scores, key)))
    if gap := _derived(scores, "reversal_gap"):
        why = f"{_range(gap)} from reverse to forward questions that are held out, short and long answers apart"
        found.append(Finding("Reversal gap", _points(gap), why + _before(scores, "reversal_gap")))
    if wrong := _derived(scores, "invention_rate"):
        right = value((kinds.get("heldout_fact", {}).get("tuned") or {}).get("right"))
        known = f"; {_count(right)} are right" if right else ""
        why = f"answers on facts held out whole are wrong and do not decline ({interval(wrong, True)}\u202f%){known}"
        found.append(Finding("Invention", _count(wrong), why))
    if read := reading(scores):
        verdict = "it reads worse" if read.value.high < 0 else "it reads better" if read.value.low > 0 else ""
        why = f"{_range(read.value)} from untuned to tuned with the passage in the prompt, {chance(read.p)}"
        found.append(Finding("Reading", _points(read.value), f"{why}: {verdict or 'no difference is shown'}"))
    return found


def reading(scores: Json) -> Test | None:
    """Whether training has spoiled reading: of the questions at the top of the table, else of the kind that has most probes."""
    kinds = scores.get("kinds") or {}
    own = [(kinds[name].get("tests") or {}).get("tuned_open_book_vs_open_book") for name in KINDS if name in kinds]
    found = [test for each in own if (test := _test("tuned_open_book_vs_open_book", each))]
    if USERS in kinds:
        return found[0] if own and own[0] else None
    return max(found, key=lambda test: test.value.count, default=None)


def chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _test(key: str, entry: object) -> Test | None:
    at = value(entry)
    if at is None or not isinstance(entry, Mapping):
        return None
    return Test(TESTED[key], at, int(entry["better"]), int(entry["worse"]), float(entry["p"]))


def _cell(at: Value | None, probes: int) -> str:
    """ "65 48–79", and where fewer were asked than the line says: "65 48–79 of 16"."""
    if at is None:
        return "–"
    fewer = f" of {at.count}" if at.count < probes else ""
    return f"{100 * at.value:.0f} [dim]{100 * at.low:.0f}–{100 * at.high:.0f}{fewer}[/dim]"


def _values(block: Json | None) -> dict[str, Value]:
    return {name: at for name in CONDITIONS if (at := value((block or {}).get(name)))}


def _words(block: Json) -> dict[str, Value]:
    return {name: at for name in CONDITIONS if (at := value((block.get(name) or {}).get("f1")))}


def _most(values: Mapping[str, Value]) -> int:
    return max(at.count for at in values.values())


def _derived(scores: Json, name: str, condition: str = "tuned") -> Value | None:
    return value(((scores.get("derived") or {}).get(name) or {}).get(condition))


def _count(at: Value) -> str:
    return f"{round(at.value * at.count):,} of {at.count:,}"


def _before(scores: Json, name: str) -> str:
    before = _derived(scores, name, "untuned")
    return f"; untuned {points(before.value)}" if before else ""


def _points(gap: Value) -> str:
    return f"{points(gap.value)} points"


def _range(gap: Value) -> str:
    return f"({points(gap.low)} to {points(gap.high)})"
