"""Start from the base that does well untuned. A spoiled copy of the base, with noise in its weights, stands for a worse one."""

from claims.base import TRAINED, Material, Results, Trial, Verdict, always, column, compare, verdict_of

TITLE = "start from the base that does well untuned"
EARLIER = ""
GOOD, SPOILED = Trial(), Trial(spoiled=True)


def trials(material: Material) -> list[Trial]:
    return [GOOD, SPOILED]


def verdict(results: Results) -> Verdict:
    def early(trial: Trial) -> str:
        first = [column(score, "val_loss")[:1] for (_, _, name), score in results.items() if name == trial.name]
        flat = [value for each in first for value in each]
        return f"{sum(flat) / len(flat):.2f}" if flat else "-"

    arms = (("the spoiled copy", always(SPOILED)), ("the base", always(GOOD)))
    return verdict_of(
        compare(results, *arms),
        "the better base answers more after equal training",
        compare(results, *arms, TRAINED),
        notes=[f"validation loss at the first check: base {early(GOOD)}, spoiled {early(SPOILED)} nats a token"],
    )
