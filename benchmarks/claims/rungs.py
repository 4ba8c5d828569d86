"""Nine temperatures against one temperature and against angles, at equal numbers of examples.

No teacher is asked. The recorded pairs stand for rungs: nine variants of each fact that rise in freedom. Their three tightest
stand for one low temperature. A document whose pairs have no nine variants is left out.
"""

from claims.base import Material, Results, Trial, Verdict, always, compare, verdict_of

TITLE = "nine temperatures against one, and against angles"
EARLIER = "raw answers of the embedded model by temperature: [Teachers](#teachers)"
LADDER, ONE, ANGLES = Trial("ladder"), Trial(), Trial("angles")


def trials(material: Material) -> list[Trial]:
    return [LADDER, ONE, ANGLES] if LADDER.rows in material.rows else []


def verdict(results: Results) -> Verdict:
    ladder = ("nine degrees of freedom", always(LADDER))
    return verdict_of(
        compare(results, ("one degree", always(ONE)), ladder),
        "nine degrees of freedom teach more than one",
        compare(results, ("angles", always(ANGLES)), ladder),
        notes=["recorded variants stand for temperatures"],
    )
