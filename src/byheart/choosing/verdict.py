"""Which base is recommended, and why, in one sentence with its uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from byheart.choosing.records import AFTER, CLOSED, Measured, share
from byheart.evaluation.intervals import paired_difference
from byheart.records import Value, counted
from byheart.report.asking import rough
from byheart.report.tables import percent, points

EQUAL_COST = 1.1  # times as long: two measurements of one model differ by that much
CHEAPER = "the cheaper is taken"


@dataclass(frozen=True)
class Verdict:
    """`ranked`: the bases that can be used, the best first, those that cannot last."""

    ranked: tuple[Measured, ...]
    chosen: Measured | None
    sentence: str


def verdict(bases: Sequence[Measured], groups: Mapping[str, str], steps: int) -> Verdict:
    """By right answers after the training, without one by those of the closed book.

    Bases are compared question by question: what is hard for all of them cancels out. Among those that the questions
    cannot tell from the best, the one that reads the documents in the least time is taken; of about equal times, the better.
    """
    by = AFTER if steps else CLOSED
    usable = [base for base in bases if not base.reason]
    found = {base.name: share(base.right[by], groups) for base in usable}
    ranked = sorted(usable, key=lambda base: (-found[base.name].value, -_probability(base, steps), base.reading_s))
    lost = tuple(base for base in bases if base.reason)
    if not ranked:
        return Verdict(lost, None, "None of these bases can be used.")
    when = f"after {counted(steps, 'step')} of training" if steps else "without training"
    best, count = ranked[0], found[ranked[0].name].count
    if len(ranked) == 1:
        why = f"{best.name} is the only one that can be used here; {when} it is right {_of(found[best.name])}."
        return Verdict((best, *lost), best, why)
    leads = {base.name: lead(best, base, by, groups) for base in ranked[1:]}
    equal = [best, *(base for base in ranked[1:] if leads[base.name].low <= 0)]
    least = min(base.reading_s for base in equal)
    chosen = next(base for base in equal if base.reading_s <= EQUAL_COST * least)
    if len(equal) == 1:
        second = ranked[1]
        at = leads[second.name]
        sentence = (
            f"{best.name}: {when} it is right {_of(found[best.name])}, {points(at.value)} points against {second.name} "
            f"({points(at.low)} to {points(at.high)})."
        )
        return Verdict((*ranked, *lost), best, sentence)
    others = [base for base in equal if base is not chosen]
    at = lead(chosen, others[0], by, groups)
    told = f"{when} {points(at.value)} points against {others[0].name}, {points(at.low)} to {points(at.high)}"
    shown = f"{_joined([chosen.name, *(base.name for base in others)])}: no difference that these {count} questions can show"
    sentence = f"{shown} ({told}); {_cost(chosen, others, chosen is best, at.value == 0, steps)}."
    return Verdict((*ranked, *lost), chosen, sentence)


def lead(one: Measured, other: Measured, by: str, groups: Mapping[str, str]) -> Value:
    """How much more often one is right than the other, question by question, with its 95 % interval."""
    ids = sorted(one.right[by].keys() & other.right[by].keys())
    before, after = ([base.right[by][each] for each in ids] for base in (other, one))
    return paired_difference(before, after, [groups[each] for each in ids])


def _cost(chosen: Measured, others: Sequence[Measured], is_best: bool, level: bool, steps: int) -> str:
    """Why it is taken among bases that answer equally well."""
    does = "to train on the documents once" if steps else "to write as much as the documents hold"
    own, other = chosen.reading_s, min(base.reading_s for base in others) if is_best else others[0].reading_s
    if other <= EQUAL_COST * own:
        better = "that gives right answers the higher probability" if level else "that is the better in this sample"
        return f"they cost about the same ({rough(own)} {does}), so the one {better} is taken, {chosen.name}"
    return f"{CHEAPER}, {chosen.name}: {rough(own)} {does}, against {rough(other)}"


def _probability(base: Measured, steps: int) -> float:
    at = base.probability_after if steps else base.probability
    return at.value if at else 0.0


def _of(at: Value) -> str:
    return f"on {percent(at.value)} of {at.count} questions ({100 * at.low:.0f} to {100 * at.high:.0f})"


def _joined(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
