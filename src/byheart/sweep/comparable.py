"""Which trials may be compared by what: validation loss says nothing where the validated rows differ."""

from collections.abc import Iterable

from byheart.errors import Problem
from byheart.plan import Plan
from byheart.sweep.settings import Sweep

OTHER_TEXTS = ("documents", "chunks", "expansion", "split")  # other examples or another choice among them
OTHER_LOSS = (*OTHER_TEXTS, "rows", "model")  # another loss for the same answer
TOKENWISE = {
    "val_loss": "validation losses",
    "bounded_loss": "validation losses",
    "token_accuracy": "token accuracies",
    "train_recall": "shares of trained rows",
}
FIXED = ("questions", "dev", "name", "run", "resume", "estimate", "hydra", "logger", "evaluation", "retrain")


def other_texts(keys: Iterable[str]) -> list[str]:
    return [key for key in keys if _head(key) in OTHER_TEXTS]


def objective_problems(sweep: Sweep, keys: Iterable[str], plan: Plan) -> list[Problem]:
    """What is wrong with the objective, given what varies."""
    keys, where, problems = list(keys), "hydra.sweeper.objective", []
    for key in keys:
        if _head(key) in FIXED:
            fix = "sweep schedule instead" if key == "retrain" else "say it once, for all trials"
            problems.append(Problem("this cannot vary within a study", key, fix=fix))
    clashing = [key for key in keys if _head(key) in OTHER_LOSS]
    by_token = [name for name in TOKENWISE if name in sweep.objectives]
    if clashing and by_token:
        words = f"{TOKENWISE[by_token[0]]} do not compare where {', '.join(clashing)} varies: the rows they are taken on differ"
        problems.append(Problem(words, where, by_token[0], f"{where}=recall, measured on one fixed set of probes"))
    if other_texts(keys) and "recall" in sweep.objectives and not (plan.questions and plan.dev):
        words = f"where {', '.join(other_texts(keys))} varies, so do the generated probes: recall needs a fixed set"
        problems.append(Problem(words, where, "recall", "add questions=FILE dev=0.3: that share of them is asked"))
    if "forgetting" in sweep.objectives and "forgetting" not in plan.evaluation:
        problems.append(Problem("forgetting is not measured", where, "forgetting", "evaluation=[recall,forgetting]"))
    return problems


def prefix_free(plan: Plan) -> bool:
    """Whether a run of N epochs contains every shorter one: only at a constant rate without warm-up."""
    return plan.schedule == "constant" and not plan.optimizer.warmup


def _head(key: str) -> str:
    return key.lstrip("+~").partition(".")[0].partition("@")[0]
