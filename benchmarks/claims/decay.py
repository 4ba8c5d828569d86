"""Constant, then trained again with a decay: what `retrain=linear` does, at equal epochs."""

from claims.base import TRAINED, Material, Results, Trial, Verdict, always, compare, verdict_of

TITLE = "constant, then trained again with a decay"
EARLIER = "one article, one seed, in [the journal](journal.md)"
CONSTANT, DECAY = Trial(), Trial(more=("schedule=linear",))


def trials(material: Material) -> list[Trial]:
    return [CONSTANT, DECAY]


def verdict(results: Results) -> Verdict:
    arms = (("constant", always(CONSTANT)), ("linear decay", always(DECAY)))
    claim = "trained again with a decay, the model answers more"
    return verdict_of(compare(results, *arms), claim, compare(results, *arms, TRAINED))
