"""The config of a sweep: what varies, what is optimised and where it is kept; checked before the first trial."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import OmegaConf

from byheart.config.compose import PRIMARY, Config, run_name
from byheart.errors import Problem
from byheart.pipeline.run_config import RunConfig
from byheart.sweep.search.epochs import Axis
from byheart.sweep.search.fingerprint import fingerprint
from byheart.sweep.search.options import SweepOptions
from byheart.sweep.search.override import Override, bare, from_yaml
from byheart.sweep.search.space import Space
from byheart.training.stopping import MONITORS, Stopping

# Recall of its own training rows compares the epochs of one training, and not trainings with each other.
COMPARED = {"train_recall": "bounded_loss"}
TARGET = "hydra_plugins.byheart_optuna.sweeper.ByheartOptuna"
PACKED = "hydra_plugins.byheart_packed.launcher.PackedLauncher"
# Validation loss says nothing where the validated rows differ.
OTHER_TEXTS = ("documents", "chunks", "expansion", "split")  # other examples or another choice among them
OTHER_LOSS = (*OTHER_TEXTS, "rows", "model")  # another loss for the same answer
TOKENWISE = {
    "val_loss": "validation losses",
    "bounded_loss": "validation losses",
    "token_accuracy": "token accuracies",
    "train_recall": "shares of trained rows",
}
FIXED = ("questions", "dev", "name", "run", "resume", "estimate", "hydra", "logger", "evaluation", "retrain")


@dataclass(frozen=True)
class SweepConfig:
    """All that is known before the first trial."""

    name: str  # of the study
    sweep: SweepOptions
    axis: Axis
    fixed: tuple[Override, ...]  # of the command line and of hydra.sweeper.params
    from_yaml: tuple[Override, ...]  # what differs from `byheart learn` in the sweep's own YAML
    folder: Path
    fingerprint: dict[str, object]
    only_their_probes: bool  # where examples vary, only the user's questions are the same for all
    run_config: RunConfig  # of the first trial; what does not vary is the same in all

    @property
    def probes_asked(self) -> int:
        """How many probes are asked at each epoch's end."""
        return self.sweep.probes_asked(self.only_their_probes)

    @property
    def space(self) -> Space:
        return self.axis.space


def _time_budget(run_config: RunConfig) -> list[Problem]:
    try:
        seconds = run_config.limit.seconds
    except ValueError:  # a wrong budget is a problem of the plan
        seconds = None
    if seconds is None:
        return []
    fix = "say the optimizer steps of each trial: budget=2000"
    return [Problem("trials that train together have no time of their own", "budget", str(run_config.budget), fix)]


def _monitored(sweep: SweepOptions, run_config: RunConfig) -> list[Override]:
    """Trials stop, and choose their epoch, by the first objective, unless stopping.monitor is set."""
    first = sweep.objectives[0] if sweep.objectives else ""
    said = run_config.stopping.monitor != Stopping().monitor
    if said or first not in MONITORS or first == run_config.stopping.monitor:
        return []
    return [Override.of("stopping.monitor", first)]


def is_study(config: Config) -> bool:
    """Whether this config uses our sweeper."""
    return str(OmegaConf.select(config, "hydra.sweeper._target_")) == TARGET


def study_name(config: Config) -> str:
    """The user's name for it, else the names of the sweep and of the documents."""
    said = OmegaConf.select(config, "hydra.sweeper.study_name")
    if said:
        return str(said)
    sweep = str(OmegaConf.select(config, "hydra.job.config_name") or PRIMARY)
    documents = run_name(config.get("name"), config.get("documents"))
    return documents if sweep in (PRIMARY, documents) else f"{sweep}-{documents}"


def study_folder(config: Config) -> Path:
    return Path("outputs") / "sweeps" / study_name(config)


