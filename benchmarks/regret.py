"""What successive halving would have lost: read off the stored curves of a sweep in which every trial ran to its end.

    python benchmarks/regret.py                     # runs the sweep: batch sizes 1, 2, 4, 8 x three rates, 4 epochs
    python benchmarks/regret.py outputs/sweeps/X    # reads one that was run (epochs swept, so that no upturn stopped it)

For a cut after each epoch, and for all cuts together: how much higher the best validation loss of the trials that stay
is than the best of all, in per cent, and what share of the training is spared. Regret below 1 % would earn halving its
place as the default.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from byheart.sweep.search.results import Outcome, read_outcome

RULES = Path(__file__).parent.parent / "examples/ham_radio/amateur_radio_rules.md"
BYHEART = Path(sys.executable).with_name("byheart")
SHORT = 3200  # characters of the rules
SWEEP = [
    "sweep", "batch_size", "rows.replay=0", "split.at_least=16", "evaluation=[choice]", "stopping.checks_per_epoch=1",
    "expansion.rules.max_examples=100", "hydra.sweeper.params.epochs='choice(1,2,3,4)'",
]  # fmt: skip


def swept() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="regret-", dir="."))
    (folder / "rules.md").write_text(RULES.read_text(encoding="utf-8")[:SHORT].rpartition("\n\n")[0], encoding="utf-8")
    study = folder / "study"
    subprocess.run([BYHEART, *SWEEP, f"documents={folder / 'rules.md'}", f"hydra.sweep.dir={study}"], check=True)
    return study


def trained(study: Path) -> dict[str, Outcome]:
    """The trials that were trained, whole; a part of another's curve is no trial here."""
    found = {folder.name: read_outcome(folder) for folder in study.iterdir() if folder.is_dir()}
    return {name: outcome for name, outcome in found.items() if outcome and outcome.source is None}


def after(outcome: Outcome, epochs: int) -> float:
    return outcome.value("val_loss", epochs) or float("inf")


def halve(trials: dict[str, Outcome], cuts: list[int], keep: float) -> tuple[float, float]:
    """Relative regret, and the share of all epochs that need no training."""
    last = max(len(outcome.ends) for outcome in trials.values())
    left, spared = set(trials), 0
    for cut in cuts:
        ranked = sorted(left, key=lambda name: after(trials[name], cut))
        kept = set(ranked[: max(1, round(len(ranked) * keep))])
        spared += (len(left) - len(kept)) * (last - cut)
        left = kept
    best = min(after(outcome, last) for outcome in trials.values())
    return min(after(trials[name], last) for name in left) / best - 1, spared / (last * len(trials))


def main() -> None:
    study = Path(sys.argv[1]) if len(sys.argv) > 1 else swept()
    trials = trained(study)
    last = max(len(outcome.ends) for outcome in trials.values())
    whole = {name: outcome for name, outcome in trials.items() if len(outcome.ends) == last}
    print(f"{len(whole)} trials of {last} epochs ({len(trials) - len(whole)} shorter ones left out), {study}")
    for name, outcome in sorted(whole.items(), key=lambda each: after(each[1], last)):
        print(f"  trial {name:>3}: " + "  ".join(f"{end.val_loss:.4f}" for end in outcome.ends))
    for keep in (1 / 2, 1 / 3):
        for cuts in [*([cut] for cut in range(1, last)), list(range(1, last))]:
            regret, spared = halve(whole, cuts, keep)
            where = f"after epoch {cuts[0]}" if len(cuts) == 1 else "after each epoch"
            print(f"keep {keep:.2f} {where:<17} regret {regret:7.2%}   training spared {spared:.0%}")


if __name__ == "__main__":
    main()
