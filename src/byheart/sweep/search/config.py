"""The config of a sweep: what varies, what is optimised and where it is kept; checked before the first trial."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from omegaconf import OmegaConf

from byheart.config.compose import PRIMARY, Composer, Config, run_name
from byheart.errors import Problem
from byheart.pipeline.run_config import RunConfig
from byheart.sweep.search.epochs import Axis
from byheart.sweep.search.fingerprint import fingerprint
from byheart.sweep.search.options import COUNT, SweepOptions
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
ROUNDS = "rounds=1; then train what was chosen with `byheart learn` and rounds=3"
FIXED = ("questions", "dev", "name", "run", "resume", "estimate", "hydra", "logger", "evaluation", "retrain", "rounds")


@dataclass(frozen=True)
class SweepConfig:
    """What is decided before the first trial."""

    name: str  # of the study
    sweep: SweepOptions
    axis: Axis
    fixed: tuple[Override, ...]  # of the command line and of hydra.sweeper.params
    from_yaml: tuple[Override, ...]  # what differs from `byheart learn` in the sweep's own YAML
    folder: Path
    fingerprint: dict[str, object]
    only_user_questions: bool  # where examples vary, only the user's questions are the same for all
    run_config: RunConfig  # of the first trial; what does not vary is the same in all

    @property
    def probes_asked(self) -> int:
        """How many probes are asked at each epoch's end."""
        return self.sweep.probes_asked(self.only_user_questions)

    @property
    def space(self) -> Space:
        return self.axis.space


def is_study(config: Config) -> bool:
    """Whether this config uses our sweeper."""
    return str(OmegaConf.select(config, "hydra.sweeper._target_")) == TARGET


def study_name(config: Config) -> str:
    """The user's name for it, else the names of the sweep and of the documents."""
    if given := OmegaConf.select(config, "hydra.sweeper.study_name"):
        return str(given)
    sweep = str(OmegaConf.select(config, "hydra.job.config_name") or PRIMARY)
    documents = run_name(config.get("name"), config.get("documents"))
    return documents if sweep in (PRIMARY, documents) else f"{sweep}-{documents}"


def study_folder(config: Config) -> Path:
    return Path("outputs") / "sweeps" / study_name(config)


def set_up(
    config: Config, arguments: Sequence[str], run_config: RunConfig, folder: Path
) -> tuple[SweepConfig, list[Problem]]:
    """`arguments` are the overrides of the command line; those of `hydra.sweeper.params` go before them."""
    raw, launcher = (_options(config.hydra[name]) for name in ("sweeper", "launcher"))
    sweep, problems = SweepOptions.read(raw)
    if raw.get("objective") is None:
        sweep = replace(sweep, objective=COMPARED.get(run_config.stopping.monitor, run_config.stopping.monitor))
    lines = [*(f"{key}={_text(value)}" for key, value in sweep.params.items()), *arguments]
    space, fixed, wrong = Space.read(lines, _loader(config) if any("glob(" in line for line in lines) else None)
    axis, wrong_axis = Axis.of(space, run_config) if space.distributions else (Axis(space, run_config.epochs), [])
    keys = list(space.distributions)
    problems += [
        *(_launcher_problems(launcher, sweep) if launcher.get("_target_") == PACKED else ()),
        *wrong,
        *wrong_axis,
        *_objective_problems(sweep, keys, run_config),
        *_space_problems(sweep, keys, axis.space, run_config),
    ]
    examples_vary = bool(other_texts(keys))
    settings = fingerprint(config, sweep, space, examples_vary) if not problems else {}
    own = from_yaml(config, keys) if not problems else ()
    fixed = [*_monitored(sweep, run_config), *fixed]
    return SweepConfig(
        study_name(config), sweep, axis, tuple(fixed), own, folder, settings, examples_vary, run_config
    ), problems


def _monitored(sweep: SweepOptions, run_config: RunConfig) -> list[Override]:
    """Trials stop, and choose their epoch, by the first objective, unless stopping.monitor is set."""
    first, monitor = next(iter(sweep.objectives), ""), run_config.stopping.monitor
    if monitor != Stopping().monitor or first not in MONITORS or first == monitor:
        return []
    return [Override.of("stopping.monitor", first)]