def set_up(
    config: Config, arguments: Sequence[str], run_config: RunConfig, folder: Path
) -> tuple[SweepConfig, list[Problem]]:
    """`arguments` are the overrides of the command line; those of `hydra.sweeper.params` go before them."""
    raw = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    assert isinstance(raw, dict)
    sweep, problems = SweepOptions.read({str(key): value for key, value in raw.items()})
    if raw.get("objective") is None:
        sweep = replace(sweep, objective=COMPARED.get(run_config.stopping.monitor, run_config.stopping.monitor))
    space, fixed, wrong = Space.read([*(f"{key}={_text(value)}" for key, value in sweep.params.items()), *arguments])
    axis, wrong_axis = Axis.of(space, run_config) if space.distributions else (Axis(space, run_config.epochs), [])
    problems += [
        *_launcher(config, sweep),
        *wrong,
        *wrong_axis,
        *_objective(sweep, space.distributions, run_config),
        *_given(sweep, axis.space),
        *_smooth(sweep, space),
        *_time_budget(run_config),
    ]
    keys = list(space.distributions)
    there = bool(other_texts(keys))
    same = fingerprint(config, sweep, space, there) if not problems else {}
    name = study_name(config)
    own = from_yaml(config, keys) if not problems else []
    return SweepConfig(
        name, sweep, axis, (*_monitored(sweep, run_config), *fixed), tuple(own), folder, same, there, run_config
    ), problems


def _smooth(sweep: SweepOptions, space: Space) -> list[Problem]:
    if sweep.pick != "smooth" or not space.distributions or "lr" in space.distributions:
        return []
    what = "the highest smooth rate is looked for, but lr does not vary"
    return [Problem(what, "hydra.sweeper.pick", "smooth", "hydra.sweeper.pick=best, or lr=1e-4,3e-4")]


def _launcher(config: Config, sweep: SweepOptions) -> list[Problem]:
    """What is wrong with the options of hydra/launcher=packed."""
    options, problems = OmegaConf.to_container(config.hydra.launcher, resolve=True), list[Problem]()
    assert isinstance(options, dict)
    if options.get("_target_") != PACKED:
        return []
    for key in ("processes", "slots", "tokens_at_once"):
        value = options.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            what = "must be a whole number of at least 1, or null"
            problems.append(Problem(what, f"hydra.launcher.{key}", str(value)))
    where, said = "hydra.launcher.processes", options.get("processes")
    if said not in (None, 1) and sweep.halving is not None:
        what = "halving compares trials within one process"
        problems.append(Problem(what, where, str(said), f"{where}=1, or leave halving out"))
    if said not in (None, 1) and sweep.in_memory:
        what = "only one process sees a study in memory"
        problems.append(Problem(what, where, str(said), f"{where}=1, or leave hydra.sweeper.storage out"))
    return problems


def _given(sweep: SweepOptions, space: Space) -> list[Problem]:
    wanted = set(space.distributions)
    return [
        Problem("a given trial names just the keys that vary", f"hydra.sweeper.given.{i}", str(dict(point)))
        for i, point in enumerate(sweep.given)
        if set(point) != wanted
    ]


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def other_texts(keys: Iterable[str]) -> list[str]:
    return [key for key in keys if _head(key) in OTHER_TEXTS]


def _objective(sweep: SweepOptions, keys: Iterable[str], run_config: RunConfig) -> list[Problem]:
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
    if other_texts(keys) and "recall" in sweep.objectives and not (run_config.questions and run_config.dev):
        words = f"where {', '.join(other_texts(keys))} varies, so do the generated probes: recall needs a fixed set"
        problems.append(Problem(words, where, "recall", "add questions=FILE dev=0.3: that share of them is asked"))
    if "forgetting" in sweep.objectives and "forgetting" not in run_config.evaluation:
        problems.append(Problem("forgetting is not measured", where, "forgetting", "evaluation=[recall,forgetting]"))
    return problems


def _head(key: str) -> str:
    """The section or group of a key: `rows` of `+rows.loss_on`."""
    return bare(key).partition(".")[0].partition("@")[0]
