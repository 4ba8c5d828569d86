"""Optuna's samplers and pruners, made from the config."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from byheart.errors import Problem, UserError

OURS = ("multivariate", "constant_liar", "seed")  # what the shipped sampler is given, and the seed
NEED_SCIPY = ("GPSampler", "QMCSampler", "WilcoxonPruner")


def built(raw: Mapping[str, object], where: str) -> Any:
    """A sampler or pruner by `_target_`; which names may stand there is checked with the rest of the config."""
    from hydra.errors import InstantiationException
    from hydra.utils import get_class, instantiate

    target = str(raw["_target_"])
    needs_scipy = target.rpartition(".")[2] in NEED_SCIPY  # Optuna would say so in the middle of the sweep
    if needs_scipy and find_spec("scipy") is None:
        raise UserError(Problem("this one needs scipy", where, target, "pip install scipy"))
    try:
        takes = inspect.signature(get_class(target)).parameters
        # Another `_target_` on the command line comes with the arguments of the shipped one, which it may not take.
        kept = {key: v for key, v in raw.items() if key in takes or key not in OURS}
        with quiet():
            return instantiate(kept, _convert_="all")
    except (InstantiationException, ImportError, ValueError, TypeError) as error:
        cause = error.__cause__ or error
        what = f"cannot be made: {cause}".splitlines()[0]
        raise UserError(Problem(what, where, target, "see Optuna's page about it")) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna warns of each experimental argument and method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