def _launcher_problems(options: Mapping[str, object], sweep: SweepOptions) -> Iterator[Problem]:
    """What is wrong with the options of hydra/launcher=packed."""
    for key in ("processes", "slots", "tokens_at_once"):
        if problem := COUNT.problem(f"hydra.launcher.{key}", options.get(key)):
            yield problem
    where, processes = "hydra.launcher.processes", options.get("processes")
    if processes not in (None, 1) and sweep.halving is not None:
        what = "halving compares trials within one process"
        yield Problem(what, where, str(processes), f"{where}=1, or leave halving out")


def _space_problems(sweep: SweepOptions, keys: Sequence[str], space: Space, run_config: RunConfig) -> Iterator[Problem]:
    """What is wrong with the keys that vary. `space`: those whose values Optuna proposes."""
    for key in keys:
        if _head(key) in FIXED:
            fix = {"retrain": "sweep schedule instead", "rounds": ROUNDS}.get(key, "say it once, for all trials")
            yield Problem("this cannot vary within a study", key, fix=fix)
    if "rounds" not in keys and run_config.rounds > 1:
        yield Problem("a sweep's trials are trained in one round", "rounds", str(run_config.rounds), ROUNDS)
    for i, point in enumerate(sweep.given):
        if set(point) != set(space.distributions):
            what = "a given trial names just the keys that vary"
            yield Problem(what, f"hydra.sweeper.given.{i}", str(dict(point)))
            continue
        for key, value in space.kept(point).items():
            choices = getattr(space.distributions[key], "choices", None)
            if choices is not None and value not in choices:
                fix = f"one of {', '.join(map(str, choices))}"
                yield Problem("not among the values of its key", f"hydra.sweeper.given.{i}.{key}", str(value), fix)
    if sweep.pick == "smooth" and keys and "lr" not in keys:
        what = "the highest smooth rate is looked for, but lr does not vary"
        yield Problem(what, "hydra.sweeper.pick", "smooth", "hydra.sweeper.pick=best, or lr=1e-4,3e-4")
    with suppress(ValueError):  # a wrong budget is a problem of the run
        if run_config.limit.seconds is not None:
            fix = "say the optimizer steps of each trial: budget=2000"
            what = "trials that train together have no time of their own"
            yield Problem(what, "budget", str(run_config.budget), fix)


def _objective_problems(sweep: SweepOptions, keys: Sequence[str], run_config: RunConfig) -> Iterator[Problem]:
    """What is wrong with the objective, given what varies."""
    where, texts = "hydra.sweeper.objective", ", ".join(other_texts(keys))
    clashing = ", ".join(key for key in keys if _head(key) in OTHER_LOSS)
    by_token = next((name for name in TOKENWISE if name in sweep.objectives), None)
    if clashing and by_token:
        what = f"{TOKENWISE[by_token]} do not compare where {clashing} varies: the rows they are taken on differ"
        yield Problem(what, where, by_token, f"{where}=recall, measured on one fixed set of probes")
    if texts and "recall" in sweep.objectives and not (run_config.questions and run_config.dev):
        what = f"where {texts} varies, so do the generated probes: recall needs a fixed set"
        yield Problem(what, where, "recall", "add questions=FILE dev=0.3: that share of them is asked")
    if "forgetting" in sweep.objectives and "forgetting" not in run_config.evaluation:
        yield Problem("forgetting is not measured", where, "forgetting", "evaluation=[recall,forgetting]")


def other_texts(keys: Iterable[str]) -> list[str]:
    return [key for key in keys if _head(key) in OTHER_TEXTS]


def _loader(config: Config) -> ConfigLoader:
    """Of the folders that this config was composed from: the package's, and the user's."""
    sources = OmegaConf.select(config, "hydra.runtime.config_sources") or ()
    return Composer(next((each.path for each in sources if each.provider == "command-line"), None)).loader


def _options(node: Config) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(node, resolve=True))


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _head(key: str) -> str:
    """The section or group of a key: `rows` of `+rows.loss_on`."""
    return bare(key).partition(".")[0].partition("@")[0]
