"""One rule for right or wrong, fixed before anything is measured, so that no table can pick its own."""

from collections.abc import Iterable

from byheart.types import Answer, Probe


def headline(probe: Probe) -> str:
    """The metric that judges this probe: choice_norm where it has options, else contains."""
    return "choice_norm" if probe.options and probe.gold is not None else "contains"


def headline_of(probes: Iterable[Probe]) -> str:
    """The metric that judges these probes, for the one number at the top of a page: `right` where the rules differ."""
    rules = {headline(probe) for probe in probes}
    return "right" if len(rules) > 1 else max(rules, default="contains")


def right(probe: Probe, answer: Answer | None) -> bool | None:
    """Whether the model was right; None where the metric that decides was not asked for."""
    value = answer.metrics.get(headline(probe)) if answer else None
    return None if value is None else value >= 1
