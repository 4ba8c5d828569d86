"""Small batches memorize better, from 1 to 32: at equal epochs and at equal steps, the rate searched for each size."""

from claims.base import TRAINED, Material, Results, Trial, Verdict, compare, searched, verdict_of

TITLE = "small batches memorize better"
EARLIER = ""
SIZES, RATES = (1, 8, 32), (3e-4, 1e-3, 3e-3)
STEPS = 16  # of equal steps: about what the largest batch takes in equal epochs


def at_rates(size: int, steps: int | None = None) -> list[Trial]:
    return [Trial(batch_size=size, lr=rate, steps=steps) for rate in RATES]


def trials(material: Material) -> list[Trial]:
    return [trial for steps in (None, STEPS) for size in SIZES for trial in at_rates(size, steps)]


def verdict(results: Results) -> Verdict:
    def arms(small: int, steps: int | None = None):
        return [(f"batch {size}", searched(results, at_rates(size, steps))) for size in (32, small)]

    return verdict_of(
        compare(results, *arms(1), TRAINED),
        "at equal epochs, batch 1 gives more trained answers than batch 32",
        compare(results, *arms(1)),
        compare(results, *arms(8), TRAINED),
        compare(results, *arms(8)),
        compare(results, *arms(1, STEPS)),
        compare(results, *arms(8, STEPS)),
        notes=[f"the last two are at {STEPS} steps, where a larger batch sees more rows"],
    )
