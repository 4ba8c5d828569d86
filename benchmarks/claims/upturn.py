"""The loss's upturn: is a training that ends where validation loss rises as good as one that goes on?"""

from claims.base import TRAINED, Material, Results, Trial, Verdict, always, column, compare, verdict_of

TITLE = "the loss's upturn ends a training"
EARLIER = "which signal ends a training best, nine curves: [Stopping signal](#stopping-signal)"
LONG = Trial(epochs=12)
STOPPED = Trial(epochs=12, more=("stopping.monitor=val_loss", "stopping.patience=4"))


def trials(material: Material) -> list[Trial]:
    return [LONG, STOPPED]


def verdict(results: Results) -> Verdict:
    curves = [column(score, "val_loss") for (_, _, name), score in results.items() if name == LONG.name]
    curves = [curve for curve in curves if curve]
    turned = sum(min(curve) < curve[-1] for curve in curves)
    arms = (("ended by the upturn", always(STOPPED)), ("gone on to the end", always(LONG)))
    return verdict_of(
        compare(results, *arms),
        "going on after the upturn answers more held-out wordings",
        compare(results, *arms, TRAINED),
        notes=[f"the validation loss turned up in {turned} of {len(curves)} trainings of {LONG.epochs} epochs"],
    )
