"""What the rounds came to: for run.json, for ledger.json, and in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from byheart.pipeline.rounds.further import Further
from byheart.pipeline.rounds.recalled import Recalled
from byheart.records import Json, counted
from byheart.store import read_json, write_json


@dataclass(frozen=True)
class Round:
    """One round. `rows`: Fact.id -> how many rows of an epoch teach it. `training`: its account (`pipeline.train`)."""

    number: int
    further: Further
    rows: Mapping[str, int]
    training: Json
    recalled: Recalled

    def exposures(self, kept: bool) -> dict[str, int]:
        """Fact.id -> the steps that saw it; of the round that is kept, until its best epoch."""
        epochs = (kept and self.training["chosen_epoch"]) or self.training["epochs_run"]
        return {fact: round(count * epochs) for fact, count in self.rows.items()}


def best_of(rounds: Sequence[Round]) -> Round:
    """The one with the highest recall of held-out wordings; of equal ones the earlier, which has forgotten less."""
    return max(rounds, key=lambda each: (each.recalled.share, -each.number))


def tell(rounds: Sequence[Round], most: int, why_ended: str) -> dict[str, Any]:
    """`rounds` of run.json."""
    best = best_of(rounds)
    return {
        "most": most,
        "kept": best.number,
        "why_ended": why_ended,
        "validated": best.recalled.asked,
        "each": [
            {
                "round": each.number,
                "asked_again": len(each.further.facts),
                "new": len(each.further.examples),
                "repeated": len(each.further.repeated),
                "rows": each.training["taught"],
                "steps": each.training["steps"],
                "epochs_run": each.training["epochs_run"],
                "chosen_epoch": each.training["chosen_epoch"],
                "recall": round(each.recalled.share, 4),
                "not_recalled": len(each.recalled.weak),
                "evidence": dict(Counter(fact.evidence for fact in each.recalled.weak)),
            }
            for each in rounds
        ],
    }


def in_words(told: Json) -> str:
    """ "Recall of 50 held-out wordings by round: 1: 0.36, 2: 0.44, 3: 0.42. Round 2 is kept: ..."."""
    by_round = ", ".join(f"{each['round']}: {each['recall']:.2f}" for each in told["each"])
    said = f"Recall of {counted(told['validated'], 'held-out wording')} by round: {by_round}."
    return f"{said} Round {told['kept']} is kept; training ended since {told['why_ended']}."


def write_ledger(folder: Path, rounds: Sequence[Round]) -> None:
    """Adds to ledger.json, for each fact and round: exposures, whether it is recalled, and by what evidence."""
    file, best = folder / "ledger.json", best_of(rounds)
    by_fact: dict[str, list[Json]] = {}
    for each in rounds:
        found = {fact.fact: fact for fact in each.recalled.facts}
        for fact, seen in each.exposures(each is best).items():
            recall = found.get(fact)
            by_fact.setdefault(fact, []).append(
                {
                    "round": each.number,
                    "exposures": seen,
                    "asked": recall.asked if recall else 0,
                    "said": recall.said if recall else 0,
                    "evidence": recall.evidence if recall else "",
                }
            )
    account = read_json(file) if file.is_file() else {}
    write_json(file, {**account, "rounds": by_fact})


def whole_training(rounds: Sequence[Round], why_ended: str) -> dict[str, Any]:
    """The account of all rounds together, with epochs as `curve.csv` counts them."""
    best, before = best_of(rounds), 0
    ended = rounds[-1].training
    for each in rounds[: best.number - 1]:
        before += ceil(each.training["epochs_run"])
    chosen = best.training["chosen_epoch"]
    taken = [each.training for each in rounds]
    return {
        **ended,
        "why_stopped": f"{why_ended}; round {best.number} of {len(rounds)} was the best",
        "chosen_epoch": before + chosen if chosen else None,
        "loss_would_choose": None,
        "epochs_run": sum(ceil(each["epochs_run"]) for each in taken[:-1]) + ended["epochs_run"],
        "steps": sum(each["steps"] for each in taken),
        "rows": sum(each["rows"] for each in taken),
        "seconds": round(sum(each["seconds"] for each in taken), 1),
    }


def exposures_until_kept(folder: Path) -> dict[str, int] | None:
    """Fact.id -> the steps that saw it until the weights that are kept; None of a run in one round."""
    by_fact = read_json(folder / "ledger.json").get("rounds")
    if by_fact is None:
        return None
    kept = read_json(folder / "run.json")["rounds"]["kept"]
    return {fact: sum(e["exposures"] for e in own if e["round"] <= kept) for fact, own in by_fact.items()}
