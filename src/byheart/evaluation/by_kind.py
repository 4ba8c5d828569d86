"""The table of a run: each kind of probe under each condition, what tells two conditions apart, and what follows from them.

Right or wrong is the metric `right` of an answer: by the picked option where a probe has options, else by the words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from byheart.evaluation.intervals import bootstrap, bootstrap_mean, estimate, exact_test, paired_difference, wilson
from byheart.evaluation.kinds import HELDOUT_ANGLE, HELDOUT_FACT, HELDOUT_WORDING, TRAINED_WORDING, kind
from byheart.evaluation.recall import accepted
from byheart.records import FORWARD, REVERSE, Answer, Probe, Value

if TYPE_CHECKING:
    import numpy as np

Answers = Mapping[str, Mapping[str, Answer]]  # condition -> Probe.id -> answer
Scores = dict[str, Any]  # plain JSON
TESTS = (("tuned", "untuned"), ("tuned", "open_book"), ("tuned_open_book", "open_book"))
SHORT = 5  # words: an answer of as many is a name, a number or a term; a longer one is a statement
DECLINED = re.compile(  # in English; in other languages a refusal counts as an answer
    r"\bI (?:do not|don['’]t) know\b|\bI(?: am|['’]m) not sure\b|\bI (?:cannot|can['’]t|am unable to) (?:answer|say|tell)\b"
    r"|\bnot (?:known|stated|mentioned|specified|provided)\b|^\W*unknown\W*$",
    re.IGNORECASE,
)


def recall(probes: Iterable[Probe], answers: Answers) -> Scores:
    """{condition: the share that is right}, with intervals over facts."""
    found = {}
    for condition, said in answers.items():
        judged = _judged(probes, said)
        if judged:
            found[condition] = asdict(estimate([_right(said, p) for p in judged], [_fact(p) for p in judged]))
    return found


def unknown(probes: Iterable[Probe], answers: Answers) -> list[Probe]:
    """Those that the untuned model got wrong."""
    untuned = answers.get("untuned", {})
    return [probe for probe in _judged(probes, untuned) if not _right(untuned, probe)]


def tests(probes: Sequence[Probe], answers: Answers) -> Scores:
    """Of TESTS, each as "tuned_vs_untuned": the paired difference, and McNemar's exact test over facts.

    A fact counts once, as `better` where more of its probes are right under the first condition than under the second:
    its probes are right or wrong together, and the test wants independent pairs. `p` is two-sided, of one test alone.
    """
    found = {}
    for one, other in TESTS:
        both = [p for p in _judged(probes, answers.get(one, {})) if "right" in _metrics(answers.get(other, {}), p)]
        if not both:
            continue
        before, after = ([_right(answers[name], p) for p in both] for name in (other, one))
        facts = [_fact(p) for p in both]
        net: dict[str, float] = defaultdict(float)
        for fact, old, new in zip(facts, before, after, strict=True):
            net[fact] += new - old
        better, worse = sum(change > 0 for change in net.values()), sum(change < 0 for change in net.values())
        difference = asdict(paired_difference(before, after, facts))
        found[f"{one}_vs_{other}"] = difference | {"better": better, "worse": worse, "p": exact_test(better, worse)}
    return found


def derived(probes: Sequence[Probe], answers: Answers) -> Scores:
    """{figure: {condition: value}}; a figure without probes is absent.

    "overfit_gap"      right on trained wordings, minus held-out wordings of the same facts: over facts that have both
    "reversal_gap"     held-out probes: right on forward ones, minus reverse ones whose answers are of the same kind
    "invention_rate"   held-out facts: the share that is answered, and wrongly; what is not right was declined
    "declined"         held-out facts: the share that is not answered, or answered by "I do not know" and the like
    """
    found: Scores = {"overfit_gap": {}, "angle_gap": {}, "reversal_gap": {}, "invention_rate": {}, "declined": {}}
    for condition, said in answers.items():
        judged = _judged(probes, said)
        invented = [p for p in judged if kind(p) == HELDOUT_FACT]
        for name, other in (("overfit_gap", HELDOUT_WORDING), ("angle_gap", HELDOUT_ANGLE)):
            if gap := _gap(judged, said, other):
                found[name][condition] = asdict(gap)
        if gap := _reversal([p for p in judged if p.source == "generated"], said):
            found["reversal_gap"][condition] = asdict(gap)
        if invented:
            declined = [declines(said[p.id].text) and not _right(said, p) for p in invented]
            wrong = [not _right(said, p) and not no for p, no in zip(invented, declined, strict=True)]
            facts = [_fact(p) for p in invented]
            found["invention_rate"][condition] = asdict(estimate([float(each) for each in wrong], facts))
            found["declined"][condition] = asdict(estimate([float(each) for each in declined], facts))
    return {name: values for name, values in found.items() if values}


def declines(text: str) -> bool:
    """Whether nothing is claimed: no words, or English ones that say so."""
    return not re.search(r"\w", text) or DECLINED.search(text) is not None


def _gap(probes: Sequence[Probe], said: Mapping[str, Answer], other: str) -> Value | None:
    """Right on trained wordings minus those of the `other` kind, over the facts that have both."""
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for probe in probes:
        shares[_fact(probe)][kind(probe)].append(_right(said, probe))
    pairs = {
        fact: _mean(own[TRAINED_WORDING]) - _mean(own[other])
        for fact, own in shares.items()
        if own.keys() >= {TRAINED_WORDING, other}
    }
    return bootstrap_mean(list(pairs.values()), list(pairs), (-1.0, 1.0)) if pairs else None


def _reversal(probes: Sequence[Probe], said: Mapping[str, Answer]) -> Value | None:
    """Short answers are compared with short ones, long with long, weighed as in Mantel and Haenszel's risk difference."""
    import numpy as np

    facts = {fact: i for i, fact in enumerate(dict.fromkeys(map(_fact, probes)))}
    # [kind of answer, direction, fact]: how many are right, and how many there are
    hits, counts = np.zeros((2, 2, len(facts))), np.zeros((2, 2, len(facts)))
    for probe in probes:
        if probe.direction in (FORWARD, REVERSE):
            long = len(accepted(probe)[0].split()) > SHORT
            at = int(long), int(probe.direction == REVERSE), facts[_fact(probe)]
            hits[at] += _right(said, probe)
            counts[at] += 1

    def gap(drawn: "np.ndarray") -> "np.ndarray":
        right, asked = hits[:, :, drawn].sum(axis=-1), counts[:, :, drawn].sum(axis=-1)  # [answer, direction, draw]
        share = right / np.maximum(asked, 1)
        weight = asked.prod(axis=1) / np.maximum(asked.sum(axis=1), 1)
        total = weight.sum(axis=0)
        return np.where(total > 0, ((share[:, 0] - share[:, 1]) * weight).sum(axis=0) / np.maximum(total, 1e-9), np.nan)

    value = float(gap(np.arange(len(facts))[None, :])[0]) if facts else float("nan")
    if np.isnan(value):
        return None
    # A draw without one of the directions says nothing of their difference.
    low, high = bootstrap(lambda drawn: np.nan_to_num(gap(drawn), nan=value), len(facts))
    if high - low < 1e-12:  # all alike: facts that were not seen may differ
        unseen = wilson(0, len(facts)).high
        low, high = value - unseen * (value + 1), value + unseen * (1 - value)
    compared = counts.sum(axis=2)  # [kind of answer, direction]
    return Value(value, int(compared[compared.min(axis=1) > 0].sum()), min(low, value), max(high, value))


def _judged(probes: Iterable[Probe], said: Mapping[str, Answer]) -> list[Probe]:
    """In an order of their own: the draws of an interval must not depend on the order in which they are given."""
    return sorted((p for p in probes if "right" in _metrics(said, p)), key=lambda probe: probe.id)


def _metrics(said: Mapping[str, Answer], probe: Probe) -> Mapping[str, float]:
    return said[probe.id].metrics if probe.id in said else {}


def _right(said: Mapping[str, Answer], probe: Probe) -> float:
    return said[probe.id].metrics["right"]


def _fact(probe: Probe) -> str:
    return probe.group or probe.id


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
