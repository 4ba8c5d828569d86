"""The kinds of probe, told apart by what the training rows ask: a score is only worth what its probes have not seen.

A probe's kind is found by comparing it with the training rows on the same fact; no label of an expansion decides it.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from byheart.data.contamination import ALIKE
from byheart.data.split import NEVER_HELD_OUT
from byheart.evaluation.recall import normalise, token_f1
from byheart.records import Example, Probe

USERS = "questions"
TRAINED_WORDING, OTHER_ANSWER = "trained_wording", "other_answer"
HELDOUT_WORDING, HELDOUT_ANGLE, HELDOUT_FACT = "heldout_wording", "heldout_angle", "heldout_fact"
KINDS = {  # in the order in which they are shown: label, and what such a probe is
    USERS: ("your questions", "written by you; no training row asks them"),
    TRAINED_WORDING: ("trained wording", "a training row, asked again: memorization"),
    HELDOUT_WORDING: ("held-out wording", "trained rows ask for this answer in other words"),
    HELDOUT_ANGLE: (
        "held-out angle or direction",
        "the fact is trained; no row of this direction asks for this answer",
    ),
    OTHER_ANSWER: ("trained question, other answer", "a row asks this, with a shorter or longer answer"),
    HELDOUT_FACT: ("held-out fact", "no row teaches the fact: what is right was known or guessed"),
}
OF_SOURCE = {USERS: USERS, "trained": TRAINED_WORDING, "untaught": HELDOUT_FACT}  # where the source alone tells it
SAME = 0.8  # F1 of two answers that say the same
MOST_TRAINED = 100  # trained rows that are asked again, at most
ALONE = 24  # of them, where nothing is held out with which they could be paired


def kind(probe: Probe) -> str:
    """One of KINDS; "" where a run of an older byheart did not tell it."""
    return probe.kind or OF_SOURCE.get(probe.source, "")


def kinds_of(held_out: Sequence[Example], trained: Sequence[Example]) -> dict[str, str]:
    """Example id -> kind of each held-out example.

    `trained`: the examples of the training rows. Recitations and completions among them teach a fact, but ask nothing.
    """
    rows = _by_fact(trained)
    taught = {row.form[0] for row in trained}
    return {
        example.id: _kind(example, rows[example.form[0]]) if example.form[0] in taught else HELDOUT_FACT
        for example in held_out
    }


def sample_trained(held_out: Sequence[Example], trained: Sequence[Example], seed: int = 0) -> list[Example]:
    """Training rows to be asked again: for each held-out example one on the same fact, with an answer of the same kind.

    Where nothing is held out, a few rows on different facts. The same seed gives the same rows.
    """
    rows = _by_fact(trained)

    def dice(example: Example) -> str:
        return sha256(f"{seed}\x1f{example.id}".encode()).hexdigest()

    chosen: dict[str, Example] = {}
    for example in sorted(held_out, key=dice)[:MOST_TRAINED]:
        left = [row for row in rows[example.form[0]] if row.id not in chosen]
        if left:
            twin = min(left, key=lambda row: (_unlike(row, example), dice(row)))
            chosen[twin.id] = twin
    if held_out:
        return list(chosen.values())
    firsts = sorted((min(group, key=dice) for group in rows.values()), key=dice)
    return firsts[:ALONE]


def _by_fact(trained: Sequence[Example]) -> dict[str, list[Example]]:
    rows: dict[str, list[Example]] = defaultdict(list)
    for example in trained:
        if example.angle not in NEVER_HELD_OUT:
            rows[example.form[0]].append(example)
    return rows


def _kind(example: Example, rows: Sequence[Example]) -> str:
    rows = [row for row in rows if row.direction == example.direction]
    if any(_asks_the_same(row, example) for row in rows):
        return OTHER_ANSWER  # with the same answer too it would be a look-alike, which the split refuses
    if any(token_f1(row.answer, example.answer) >= SAME for row in rows):
        return HELDOUT_WORDING
    return HELDOUT_ANGLE


def _asks_the_same(one: Example, other: Example) -> bool:
    """Whether both questions have the same words; a sentence with a gap has those of any question about it."""
    from rapidfuzz import fuzz

    if "blank" in (one.angle, other.angle):
        return False
    # Rules put the source before or behind a question: its words count, not their order.
    return bool(fuzz.token_sort_ratio(normalise(one.question), normalise(other.question)) >= ALIKE)


def _unlike(row: Example, example: Example) -> tuple[bool, bool, int]:
    """How unlike what they ask for is: the direction, the answer, the number of its words."""
    words = abs(len(row.answer.split()) - len(example.answer.split()))
    return row.direction != example.direction, token_f1(row.answer, example.answer) < SAME, words
