"""The scores of a run as plain dictionaries: what `scores.json` and `answers.jsonl` hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from byheart.evaluation.base import Scored
from byheart.evaluation.by_kind import derived, recall, tests, unknown
from byheart.evaluation.forgetting import ratio
from byheart.evaluation.intervals import differences, means
from byheart.evaluation.kinds import KINDS, kind
from byheart.evaluation.membership import against
from byheart.evaluation.recall import accepted
from byheart.records import Answer, Probe

Scores = dict[str, Any]  # plain JSON
QUESTIONS, GENERATED, UNTAUGHT, TRAINED = "questions", "generated", "untaught", "trained"


def summarise(
    probes: Sequence[Probe], conditions: Mapping[str, Scored], how: Mapping[str, str] | None = None
) -> Scores:
    """scores.json, of `conditions` "untuned", "open_book", "tuned", "tuned_open_book" and any others.

    A block is {condition: {metric: {"value", "count", "low", "high"}}}, and under "paired" each metric's
    tuned minus untuned, probe by probe. The headline set is the user's questions, else the generated probes.

        "untuned", "open_book", "tuned", "paired"   the block of the headline set, at the top level
        "generated"                                 the block of the generated probes, where they are not the headline
        "untaught"                                  the block of the questions on facts that no row teaches, if any
        "halves" "by_document" "by_angle"           {name: block}; halves and documents of the headline set,
                                                    angles of all probes that have one
        "probes"           "questions" or "generated": what the headline set is
        "headline"         the metric that decides right or wrong; where some probes have options and others have not,
                           `right`, a metric of its own in every block: each probe by its own rule
        "open_book_how"    {"support": 37}: how the passages of the headline set were found
        "unknown"          {condition: `right`} of those of the headline set that the untuned model got wrong;
                           "all" has the same of the whole set
        "kinds"            {kind: its block with `right`, "probes", "facts", "unknown" and "tests"}, of `evaluation.kinds`
        "derived"          {figure: {condition: value}}, the figures of `by_kind.derived`

    What belongs to no probe (perplexity, perplexity_ratio, verbatim, membership, ...) stands in the top-level block only.
    """
    asked = [probe for probe in probes if any(probe.id in scored.answers for scored in conditions.values())]
    questions = [probe for probe in asked if probe.source == QUESTIONS]
    generated = [probe for probe in asked if probe.source == GENERATED]
    untaught = [probe for probe in asked if probe.source == UNTAUGHT]
    head = questions or generated
    judged = {name: _with_right(asked, scored) for name, scored in conditions.items()}
    if headline_of(head) == "right":
        conditions = judged

    def block(some: Iterable[Probe]) -> Scores:
        return _block(list(some), conditions)

    result = block(head)
    of_probes = {each for scored in conditions.values() for metrics in _metrics(asked, scored) for each in metrics}
    for name, scored in conditions.items():
        own = {metric: at for metric, at in scored.metrics.items() if metric not in of_probes}
        if name != "untuned" and not name.endswith("open_book"):
            if "perplexity" in own and "perplexity" in conditions["untuned"].metrics:
                own["perplexity_ratio"] = ratio(conditions["untuned"], scored)
            own |= against(conditions["untuned"], scored)
        result[name] |= {metric: asdict(at) for metric, at in own.items()}
    if questions and generated:
        result["generated"] = block(generated)
    if untaught:
        result["untaught"] = block(untaught)
    result["halves"] = _by(lambda probe: str(probe.tags.get("half", "")), head, block)
    result["by_document"] = _by(lambda probe: probe.document or str(probe.tags.get("document", "")), head, block)
    result["by_angle"] = _by(lambda probe: probe.angle, [*questions, *generated], block)
    result["probes"] = QUESTIONS if questions else GENERATED
    result["headline"] = headline_of(head)
    found = [how[probe.id] for probe in head if how and probe.id in how]
    result["open_book_how"] = {name: found.count(name) for name in sorted(set(found))}
    answers = {name: scored.answers for name, scored in judged.items()}
    result["all"], result["unknown"] = recall(head, answers), recall(unknown(head, answers), answers)
    result["kinds"] = {}
    for each in KINDS:
        if some := [probe for probe in asked if kind(probe) == each]:
            facts = len({probe.group or probe.id for probe in some})
            result["kinds"][each] = _block(some, judged) | {"probes": len(some), "facts": facts}
            result["kinds"][each] |= {"unknown": recall(unknown(some, answers), answers), "tests": tests(some, answers)}
    result["derived"] = derived(asked, answers)
    return result


def answer_rows(probes: Sequence[Probe], conditions: Mapping[str, Scored]) -> list[Scores]:
    """answers.jsonl: each probe with its answer under every condition.

    For "tuned" that is `tuned` (its words), `tuned_option` (the option it picked), `tuned_right` (True, False, or None
    where the deciding metric was not asked for) and `tuned_metrics`.
    """
    rows = []
    for probe in probes:
        names = ("id", "source", "document", "angle", "direction", "question")
        row: Scores = {name: getattr(probe, name) for name in names}
        row |= {"kind": kind(probe), "accepted": list(accepted(probe)), "options": list(probe.options)}
        row |= {"facts": list(probe.facts), "tags": dict(probe.tags)}
        row |= {"support": probe.support, "paragraph": probe.paragraph}
        for name, scored in conditions.items():
            answer = scored.answers.get(probe.id)
            chosen = answer.chosen if answer else None
            row[name] = answer.text if answer else None
            row[f"{name}_option"] = None if chosen is None else probe.options[chosen]
            row[f"{name}_right"] = right(probe, answer)
            row[f"{name}_metrics"] = dict(answer.metrics) if answer else {}
        rows.append(row)
    return rows


def _metrics(probes: Sequence[Probe], scored: Scored) -> Iterator[Mapping[str, float]]:
    return (scored.answers[probe.id].metrics for probe in probes if probe.id in scored.answers)


def _with_right(probes: Sequence[Probe], scored: Scored) -> Scored:
    answers = dict(scored.answers)
    for probe in probes:
        verdict = right(probe, answers.get(probe.id))
        if verdict is not None:
            answer = answers[probe.id]
            answers[probe.id] = replace(answer, metrics={**answer.metrics, "right": float(verdict)})
    return replace(scored, answers=answers)


def _block(probes: Sequence[Probe], conditions: Mapping[str, Scored]) -> Scores:
    scores: Scores = {
        name: {metric: asdict(value) for metric, value in means(probes, scored.answers).items()}
        for name, scored in conditions.items()
    }
    if "untuned" in conditions and "tuned" in conditions:
        paired = differences(probes, conditions["untuned"].answers, conditions["tuned"].answers)
        scores["paired"] = {metric: asdict(value) for metric, value in paired.items()}
    return scores


def _by(name: Callable[[Probe], str], probes: Sequence[Probe], block: Callable[[Iterable[Probe]], Scores]) -> Scores:
    names = sorted({name(probe) for probe in probes} - {""})
    return {each: block(probe for probe in probes if name(probe) == each) for each in names}


def headline(probe: Probe) -> str:
    """The metric that decides right or wrong: choice_norm where the probe has options, else contains. Fixed before any
    measurement, so that no table can choose its own."""
    return "choice_norm" if probe.options and probe.gold is not None else "contains"


def headline_of(probes: Iterable[Probe]) -> str:
    """The metric of the one number at the top of a page: `right` where the probes have different ones."""
    rules = {headline(probe) for probe in probes}
    return "right" if len(rules) > 1 else max(rules, default="contains")


def right(probe: Probe, answer: Answer | None) -> bool | None:
    """Whether the model was right; None where the metric that decides was not asked for."""
    value = answer.metrics.get(headline(probe)) if answer else None
    return None if value is None else value >= 1
