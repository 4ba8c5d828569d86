"""Summaries and dialogues against short answers, at equal numbers of rows and steps.

No teacher is asked: a dialogue is made of a fact's recorded pairs, a summary of the document's own sentence.
"""

from claims.base import Material, Results, Trial, Verdict, always, compare, verdict_of

TITLE = "summaries and dialogues against short answers"
EARLIER = ""
SHORT, LONG = Trial("short_answers"), Trial("summaries")


def trials(material: Material) -> list[Trial]:
    return [SHORT, LONG]


def verdict(results: Results) -> Verdict:
    def copied(trial: Trial) -> str:
        shares = [score["verbatim"] for (_, _, name), score in results.items() if name == trial.name]
        return f"{sum(shares) / len(shares):.2f}" if shares else "-"

    arms = (("short answers", always(SHORT)), ("summaries and dialogues", always(LONG)))
    return verdict_of(
        compare(results, *arms),
        "summaries and dialogues teach more held-out wordings than short answers",
        notes=[
            "trained questions answered with eight words of the document in a row: "
            f"summaries and dialogues {copied(LONG)}, short answers {copied(SHORT)}"
        ],
    )
