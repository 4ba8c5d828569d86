"""What to do after a sweep: each step as a reason and a line to copy."""

import shlex

from byheart.report.next_steps import Step, from_here
from byheart.sweep.report.lead import SEED
from byheart.sweep.report.selection import Chosen
from byheart.sweep.search.config import SweepConfig

AS_STUDY = ("hydra/sweeper=byheart_optuna", "hydra/launcher=packed")
SEEDS = "seed=0,1,2"


def steps(setup: SweepConfig, chosen: Chosen) -> list[Step]:
    found = [Step("Train with these settings:", f"byheart learn {chosen.line}")]
    if chosen.lead and chosen.lead.next:
        pick = ["byheart", "pick", str(from_here(setup.folder)), f"trial={chosen.lead.next.number}"]
        found.append(Step("Score the next best setting too:", shlex.join(pick)))
    if SEED not in setup.space.distributions:
        same = [each.text for each in chosen.overrides if each.key != SEED and not each.key.startswith("hydra")]
        study = f"hydra.sweeper.study_name={setup.name}-seeds"
        line = shlex.join(["byheart", "learn", "-m", *same, SEEDS, *AS_STUDY, study])
        found.append(Step("See how far seeds differ, with three of them:", line))
    return found
