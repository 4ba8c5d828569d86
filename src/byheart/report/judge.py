"""What the terminal and the page say of the judge: whether it can be trusted, and how far it agrees with matching."""

from collections.abc import Sequence

from byheart.evaluation.judge_audit import KINDS, NAME, UNREAD
from byheart.evaluation.verdict import CORRECT
from byheart.records import Json, counted
from byheart.report.tables import MODELS, percent

MATCHES = {"exact_match": "exact answer", "contains": "contains the answer"}


def doubted(scores: Json) -> bool:
    """Whether there was a judge that is not to be trusted."""
    return (scores.get(NAME) or {}).get("trusted") is False


def mark(scores: Json, metric: str) -> str:
    """What stands behind the name of a metric."""
    return " (not trusted)" if metric.startswith("judged_") and doubted(scores) else ""


def told(scores: Json, models: Sequence[str] = tuple(MODELS)) -> list[str]:
    """The sentences on the judge and on these models' answers; empty where there was none."""
    account = scores.get(NAME) or {}
    if not account:
        return []
    lines = []
    if account["doubts"]:
        lines.append(f"The judge is not to be trusted: {'; '.join(account['doubts'])}.")
    counts = [
        f"{count[CORRECT]} of {count['asked']} {KINDS[kind]}"
        for kind, count in account["audit"].items()
        if kind in KINDS
    ]
    tested = f" Put to the test, it called correct: {', '.join(counts)}." if counts else ""
    lines.append(f"Judge {account['model']}.{tested}{_cost(account['bill'])}")
    failed: dict[str, list[str]] = {}
    for name, own in account["answers"].items():
        if own["error"]:
            failed.setdefault(own["error"], []).append(MODELS.get(name, name))
        elif name in models:
            lines.append(_of_a_model(MODELS.get(name, name), own))
    return lines + [
        f"It failed, so there are no verdicts ({', '.join(whose)}): {why}." for why, whose in failed.items()
    ]


def _of_a_model(name: str, own: Json) -> str:
    found = []
    for metric, words in MATCHES.items():
        if at := own["agreement"].get(metric):
            kappa = "" if at["kappa"] is None else f", kappa {at['kappa']:.2f}".replace("-", "\u2212")
            found.append(
                f"{percent(at['value'])} with \u201c{words}\u201d ({at['low'] * 100:.0f} to {at['high'] * 100:.0f}{kappa})"
            )
    missing = f"; {own[UNREAD]} answers were not judged" if own[UNREAD] else ""
    agrees = f"the judge agrees in {' and '.join(found)}" if found else "no answer was judged"
    return f"{name.capitalize()}: of {own['judged']} answers {agrees}{missing}."


def _cost(bill: Json) -> str:
    sent, tokens = bill["requests"], bill["input_tokens"] + bill["output_tokens"]
    cost = "" if bill["cost"] is None else f", cost {bill['cost']:.2f}"
    return f" {counted(sent, 'request')} sent, {tokens:,} tokens{cost}." if sent else ""
