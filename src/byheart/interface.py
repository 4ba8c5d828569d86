"""The Python interface, which the command line uses too: `from byheart import learn, expand, evaluate, sweep, bases, ask`.

    result = learn(documents="handbook.pdf", lr=3e-4, overrides={"adapter.rank": 8})
    result.scores["tuned"]["contains"]["value"]
    longer = learn(resume=result.folder, epochs=60)

Options are those of the command line; what could be typed there may also be given as text: `learn("adapter.rank=8")`.
What is wrong with them raises UserError, which lists every problem. Runs are silent, unless `progress=` is given: any
function that takes the events of `byheart.progress`, for example `print`, or `byheart.report.terminal.Terminal()`.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack, cast

from byheart.candidates import SAMPLE, STEPS, read_bases
from byheart.choosing.records import BasesResult
from byheart.config.compose import read_request
from byheart.config.quoting import in_hydras_grammar, quoted
from byheart.dispatch import check, compare_bases, run_one, run_sweep, score_again
from byheart.errors import Problem, UserError
from byheart.progress import Progress, no_progress
from byheart.results import EvaluateResult, ExpandResult, LearnResult, SweepResult
from byheart.use.asking import ask as ask

Value = str | int | float | bool | Path | None | Sequence["Value"] | Mapping[str, "Value"]
Paths = str | Path | Sequence[str | Path]
Names = str | Sequence[str]  # members of a group that takes several


class Options(TypedDict, total=False):
    """The plain keys and the groups of the command line; `overrides` holds dotted keys, e.g. {"adapter.rank": 8}."""

    documents: Paths
    questions: str | Path | None
    name: str | None
    resume: str | Path  # learn and expand: a run's folder; learn also takes the epochs or the budget to go on to
    estimate: bool
    seed: int
    dev: float
    batch_size: int
    epochs: int
    budget: int | str | None
    lr: float
    schedule: str
    retrain: str
    rounds: int
    model: str
    teacher: str
    split: str
    adapter: str
    optimizer: str
    trainer: str
    expansion: Names
    evaluation: Names
    logger: Names
    overrides: Mapping[str, Value]


def learn(*words: str, progress: Progress = no_progress, **options: Unpack[Options]) -> LearnResult:
    """Trains a model on the documents and scores it. `words` are further overrides as on the command line."""
    return cast(LearnResult, run_one("learn", read_request(_words(words, options)), progress))


def expand(*words: str, progress: Progress = no_progress, **options: Unpack[Options]) -> ExpandResult:
    """Makes the examples only; no model is loaded."""
    return cast(ExpandResult, run_one("expand", read_request(_words(words, options)), progress))


def evaluate(
    run: str | Path, *words: str, progress: Progress = no_progress, **options: Unpack[Options]
) -> EvaluateResult:
    """Scores a finished run again; `questions`, `evaluation` and `trainer` may change."""
    return score_again(read_request([f"run={run}", *_words(words, options)]), progress)


def bases(
    models: Names | Sequence[str | Path],
    *words: str,
    steps: int = STEPS,
    sample: int = SAMPLE,
    progress: Progress = no_progress,
    **options: Unpack[Options],
) -> BasesResult:
    """Ranks base models on sample questions, and recommends one. `models`: folders, hub ids, names of shipped models.

    `steps`: of training for each, 0 for none. `sample`: questions at most. The same call again goes on where it stopped.
    """
    names = [models] if isinstance(models, str) else [str(model) for model in models]
    own = [*(f"models={name}" for name in names), f"steps={steps}", f"sample={sample}"]
    return compare_bases(read_bases([*own, *_words(words, options)]), progress)


def sweep(
    name: str | Path, /, *words: str, progress: Progress = no_progress, **options: Unpack[Options]
) -> SweepResult:
    """Runs a sweep or continues it. `name`: a shipped sweep or a YAML file.

    Values to try are words: sweep("batch_lr_epochs", "lr=1e-4,3e-4", documents="handbook.pdf").
    """
    from byheart.sweep.run.command import sweep_words

    request = read_request(sweep_words([str(name), *_words(words, options)]))
    checked = check(request)
    setup = checked.setup
    if checked.run_configs[0].estimate:
        fix = "learn(..., estimate=True), with the settings of a trial"
        raise UserError(Problem("what a sweep takes is that of one trial", "estimate", "true", fix))
    if setup is None:
        raise UserError(Problem("this sweep has no study", "hydra/sweeper", fix="start it with `byheart sweep`"))
    result = run_sweep(request, setup, progress)
    assert result is not None
    return result


def _words(words: Sequence[str], options: Options) -> list[str]:
    """Options as overrides in Hydra's grammar."""
    plain = {key: value for key, value in options.items() if key != "overrides"}
    settings = {**plain, **options.get("overrides", {})}
    return [*words, *(f"{key}={in_hydras_grammar(value, _plain_or_quoted)}" for key, value in settings.items())]


def _plain_or_quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w./-]+", text, re.A) else quoted(text)
