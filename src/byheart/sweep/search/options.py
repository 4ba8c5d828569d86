"""The options of `hydra/sweeper=byheart_optuna`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from byheart.config.schema import Rule
from byheart.errors import Problem
from byheart.sweep.search.halving import Halving
from byheart.sweep.search.results import OBJECTIVES
from byheart.sweep.search.space import Params

PICKS = ("best", "smooth")
COUNT = Rule(int | None, "a whole number of at least 1", lambda count: count is None or count >= 1)
FROM_0 = Rule(int | None, "a whole number of at least 0", lambda count: count is None or count >= 0)
RULES = {
    **dict.fromkeys(("n_trials", "n_jobs", "max_failures", "first"), COUNT),
    **dict.fromkeys(("probes", "seed"), FROM_0),
    "roughest": Rule(float, "a number above 0 and at most 1", lambda share: 0 < share <= 1),
    "expire_s": Rule(float, "a number above 0", lambda seconds: seconds > 0),
    "study_name": Rule(object, "the name of one folder", lambda name: name is None or _names_a_folder(str(name))),
    "pick": Rule(str, f"one of {', '.join(PICKS)}", PICKS.__contains__),
}
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
    halving: Halving | None = None
    params: Mapping[str, object] = field(default_factory=dict)  # the space: key -> choice(), range(), interval(), ...

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "tuple[SweepOptions, list[Problem]]":
        """The options under `hydra.sweeper`, and what is wrong with them."""
        names = {each.name for each in fields(cls)}
        fix = f"the keys are: {', '.join(sorted(names))}"
        unknown = [key for key in raw if key not in names and not key.startswith("_")]
        halving, wrong = Halving.read(raw.get("halving"))
        # null means the default, but for max_failures, where it means "never"
        given = {key: raw[key] for key in raw if key in names and (raw[key] is not None or key == "max_failures")}
        sweep = cls(**{**given, "halving": halving})
        return sweep, [
            *(Problem("there is no such key", _key(key), fix=fix) for key in unknown),
            *wrong,
            *sweep.problems(),
        ]

    def problems(self) -> list[Problem]:
        wrong = (rule.problem(_key(name), getattr(self, name)) for name, rule in RULES.items())
        return [*filter(None, wrong), *self._problems()]

    def _problems(self) -> Iterator[Problem]:
        strange = [name for name in self.objectives if name not in OBJECTIVES]
        if strange or not self.objectives:
            what, fix = f"must be among {', '.join(OBJECTIVES)}", f"{_key('objective')}=val_loss"
            yield Problem(what, _key("objective"), ", ".join(strange) or "[]", fix)
        if len(self.objectives) > 1 and self.prunes:
            yield Problem("several objectives cannot be pruned", _key("pruner"), str(self.pruner["_target_"]))
        if self.halving is not None and (len(self.objectives) > 1 or self.prunes):
            yield Problem("halving needs one objective, and no pruner", _key("halving"), str(self.halving))
        if self.storage and self.storage_env:
            yield Problem("say storage or storage_env, not both", _key("storage_env"), self.storage_env)

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

    def probes_asked(self, examples_vary: bool) -> int:
        """How many probes are asked at each epoch's end; with 0, recall is that of the validation rows, and costs nothing."""
        if self.probes is not None:
            return self.probes
        return DEFAULT_PROBES if examples_vary and "recall" in self.objectives else 0


def _names_a_folder(text: str) -> bool:
    return text not in ("", ".", "..") and not {"/", "\\", "\0"} & set(text)


def _key(name: str) -> str:
    return f"hydra.sweeper.{name}"
