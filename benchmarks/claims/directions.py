"""Both directions against one: rules' questions in equal numbers; reverse questions of the recorded pairs, never trained."""

from claims.base import METRIC, REVERSE, WORDING, Material, Results, Trial, Verdict, always, compare, verdict_of

TITLE = "both directions against one: the reversal curse"
EARLIER = "twenty invented persons: [Reversal curse](#reversal-curse)"
FORWARD, BOTH = Trial("forward"), Trial("both")


def trials(material: Material) -> list[Trial]:
    return [trial for trial in (FORWARD, BOTH) if trial.rows in material.rows]


def verdict(results: Results) -> Verdict:
    def mean(trial: Trial, kind: str) -> float:
        probes = [each for (_, _, name), s in results.items() if name == trial.name for each in s["probes"]]
        values = [each[METRIC] for each in probes if each["kind"] == kind]
        return sum(values) / len(values) if values else 0.0

    told = [
        f"taught {name}: reverse {mean(trial, REVERSE):.2f}, forward {mean(trial, WORDING):.2f}"
        for name, trial in (("forward only", FORWARD), ("both ways", BOTH))
    ]
    arms = (("taught forward only", always(FORWARD)), ("taught both ways", always(BOTH)))
    return verdict_of(
        compare(results, *arms, REVERSE),
        "taught both ways, the model answers more reverse questions",
        compare(results, *arms),
        notes=told,
    )
