"""The options of `hydra/sweeper=byheart_optuna`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from byheart.errors import Problem
from byheart.sweep.search.halving import Halving
from byheart.sweep.search.results import OBJECTIVES
from byheart.sweep.search.space import Params

PICKS = ("best", "smooth")
NO_PRUNER = "optuna.pruners.NopPruner"
DEFAULT_TRIALS = 20  # where the space is infinite and n_trials is not set
DEFAULT_PROBES = 32  # where recall is an objective


@dataclass(frozen=True)
class SweepOptions:
    """`params` is the space; the command line may add to it."""

    study_name: str | None = None  # null: the sweep's and the documents' names
    storage: str | None = None  # null: SQLite in the sweep's folder; else journal:FILE or the URL of a database
    storage_env: str | None = None  # name of the environment variable that holds an address with a password
    n_trials: int | None = None  # finished trials in all; null: every combination, or 20 where the space is infinite
    n_jobs: int = 1  # trials handed to a launcher at a time
    max_failures: int | None = 3  # in a row end the sweep; null never
    objective: str | Sequence[str] = "val_loss"  # or others of OBJECTIVES, or several; null: stopping.monitor
    pick: str = "best"  # best | smooth: the highest rate before the losses oscillate
    roughest: float = 0.2  # with pick=smooth: share of checks at which validation loss may rise
    first: int = 8  # trials of the first cohort, evenly spread (Sobol)
    given: Sequence[Params] = ()  # or a cohort of your own: [{lr: 1e-4, batch_size: 2}]
    probes: int | None = None  # asked at each epoch's end; null: 32 where examples vary and recall is an objective
    seed: int = 0  # of the sampler, to which the number of trials is added
    expire_s: float = 120.0  # seconds without a heartbeat before another machine's trial is taken over
    sampler: Mapping[str, object] = field(
        default_factory=lambda: {"_target_": "optuna.samplers.TPESampler", "multivariate": True, "constant_liar": True}
    )
    pruner: Mapping[str, object] = field(default_factory=lambda: {"_target_": NO_PRUNER})
    halving: Mapping[str, object] | None = (
        None  # {after: [1, 2], keep: 0.5}: after these epochs the better half goes on
    )
    params: Mapping[str, object] = field(default_factory=dict)  # the space: key -> choice(), range(), interval(), ...

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "tuple[SweepOptions, list[Problem]]":
        """The options under `hydra.sweeper`, and what is wrong with them."""
        known = {each.name for each in fields(cls)}
        fix = f"the keys are: {', '.join(sorted(known))}"
        unknown = [key for key in raw if key not in known and not str(key).startswith("_")]
        # null means the default, but for max_failures, where it means "never"
        said = {key: raw[key] for key in raw if key in known and (raw[key] is not None or key == "max_failures")}
        sweep = cls(**said)
        return sweep, [*(Problem("there is no such key", _key(key), fix=fix) for key in unknown), *sweep.problems()]

    def problems(self) -> list[Problem]:
        found = []
        for name in ("n_trials", "n_jobs", "max_failures", "probes", "first", "seed"):
            value, least = getattr(self, name), 0 if name in ("probes", "seed") else 1
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                found.append(Problem(f"must be a whole number of at least {least}", _key(name), str(value)))
        for name, most in (("roughest", 1.0), ("expire_s", math.inf)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
                words = f"must be a number above 0{f' and at most {most:g}' if most < math.inf else ''}"
                found.append(Problem(words, _key(name), str(value)))
        if self.study_name is not None and not _names_a_folder(str(self.study_name)):
            found.append(Problem("must be the name of one folder", _key("study_name"), str(self.study_name)))
        strange = [name for name in self.objectives if name not in OBJECTIVES]
        if strange or not self.objectives:
            words = f"must be among {', '.join(OBJECTIVES)}"
            found.append(Problem(words, _key("objective"), ", ".join(strange) or "[]", f"{_key('objective')}=val_loss"))
        if self.pick not in PICKS:
            found.append(Problem(f"must be one of {', '.join(PICKS)}", _key("pick"), str(self.pick)))
        if len(self.objectives) > 1 and self.prunes:
            found.append(Problem("several objectives cannot be pruned", _key("pruner"), str(self.pruner["_target_"])))
        found += Halving.read(self.halving)[1]
        if self.halving is not None and (len(self.objectives) > 1 or self.prunes):
            what = "halving needs one objective, and no pruner"
            found.append(Problem(what, _key("halving"), str(self.halving)))
        if self.storage and self.storage_env:
            found.append(Problem("say storage or storage_env, not both", _key("storage_env"), self.storage_env))
        return found

    @property
    def objectives(self) -> tuple[str, ...]:
        return (self.objective,) if isinstance(self.objective, str) else tuple(self.objective)

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        return ["minimize" if OBJECTIVES[name] == "minimize" else "maximize" for name in self.objectives]

    @property
    def signs(self) -> list[int]:
        """By which values are multiplied so that lower is better."""
        return [1 if direction == "minimize" else -1 for direction in self.directions]

    @property
    def prunes(self) -> bool:
        return str(self.pruner.get("_target_")) != NO_PRUNER

    @property
    def halved(self) -> Halving | None:
        return Halving.read(self.halving)[0]

    @property
    def in_memory(self) -> bool:
        """Whether only one process sees the study."""
        return self.storage in ("sqlite://", "sqlite:///:memory:")

    def probes_asked(self, examples_vary: bool) -> int:
        """How many probes are asked at each epoch's end; with 0, recall is that of the validation rows, and costs nothing."""
        if self.probes is not None:
            return self.probes
        return DEFAULT_PROBES if examples_vary and "recall" in self.objectives else 0


def _names_a_folder(text: str) -> bool:
    return text not in ("", ".", "..") and not {"/", "\\", "\0"} & set(text)


def _key(name: str) -> str:
    return f"hydra.sweeper.{name}"
