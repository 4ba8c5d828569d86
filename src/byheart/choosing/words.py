"""What the terminal and the page both show of a comparison."""

from byheart.choosing.records import AFTER, CLOSED, OPEN, BasesResult, Measured
from byheart.records import Value, counted
from byheart.report.asking import rough
from byheart.report.page import thousands
from byheart.report.tables import EXPLAINED, interval, percent


def columns(result: BasesResult) -> dict[str, str]:
    """The heading of each column."""
    steps = result.facts["steps"]
    after = {AFTER: f"after {counted(steps, 'step')}"} if steps else {}
    trains = {"training": "trains, tokens/s"} if steps else {}
    return {
        CLOSED: "closed book",
        OPEN: "open book",
        **after,
        "probability": "answer, per token",
        "tokens": "tokens of text",
        "writing": "writes, tokens/s",
        **trains,
    }


def cells(result: BasesResult, base: Measured) -> dict[str, tuple[str, str]]:
    """(value, its interval or nothing) by the column's key."""
    found = {name: _cell(at) for name, at in result.scores(base).items()}
    found["probability"] = _cell(base.probability)
    found["tokens"] = thousands(base.tokens), ""
    found["writing"] = thousands(base.writing) if base.writing >= 10 else f"{base.writing:.1f}", ""
    if base.training is not None:
        found["training"] = thousands(base.training) if base.training >= 10 else f"{base.training:.1f}", ""
    return found


def asked(result: BasesResult) -> str:
    """ "40 of 212 of your questions"."""
    facts = result.facts
    whose = "of your questions" if facts["source"] == "questions" else "questions in held-out wordings"
    count = facts["asked"] if facts["asked"] == facts["of"] else f"{facts['asked']} of {facts['of']}"
    return f"{count} {whose}"


def explained(result: BasesResult) -> list[tuple[str, str]]:
    """What each measure is, as (name, sentence)."""
    facts, steps = result.facts, result.facts["steps"]
    right = EXPLAINED.get(facts["metric"], "")
    about = [
        ("Right", f"{asked(result)}; {right}. Each share has its 95 % interval."),
        ("Open book", "The passage that answers stands before the question: how well the base reads."),
    ]
    if steps:
        rows = f"{steps} optimizer steps with the same {facts['rows']:,} rows for each base, no replay"
        about.append((f"After {counted(steps, 'step')}", f"{rows}; then the questions again, closed book."))
    about += [
        (
            "Answer, per token",
            "Probability that the untuned base gives each token of the right answer (geometric mean). Tokens are those of"
            " its own tokenizer: bases of one family can be compared by it, others roughly.",
        ),
        ("Tokens of text", "That the documents take in its tokenizer: fewer are cheaper."),
        ("Speed", "Measured on this machine, while whatever else ran on it; two measurements differ by about a tenth."),
        (
            "Recommendation",
            "Bases are compared question by question. Where the interval of the difference holds 0, these questions show no"
            " difference, and the base that needs less time for the documents is taken.",
        ),
    ]
    return about


def size(base: Measured) -> str:
    """ "135 million parameters, float32 on cpu"."""
    count = base.parameters
    many = (
        f"{count / 1e9:.2g} billion"
        if count >= 1e9
        else f"{count / 1e6:.0f} million"
        if count >= 1e6
        else thousands(count)
    )
    return f"{many} parameters, {base.precision} on {base.device}"


def reading(base: Measured) -> str:
    return rough(base.reading_s)


def _cell(at: Value | None) -> tuple[str, str]:
    return (percent(at.value), interval(at, True)) if at else ("–", "")
